"""Alert metrics are those of all operations that were ever recorded, also when retention has deleted rows."""

from __future__ import annotations

import datetime
import os
import random
import time

from harness import connect, faults, run_python
from harness.service import DAY, Service, close

SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

HOUR = datetime.timedelta(hours=1)
TRUTH = {
    "operations": "count(*)",
    "errors": "count(*) FILTER (status <> 'success')",
    "success_rate": "count(*) FILTER (status = 'success') / count(*)",
    "avg_duration_ms": "avg(duration_ms)",
    "p50_duration_ms": "quantile_cont(duration_ms, 0.5)",
    "p95_duration_ms": "quantile_cont(duration_ms, 0.95)",
    "p99_duration_ms": "quantile_cont(duration_ms, 0.99)",
    "max_duration_ms": "max(duration_ms)",
}
FILTERS = (
    {},
    {"command": "command_3"},
    {"command": "command_1?"},
    {"project_id": "project_[1-3]*"},
    {"command": "command_*", "project_id": "project_7"},
)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def set_rule(session, name: str, **values) -> None:
    given = "".join(f", {key} := '{value}'" if isinstance(value, str) else f", {key} := {value}" for key, value in values.items())
    session.execute(f"CALL oplog_alert_set('{name}'{given})").fetchall()


def values(session) -> dict:
    return {name: (value, complete_since) for name, value, complete_since in session.execute(
        "SELECT name, value, complete_since FROM oplog_alerts()"
    ).fetchall()}  # fmt: skip


def settled(measure):
    """What was measured while the truth stood still: the periods end now."""
    for _ in range(20):
        (before, measured, after) = measure()
        if before == after:
            return measured, after
    raise AssertionError("the truth changes all the time")


def begin(period: datetime.timedelta, kept: datetime.timedelta) -> datetime.datetime:
    """Where a period begins: with an hour, if its rows are gone."""
    since = now() - period
    return since if period < kept else since.replace(minute=0, second=0, microsecond=0)


def truth(service: Service, metrics, filters: dict, since: datetime.datetime) -> dict:
    where = "".join(f" AND {column} GLOB '{pattern}'" for column, pattern in filters.items())
    asked = ", ".join(TRUTH[metric] for metric in metrics)
    row = service.truth.execute(
        f"SELECT {asked} FROM operations WHERE timestamp > ? AND timestamp <= ?{where}", [since - datetime.timedelta(microseconds=1), now()]
    ).fetchone()
    return dict(zip(metrics, row))


def test_metrics_of_a_period_are_those_of_all_operations(tmp_path):
    service = Service(60)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    for (name,) in session.execute("SELECT name FROM oplog_alert_rules()").fetchall():
        set_rule(session, name, enabled=False)
    service.record(session, 60_000)
    session.execute("CALL oplog_purge()").fetchall()
    # Some are rolled up, and some are not.
    service.record(session, 5_000)
    for period in (datetime.timedelta(days=3), datetime.timedelta(days=10, hours=5), datetime.timedelta(days=30)):
        for filters in FILTERS:
            for metric in TRUTH:
                length = f"{period.total_seconds()} seconds"
                set_rule(session, metric, metric=metric, threshold=1e9, period=length, **{"command": "", "project_id": "", **filters})

            def measure():
                before = truth(service, TRUTH, filters, begin(period, 7 * DAY))
                measured = values(session)
                return before, measured, truth(service, TRUTH, filters, begin(period, 7 * DAY))

            measured, expected = settled(measure)
            for metric in TRUTH:
                value, complete_since = measured[metric]
                what = (SEED, period, filters, metric, value, expected[metric])
                assert complete_since is None, what
                assert close(value, expected[metric], 0.0101 if metric.startswith("p") else 1e-9), what
    session.close()


def test_a_rule_over_a_month_fires_and_holds_from_rollups(tmp_path):
    service = Service(60)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    service.record(session, 20_000)
    session.execute("CALL oplog_purge()").fetchall()
    # 2 of 100 fail. Of the rows of a month it would be 8.
    set_rule(session, "rate", metric="success_rate", comparison=">", threshold=0.97, period="30 days", hold_for="20 days")
    set_rule(session, "few", metric="success_rate", threshold=0.99, period="30 days", min_operations=100_000)
    state = "SELECT state, active_since BETWEEN now() - INTERVAL 41 DAYS AND now() - INTERVAL 20 DAYS FROM oplog_alerts() WHERE name = 'rate'"
    assert session.execute(state).fetchall() == [("firing", True)]
    assert values(session)["few"] == (None, None)
    # Rollups do not know tables: such a rule is about the time of which all rows are there, and says so.
    set_rule(session, "table", metric="success_rate", threshold=0.5, period="30 days", table_name="*")
    _, complete_since = values(session)["table"]
    assert abs(complete_since - (service.now - 7 * DAY)) < HOUR
    session.close()


def record(session, table) -> None:
    session.execute(f"SELECT count(oplog_record({{command: command, status: status, timestamp: timestamp}})) FROM ({table})").fetchall()


def longest(service, since: datetime.datetime) -> int:
    (length,) = service.execute(
        """
        WITH success AS (SELECT command, max(timestamp) AS last_at FROM operations WHERE status = 'success' AND timestamp >= ? GROUP BY command)
        SELECT coalesce(max(errors), 0) FROM (
            SELECT count(*) AS errors FROM operations LEFT JOIN success USING (command)
            WHERE timestamp >= ? AND (last_at IS NULL OR timestamp > last_at) GROUP BY command
        )
        """,
        [since, since],
    ).fetchone()
    return length


