"""Times, against DuckDB's own: what its casts make of local times, where now() - INTERVAL is, where time_bucket() begins."""

import datetime
import random

import duckdb
import pytest
from harness import connect
from harness.web import serve

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]


@pytest.fixture
def con():
    con = connect()
    yield con
    con.close()


def misread(con, source):
    """Records an operation at each time that `source` gives, and returns those that are not where the engine's cast has them."""
    con.execute(
        f"""CREATE TEMP TABLE tried AS
            SELECT given, given::TIMESTAMPTZ AS expected, oplog_record({{command: 'x', timestamp: given}}) AS id FROM ({source})"""
    )
    return con.execute(
        """SELECT given::VARCHAR, epoch_us(timestamp), epoch_us(expected) FROM tried LEFT JOIN operation_log USING (id)
           WHERE timestamp IS DISTINCT FROM expected"""
    ).fetchall()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("type_name", ["TIMESTAMP", "VARCHAR"])
def test_local_times_are_what_the_cast_of_the_session_makes_of_them(con, zone, type_name):
    con.execute(f"SET TimeZone = '{zone}'")
    # Every quarter of an hour around the changes of clocks of a year, and a spread over the calendar.
    changes = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2011-12-29", "4000-03-26"]
    around = " UNION ALL ".join(
        f"SELECT TIMESTAMP '{day}' + to_minutes(15 * i - 720) AS t FROM range(192) r(i)" for day in changes
    )
    spread = "SELECT TIMESTAMP '1970-01-05' + to_hours(i * 9973) AS t FROM range(7000) r(i)"
    assert misread(con, f"SELECT t::{type_name} AS given FROM ({around} UNION ALL {spread})") == []


def test_every_zone_of_the_engine_is_known(con):
    con.execute("SET TimeZone = 'UTC'")
    # A day of 2015: rules that have changed since depend on whose data is newer.
    assert con.execute("SELECT count(*) > 500 FROM pg_timezone_names()").fetchone() == (True,)
    assert misread(con, "SELECT '2015-07-01 12:00:00 ' || name AS given FROM pg_timezone_names()") == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_a_period_reaches_as_far_back_as_the_subtraction_of_the_interval(con, zone):
    con.execute(f"SET TimeZone = '{zone}'")
    random.seed(7)
    for _ in range(20):
        until = f"{random.randint(1971, 2030)}-{random.randint(1, 12):02}-{random.randint(1, 28):02} 12:00:00"
        parts = [f"{random.randint(1, 40)} {unit}" for unit in random.sample(["months", "days", "hours", "years"], 2)]
        interval = " ".join(parts)
        border = f"TIMESTAMPTZ '{until}' - INTERVAL '{interval}'"
        command = f"{until} - {interval}"
        con.execute(
            f"SELECT oplog_record({{command: '{command}', timestamp: {border}}}), "
            f"oplog_record({{command: '{command}', timestamp: {border} - INTERVAL 1 MICROSECOND}})"
        ).fetchall()
        found = con.execute(
            "SELECT count(*) FROM oplog_operations(command := ?, until := ?, period := ?)", [command, until, interval]
        ).fetchone()
        assert found == (1,), command


@pytest.mark.parametrize("width", ["1 day", "3 days", "1 week", "1 month", "3 months", "1 year", "5 years"])
@pytest.mark.parametrize("zone", ZONES[:-1])
def test_buckets_begin_where_time_bucket_does(con, zone, width):
    con.execute(f"SET TimeZone = '{zone}'")
    origin = "'2000-01-03'" if "day" in width or "week" in width else "'2000-01-01'"
    wrong = con.execute(
        f"""SELECT bucket FROM oplog_timeline(since := '2024-02-10', until := '2026-11-20', bucket := '{width}')
            WHERE bucket::TIMESTAMP <> time_bucket(INTERVAL '{width}', bucket::TIMESTAMP, TIMESTAMP {origin})"""
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("width", ["1h", "6h", "1d", "1w", "1 month"])
def test_every_operation_is_in_the_bucket_that_holds_it(con, width):
    con.execute("SET TimeZone = 'Europe/Berlin'")
    con.execute(
        "SELECT count(oplog_record({command: 'x', timestamp: TIMESTAMPTZ '2026-01-01' + to_minutes(i * 97)})) FROM range(5000) r(i)"
    ).fetchall()
    rows = con.execute(
        f"""WITH bucket AS (FROM oplog_timeline(since := '2026-01-01', until := '2026-12-01', bucket := '{width}')),
            expected AS (
                SELECT bucket.bucket, count(*) AS n FROM operation_log ASOF JOIN bucket ON timestamp >= bucket.bucket
                WHERE timestamp < TIMESTAMPTZ '2026-12-01' GROUP BY ALL)
            SELECT bucket.bucket, operations, n FROM bucket LEFT JOIN expected USING (bucket)
            WHERE operations <> coalesce(n, 0)"""
    ).fetchall()
    assert rows == []


def test_bound_values_of_python_are_meant_in_the_zone_of_the_session(con):
    con.execute("SET TimeZone = 'America/New_York'")
    noon = datetime.datetime(2026, 7, 15, 12)
    aware = datetime.datetime(2026, 7, 15, 16, tzinfo=datetime.timezone.utc)
    record = "SELECT oplog_record({command: 'x', timestamp: ?})"
    for given in [noon, aware, "2026-07-15 12:00:00", "2026-07-15T16:00:00Z"]:
        con.execute(record, [given]).fetchall()
    count = "SELECT count(*) FROM oplog_operations(since := ?, until := ?)"
    second = datetime.timedelta(seconds=1)
    assert con.execute(count, [noon, noon + second]).fetchone() == (4,)
    assert con.execute(count, [aware, aware + second]).fetchone() == (4,)
    assert con.execute(count, [noon.date(), noon.date() + datetime.timedelta(days=1)]).fetchone() == (4,)
    assert con.execute(count, [None, None]).fetchone() == (4,)
    with pytest.raises(duckdb.Error, match="since is of type BIGINT|since is of type INTEGER"):
        con.execute(count, [1_767_225_600, None])


def test_over_http_a_time_without_a_zone_is_utc(con):
    con.execute("SET TimeZone = 'America/New_York'")
    con.execute("SELECT oplog_record({command: 'x', timestamp: TIMESTAMP '2026-07-15 12:00:00'})").fetchall()
    client = serve(con)
    found = client.ask("/operations", since="2026-07-15T16:00:00", until="2026-07-15T16:00:01Z").json
    assert [operation["timestamp"] for operation in found["operations"]] == ["2026-07-15T16:00:00Z"]
    assert client.ask("/operations", since="2026-07-15T18:00:00[Europe/Berlin]").json["rows"] == 1
    refused = client.ask("/operations", since="2026-07-15T18:00:00 Mars")
    assert refused.status == 400
    assert refused.error.startswith("since is '2026-07-15T18:00:00 Mars': 'Mars' is no time zone")


def test_http_writes_rfc_3339_for_all_years(con):
    con.execute("SET TimeZone = 'UTC'")
    for given in ["0001-01-01", "1969-12-31 23:59:59.5", "9999-12-31 23:59:59.999999"]:
        con.execute("SELECT oplog_record({command: 'x', timestamp: ?})", [given]).fetchall()
    found = serve(con).ask("/operations").json
    assert [operation["timestamp"] for operation in found["operations"]] == [
        "9999-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59.5Z",
        "0001-01-01T00:00:00Z",
    ]
