"""Answers stay right when retention has deleted rows: they agree with all the operations that were ever recorded."""

from __future__ import annotations

import datetime
import os
import random
import time

import duckdb
import pytest

from harness import connect, start_python, upgrades
from harness.service import DAY, Service, close, one

SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

TRUTH = """
    SELECT
        {by}
        count(*) AS operations,
        count(*) FILTER (status <> 'success') AS errors,
        sum(duration_ms) AS total_ms,
        max(duration_ms) AS max_ms,
        avg(queue_wait_ms) AS avg_queue_wait_ms,
        sum(rows_affected)::BIGINT AS rows_affected,
        sum(bytes_out)::BIGINT AS bytes_out,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at,
        quantile_cont(duration_ms, 0.5) AS p50_ms,
        quantile_cont(duration_ms, 0.95) AS p95_ms,
        quantile_cont(duration_ms, 0.99) AS p99_ms
    FROM operations
    WHERE timestamp >= ? AND timestamp < ? AND {where}
    {group}
"""


def assert_same(mine: dict, truth: dict, what) -> None:
    for name in ("operations", "errors", "rows_affected", "bytes_out", "max_ms", "first_at", "last_at"):
        assert mine[name] == truth[name], (what, name, mine, truth)
    for name in ("total_ms", "avg_queue_wait_ms"):
        assert close(mine[name], truth[name]), (what, name, mine, truth)
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        assert close(mine[name], truth[name], 0.0101), (what, name, mine, truth)


def ask(session, service: Service, chance: random.Random) -> None:
    """A random question over a random period."""
    since, until = sorted(service.moment(chance) for _ in range(2))
    filters = {}
    if chance.random() < 0.4:
        filters["command"] = f"command_{chance.randrange(20)}"
    if chance.random() < 0.3:
        filters["project_id"] = f"project_{chance.randrange(50)}"
    if chance.random() < 0.2:
        filters["status"] = chance.choice(["success", "error", "timeout"])
    by = chance.choice(["command", "project_id", "status", "command,status", "project_id,command"])
    given = "".join(f", {name} := '{value}'" for name, value in filters.items())
    period = f"since := '{since.isoformat()}', until := '{until.isoformat()}'"
    summary = one(session, f"FROM oplog_summary({period}{given})")
    # Where rows are gone the period is that of whole hours or days.
    begins, ends = summary["since"], summary["until"]
    assert begins <= since and ends >= until, (since, until, begins, ends)
    assert since - begins < DAY and ends - until < DAY
    assert summary["complete_since"] is None
    where = " AND ".join(["true"] + [f"{name} = '{value}'" for name, value in filters.items()])
    truth = one(service.truth, TRUTH.format(by="", where=where, group=""), [begins, ends])
    what = (SEED, period, filters, by)
    assert summary["total_operations"] == truth["operations"], what
    assert close(summary["p95_duration_ms"], truth["p95_ms"], 0.0101), what
    if truth["operations"]:
        assert close(summary["success_rate"], 1 - truth["errors"] / truth["operations"]), what
    assert sum(command["count"] for command in summary["by_command"].values()) == truth["operations"], what
    assert sum(error["count"] for error in summary["errors"]) == truth["errors"], what
    keys = by.split(",")
    session.execute(f"CREATE OR REPLACE TEMP TABLE mine AS FROM oplog_stats({period}{given}, by := '{by}')")
    cursor = session.execute("FROM mine")
    names = [name for name, *_ in cursor.description]
    mine = {tuple(row[names.index(key)] for key in keys): dict(zip(names, row)) for row in cursor.fetchall()}
    cursor = service.truth.execute(TRUTH.format(by=by + ",", where=where, group=f"GROUP BY {by}"), [begins, ends])
    names = [name for name, *_ in cursor.description]
    truth = {tuple(row[names.index(key)] for key in keys): dict(zip(names, row)) for row in cursor.fetchall()}
    assert mine.keys() == truth.keys(), what
    for key, row in mine.items():
        assert_same(row, truth[key], (what, key))
        assert row["complete_since"] is None
    errors = session.execute(f"SELECT error_code, command, count, first_at, last_at FROM oplog_errors({period}{given})").fetchall()
    expected = service.truth.execute(
        f"""SELECT error_code, command, count(*), min(timestamp), max(timestamp) FROM operations
            WHERE status <> 'success' AND timestamp >= ? AND timestamp < ? AND {where} GROUP BY ALL""",
        [begins, ends],
    ).fetchall()
    assert sorted(errors, key=str) == sorted(expected, key=str), what


def test_a_year_is_answered_as_if_nothing_had_been_deleted(tmp_path):
    chance = random.Random(SEED)
    service = Service(365)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    for _ in range(4):
        service.record(session, 100_000)
        session.execute("CALL oplog_purge()")
    (kept,) = session.execute("SELECT count(*) FROM operation_log").fetchone()
    assert kept < service.recorded / 20
    for _ in range(30):
        ask(session, service, chance)
    # The same in another process, and behind a move.
    session.close()
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    for _ in range(5):
        ask(session, service, chance)
    session.execute(f"CALL oplog_open('{tmp_path / 'moved.oplog'}')")
    service.record(session, 10_000)
    for _ in range(5):
        ask(session, service, chance)
    session.close()


