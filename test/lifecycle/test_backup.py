"""Backups: of one moment, while the log goes on; restored by copying them back; and checked, with whatever is wrong with them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time

import duckdb
import pytest

from harness import connect, record, run_python, start_python
from harness.ledger import sidecar_of, status
from harness.mounts import MOUNTED, can_mount
from harness.processes import TIMEOUT_SECONDS, environment
from harness.service import Service


def back_up(session, path) -> int:
    ((operations,),) = session.execute(f"SELECT operations FROM oplog_backup('{path}')").fetchall()
    return operations


def failed_checks(session, path=None) -> dict[tuple[str, str], str]:
    given = f"path := '{path}'" if path else ""
    rows = session.execute(f"SELECT name, subject, detail FROM oplog_check({given}) WHERE status = 'fail'").fetchall()
    return {(name, subject): detail for name, subject, detail in rows}


def counted(session) -> int:
    return session.execute("SELECT sum(value) FROM oplog_metrics() WHERE name = 'duckdb_operations_total'").fetchone()[0]


@pytest.fixture
def service():
    """Of enough days for every level of rollups."""
    return Service(150)


@pytest.fixture
def purged(tmp_path, service):
    """A backup of a log whose operations retention has deleted in part."""
    session = connect(tmp_path / "app.duckdb")
    service.record(session, 20_000)
    session.execute("CALL oplog_purge()").fetchall()
    service.record(session, 1_000)
    session.execute("CALL oplog_purge()").fetchall()
    assert failed_checks(session) == {}
    path = tmp_path / "copy.oplog"
    back_up(session, path)
    session.close()
    return path


# Sums of doubles depend on the order in which they are added up.
QUESTIONS = [
    """SELECT command, status, operations, errors, p50_ms, p99_ms, max_ms, rows_affected, bytes_out, first_at, last_at, complete_since
       FROM oplog_stats(period := '400d', by := 'command,status') ORDER BY ALL""",
    "FROM oplog_errors(period := '400d') ORDER BY ALL",
    "SELECT * EXCLUDE (expires_before) FROM oplog_retention() ORDER BY ALL",
    "SELECT * EXCLUDE (value) FROM oplog_settings() ORDER BY ALL",
    "FROM oplog_alert_rules() ORDER BY ALL",
    "FROM operation_log ORDER BY seq",
]


def test_a_log_is_restored_by_copying_its_backup_back(tmp_path, service):
    host, copy = tmp_path / "app.duckdb", tmp_path / "copy.oplog"
    session = connect(host)
    service.record(session, 5_000)
    session.execute("CALL oplog_alert_drop('no_operations')").fetchall()
    session.execute("CALL oplog_retention_set('kept', command := 'command_1', keep := '1 year')").fetchall()
    session.execute("SELECT oplog_counter('jobs_total', MAP {'kind': 'x'}, 7)").fetchall()
    session.execute("CALL oplog_purge()").fetchall()
    kept = session.execute("SELECT count(*) FROM operation_log").fetchone()[0]
    answers = [session.execute(question).fetchall() for question in QUESTIONS]
    assert back_up(session, copy) == kept
    record(session, "later")
    session.close()
    sidecar_of(host).unlink()
    shutil.copy(copy, sidecar_of(host))
    session = connect(host)
    assert [session.execute(question).fetchall() for question in QUESTIONS] == answers
    assert counted(session) == 5_000
    assert session.execute("SELECT value FROM oplog_metrics() WHERE name = 'jobs_total'").fetchall() == [(7,)]
    assert failed_checks(session) == {}
    record(session, "next")
    assert session.execute("SELECT max(seq) FROM operation_log").fetchall() == [(5_001,)]
    session.close()


WRITER = """
import sys
from harness import connect
session = connect(sys.argv[1])
session.execute("SET oplog_flush_interval = '1 hour'")
def run(command, operations):
    session.execute(f"SELECT count(oplog_record({{command: '{command}'}})) FROM range({operations})").fetchall()
