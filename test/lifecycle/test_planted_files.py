"""What others have put beside a log under the names of its files: it is not followed, not waited for, and keeps nobody out."""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

import pytest

from harness import commands_in_log, record, run_python

MAGIC = {"journal": b"oplogjnl", "spans": b"oplogspn"}
GIBIBYTE = 1 << 30


def crc32c(data: bytes) -> int:
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = (checksum >> 1) ^ (0x82F63B78 if checksum & 1 else 0)
    return checksum ^ 0xFFFFFFFF


def segment_header(number: int, first_seq: int, follows_seq: int) -> bytes:
    head = MAGIC["journal"] + struct.pack("<I", 1)
    rest = struct.pack("<QQQ", number, first_seq, follows_seq)
    return head + struct.pack("<I", crc32c(head + rest)) + rest


def frame_head(body_bytes: int, body_checksum: int, first_seq: int, rows: int = 1) -> bytes:
    stamp = struct.pack("<IQqQ", rows, first_seq, 1_700_000_000_000_000, 1) + bytes(16) + bytes([1, 1, 0, 0])
    rest = struct.pack("<II", body_bytes, body_checksum) + stamp
    return struct.pack("<I", crc32c(rest)) + rest


def spans_header() -> bytes:
    head = MAGIC["spans"] + struct.pack("<I", 1)
    return head + struct.pack("<I", crc32c(head))


def sparse(path: Path, head: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def value(session, name):
    return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]


def log_with_three(connect, host) -> None:
    session = connect(host)
    for command in ("one", "two", "three"):
        record(session, command)
    session.close()


def beside(host: Path, suffix: str) -> Path:
    return host.with_name(f"{host.name}.oplog{suffix}")


FAR = 2**64 - 1