MADE = """
    SELECT 'command_' || (hash(i, 1, {seed}) % 12)::VARCHAR AS command,
        CASE WHEN hash(i, 2, {seed}) % 4 = 0 THEN 'success' ELSE 'error' END AS status,
        TIMESTAMPTZ '{now}' - to_microseconds((hash(i, 3, {seed}) % (86400000000 * 40))::BIGINT) AS timestamp
    FROM range({rows}) t(i)
"""


def test_errors_in_a_row_are_never_more_than_there_were(tmp_path):
    chance = random.Random(SEED)
    for number, (rows, short) in enumerate([(150, False), (3000, False), (150, True), (20_000, True)]):
        service = connect(tmp_path / f"truth_{number}.duckdb")
        service.execute("SET TimeZone = 'UTC'")
        made = MADE.format(seed=chance.randrange(1_000_000), now=now().isoformat(), rows=rows)
        service.execute(f"CREATE TABLE operations AS {made}")
        session = connect(tmp_path / f"{number}.duckdb")
        session.execute("SET TimeZone = 'UTC'")
        if short:
            # Rollups alone know what was more than 10 minutes ago.
            session.execute("SET oplog_retention = '10 minutes'")
            session.execute("SET oplog_error_retention = '10 minutes'")
        record(session, made)
        session.execute("CALL oplog_purge()").fetchall()
        for period in (20, 30):
            set_rule(session, "row", metric="consecutive_errors", threshold=0, period=f"{period} days")
            since = (now() - period * DAY).replace(minute=0, second=0, microsecond=0)
            value, complete_since = values(session)["row"]
            expected = longest(service, since)
            what = (SEED, rows, short, period, value, expected)
            assert complete_since is None, what
            assert value <= expected, what
            # Errors are kept for 30 days, so their order is known; where it is not, it is that of one hour.
            assert value == expected or (short and value >= 1), what
            if short and rows == 150:
                assert value == expected, what
        session.close()


def test_a_deleted_success_ends_a_row_of_errors(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    times = [(20, "error"), (15, "error"), (12, "success"), (11, "error"), (10, "error"), (1, "error")]
    made = " UNION ALL ".join(
        f"SELECT 'sync' AS command, '{status}' AS status, now() - INTERVAL {days} DAYS AS timestamp" for days, status in times
    )
    record(session, made)
    set_rule(session, "row", metric="consecutive_errors", threshold=2, period="30 days", command="sync*")
    assert values(session)["row"] == (3, None)
    session.execute("CALL oplog_purge()").fetchall()
    assert session.execute("SELECT count(*) FROM operation_log WHERE status = 'success'").fetchall() == [(0,)]
    assert values(session)["row"] == (3, None)
    # Of a table nothing is known from before.
    set_rule(session, "row", table_name="*", command="")
    session.execute("SELECT oplog_record({command: 'sync', table_name: 't', status: 'error'})").fetchall()
    value, complete_since = values(session)["row"]
    assert value == 1 and complete_since is not None
    session.close()


def test_the_last_operation_is_known_when_its_row_is_gone(host):
    run_python(
        """
        import sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        days = 86400
        control.clock(10 * days)
        session.execute("SELECT oplog_record({command: 'x', table_name: 't', project_id: 'p'})").fetchall()
        control.clock(40 * days)
        session.execute("SELECT oplog_record({command: 'y'})").fetchall()
        def value(**filters):
            given = ", ".join(f"{name} := '{filters.get(name, '')}'" for name in ("command", "project_id", "table_name"))
            session.execute(f"CALL oplog_alert_set('quiet', metric := 'seconds_since_last_operation', threshold := 1, {given})").fetchall()
            (row,) = session.execute("SELECT value, complete_since IS NULL FROM oplog_alerts() WHERE name = 'quiet'").fetchall()
            return row
        for purge in ("false", "true"):
            session.execute(f"CALL oplog_purge(force := {purge})").fetchall()
            for filters in ({"command": "x"}, {"project_id": "p"}, {"command": "x*", "project_id": "?"}):
                seconds, complete = value(**filters)
                assert abs(seconds - 30 * days) < 60 and complete, (purge, filters, seconds)
            assert value(command="z")[0] >= 40 * days
            # Rollups do not know tables: what was deleted may have ended right before the first rows that are all there.
            expected = 30 if purge == "false" else 7
            seconds, complete = value(table_name="t")
            assert abs(seconds - expected * days) < 60 and complete == (purge == "false"), seconds
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(1,)]
        """,
        host,
        env=faults.environment(),
    )


def test_rules_over_a_month_take_no_long_time(tmp_path):
    service = Service(60)
    session = connect(tmp_path / "app.duckdb")
    service.record(session, 200_000)
    session.execute("CALL oplog_purge()").fetchall()
    for number, metric in enumerate([*TRUTH, "consecutive_errors"]):
        comparison = "<" if metric == "success_rate" else ">="
        set_rule(session, f"rule {number}", metric=metric, comparison=comparison, threshold=0, period="30 days", hold_for="1 minute")
    began = time.monotonic()
    values(session)
    assert time.monotonic() - began < 5
    session.close()