run('before', 1000)
session.execute(f"CALL oplog_backup('{sys.argv[2]}')").fetchall()
run('committed', 1000)
session.execute("CALL oplog_flush()").fetchall()
run('journaled', 100)
print("done", flush=True)
input()
"""


@pytest.mark.parametrize("journal_is_left", [True, False])
def test_a_journal_that_lies_beside_a_restored_log_is_taken_in_once(tmp_path, journal_is_left):
    """What it has of the time since the backup is acknowledged, and nowhere else."""
    host, copy = tmp_path / "app.duckdb", tmp_path / "copy.oplog"
    with start_python(WRITER, host, copy) as child:
        child.wait_for("done")
        child.kill()
    # The write-ahead log of the log that was there belongs to that.
    shutil.copy(copy, sidecar_of(host))
    if not journal_is_left:
        for file in tmp_path.glob("*.journal.0*"):
            file.unlink()
    for _ in range(2):
        session = connect(host)
        found = dict(session.execute("SELECT command, count(*) FROM operation_log GROUP BY command").fetchall())
        expected = {"before": 1000, "committed": 1000, "journaled": 100} if journal_is_left else {"before": 1000}
        assert found == expected
        assert counted(session) == sum(expected.values())
        assert failed_checks(session) == {}
        session.close()


OTHER_LIFE = """
import sys
from harness import connect
session = connect(sys.argv[1])
session.execute("SET oplog_flush_interval = '1 hour'")
session.execute("SELECT count(oplog_record({command: 'other life'})) FROM range(300)").fetchall()
session.execute("SELECT oplog_record({command: 'other life'})").fetchall()
print("done", flush=True)
input()
"""


def test_a_journal_of_another_life_of_the_log_is_taken_in_once(tmp_path):
    """A log goes on from its older backup and is killed, and then its newer backup takes its place: that has other operations
    under the numbers of those in the journal."""
    host, older, newer = tmp_path / "app.duckdb", tmp_path / "older.oplog", tmp_path / "newer.oplog"
    session = connect(host)
    session.execute("SELECT count(oplog_record({command: 'shared'})) FROM range(100)").fetchall()
    back_up(session, older)
    session.execute("SELECT count(oplog_record({command: 'first life'})) FROM range(5000)").fetchall()
    back_up(session, newer)
    session.close()
    shutil.copy(older, sidecar_of(host))
    with start_python(OTHER_LIFE, host) as child:
        child.wait_for("done")
        child.kill()
    sidecar_of(host).with_name(sidecar_of(host).name + ".wal").unlink()
    shutil.copy(newer, sidecar_of(host))
    for look in range(2):
        session = connect(host)
        session.execute("CALL oplog_flush()").fetchall()
        found = dict(session.execute("SELECT command, count(*) FROM operation_log GROUP BY command").fetchall())
        assert found == {"shared": 100, "first life": 5000, "other life": 301}
        assert counted(session) == 5401
        assert failed_checks(session) == {}
        notes = status(session)["notes"] or ""
        assert ("the log is the backup of" in notes and "another copy of the log" in notes) == (look == 0)
        assert status(session)["lost_operations"] == "0"
        session.close()
    assert not list(tmp_path.glob("*.spool-*"))


def test_a_backup_is_of_one_moment_while_operations_are_recorded(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET oplog_flush_interval = '10 milliseconds'")
    stop = threading.Event()
    acknowledged = [0]

    def work(cursor):
        while not stop.wait(0.002):
            cursor.execute("SELECT count(oplog_record({command: 'w', duration_ms: i})) FROM range(100) t(i)").fetchall()
            acknowledged[0] += 100

    thread = threading.Thread(target=work, args=[session.cursor()])
    thread.start()
    try:
        for number in range(4):
            before = acknowledged[0]
            copy = tmp_path / f"copy-{number}.oplog"
            operations = back_up(session, copy)
            assert operations >= before
            with duckdb.connect(str(copy), read_only=True) as database:
                (rows,) = database.execute("SELECT count(*) FROM operation_log").fetchone()
                (next_seq,) = database.execute("SELECT value::BIGINT FROM meta WHERE key = 'next_seq'").fetchone()
            assert rows == operations == next_seq - 1
            assert failed_checks(session, copy) == {}
            assert failed_checks(session) == {}
    finally:
        stop.set()
        thread.join()
    session.close()


def test_what_a_killed_backup_leaves_is_removed_by_the_next(tmp_path):
    left = tmp_path / f"copy.oplog.new-{0x12345678:016x}"
    left.write_bytes(b"half")
    session = connect()
    record(session, "a")
    back_up(session, tmp_path / "copy.oplog")
    session.close()
    assert [file.name for file in tmp_path.iterdir()] == ["copy.oplog"]


KILLED = """
import sys
from harness import connect
session = connect(sys.argv[1])
# It would be a line of its own.
session.execute("SET enable_progress_bar = false")
session.execute("SELECT count(oplog_record({command: 'w', metadata: {i: i}})) FROM range(300000) t(i)").fetchall()
session.execute("CALL oplog_flush()").fetchall()
print("recorded", flush=True)
session.execute(f"CALL oplog_backup('{sys.argv[2]}')").fetchall()
"""


def test_a_kill_in_the_middle_of_a_backup_costs_nothing(tmp_path):
    host, copy = tmp_path / "app.duckdb", tmp_path / "copy.oplog"
    with start_python(KILLED, host, copy) as child:
        child.wait_for("recorded")
        until = time.monotonic() + 30
        while not list(tmp_path.glob("copy.oplog.new-*")) and time.monotonic() < until:
            time.sleep(0.001)
        child.kill()
    assert list(tmp_path.glob("copy.oplog.new-*")) and not copy.exists()
    session = connect(host)
    assert back_up(session, copy) == 300_000
    assert failed_checks(session) == {}
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.oplog"]
    session.close()


FULL = """
import os, sys, duckdb
from harness import connect
session = connect(sys.argv[2])
session.execute("SET enable_progress_bar = false")
session.execute("SELECT count(oplog_record({command: 'w', metadata: {i: uuid()}})) FROM range(200000) t(i)").fetchall()
try:
    session.execute(f"CALL oplog_backup('{sys.argv[1]}/copy.oplog')").fetchall()
