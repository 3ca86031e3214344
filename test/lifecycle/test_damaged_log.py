"""A log whose file was damaged while nobody had it open: what can be read of it is saved, and the rest is told."""

from __future__ import annotations

import os
import random
import shutil
import struct
from pathlib import Path

import duckdb
import pytest

from harness import record, run_python
from harness.ledger import sidecar_of, status

BLOCK_BYTES = 262_144
HEADERS_BYTES = 12_288
ROWS = 20_000


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Path:
    """The log of a service that was closed."""
    directory = tmp_path_factory.mktemp("closed")
    run_python(
        f"""
        import sys
        from harness import connect
        session = connect(sys.argv[1])
        session.execute("SET oplog_retention = '9 days'")
        session.execute("SELECT count(oplog_record({{command: 'a', error_message: concat(uuid(), uuid(), uuid())}})) FROM range({ROWS})").fetchall()
        session.close()
        """,
        directory / "app.duckdb",
    )
    return sidecar_of(directory / "app.duckdb")


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """The log of a service that was killed, all in its write-ahead log, and no journal left."""
    directory = tmp_path_factory.mktemp("killed")
    run_python(
        """
        import os, sys
        from harness import connect
        session = connect(sys.argv[1])
        for _ in range(5):
            session.execute("SELECT count(oplog_record({command: 'a', error_message: concat(uuid(), uuid())})) FROM range(400)").fetchall()
            session.execute("CALL oplog_flush()")
        os.kill(os.getpid(), 9)
        """,
        directory / "app.duckdb",
        exit_code=-9,
    )
    for file in directory.glob("*.journal*"):
        file.unlink()
    return sidecar_of(directory / "app.duckdb")


def goes_on(session) -> None:
    assert status(session)["role"] == "owner"
    record(session, "new")
    session.execute("CALL oplog_flush()")
    for question in ["SELECT count(*) FROM operation_log WHERE command = 'new'", "CALL oplog_purge()"]:
        assert session.execute(question).fetchone()[0] in (0, 1)
    session.execute("SELECT count(error_message) FROM operation_log").fetchall()


