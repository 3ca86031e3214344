"""A journal that was damaged after a kill: LOAD succeeds, what is before the damage is there, oplog_status() tells the rest,
and recording goes on. That no damage whatever brings recovery down is shown byte by byte by the journal's own tests."""

from __future__ import annotations

import random
import shutil
import struct
import time
from pathlib import Path

import pytest

from harness import record, run_python
from harness.ledger import assert_whole, hold_back, segments_of, sidecar_of, status

ROWS = 200
HEADER_BYTES = 40

# Leaves a journal of many frames that the store has not: single rows, then a chunk, then single rows. Prints the ids.
LEAVES_A_JOURNAL = f"""
    import os, sys
    from harness import connect
    from harness.ledger import hold_back, recording
    session = connect(sys.argv[1])
    hold_back(session)
    for step, rows in enumerate([1] * 50 + [{ROWS} - 100] + [1] * 50):
        for identifier, in session.execute(recording(f"statement {{step}}", rows)).fetchall():
            print(identifier)
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
"""

@pytest.fixture(scope="module")
def left_behind(tmp_path_factory) -> tuple[Path, list[str]]:
    """A directory as a killed process left it, and the ids that it had recorded."""
    directory = tmp_path_factory.mktemp("killed")
    return directory, run_python(LEAVES_A_JOURNAL, directory / "app.duckdb", exit_code=-9).split()


@pytest.fixture
def killed(host, left_behind) -> list[str]:
    """Puts what was left behind in the place of `host`."""
    directory, ids = left_behind
    for file in directory.iterdir():
        shutil.copyfile(file, host.with_name(file.name))
    return ids


def damage(segment, how: str, chance: random.Random) -> int:
    """Damages a segment somewhere behind its header; what is before the returned offset is whole."""
    content = bytearray(segment.read_bytes())
    at = chance.randrange(HEADER_BYTES, len(content))
    if how == "flip":
        content[at] ^= 1 << chance.randrange(8)
    elif how == "zeros":
        content[at : at + 512] = bytes(len(content[at : at + 512]))
    elif how == "truncate":
        del content[at:]
    elif how == "insert":
        content[at:at] = chance.randbytes(chance.randrange(1, 100))
    elif how == "extend":
        at = len(content)
        content += chance.randbytes(chance.randrange(1, 5000))
    segment.write_bytes(content)
    return at


def frames(content: bytes) -> list[tuple[int, int, int]]:
    """Offset, length and rows of each frame: a head of 60 bytes has the body's length at 4 and the rows at 12."""
    found, at = [], HEADER_BYTES
    while at + 60 <= len(content):
        (body,) = struct.unpack_from("<I", content, at + 4)
        (rows,) = struct.unpack_from("<I", content, at + 12)
        found.append((at, 60 + body, rows))
        at += 60 + body
    assert at == len(content)
    return found