def test_a_timeline_has_the_days_whose_rows_are_gone(tmp_path):
    service = Service(200)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    service.record(session, 50_000)
    session.execute("CALL oplog_purge()")
    since = service.start.replace(hour=0, minute=0, second=0) + DAY
    for bucket, length in (("1 day", DAY), ("1 hour", DAY / 24)):
        begin = since if length == DAY else service.now.replace(hour=0, minute=0, second=0) - 20 * DAY
        rows = session.execute(
            f"""SELECT bucket, operations, errors, max_ms, rows_affected, p50_ms, complete_since
                FROM oplog_timeline(since := '{begin.isoformat()}', until := '{service.now.isoformat()}', bucket := '{bucket}')"""
        ).fetchall()
        assert len(rows) >= 400 if length != DAY else 198
        for at, operations, errors, max_ms, rows_affected, p50_ms, complete_since in rows:
            truth = one(service.truth, TRUTH.format(by="", where="true", group=""), [at, min(at + length, service.now)])
            assert (operations, errors) == (truth["operations"], truth["errors"]), at
            assert (max_ms, rows_affected, complete_since) == (truth["max_ms"], truth["rows_affected"], None), at
            assert close(p50_ms, truth["p50_ms"], 0.0101), at
    with pytest.raises(duckdb.Error, match="bucket is narrower than an hour, and what was before .* is known by no less"):
        session.execute("FROM oplog_timeline(period := '60d', bucket := '15m')")
    with pytest.raises(duckdb.Error, match="bucket is narrower than a day, and what was before .* is known by no less"):
        session.execute("FROM oplog_timeline(period := '90d', bucket := '1h')")
    # Where no width is given, one is taken that is known.
    for period in ("30 days", "150 days"):
        (operations,) = session.execute(f"SELECT sum(operations) FROM oplog_timeline(period := '{period}')").fetchone()
        (expected,) = session.execute(f"SELECT total_operations FROM oplog_summary(period := '{period}')").fetchone()
        assert operations == expected
    session.close()


def test_what_rollups_do_not_know_is_said(tmp_path):
    service = Service(60)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    service.record(session, 20_000)
    ask_all = "SELECT sum(operations), min(complete_since) FROM oplog_stats(period := '50 days', {})"
    assert session.execute(ask_all.format("by := 'table_name'")).fetchone()[1] is None
    session.execute("CALL oplog_purge()")
    assert session.execute(ask_all.format("by := 'command'")).fetchone()[1] is None
    operations, complete_since = session.execute(ask_all.format("by := 'table_name'")).fetchone()
    assert abs(complete_since - (service.now - 7 * DAY)) < datetime.timedelta(minutes=10)
    (rows,) = session.execute("SELECT count(*) FROM operation_log WHERE timestamp >= now() - INTERVAL 50 DAYS").fetchone()
    assert operations == rows
    session.close()


VICTIM = """
    import sys
    from harness import connect
    path, days = sys.argv[1:]
    session = connect(path)
    session.execute("SET TimeZone = 'UTC'")
    print("loaded", flush=True)
    while True:
        ids = session.execute(f'''
            SELECT oplog_record({{
                command: 'command_' || (i % 7), project_id: 'p' || (i % 3), duration_ms: i,
                timestamp: now() - to_seconds(random() * 86400 * {days})
            }}) FROM range(3000) t(i)
        ''').fetchall()
        # One write: a kill between number and newline leaves no half of it.
        sys.stdout.write(f"{len(ids)}\\n")
        sys.stdout.flush()
        session.execute("CALL oplog_purge()")
"""


def numbers(lines):
    """The numbers that a process has printed; what takes long may have an empty line behind it, where DuckDB has drawn its progress."""
    return (int(line) for line in lines if line.strip())


def test_a_kill_at_any_moment_counts_each_operation_once(tmp_path):
    chance = random.Random(SEED)
    path = tmp_path / "app.duckdb"
    recorded = possible = 0
    for _ in range(12):
        with start_python(VICTIM, str(path), "300") as victim:
            victim.wait_for("loaded")
            for _ in range(chance.randrange(1, 4)):
                recorded += next(numbers(victim.process.stdout))
            time.sleep(chance.random() * 0.3)
            victim.kill()
            recorded += sum(numbers(victim.process.stdout))
        # One more may have been acknowledged whose line nobody has read.
        possible += 3000
        session = connect(path)
        total = session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchone()[0]
        seq = session.execute("SELECT next_seq - 1 FROM (SELECT max(seq) + 1 AS next_seq FROM operation_log)").fetchone()[0]
        assert recorded <= total <= recorded + possible, (SEED, recorded, total)
        session.execute("CALL oplog_purge()")
        again = session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchone()[0]
        assert again == total, (SEED, seq)
        recorded, possible = total, 0
        session.close()