def overwrite(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(random.Random(at).randbytes(16))


def blocks(path: Path) -> range:
    return range((path.stat().st_size - HEADERS_BYTES) // BLOCK_BYTES)


def test_each_block_may_be_damaged(connect, host, closed):
    saved = []
    for block in blocks(closed):
        log = sidecar_of(host)
        for file in host.parent.iterdir():
            file.unlink()
        shutil.copy(closed, log)
        overwrite(log, HEADERS_BYTES + block * BLOCK_BYTES + 1000)
        session = connect(host)
        goes_on(session)
        (there,) = session.execute("SELECT count(*) FROM operation_log WHERE command = 'a'").fetchone()
        aside = list(host.parent.glob("*.damaged-*"))
        if there < ROWS:
            assert aside, f"block {block}: {there} rows, and nothing was set aside"
            assert "was damaged and is now" in status(session)["notes"]
        saved.append(there)
        session.close()
    assert max(saved) == ROWS
    # Most blocks hold the texts of one column: the rows are saved without them.
    assert sorted(saved)[len(saved) // 2] == ROWS, saved


@pytest.mark.parametrize("at", [0, 8, 12, 100])
def test_a_header_that_is_damaged_costs_the_log_and_nothing_else(connect, host, closed, at):
    log = sidecar_of(host)
    shutil.copy(closed, log)
    overwrite(log, at)
    session = connect(host)
    goes_on(session)
    assert len(list(host.parent.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize("size", [1, 4095, 8192, HEADERS_BYTES, HEADERS_BYTES + 1, HEADERS_BYTES + BLOCK_BYTES, -BLOCK_BYTES, -1])
def test_a_log_that_was_cut_is_set_aside(connect, host, closed, size):
    log = sidecar_of(host)
    shutil.copy(closed, log)
    os.truncate(log, size if size > 0 else log.stat().st_size + size)
    session = connect(host)
    goes_on(session)
    session.close()
    session = connect(host)
    assert status(session)["role"] == "owner"
    assert session.execute("SELECT count(*) FROM operation_log WHERE command = 'new'").fetchall() == [(1,)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("how", ["overwritten", "cut"])
def test_a_damaged_write_ahead_log_costs_what_it_held(connect, host, killed, share, how):
    log = sidecar_of(host)
    shutil.copy(killed, log)
    wal = log.with_name(log.name + ".wal")
    shutil.copy(killed.with_name(killed.name + ".wal"), wal)
    at = int(wal.stat().st_size * share)
    if how == "cut":
        os.truncate(wal, max(at, 1))
    else:
        overwrite(wal, at)
    goes_on(connect(host))


def test_damage_that_shows_later_is_mended_when_it_is_met(connect, host):
    # Larger than what is looked at on LOAD.
    session = connect(host)
    session.execute(
        "SELECT count(oplog_record({command: 'a', error_message: concat(uuid(), uuid(), uuid(), uuid(), uuid(), uuid(), uuid(), uuid())})) FROM range(200000)"
    ).fetchall()
    session.close()
    log = sidecar_of(host)
    assert log.stat().st_size > 32 * 1024 * 1024
    overwrite(log, HEADERS_BYTES + 60 * BLOCK_BYTES + 1000)
    session = connect(host)
    assert session.execute("SELECT count(*) FROM operation_log").fetchone()[0] == 200_000
    question = "SELECT count(error_message) FROM operation_log"
    try:
        (texts,) = session.execute(question).fetchone()
    except duckdb.Error:
        # Some rows had been given out before it showed. Whoever asks again has what could be saved.
        (texts,) = session.execute(question).fetchone()
    (state,) = session.execute("SELECT status FROM oplog_health() WHERE component = 'log'").fetchone()
    assert (state, texts < 200_000) in [("warn", True), ("pass", False)]
    goes_on(session)


def block_at(path: Path, number: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(HEADERS_BYTES + number * BLOCK_BYTES)
        return file.read(BLOCK_BYTES)


@pytest.fixture(scope="module")
def checkpointed(tmp_path_factory) -> tuple[Path, Path]:
    """The log of a service that was killed, before its next checkpoint and after it."""
    directory = tmp_path_factory.mktemp("checkpointed")
    run_python(
        """
        import os, sys
        from harness import connect
        session = connect(sys.argv[1])
        def record():
            session.execute("SELECT count(oplog_record({command: 'a', error_message: concat(uuid(), uuid())})) FROM range(3000)").fetchall()
            session.execute("CALL oplog_flush()")
        record()
        session.close()
        session = connect(sys.argv[1])
        record()
        os.kill(os.getpid(), 9)
        """,
        directory / "app.duckdb",
        exit_code=-9,
    )
    before = sidecar_of(directory / "app.duckdb")
    after = directory / "after" / before.name
    after.parent.mkdir()
    for suffix in ("", ".wal"):
        shutil.copy(f"{before}{suffix}", f"{after}{suffix}")
    with duckdb.connect(str(after)) as log:
        log.execute("CHECKPOINT")
    for file in directory.glob("*.journal*"):
        file.unlink()
    return before, after


def in_place(before: Path, after: Path) -> int:
    """The block that a checkpoint has written anew where it was."""
    blocks = (before.stat().st_size - HEADERS_BYTES) // BLOCK_BYTES
    changed = [number for number in range(blocks) if block_at(before, number) != block_at(after, number)]
    assert changed, "this engine writes no block in place: what is tested here cannot happen"
    return changed[-1]


def checksum(data: bytes) -> int:
    """DuckDB's, of a header or a block without the checksum that leads it."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", data):
        found ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return found


def count_more_blocks(log: Path, more: int) -> None:
    """Has the headers count blocks that are not there, as they do when a checkpoint has cut off free ones at the file's end."""
    with open(log, "r+b") as file:
        for at in (4096, 8192):
            file.seek(at)
            header = bytearray(file.read(4096))
            (blocks,) = struct.unpack_from("<Q", header, 32)
            struct.pack_into("<Q", header, 32, blocks + more)
            struct.pack_into("<Q", header, 0, checksum(header[8:]))
            file.seek(at)
            file.write(header)


@pytest.mark.parametrize("pages, more_blocks", [(1, 0), (2, 0), (3, 0), (7, 0), (20, 0), (40, 0), (63, 0), (20, 3)])
def test_a_kill_in_the_middle_of_a_checkpoint_costs_nothing(connect, host, checkpointed, pages, more_blocks):
    before, after = checkpointed
    block = in_place(before, after)
    log = sidecar_of(host)
    for suffix in ("", ".wal"):
        shutil.copy(f"{before}{suffix}", f"{log}{suffix}")
    count_more_blocks(log, more_blocks)
    with open(log, "r+b") as file:
        file.seek(HEADERS_BYTES + block * BLOCK_BYTES)
        file.write(block_at(after, block)[: pages * 4096])
    session = connect(host)
    figures = status(session)
    assert (figures["role"], figures["lost_operations"]) == ("owner", "0"), figures["notes"]
    assert session.execute("SELECT count(*), max(seq) FROM operation_log").fetchone() == (6000, 6000)
    assert not list(log.parent.glob("*damaged*"))
    record(session, "b")
    session.close()
    session = connect(host)
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (6001,)
