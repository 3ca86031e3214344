"""The archive: what retention deletes is in a file before, once, complete and readable by anybody, whatever comes between."""

from __future__ import annotations

import datetime
import os
import random
import time
from pathlib import Path

import duckdb
import pytest

from harness import connect, record, start_python
from harness.ledger import status

SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "it's an archive"


def archive_to(session, folder, every: str = "1 day") -> None:
    session.execute("CALL oplog_archive_set(?, every := ?)".replace("?", "'{}'").format(str(folder).replace("'", "''"), every)).fetchall()


def record_of_days(session, days: int, a_day: int) -> None:
    session.execute(
        f"""SELECT count(oplog_record({{
                command: 'command ' || (i % 7), project_id: 'p' || (i % 3), status: if(i % 10 = 0, 'error', 'success'), duration_ms: i,
                error_message: if(i % 10 = 0, 'it''s "wrong", ' || i, NULL), metadata: {{number: i}},
                timestamp: now() - to_days(i % {days}) - to_minutes(1)
            }})) FROM range({days * a_day}) t(i)"""
    ).fetchall()


def purge(session) -> int:
    return session.execute("CALL oplog_purge()").fetchone()[0]


def count(session, what: str) -> int:
    return session.execute(f"SELECT count(*) FROM {what}").fetchone()[0]


def in_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("day=*/*.parquet"))


def ids_in_files(folder: Path) -> list[str]:
    files = [str(file) for file in in_files(folder)]
    return [id for (id,) in duckdb.execute("SELECT id::VARCHAR FROM read_parquet($1)", [files]).fetchall()] if files else []


ALL = "SELECT * EXCLUDE (metadata), metadata::VARCHAR FROM {} ORDER BY seq"


def test_what_goes_is_in_files_and_both_are_read_as_one(host, folder):
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 20, 500)
        before = session.execute(ALL.format("operation_log")).fetchall()
        deleted = purge(session)
        kept = count(session, "operation_log")
        assert deleted > 5000 and kept + deleted == len(before)
        assert session.execute(ALL.format("oplog.archive")).fetchall() == before
        assert session.execute(ALL.format("oplog_operations(archive := true)")).fetchall() == before
        assert session.execute(ALL.format("archive")).fetchall() == before
        # Filters and times reach into the archive, too.
        filters = "command := 'command 3', since := now() - INTERVAL 15 DAY, until := now() - INTERVAL 9 DAY"
        found = session.execute(f"SELECT seq FROM oplog_operations({filters}, archive := true) ORDER BY seq").fetchall()
        columns = [column[0] for column in session.execute("DESCRIBE operation_log").fetchall()]
        command, seq = columns.index("command"), columns.index("seq")
        (since, until) = session.execute("SELECT now() - INTERVAL 15 DAY, now() - INTERVAL 9 DAY").fetchone()
        stamp = columns.index("timestamp")
        expected = [(row[seq],) for row in before if row[command] == "command 3" and since <= row[stamp] < until]
        assert abs(len(found) - len(expected)) <= 2 and len(found) > 100
        assert count(session, "oplog_operations()") == kept
        # Anybody reads them, by the day.
        files = [str(file) for file in in_files(folder)]
        assert len(files) >= 11
        rows = duckdb.execute("SELECT count(*), count(DISTINCT day), bool_and(day::DATE = (timestamp AT TIME ZONE 'UTC')::DATE) FROM read_parquet($1)", [files])
        assert rows.fetchone() == (deleted, len({Path(file).parent for file in files}), True)
        listed = session.execute("SELECT file, operations, bytes, present FROM oplog_archive() ORDER BY file").fetchall()
        assert sorted(file for file, *_ in listed) == files
        assert sum(operations for _, operations, *_ in listed) == deleted
        assert all(os.stat(file).st_size == size and present for file, _, size, present in listed)
        assert status(session)["archive"] == str(folder)
        # The log stays answerable beside it.
        assert session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchone()[0] == len(before)
    with connect(host) as session:
        assert session.execute(ALL.format("oplog.archive")).fetchall() == before
        assert purge(session) == 0 and in_files(folder) == [Path(file) for file in files]


def test_operations_go_a_whole_period_at_a_time(host, folder):
    with connect(host) as session:
        session.execute("SET TimeZone = 'UTC'")
        session.execute("SET oplog_retention = '1 day'")
        archive_to(session, folder, "1 hour")
        session.execute("SELECT count(oplog_record({command: 'x', timestamp: now() - to_minutes(i)})) FROM range(60 * 30) t(i)").fetchall()
        purge(session)
        (oldest, border) = session.execute("SELECT min(timestamp), date_trunc('hour', now() - INTERVAL 1 DAY) FROM operation_log").fetchone()
        assert oldest == pytest.approx(border, abs=datetime.timedelta(minutes=1))
        assert all(size > 0 for (size,) in session.execute("SELECT operations FROM oplog_archive()").fetchall())


def test_what_cannot_be_archived_is_kept_until_the_log_is_too_large(host, folder):
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 12, 300)
        everything = count(session, "operation_log")
        folder.rmdir()
        folder.write_text("somebody's file")
        with pytest.raises(duckdb.Error, match="archive"):
            purge(session)
        assert count(session, "operation_log") == everything
        health = dict(session.execute("SELECT component, status FROM oplog_health()").fetchall())
        assert health["retention"] != "pass"
        assert folder.read_text() == "somebody's file"
        folder.unlink()
        folder.mkdir()
        assert purge(session) > 0
        assert len(ids_in_files(folder)) + count(session, "operation_log") == everything