def totals(session, by="command,project_id,status"):
    """Operations, rows and the longest duration of each group, of all times."""
    return sorted(
        session.execute(
            f"SELECT {by}, operations, rows_affected, max_ms FROM oplog_stats(since := '-infinity', by := '{by}')"
        ).fetchall(),
        key=str,
    )


def test_logs_that_become_one_add_up(tmp_path):
    services = [Service(100), Service(90)]
    paths = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    for service, path in zip(services, paths):
        session = connect(path)
        service.record(session, 20_000)
        session.execute("CALL oplog_purge()")
        service.record(session, 300)
        session.close()
    session = connect(paths[0])
    session.execute(f"CALL oplog_open('{paths[1]}.oplog')")
    both = services[0].truth
    both.execute("CREATE TABLE other AS FROM operations LIMIT 0")
    both.execute(f"INSERT INTO other {services[1].made(0, services[1].recorded)}")
    by = "command, project_id, status"
    expected = both.execute(
        f"""SELECT {by}, count(*), sum(rows_affected)::BIGINT, max(duration_ms)
            FROM (FROM operations UNION ALL FROM other) GROUP BY ALL"""
    ).fetchall()
    assert totals(session) == sorted(expected, key=str)
    session.execute("CALL oplog_purge()")
    session.close()
    session = connect(paths[0])
    assert totals(session) == sorted(expected, key=str)
    session.close()


OLD = "SELECT count(oplog_record({command: 'old', timestamp: now() - INTERVAL 20 DAYS})) FROM range(10)"


def rolled_up(session) -> int:
    """How many operations are known when the rows of all are gone."""
    session.execute("CALL oplog_purge()")
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (0,)
    return session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchone()[0]


def test_what_comes_back_with_its_numbers_is_rolled_up(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    session.execute(OLD).fetchall()
    session.execute(f"CALL oplog_open('{tmp_path / 'other.oplog'}')")
    session.execute(OLD).fetchall()
    session.execute(f"CALL oplog_open('{tmp_path / 'app.duckdb.oplog'}')")
    assert rolled_up(session) == 20
    session.close()


@pytest.mark.parametrize("host", ["file", "memory"])
def test_what_moves_to_a_log_without_rows_is_rolled_up(tmp_path, host):
    with connect(tmp_path / "there.duckdb") as session:
        session.execute(OLD).fetchall()
        assert rolled_up(session) == 10
    session = connect(tmp_path / "app.duckdb" if host == "file" else ":memory:")
    session.execute(OLD).fetchall()
    session.execute(f"CALL oplog_open('{tmp_path / 'there.duckdb.oplog'}')")
    assert rolled_up(session) == 20
    session.close()


@pytest.mark.parametrize("sample", upgrades.samples("0.1.0"))
def test_a_log_of_version_0_1_0_is_rolled_up_before_its_rows_go(tmp_path, sample, monkeypatch):
    # Some samples name their log in the environment, which is as it was after this.
    monkeypatch.setenv("OPLOG_PATH", "")
    upgrades.unpack("0.1.0", sample, tmp_path)
    session = upgrades.connect_to(tmp_path)
    session.execute("CALL oplog_flush()")
    before = totals(session)
    session.execute("SET oplog_retention = '0 days'")
    session.execute("SET oplog_error_retention = '0 days'")
    session.execute("CALL oplog_purge()")
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (0,)
    assert totals(session) == before
    session.close()


def test_names_beyond_the_limit_count_under_other_and_that_is_said(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    session.execute(
        "SELECT count(oplog_record({command: 'c' || i, timestamp: now() - INTERVAL 20 DAYS})) FROM range(1500) t(i)"
    ).fetchall()
    answer = "SELECT count(*), sum(operations), min(complete_since) IS NOT NULL FROM oplog_stats(period := '21 days'{})"
    assert session.execute(answer.format("")).fetchone() == (1500, 1500, False)
    session.execute("CALL oplog_purge()")
    assert session.execute(answer.format("")).fetchone() == (1001, 1500, True)
    assert session.execute(answer.format(", by := 'status'")).fetchone() == (1, 1500, False)
    session.close()


def test_a_log_in_memory_says_what_it_lacks():
    session = connect()
    session.execute("SELECT count(oplog_record({command: 'c', timestamp: now() - to_days(i::INTEGER)})) FROM range(20) t(i)").fetchall()
    answer = "SELECT sum(operations), min(complete_since) IS NOT NULL FROM oplog_stats(period := '{}')"
    assert session.execute(answer.format("30 days")).fetchone() == (20, False)
    session.execute("CALL oplog_purge()")
    assert session.execute(answer.format("30 days")).fetchone() == (7, True)
    assert session.execute(answer.format("6 days")).fetchone() == (6, False)
    session.close()