@pytest.mark.parametrize("how", ["flip", "zeros", "truncate", "insert", "extend"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_before_the_damage_is_there(connect, host, killed, how, seed):
    (segment,) = segments_of(host)
    known = frames(segment.read_bytes())
    assert sum(rows for _, _, rows in known) == len(killed) == ROWS
    at = damage(segment, how, random.Random(f"{how}-{seed}"))
    whole = sum(rows for offset, length, rows in known if offset + length <= at)

    session = connect(host)
    figures = status(session)
    assert figures["role"] == "owner", figures["notes"]
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found[:whole] == killed[:whole]
    assert set(found) <= set(killed), "a record was invented"
    assert len(found) == len(set(found))
    assert_whole(session)
    assert int(figures["recovered_operations"]) == len(found)
    # What is missing does not go without a word.
    assert len(found) == ROWS or int(figures["recovered_torn_bytes"]) or int(figures["lost_operations"])
    if how == "extend":
        assert found == killed
        assert int(figures["recovered_torn_bytes"]) > 0
    if how == "truncate":
        assert found == killed[:whole]
        at_a_border = any(offset == at for offset, _, _ in known)
        assert at_a_border or int(figures["recovered_torn_bytes"]) > 0
    if int(figures["lost_operations"]):
        assert "was damaged" in figures["notes"]

    later = [record(session, "later") for _ in range(3)]
    session.close()
    session = connect(host)
    assert status(session)["recovered_operations"] == "0"
    assert [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()] == found + later


def test_a_damaged_body_loses_its_own_frame_only(connect, host, killed):
    (segment,) = segments_of(host)
    content = bytearray(segment.read_bytes())
    offset, length, rows = max(frames(content), key=lambda frame: frame[2])
    assert rows == ROWS - 100
    content[offset + length - 1] ^= 1
    segment.write_bytes(content)
    session = connect(host)
    figures = status(session)
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found == killed[:50] + killed[-50:]
    assert figures["lost_operations"] == str(rows)
    assert f"seq 51 to {50 + rows} were recorded and cannot be read" in figures["notes"]
    assert f"{segment} was damaged and will be {segment}.damaged-" in figures["notes"]
    assert "1 of its frames are damaged" in figures["notes"]
    # The file is kept once what is good in it is in the log, and named so that nobody reads it again.
    session.execute("CALL oplog_flush()")
    # The journal lets go of it just after the commit.
    end = time.monotonic() + 10
    while segment.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    (aside,) = host.parent.glob("*.damaged-*")
    assert aside.read_bytes() == bytes(content)
    record(session, "later")
    assert session.execute("SELECT max(seq) FROM operation_log").fetchone() == (ROWS + 1,)
    session.close()
    session = connect(host)
    assert status(session)["lost_operations"] == "0"
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (101,)


def test_a_journal_of_a_newer_format_is_left_alone(connect, host, killed):
    (segment,) = segments_of(host)
    newer = of_format(7, segment.read_bytes())
    segment.write_bytes(newer)
    session = connect(host)
    notes = status(session)["notes"]
    assert "has journal format 7, which a newer oplog wrote; use that version, or move the file away" in notes
    assert "cannot be used; records are kept in memory" in notes
    record(session, "meanwhile")
    assert session.execute("SELECT command FROM operation_log").fetchall() == [("meanwhile",)]
    session.close()
    assert segment.read_bytes() == newer


def test_a_journal_of_a_newer_format_keeps_its_records_for_it(connect, host, killed):
    (segment,) = segments_of(host)
    known = segment.read_bytes()
    segment.write_bytes(of_format(7, known))
    with connect(host) as session:
        # In memory: to number it behind the log's last would be to take the journal's records for committed.
        record(session, "meanwhile")
    # The program that knows the format comes back.
    segment.write_bytes(known)
    found = [i for (i,) in connect(host).execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found == killed


def test_a_damaged_header(connect, host, killed):
    (segment,) = segments_of(host)
    content = bytearray(segment.read_bytes())
    content[3] ^= 1
    segment.write_bytes(content)
    session = connect(host)
    figures = status(session)
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert set(found) <= set(killed)
    assert found == killed or "its header is damaged" in figures["notes"]
    record(session, "later")
    session.close()
    assert len(list(host.parent.glob("*.damaged-*"))) == 1


def test_an_empty_segment_and_one_without_a_frame(connect, host, killed):
    (segment,) = segments_of(host)
    name = segment.name.removesuffix("000001")
    segment.with_name(name + "000002").write_bytes(segment.read_bytes()[: HEADER_BYTES - 3])
    segment.with_name(name + "000003").write_bytes(b"")
    session = connect(host)
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (ROWS,)
    assert status(session)["lost_operations"] == "0"
    record(session, "later")
    session.close()
    assert segments_of(host) == []


@pytest.mark.parametrize("removed", [[0], [1], [2], [0, 1], [1, 2], [0, 2]], ids=str)
def test_a_removed_segment_is_a_loss_that_is_told(connect, host, killed, removed):
    segments = split(*segments_of(host), parts=4)
    for index in removed:
        segments[index].unlink()
    lost = [slice(0, 25), slice(25, 50), slice(50, 174), slice(174, ROWS)]
    expected = [i for index, part in enumerate(lost) if index not in removed for i in killed[part]]
    session = connect(host)
    figures = status(session)
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found == expected
    assert figures["lost_operations"] == str(ROWS - len(expected))
    assert "were recorded and cannot be read" in figures["notes"]
    record(session, "later")
    assert session.execute("SELECT max(seq) FROM operation_log").fetchone() == (ROWS + 1,)
    session.close()
    assert connect(host).execute("SELECT count(*) FROM operation_log").fetchone() == (len(expected) + 1,)


def test_a_removed_last_segment(connect, host, killed):
    # That there was one more behind the last, nothing says.
    split(*segments_of(host), parts=4)[3].unlink()
    session = connect(host)
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found == killed[:174]
    assert status(session)["lost_operations"] == "0"
    record(session, "later")
    session.close()
    assert segments_of(host) == []


def test_a_damaged_log_and_a_whole_journal(connect, host, killed):
    # The journal outlives the log that it belongs to: its records are what is left.
    sidecar_of(host).write_bytes(b"not a database any more " * 1000)
    wal = host.with_name(sidecar_of(host).name + ".wal")
    wal.unlink(missing_ok=True)
    session = connect(host)
    assert status(session)["role"] == "owner"
    assert "a fresh log was begun" in status(session)["notes"]
    found = [i for (i,) in session.execute("SELECT id::VARCHAR FROM operation_log ORDER BY seq").fetchall()]
    assert found == killed


def test_damage_while_it_runs_is_told(connect, host):
    # Read back is only what memory does not hold; everything else comes from memory, whatever the file looks like.
    session = connect(host)
    hold_back(session)
    for _ in range(10):
        record(session, "import")
    (segment,) = segments_of(host)
    with segment.open("r+b") as file:
        file.seek(HEADER_BYTES)
        file.write(bytes(200))
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (10,)
    record(session, "later")
    session.close()
    assert connect(host).execute("SELECT count(*) FROM operation_log").fetchone() == (11,)


def of_format(version: int, segment: bytes) -> bytes:
    """The segment with another format in its header, and the header's checksum to it."""
    before, behind = segment[:8] + struct.pack("<I", version), segment[16:]
    return before + struct.pack("<I", crc32c(before + behind[: HEADER_BYTES - 16])) + behind


def header(number: int, first_seq: int) -> bytes:
    before, behind = b"oplogjnl" + struct.pack("<I", 1), struct.pack("<QQQ", number, first_seq, first_seq)
    return before + struct.pack("<I", crc32c(before + behind)) + behind


def split(segment: Path, parts: int) -> list[Path]:
    """Makes several segments of one, as if it had become too large, with a like number of frames in each."""
    content = segment.read_bytes()
    known = frames(content)
    number = int(segment.suffix[1:])
    made = []
    for part in range(parts):
        own = known[len(known) * part // parts : len(known) * (part + 1) // parts]
        (first_seq,) = struct.unpack_from("<Q", content, own[0][0] + 12 + 4)
        made.append(segment.with_suffix(f".{number + part:06}"))
        body = b"".join(content[offset : offset + length] for offset, length, _ in own)
        made[-1].write_bytes(header(number + part, first_seq) + body)
    return made


def crc32c(content: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