def test_a_kill_at_any_moment_leaves_each_operation_once(host, folder):
    chance = random.Random(SEED)
    with connect(host) as session:
        archive_to(session, folder, "1 minute")
        session.execute("SET oplog_retention = '0 seconds'")
        session.execute("SET oplog_error_retention = '0 seconds'")
        session.execute("CALL oplog_flush()").fetchall()
    script = """
    import sys
    from harness import connect
    session = connect(sys.argv[1])
    print("loaded", flush=True)
    while True:
        session.execute('''
            SELECT count(oplog_record({command: 'x', duration_ms: i, timestamp: now() - to_minutes(10 + (random() * 20000)::INT)}))
            FROM range(3000) t(i)
        ''').fetchall()
        session.execute("CALL oplog_purge()").fetchall()
    """
    for _ in range(10):
        with start_python(script, str(host)) as victim:
            victim.wait_for("loaded")
            time.sleep(0.1 + chance.random() * 0.9)
            victim.kill()
    with connect(host) as session:
        purge(session)
        assert count(session, "operation_log") == 0
        (recorded, different, last) = session.execute("SELECT count(*), count(DISTINCT id), max(seq) FROM oplog.archive").fetchone()
        assert recorded == different == last > 0, SEED
        ids = ids_in_files(folder)
        assert len(ids) == len(set(ids)) == recorded, SEED
        assert not list(folder.glob("day=*/*.new")), SEED


def test_the_size_limit_archives_too(host, folder):
    with connect(host) as session:
        session.execute("SET oplog_max_size = '16MB'")
        archive_to(session, folder)
        for _ in range(8):
            session.execute(
                "SELECT count(oplog_record({command: 'x', error_message: repeat(md5(random()::VARCHAR), 40)})) FROM range(10000)"
            ).fetchall()
            purge(session)
        kept, everything = count(session, "operation_log"), count(session, "oplog.archive")
        assert kept < 80_000 and everything == 80_000
        assert len(ids_in_files(folder)) == 80_000 - kept
        (counted,) = session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchone()
        assert counted == 80_000


def test_files_that_somebody_has_deleted_are_left_out_and_a_missing_folder_is_an_error(host, folder):
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 12, 300)
        everything = count(session, "operation_log")
        purge(session)
        (first, operations) = session.execute("SELECT file, operations FROM oplog_archive() LIMIT 1").fetchone()
        os.unlink(first)
        assert count(session, "oplog.archive") == everything - operations
        assert session.execute("SELECT count(*) FROM oplog_archive() WHERE NOT present").fetchone() == (1,)
        moved = folder.with_name("elsewhere")
        folder.rename(moved)
        with pytest.raises(duckdb.Error, match="bring it back, or ask without the archive"):
            count(session, "oplog.archive")
        assert count(session, "oplog_operations(archive := true, period := '1 day')") > 0
        moved.rename(folder)
        assert count(session, "oplog.archive") == everything - operations


def test_the_archive_moves_with_the_log(host, folder, tmp_path):
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 12, 300)
        everything = count(session, "operation_log")
        purge(session)
        session.execute(f"CALL oplog_open('{tmp_path}/other.oplog')").fetchall()
        assert count(session, "oplog.archive") == everything
        assert status(session)["archive"] == str(folder)
        session.execute(f"CALL oplog_open('{host}.oplog')").fetchall()
        assert count(session, "oplog.archive") == everything


def test_archiving_ends_and_its_files_stay(host, folder):
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 12, 100)
        everything = count(session, "operation_log")
        purge(session)
        files = in_files(folder)
        assert session.execute("CALL oplog_archive_set('')").fetchall() == [(None, None)]
        session.execute("SET oplog_retention = '0 seconds'")
        session.execute("SET oplog_error_retention = '0 seconds'")
        assert purge(session) > 0
        assert in_files(folder) == files
        assert count(session, "oplog.archive") == len(ids_in_files(folder)) < everything


def test_files_are_no_more_open_than_the_log(host, folder):
    connect(host).close()
    os.chmod(host, 0o600)
    with connect(host) as session:
        archive_to(session, folder)
        record_of_days(session, 12, 10)
        purge(session)
    assert in_files(folder) and all(os.stat(file).st_mode & 0o077 == 0 for file in in_files(folder))


@pytest.mark.parametrize("call, error", [
    ("oplog_archive_set('s3://bucket/x')", "path is 's3://bucket/x': give a folder of this machine"),
    ("oplog_archive_set('x', every := '1 second')", "every is '1 second': give an interval of a minute to 31 days"),
    ("oplog_archive_set('x', every := 'often')", "every is 'often'"),
    ("oplog_archive_set('/nowhere/at/all')", "/nowhere/at/all"),
    ("oplog_archive_set('{host}')", "{host}"),
])
def test_what_makes_no_sense_is_an_error(host, call, error):
    with connect(host) as session:
        with pytest.raises(duckdb.Error) as raised:
            session.execute(f"CALL {call.format(host=host)}").fetchall()
        assert error.format(host=host) in str(raised.value)
        assert status(session)["archive"] is None


def test_a_log_in_memory_has_no_archive(folder):
    with connect(":memory:") as session:
        record(session, "import")
        with pytest.raises(duckdb.Error, match="the log is in memory, which has no archive"):
            archive_to(session, folder)
