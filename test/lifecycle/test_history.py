"""What metrics were over time: what is sampled, how it adds up to hours, and what becomes of it."""

from __future__ import annotations

import datetime
import time

import duckdb
import pytest

from harness import connect, record
from harness.samples import HOUR, MINUTE, put_samples, this_hour

@pytest.fixture
def log(host):
    """A log that is closed."""
    connect(host).close()
    return host.with_name(host.name + ".oplog")


def test_a_process_that_has_recorded_something_leaves_a_sample(host):
    session = connect(host)
    for _ in range(20):
        record(session, "import")
    session.execute("CALL oplog_history_set('jobs_total')")
    session.execute("SELECT oplog_counter('jobs_total', {kind: $$it's \\ \"a\"$$}, 7)").fetchall()
    session.close()
    with connect(host) as session:
        found = session.execute("SELECT metric, labels, samples, last, increase FROM oplog_history(period := '1h')").fetchall()
        values = {(metric, tuple(sorted(labels.items()))): (samples, last, increase) for metric, labels, samples, last, increase in found}
        samples, rate, increase = values["oplog_recorded_operations_total", ()]
        assert (samples, increase) == (1, 20) and rate > 0
        assert values["jobs_total", (("kind", 'it\'s \\ "a"'),)][2] == 7
        _, resident, nothing = values["process_resident_memory_bytes", ()]
        assert resident > 1_000_000 and nothing is None
        assert ("duckdb_database_file_bytes", (("database", "log"),)) in values
        metrics = session.execute("SELECT metric, type, is_set FROM oplog_history_metrics()").fetchall()
        assert ("jobs_total", "counter", True) in metrics and ("process_threads", "gauge", False) in metrics


def test_a_process_that_records_nothing_writes_nothing_at_its_end(host):
    connect(host).close()
    with connect(host) as session:
        assert session.execute("SELECT count(*) FROM oplog_history()").fetchall() == [(0,)]


def test_samples_add_up_to_hours_once_and_go_after_a_week(host, log):
    hours = [this_hour() - 10 * 24 * HOUR + n * HOUR for n in range(10 * 24)]
    rows = [(hour + 20 * n * MINUTE, "level", "{'shard'='a'}", float(at + n), None) for at, hour in enumerate(hours) for n in range(3)]
    rows += [(hour + MINUTE, "jobs_total", "{}", 0.5, 30.0) for hour in hours]
    put_samples(log, rows)
    with connect(host) as session:
        # Twice: what has been added up is not added again.
        session.execute("CALL oplog_purge()")
    with connect(host) as session:
        session.execute("CALL oplog_purge()")
        session.execute("SET TimeZone = 'UTC'")
        found = session.execute(
            "SELECT bucket, labels['shard'], samples, avg, min, max, last, increase"
            " FROM oplog_history(metric := 'level', period := '11d', bucket := '1h')"
        ).fetchall()
        wanted = [(hour, "a", 3, at + 1.0, at, at + 2.0, at + 2.0, None) for at, hour in enumerate(hours)]
        assert [(bucket.astimezone(datetime.timezone.utc), *rest) for bucket, *rest in found] == wanted
        (total,) = session.execute("SELECT sum(increase) FROM oplog_history(metric := 'jobs_*', period := '11d')").fetchone()
        assert total == 30 * len(hours)
    with duckdb.connect(str(log), read_only=True) as file:
        (oldest, count) = file.execute("SELECT min(timestamp), count(*) FROM history_1m WHERE metric = 'level'").fetchone()
        assert datetime.timedelta(days=7) <= datetime.datetime.now(datetime.timezone.utc) - oldest <= datetime.timedelta(days=7, hours=1)
        assert count < len(rows)
        assert file.execute("SELECT count(*) FROM history_1h WHERE metric = 'level'").fetchone() == (len(hours),)


def test_hours_go_when_rollups_do(host, log):
    old = this_hour() - 40 * 24 * HOUR
    put_samples(log, [(old, "level", "{}", 1.0, None), (this_hour() - 20 * 24 * HOUR, "level", "{}", 2.0, None)])
    with connect(host) as session:
        session.execute("PRAGMA oplog_rollup_retention = '30 days'")
        session.execute("CALL oplog_purge()")
        assert session.execute("SELECT last FROM oplog_history(metric := 'level', period := '50d')").fetchall() == [(2.0,)]


def test_a_history_moves_with_its_log_and_joins_that_of_the_other(host, log, tmp_path):
    other = tmp_path / "other.duckdb"
    connect(other).close()
    put_samples(log, [(this_hour() - 3 * HOUR, "level", "{}", 1.0, None)])
    put_samples(tmp_path / "other.duckdb.oplog", [(this_hour() - 5 * HOUR, "level", "{}", 2.0, None)])
    with connect(host) as session:
        record(session, "import")
        session.execute("CALL oplog_history_set('level')")
        session.execute(f"CALL oplog_open('{tmp_path / 'other.duckdb.oplog'}')")
        assert session.execute("SELECT last FROM oplog_history(metric := 'level') ORDER BY bucket").fetchall() == [(2.0,), (1.0,)]
        assert session.execute("SELECT series FROM oplog_history_metrics() WHERE is_set").fetchall() == [(1,)]
        deleted = session.execute("CALL oplog_history_drop('level')").fetchall()
        assert deleted == [("level", 2)]
        assert session.execute("SELECT count(*) FROM oplog_history(metric := 'level')").fetchall() == [(0,)]


def test_buckets_of_a_calendar_have_the_samples_of_their_days(host, log):
    day = this_hour().replace(hour=0) - 3 * 24 * HOUR
    put_samples(log, [(day + n * HOUR, "level", "{}", float(n), None) for n in range(48)])
    with connect(host) as session:
        found = session.execute(
            "SELECT samples, min, max FROM oplog_history(metric := 'level', since := ?, bucket := '1d', timezone := 'UTC')", [day]
        ).fetchall()
        assert found == [(24, 0.0, 23.0), (24, 24.0, 47.0)]


def test_there_is_a_limit_for_named_metrics(connect):
    session = connect()
    for number in range(100):
        session.execute(f"CALL oplog_history_set('metric_{number}')")
    with pytest.raises(duckdb.Error, match=r"history of 100 metrics is kept, and 100 are the limit: CALL oplog_history_drop\(name\)"):
        session.execute("CALL oplog_history_set('one_more')")


def test_a_sample_is_kept_each_minute_also_in_memory(connect):
    session = connect()
    record(session, "import")
    end = time.monotonic() + 90
    while session.execute("SELECT count(*) FROM oplog_history(metric := 'process_cpu_seconds_total')").fetchone() == (0,):
        assert time.monotonic() < end
        time.sleep(1)
    ((samples, cpu),) = session.execute("SELECT samples, avg FROM oplog_history(metric := 'process_cpu_seconds_total')").fetchall()
    assert samples == 1 and 0 <= cpu < 64
    ((series,),) = session.execute("SELECT value::DOUBLE FROM oplog_status() WHERE name = 'history_series'").fetchall()
    # Those of files are of a log in a file.
    assert 8 <= series <= 14