except duckdb.Error as error:
    print(error)
print(os.listdir(sys.argv[1]))
session.execute("SELECT oplog_record({command: 'goes on'})").fetchall()
print(session.execute("SELECT count(*) FROM operation_log").fetchall())
print(session.execute("SELECT value FROM oplog_status() WHERE name = 'notes'").fetchall())
print(session.execute("SELECT count(*) FROM oplog_check() WHERE status = 'fail'").fetchall())
"""


@pytest.mark.skipif(not can_mount(), reason="no file system of its own can be mounted")
def test_a_disk_that_is_full_under_a_backup_is_no_matter_of_the_log(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    command = ["unshare", "-rm", "sh", "-c", MOUNTED, str(small), sys.executable, "-c", FULL, str(small), str(tmp_path / "app.duckdb")]
    ran = subprocess.run(command, env=environment(None), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    said = ran.stdout.splitlines()
    assert "oplog_backup: " in said[0] and "No space left" in said[0], (said, ran.stderr)
    assert said[-4:] == ["[]", "[(200001,)]", "[(None,)]", "[(0,)]"]


def test_a_backup_that_is_interrupted_leaves_nothing(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    session.execute("SELECT count(oplog_record({command: 'w', metadata: {i: i}})) FROM range(300000) t(i)").fetchall()
    session.execute("CALL oplog_flush()").fetchall()
    timer = threading.Timer(0.1, session.interrupt)
    timer.start()
    with pytest.raises(duckdb.Error, match="(?i)interrupt"):
        back_up(session, tmp_path / "copy.oplog")
    timer.join()
    assert not list(tmp_path.glob("copy*"))
    assert back_up(session, tmp_path / "copy.oplog") == 300_000
    session.close()


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_backup_is_no_more_open_than_the_log(tmp_path):
    host = tmp_path / "app.duckdb"
    duckdb.connect(str(host)).close()
    host.chmod(0o600)
    for session, name in [(connect(host), "file"), (connect(), "memory")]:
        record(session, "secret")
        back_up(session, tmp_path / f"{name}.oplog")
        session.close()
        assert stat.S_IMODE((tmp_path / f"{name}.oplog").stat().st_mode) == 0o600


def test_a_session_without_external_access_writes_and_reads_no_other_file(tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    session = connect(tmp_path / "app.duckdb")
    record(session, "a")
    session.execute(f"SET allowed_directories = ['{allowed}']")
    session.execute("SET enable_external_access = false")
    with pytest.raises(duckdb.Error, match="may not write .*copy.oplog"):
        back_up(session, tmp_path / "copy.oplog")
    assert back_up(session, allowed / "copy.oplog") == 1
    with pytest.raises(duckdb.Error, match="may not read .*copy.oplog"):
        failed_checks(session, tmp_path / "copy.oplog")
    assert failed_checks(session, allowed / "copy.oplog") == {}
    assert failed_checks(session) == {}
    session.close()


def test_a_guest_has_no_log_to_back_up(tmp_path):
    host = tmp_path / "app.duckdb"
    duckdb.connect(str(host)).close()
    owner = connect(host, read_only=True)
    record(owner, "a")
    said = run_python(
        """
        import sys, duckdb
        from harness import connect
        session = connect(sys.argv[1], read_only=True)
        for statement in (f"CALL oplog_backup('{sys.argv[2]}')", f"FROM oplog_check(path := '{sys.argv[1]}.oplog')"):
            try:
                session.execute(statement).fetchall()
            except duckdb.Error as error:
                print(error)
        """,
        host,
        tmp_path / "copy.oplog",
    )
    assert "the log belongs to another process" in said
    assert "is open in another process: check it there" in said
    owner.close()


@pytest.mark.parametrize(
    "tampering, found",
    [
        ("UPDATE rollup_pair_1h SET operations = operations + 1 WHERE hour = (SELECT max(hour) FROM rollup_pair_1h)", ("rollups", "rollup_pair_1h")),
        ("UPDATE rollup_pair_1h SET total_ms = total_ms * 1.001 WHERE hour = (SELECT max(hour) FROM rollup_pair_1h)", ("rollups", "rollup_pair_1h")),
        ("UPDATE rollup_command_1d SET bytes_out = bytes_out + 1 WHERE hour = (SELECT max(hour) FROM rollup_command_1d)", ("rollups", "rollup_command_1d")),
        ("DELETE FROM rollup_project_8d WHERE hour = (SELECT max(hour) FROM rollup_project_8d)", ("rollups", "rollup_project_8d")),
        ("UPDATE rollup_pair_64d SET max_ms = 0 WHERE hour = (SELECT max(hour) FROM rollup_pair_64d)", ("rollups", "rollup_pair_64d")),
        ("DELETE FROM rollup_pair_1d_durations WHERE rowid = 3", ("durations", "rollup_pair_1d")),
        ("DELETE FROM rollup_errors WHERE hour = (SELECT max(hour) FROM rollup_errors)", ("rollups", "rollup_errors")),
        ("DELETE FROM rollup_keys WHERE key = 3", ("rollups", "rollup_pair_1h")),
        ("DELETE FROM operation_log WHERE seq = (SELECT max(seq) FROM operation_log)", ("totals", "metric_values")),
        ("DELETE FROM operation_log WHERE seq = (SELECT max(seq) FROM operation_log)", ("rollups", "rollup_pair_1h")),
        ("UPDATE operation_log SET seq = (SELECT min(seq) FROM operation_log) WHERE seq = (SELECT max(seq) FROM operation_log)", ("seq", "operation_log")),
        ("UPDATE operation_log SET id = (SELECT min(id) FROM operation_log) WHERE seq = (SELECT max(seq) FROM operation_log)", ("ids", "operation_log")),
        ("UPDATE meta SET value = '7' WHERE key = 'next_seq'", ("seq", "operation_log")),
        ("INSERT INTO meta VALUES ('next_seq', '7')", ("keys", "meta")),
        ("UPDATE metric_values SET value = value + 1 WHERE slot = (SELECT min(slot) FROM metric_values WHERE family = 'duckdb_operations_total' AND part = 'value')", ("totals", "metric_values")),
    ],
)
def test_what_somebody_has_changed_in_a_log_is_found(purged, tampering, found):
    with duckdb.connect(str(purged)) as database:
        database.execute(tampering)
    session = connect()
    assert found in failed_checks(session, purged)
    session.close()


def test_damage_is_a_finding_and_no_error_wherever_it_is(purged):
    whole = purged.read_bytes()
    session = connect()
    # The first block's checksum stands at 12,288; blocks have 262,144 bytes.
    places = [0, 8, 20, *range(12_288, len(whole), 5 * 262_144), *range(12_288 + 5_000, len(whole), 7 * 262_144)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        purged.write_bytes(damaged)
        assert ("checksums", str(purged)) in failed_checks(session, purged), place
        assert purged.read_bytes() == damaged
    for cut in (100, 12_288, len(whole) // 2, len(whole) - 1):
        purged.write_bytes(whole[:cut])
        assert ("checksums", str(purged)) in failed_checks(session, purged), cut
    purged.write_bytes(whole)
    assert failed_checks(session, purged) == {}
    assert purged.read_bytes() == whole
    session.close()


def test_the_log_in_use_is_checked_on_disk(tmp_path):
    host = tmp_path / "app.duckdb"
    session = connect(host)
    record(session, "a")
    session.close()
    session = connect(host)
    assert failed_checks(session) == {}
    log = sidecar_of(host)
    with open(log, "r+b") as file:
        file.seek(12_288 + 100)
        byte = file.read(1)
        file.seek(12_288 + 100)
        file.write(bytes([byte[0] ^ 0xFF]))
    assert ("checksums", str(log)) in failed_checks(session)
    session.close()
