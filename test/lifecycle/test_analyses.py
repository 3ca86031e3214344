"""Targets, usage and comparisons agree with all operations that were ever recorded, also where retention has deleted rows."""

from __future__ import annotations

import datetime
import os
import random

import duckdb
import pytest

from harness import connect
from harness.service import DAY, Service, close, one

SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
HOUR = datetime.timedelta(hours=1)
WINDOWS = {"5m": HOUR / 12, "30m": HOUR / 2, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "3d": 3 * DAY}
# A duration counts in a bin whose bounds are apart by this.
BIN = 1.01 / 0.99


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A service that has run for a year, in a log that has kept the rows of the last days."""
    service = Service(365)
    session = connect(tmp_path_factory.mktemp("year") / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    for _ in range(3):
        service.record(session, 100_000)
        session.execute("CALL oplog_purge()")
    (kept,) = session.execute("SELECT count(*) FROM operation_log").fetchone()
    assert kept < service.recorded / 20
    yield service, session
    session.close()


def rows(session, query, parameters=()):
    cursor = session.execute(query, list(parameters))
    names = [name for name, *_ in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def truth_of(service, columns, since, until, where="true"):
    return one(
        service.truth,
        f"SELECT {columns} FROM operations WHERE timestamp >= ? AND timestamp < ? AND {where}",
        [since, until],
    )


def random_filter(chance):
    if chance.random() < 0.4:
        command = f"command_{chance.randrange(20)}"
        return f", command := '{command}'", f"command = '{command}'"
    return "", "true"


def beginnings(until, window):
    """When a window may begin: with its minute, or with its hour or day where no more is known."""
    start = until - window
    hour = start.replace(minute=0, second=0, microsecond=0)
    return {start, hour, hour.replace(hour=0)}


def check_burn_rates(service, answer, where, target, known, what):
    for name, window in WINDOWS.items():
        rate = answer[f"burn_rate_{name}"]
        possible = []
        for start in beginnings(answer["until"], window):
            counted = truth_of(
                service, "count(*) AS n, count(*) FILTER (status <> 'success') AS bad", start, answer["until"], where
            )
            possible.append(counted["bad"] / counted["n"] / (1 - target) if counted["n"] else None)
        if known or rate is not None:
            assert any(close(rate, other, 1e-6) for other in possible), (what, name, rate, possible)


def test_a_target_is_judged_by_all_operations(year):
    service, session = year
    chance = random.Random(SEED)
    for _ in range(25):
        is_now = chance.random() < 0.4
        until = service.now if is_now else service.moment(chance)
        since = max(until - chance.choice([5, 30, 90]) * DAY, service.start)
        given, where = random_filter(chance)
        target = chance.choice([0.9, 0.99, 0.999])
        period = f"since := '{since.isoformat()}', until := '{until.isoformat()}', target := {target}"
        what = (SEED, period, given)
        answer = one(session, f"FROM oplog_slo({period}{given})")
        assert answer["since"] <= since and answer["until"] >= until and answer["complete_since"] is None, what
        counted = truth_of(
            service, "count(*) AS n, count(*) FILTER (status <> 'success') AS bad", answer["since"], answer["until"], where
        )
        assert (answer["operations"], answer["bad"]) == (counted["n"], counted["bad"]), what
        if counted["n"]:
            allowed = (1 - target) * counted["n"]
            assert close(answer["error_budget"], allowed) and answer["met"] == (counted["bad"] <= allowed + 1e-9), what
            assert close(answer["budget_remaining"], 1 - counted["bad"] / allowed), what
            check_burn_rates(service, answer, where, target, is_now and until - since >= 3 * DAY, what)
        # Durations within a bin of the target may be taken for good; no other is taken for what it is not.
        limit = chance.choice([5.0, 100.0, 5000.0])
        late = one(session, f"FROM oplog_slo({period}{given}, max_duration_ms := {limit})")["bad"]
        bad = "count(*) FILTER (status <> 'success' OR duration_ms > {}) AS bad"
        most, least = (
            truth_of(service, bad.format(limit * factor), answer["since"], answer["until"], where)["bad"]
            for factor in (1, BIN)
        )
        assert least <= late <= most, (what, limit)


def test_targets_of_groups_add_up(year):
    service, session = year
    for by in ("command", "project_id", "project_id,command"):
        total = one(session, "FROM oplog_slo(period := '100 days')")
        groups = rows(session, f"FROM oplog_slo(period := '100 days', by := '{by}')")
        for column in ("operations", "bad"):
            assert sum(group[column] for group in groups) == total[column], by
        remaining = [group["budget_remaining"] for group in groups]
        assert remaining == sorted(remaining)


def covered(since, until):
    """How many hours of each weekday and hour there are in a period."""
    hours = {}
    at = since.replace(minute=0, second=0, microsecond=0)
    while at < until:
        within = min(at + HOUR, until) - max(at, since)
        key = (at.isoweekday(), at.hour)
        hours[key] = hours.get(key, 0) + within / HOUR
        at += HOUR
    return hours


def check_usage(service, session, since, until, given, where):
    period = f"since := '{since.isoformat()}', until := '{until.isoformat()}'"
    what = (SEED, period, given)
    summary = one(session, f"FROM oplog_summary({period}{given})")
    answer = rows(session, f"FROM oplog_usage({period}{given})")
    begins = answer[0]["complete_since"] or summary["since"]
    ends = summary["until"]
    assert begins <= max(since, service.now - 61 * DAY), what
    hours = covered(begins, ends)
    assert {(row["weekday"], row["hour"]) for row in answer} == hours.keys(), what
    counted = service.truth.execute(
        f"""SELECT isodow(began), hour(began), sum(n)::BIGINT, max(n), sum(bad)::BIGINT, sum(rows)::BIGINT
            FROM (
                SELECT date_trunc('hour', timestamp) AS began, count(*) AS n, count(*) FILTER (status <> 'success') AS bad,
                    sum(rows_affected) AS rows
                FROM operations WHERE timestamp >= ? AND timestamp < ? AND {where} GROUP BY ALL
            ) GROUP BY ALL""",
        [begins, ends],
    ).fetchall()
    truth = {(weekday, hour): tuple(rest) for weekday, hour, *rest in counted}
    total = sum(n for n, *_ in truth.values())
    for row in answer:
        key = (row["weekday"], row["hour"])
        n, most, bad, sum_of_rows = truth.get(key, (0, 0, 0, None))
        assert (row["operations"], row["max_per_hour"], row["errors"]) == (n, most, bad), (what, key)
        assert row["rows_affected"] == sum_of_rows, (what, key)
        assert close(row["per_hour"], n / hours[key], 1e-6), (what, key)
        assert close(row["share"], n / total if total else None), (what, key)
    return truth, hours


def test_usage_is_that_of_all_operations(year):
    service, session = year
    chance = random.Random(SEED)
    for days in (1, 5, 20, 28, 55):
        given, where = random_filter(chance)
        until = service.now - chance.random() * 3 * DAY
        check_usage(service, session, until - days * DAY, until, given, where)
    # Before that single hours are not known any more: the answer begins where they are, and says so.
    check_usage(service, session, service.start + DAY, service.now, "", "true")
    (since,) = session.execute("SELECT DISTINCT complete_since FROM oplog_usage(period := '300 days')").fetchone()
    assert service.now - 64 * DAY < since < service.now - 60 * DAY


def test_the_busiest_hour_has_the_most_an_hour(year):
    service, session = year
    until = service.now.replace(minute=0, second=0)
    since = until - 28 * DAY
    truth, hours = check_usage(service, session, since, until, ", command := 'command_3'", "command = 'command_3'")
    rate = {key: truth.get(key, (0,))[0] / hours[key] for key in hours}
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    named = {f"{days[weekday - 1]} {hour:02}:00": (weekday, hour) for weekday, hour in hours}
    period = f"since := '{since.isoformat()}', until := '{until.isoformat()}'"
    row = next(row for row in rows(session, f"FROM oplog_usage({period}, by := 'command')") if row["command"] == "command_3")
    assert named[row["busiest"]] == min(key for key in rate if rate[key] == max(rate.values()))
    assert named[row["quietest"]] == min(key for key in rate if rate[key] == min(rate.values()))
    assert row["operations"] == sum(n for n, *_ in truth.values())


COMPARED = """
    count(*) AS n,
    avg(duration_ms) AS avg_ms,
    quantile_cont(duration_ms, 0.5) AS p50_ms,
    quantile_cont(duration_ms, 0.95) AS p95_ms,
    (count(*) FILTER (status <> 'success') / nullif(count(*), 0)) AS error_rate
