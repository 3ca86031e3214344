"""When something is full, told by how it has grown."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from harness import connect, record
from harness.samples import put_hours

DAY = datetime.timedelta(days=1)
GB, MB = 1e9, 1e6


@pytest.fixture
def log(host):
    """A log that is closed."""
    connect(host).close()
    return host.with_name(host.name + ".oplog")


def capacity(session, **parameters) -> dict[str, dict]:
    given = ", ".join(f"{name} := '{value}'" for name, value in parameters.items())
    found = session.execute(f"SELECT * FROM oplog_capacity({given})")
    columns = [column[0] for column in found.description]
    return {row[0]: dict(zip(columns, row)) for row in found.fetchall()}


def near(found, wanted, share=1e-6) -> bool:
    return abs(found - wanted) <= share * abs(wanted)


def test_growth_is_told_from_history(host, log):
    hours = 40 * 24
    day = "sin(ago / 24 * 2 * pi())"
    put_hours(log, "duckdb_database_disk_size_bytes", "{'database'='host'}", hours, "500e9")
    put_hours(log, "duckdb_database_disk_available_bytes", "{'database'='host'}", hours, f"400e9 + ago / 24 * 1e9 + 5e9 * {day}")
    put_hours(log, "duckdb_database_file_bytes", "{'database'='host'}", hours, "10e9 - ago / 24 * 2e6")
    put_hours(log, "duckdb_database_wal_bytes", "{'database'='host'}", hours, "0")
    put_hours(log, "duckdb_database_file_bytes", "{'database'='log'}", hours, "200e6 + ago / 24 * 1e6")
    put_hours(log, "duckdb_database_wal_bytes", "{'database'='log'}", hours, "0")
    put_hours(log, "process_resident_memory_bytes", "{}", hours, f"1e9 + 1e8 * {day}")
    put_hours(log, "oplog_recorded_operations_total", "{}", hours, "1", "1000 - ago // 24 * 10")
    with connect(host) as session:
        session.execute("SET oplog_max_size = '1GB'")
        found = capacity(session, period="40d")
        now = datetime.datetime.now(datetime.timezone.utc)
        disk = found["disk"]
        assert near(disk["growth_per_day"], GB) and disk["reason"] is None
        assert disk["growth_per_day_low"] <= disk["growth_per_day"] <= disk["growth_per_day_high"]
        assert disk["used"] / disk["capacity"] == disk["used_share"]
        full_in = (disk["full_at"] - now) / DAY
        assert near(full_in, (disk["capacity"] - disk["used"]) / disk["growth_per_day"], 1e-3)
        assert disk["full_at_earliest"] <= disk["full_at"] <= disk["full_at_latest"]
        assert abs((now - disk["history_since"]) / DAY - 40) < 0.1
        database = found["database"]
        assert near(database["growth_per_day"], 2 * MB) and database["capacity"] < disk["capacity"]
        log_row = found["log"]
        assert near(log_row["growth_per_day"], -MB) and log_row["capacity"] == GB
        assert (log_row["full_at"], log_row["reason"]) == (None, "it does not grow")
        memory = found["memory"]
        assert abs(memory["growth_per_day"]) < 0.01 * memory["used"] and memory["capacity"] > memory["used"]
        operations = found["operations_per_day"]
        assert near(operations["growth_per_day"], 240) and operations["unit"] == "operations"
        assert near(operations["used"], 23 * 1000, 0.01)
        assert (operations["capacity"], operations["full_at"], operations["reason"]) == (None, None, "it has no limit")
        assert "log_disk" not in found
        # Of the last days only, the cycle of a day is not told apart.
        assert capacity(session, period="2 days")["disk"]["history_since"] > now - 2 * DAY - DAY / 24


def test_a_log_that_has_just_begun_says_so(host):
    with connect(host) as session:
        record(session, "import")
        found = capacity(session)
        for resource in ("disk", "database", "log", "memory"):
            row = found[resource]
            assert row["used"] > 0 and 0 < row["used_share"] < 1, row
            assert (row["growth_per_day"], row["full_at"]) == (None, None)
            assert row["reason"] == "it has no history yet: its growth can be told from 1 day on"
        assert found["operations_per_day"]["reason"] == "it has no history yet"


def test_what_is_in_memory_has_no_disk():
    with connect(":memory:") as session:
        record(session, "import")
        found = capacity(session)
        reasons = {name: row["reason"] for name, row in found.items()}
        assert reasons["disk"] == "database and log are in memory"
        assert reasons["database"] == "the database is in memory"
        assert reasons["log"] == "the log is in memory"
        assert found["memory"]["used"] > 0


def test_a_log_on_a_disk_of_its_own_has_its_row(host, tmp_path):
    other = "/dev/shm"
    if not os.path.isdir(other) or os.stat(other).st_dev == os.stat(host.parent).st_dev:
        pytest.skip("there is no other disk")
    place = f"{other}/capacity-{os.getpid()}.oplog"
    try:
        with connect(host) as session:
            session.execute("CALL oplog_open(?)", [place]).fetchall()
            found = capacity(session)
            assert found["log_disk"]["capacity"] != found["disk"]["capacity"]
    finally:
        for name in os.listdir(other):
            if name.startswith(os.path.basename(place)):
                os.remove(os.path.join(other, name))


@pytest.mark.parametrize("period, remedy", [
    ("1 hour", "period is '1 hour': growth is looked at over a day or longer"),
    ("soon", "period is 'soon': give an interval such as '30d' or '6 months'"),
])
def test_a_period_that_makes_no_sense_is_an_error(host, period, remedy):
    with connect(host) as session:
        with pytest.raises(Exception) as error:
            capacity(session, period=period)
        assert f"oplog_capacity: {remedy}" in str(error.value)


def test_what_tables_take_is_found_as_the_page_says(host):
    page = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
    (recipe,) = (block for block in page.read_text().split("```") if block.startswith("sql\nSET VARIABLE table_sizes"))
    with connect(host) as session:
        session.execute("CREATE SCHEMA s")
        session.execute("CREATE TABLE s.\"it's large\" AS SELECT hash(range) AS a FROM range(500000)").fetchall()
        session.execute("CREATE TABLE small AS SELECT 1 AS a").fetchall()
        session.execute("CHECKPOINT")
        *before, last = session.extract_statements(recipe.removeprefix("sql\n"))
        for statement in before:
            session.execute(statement).fetchall()
        (large, size), (small, block) = session.execute(last).fetchall()
        assert large.endswith('."s"."it\'s large"') and small.endswith('."main"."small"')
        assert 4e6 < size < 8e6 and block < size
        ((free,), (used,)) = session.execute(
            "SELECT sum(value) FROM oplog.engine WHERE name LIKE 'duckdb_database_%_bytes' GROUP BY name ORDER BY name"
        ).fetchall()
        assert used >= size and free >= 0 and (used + free) % 4096 == 0