PLANTED = {
    "a number that cannot be": (f".journal.{FAR}", segment_header(FAR, 4, 4)),
    "a number far ahead": (".journal.999999999999", segment_header(999999999999, 4, 4)),
    "a header far ahead": (".journal.000009", segment_header(9, FAR, 4)),
    "a frame far ahead": (".journal.000009", segment_header(9, 2**61, 4) + frame_head(0, 0, 2**61)),
    "a frame beyond all numbers": (".journal.000009", segment_header(9, FAR - 5, 4) + frame_head(0, 0, FAR - 5)),
    "garbage for a segment": (".journal.000009", b"\xa5" * 100_000),
    "garbage for spans": (".journal.spans", b"\xa5" * 100_000),
    "frames of spans everywhere": (
        ".journal.spans",
        spans_header() + (struct.pack("<II", 0, 2_000_000 & ~15) + b"\x02" + bytes(7)) * 250_000,
    ),
    "garbage for a spool": (".spool-1-1-0.journal.000001", b"\xa5" * 100_000),
    "an empty spool": (".spool-1-1-0.journal.000001", b""),
    "a spool far ahead": (
        ".spool-1-1-0.journal.000001",
        segment_header(1, FAR - 5, 0) + frame_head(0, 0, FAR - 5),
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_file_keeps_nobody_out(connect, host, what):
    suffix, data = PLANTED[what]
    log_with_three(connect, host)
    beside(host, suffix).write_bytes(data)
    for command in ("four", "five"):
        session = connect(host)
        assert value(session, "role") == "owner"
        record(session, command)
        session.execute("CALL oplog_flush()").fetchall()
        session.close()
    session = connect(host)
    assert commands_in_log(session) == ["one", "two", "three", "four", "five"]
    assert session.execute("SELECT max(seq) FROM operation_log").fetchall() == [(5,)]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory as Linux tells it")
@pytest.mark.parametrize(
    ("suffix", "head"),
    [
        # What a head says that it would need is not given to it.
        (".journal.000009", segment_header(9, 4, 4) + frame_head(2**32 - 1, 0, 4)),
        (".journal.000009", segment_header(9, 4, 4) + frame_head(500 << 20, 0, 4)),
        (".journal.spans", spans_header()),
        (".spool-1-1-0.journal.000001", segment_header(1, 1, 1) + frame_head(2**32 - 1, 0, 1)),
    ],
    ids=["longest", "long", "spans", "spool"],
)
def test_a_file_that_claims_gigabytes_takes_no_memory(connect, host, suffix, head):
    log_with_three(connect, host)
    sparse(beside(host, suffix), head, 5 * GIBIBYTE)
    resident_bytes = run_python(
        """
        import sys
        from harness import connect, record
        from harness.ledger import peak_rss_bytes
        session = connect(sys.argv[1])
        record(session, "four")
        session.execute("CALL oplog_flush()").fetchall()
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(4,)]
        print(peak_rss_bytes())
        """,
        host,
    )
    assert int(resident_bytes.split()[-1]) < 1 << 30


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and links as POSIX has them")
@pytest.mark.parametrize("suffix", [".journal.000001", ".journal.spans", ".spool-1-1-0.journal.000001", ".spool-1-1-0.journal.spans"])
@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_what_is_no_regular_file_is_left_alone(connect, host, tmp_path, kind, suffix):
    log_with_three(connect, host)
    path = beside(host, suffix)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"of somebody else")
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(elsewhere)
    session = connect(host)
    assert value(session, "role") == "owner"
    record(session, "four")
    session.execute("SELECT oplog_finish(oplog_start({command: 'five'}))").fetchall()
    session.execute("CALL oplog_flush()").fetchall()
    assert commands_in_log(session) == ["one", "two", "three", "four", "five"]
    session.close()
    assert path.is_dir() if kind == "directory" else path.is_fifo() if kind == "fifo" else path.is_symlink()
    assert elsewhere.read_bytes() == b"of somebody else"


def test_records_get_past_a_file_in_the_way_of_the_journal(connect, host):
    log_with_three(connect, host)
    beside(host, ".journal.000001").mkdir()
    run_python(
        """
        import os, signal, sys
        from harness import connect, record
        session = connect(sys.argv[1])
        session.execute("SET oplog_flush_interval = '1 hour'")
        record(session, "four")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        host,
        exit_code=-signal.SIGKILL,
    )
    session = connect(host)
    assert commands_in_log(session) == ["one", "two", "three", "four"]


def test_one_bad_spool_keeps_no_other_out(connect, tmp_path, monkeypatch):
    log = tmp_path / "shared.oplog"
    monkeypatch.setenv("OPLOG_PATH", str(log))
    owner = connect()
    log.with_name(log.name + ".spool-1-1-0.journal.000001").mkdir()
    log.with_name(log.name + ".spool-1-1-1.journal.lock").mkdir()
    log.with_name(log.name + ".spool-1-1-1.journal.000001").write_bytes(b"")
    run_python(
        "from harness import connect, record\nsession = connect()\n[record(session, 'guest') for _ in range(10)]",
        env={"OPLOG_PATH": str(log)},
    )
    # A flush takes in what there is of guests.
    owner.execute("CALL oplog_flush()").fetchall()
    assert commands_in_log(owner) == ["guest"] * 10
    ((status, detail),) = owner.execute("SELECT status, detail FROM oplog_health() WHERE component = 'spools'").fetchall()
    assert status == "warn" and "spool-1-1-1.journal.lock" in detail


def test_a_damaged_spool_is_told_and_kept(connect, tmp_path, monkeypatch):
    log = tmp_path / "shared.oplog"
    monkeypatch.setenv("OPLOG_PATH", str(log))
    owner = connect()
    # So that nothing is taken in before it is damaged.
    owner.close()
    spool = run_python(
        """
        import os, signal, sys
        from harness import connect, record, start_python
        code = "from harness import connect; session = connect(); print('owner', flush=True); input()"
        with start_python(code, env={"OPLOG_PATH": os.environ["OPLOG_PATH"]}) as owner:
            owner.wait_for("owner")
            session = connect()
            for _ in range(3):
                record(session, "guest")
            (spool,) = session.execute("SELECT value FROM oplog_status() WHERE name = 'spool'").fetchall()
            owner.kill()
        print(spool[0], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        env={"OPLOG_PATH": str(log)},
        exit_code=-signal.SIGKILL,
    ).strip()
    segment = Path(spool + ".journal.000001")
    data = bytearray(segment.read_bytes())
    # In the body of the first of three frames of the same size.
    data[40 + (len(data) - 40) // 3 - 1] ^= 1
    segment.write_bytes(data)
    owner = connect()
    owner.execute("CALL oplog_flush()").fetchall()
    assert commands_in_log(owner) == ["guest"] * 2
    assert value(owner, "lost_operations") == "1"
    assert "was damaged and will be" in value(owner, "notes")
    assert [file for file in tmp_path.iterdir() if ".journal.000001.damaged-" in file.name]
    assert not segment.exists()


def test_spans_that_begin_after_a_recovery_survive_the_next_kill(connect, host):
    ids = []
    for number in range(1, 4):
        output = run_python(
            """
            import os, signal, sys
            from harness import connect
            session = connect(sys.argv[1])
            for _ in range(int(sys.argv[2])):
                print(session.execute("SELECT oplog_start({command: 'job'})").fetchall()[0][0], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            host,
            number,
            exit_code=-signal.SIGKILL,
        )
        ids += output.split()
    session = connect(host)
    session.execute("CALL oplog_flush()").fetchall()
    found = session.execute("SELECT id FROM operation_log WHERE status = 'interrupted' ORDER BY id").fetchall()
    assert [str(id) for (id,) in found] == sorted(ids)