"""


def check_comparison(service, session, given, where, what):
    answer = rows(session, f"FROM oplog_compare({given})")
    for row in answer:
        assert row["complete_since"] is None, what
        only = f"{where} AND command = '{row['command']}'"
        now = truth_of(service, COMPARED, row["since"], row["until"], only)
        before = truth_of(service, COMPARED, row["baseline_since"], row["since"], only)
        for counted, suffix in ((now, ""), (before, "_before")):
            assert row[f"operations{suffix}"] == counted["n"], (what, row, counted)
            assert close(row[f"avg{suffix}_ms"], counted["avg_ms"]), (what, row, counted)
            assert close(row[f"error_rate{suffix}"], counted["error_rate"]), (what, row, counted)
            for quantile in ("p50", "p95"):
                assert close(row[f"{quantile}{suffix}_ms"], counted[f"{quantile}_ms"], 0.0101), (what, row, counted)
    return answer


def test_a_comparison_is_of_all_operations(year):
    service, session = year
    chance = random.Random(SEED)
    for period, baseline in (("1h", None), ("24h", None), ("24h", "7d"), ("6 days", "200 days"), ("30 days", None), ("2 months", "1 month")):
        until = service.now if chance.random() < 0.5 else service.now - chance.random() * 30 * DAY
        given = f"period := '{period}', until := '{until.isoformat()}'" + (f", baseline := '{baseline}'" if baseline else "")
        answer = check_comparison(service, session, given, "true", (SEED, given))
        # Nothing has changed: one wrong verdict among twenty commands is possible, two are not.
        verdicts = [row["verdict"] for row in answer]
        wrong = [verdict for verdict in verdicts if "er" in verdict.split() or verdict.startswith("f")]
        assert len(wrong) <= 1, (SEED, given, verdicts)


def test_the_ratio_is_the_median_of_all_pairs(year):
    service, session = year
    period = f"since := '{service.now - 30 * DAY}', until := '{service.now}', command := 'command_5'"
    row = one(session, f"FROM oplog_compare({period}, project_id := 'project_7', baseline := '90 days')")
    (ratio,) = service.truth.execute(
        """WITH mine AS (SELECT * FROM operations WHERE command = 'command_5' AND project_id = 'project_7')
           SELECT exp(quantile_cont(ln(now.duration_ms) - ln(before.duration_ms), 0.5))
           FROM mine AS now, mine AS before
           WHERE now.timestamp >= $1 AND now.timestamp < $2 AND before.timestamp >= $3 AND before.timestamp < $1""",
        [row["since"], row["until"], row["baseline_since"]],
    ).fetchone()
    assert close(row["duration_ratio"], ratio, BIN - 1), (row, ratio)
    assert row["duration_ratio_low"] <= row["duration_ratio"] <= row["duration_ratio_high"]


def test_a_comparison_is_the_same_from_rows_and_from_rollups(tmp_path):
    service = Service(40)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    session.execute("SET oplog_retention = '1 year'")
    session.execute("SET oplog_error_retention = '1 year'")
    service.record(session, 60_000)
    midnight = service.now.replace(hour=0, minute=0, second=0)
    # Slower in the last ten days, and failing.
    session.execute(
        f"""SELECT count(oplog_record({{command: 'grown', duration_ms: 10 + i % 9 + CASE WHEN i < 1440 THEN 9 ELSE 0 END,
                status: CASE WHEN i % 50 = 0 OR i < 1440 AND i % 5 = 0 THEN 'error' END,
                timestamp: TIMESTAMPTZ '{midnight.isoformat()}' - to_minutes(10 * i + 5)}})) FROM range(3000) t(i)"""
    ).fetchall()
    questions = [
        f"FROM oplog_compare(since := '{midnight - days * DAY}', until := '{midnight}' {baseline}) ORDER BY command"
        for days, baseline in ((10, ""), (1, ", baseline := '8 days'"), (16, ", by := 'project_id,command', command := 'grown'"))
    ]
    before = [rows(session, question) for question in questions]
    session.execute("SET oplog_retention = '1 hour'")
    session.execute("SET oplog_error_retention = '1 hour'")
    session.execute("CALL oplog_purge()")
    assert session.execute("SELECT count(*) FROM operation_log").fetchone()[0] < 600
    for question, expected in zip(questions, before):
        found = rows(session, question)
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected):
            for name, value in theirs.items():
                same = close(mine[name], value, 1e-6) if isinstance(value, float) else mine[name] == value
                assert same, (question, name, mine, theirs)
    grown = next(row for row in before[0] if row["command"] == "grown")
    assert grown["verdict"] == "slower, fails more"
    session.close()


def test_what_rollups_do_not_know_is_said(tmp_path):
    service = Service(40)
    session = connect(tmp_path / "app.duckdb")
    session.execute("SET TimeZone = 'UTC'")
    service.record(session, 20_000)
    session.execute("CALL oplog_purge()")
    for function in ("oplog_slo", "oplog_usage", "oplog_compare"):
        answer = f"SELECT min(complete_since) FROM {function}(period := '14 days', by := '{{}}')"
        assert session.execute(answer.format("command")).fetchone() == (None,), function
        (since,) = session.execute(answer.format("table_name")).fetchone()
        assert abs(since - (service.now - 7 * DAY)) < datetime.timedelta(minutes=10), function
    # Means are those of the days that are known.
    usage = "SELECT sum(per_hour), sum(operations) / (7 * 24) FROM oplog_usage(period := '14 days', by := 'table_name')"
    mean, expected = session.execute(usage).fetchone()
    assert close(mean, expected, 0.01)
    with pytest.raises(duckdb.Error, match="oplog_usage: "):
        session.execute("FROM oplog_usage(period := '10 years')")
    session.close()
