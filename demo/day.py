"""A day of the service: what its users have it do, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import duckdb

from recorder import Cancelled, Stopped, TimedOut
from service import Project

# An endless question: every flight beside every other.
EVERY_PAIR = "SELECT count(*) FROM {table} AS a, {table} AS b WHERE a.dep_delay < b.arr_delay AND a.tailnum <> b.tailnum"


def run(connection: duckdb.DuckDBPyConnection, files: dict[str, Path], exports: Path) -> None:
    delays, fleet, climate = (Project(connection, name) for name in ("delays", "fleet", "climate"))
    load(delays, fleet, climate, files)
    ask(delays, fleet, climate)
    export(delays, climate, exports)
    fail(delays, fleet, climate, files)


def load(delays: Project, fleet: Project, climate: Project, files: dict[str, Path]) -> None:
    with delays.job("load-delays"):
        for table in ("airlines", "airports", "flights"):
            delays.import_csv(table, files[table])
    with fleet.job("load-fleet"):
        fleet.import_csv("planes", files["planes"])
    with climate.job("load-climate"):
        climate.import_csv("weather", files["weather"])
        climate.import_csv("airports", files["airports"])


def ask(delays: Project, fleet: Project, climate: Project) -> None:
    for month in range(1, 13):
        delays.query(
            "flights",
            f"""SELECT carrier, avg(arr_delay) AS delay, quantile_cont(arr_delay, 0.9) FROM {{table}}
                WHERE month = {month} GROUP BY carrier ORDER BY delay DESC""",
        )
        climate.query(
            "weather", f"SELECT origin, avg(temp), max(wind_speed) FROM {{table}} WHERE month = {month} GROUP BY origin"
        )
    for origin in ("EWR", "JFK", "LGA"):
        delays.query(
            "flights",
            f"SELECT dest, count(*) FROM {{table}} WHERE origin = '{origin}' GROUP BY dest ORDER BY 2 DESC LIMIT 10",
        )
    fleet.query("planes", "SELECT manufacturer, count(*), avg(year) FROM {table} GROUP BY manufacturer ORDER BY 2 DESC")
    # One project may read another's table: the worst days, and the wind on them.
    climate.query(
        "weather",
        """SELECT time_hour::DATE AS day, max(wind_speed), any_value(delay) FROM {table}
           JOIN (SELECT make_date(year, month, day) AS day, avg(dep_delay) AS delay FROM delays.flights GROUP BY ALL) AS flown
           ON flown.day = time_hour::DATE GROUP BY ALL ORDER BY any_value(delay) DESC LIMIT 10""",
    )
    for project, table in [(delays, "flights"), (delays, "airlines"), (fleet, "planes"), (climate, "weather")] * 5:
        project.preview(table)


def export(delays: Project, climate: Project, exports: Path) -> None:
    delays.export("flights", exports / "flights.parquet")
    for origin in ("EWR", "JFK", "LGA"):
        delays.export("flights", exports / f"{origin}.csv", where=f"origin = '{origin}'")
    climate.export("weather", exports / "weather.parquet")


def fail(delays: Project, fleet: Project, climate: Project, files: dict[str, Path]) -> None:
    """Failures that any service knows. Each is reported to whoever asked, and recorded; the service goes on."""
    # The nightly job runs a second time: the airports are new to this project, the planes are there already.
    with reported("the nightly job"), fleet.job("load-fleet-again"):
        fleet.import_csv("airports", files["airports"])
        fleet.import_csv("planes", files["planes"])
    # The airports went with the transaction; their record did not.
    with reported("a preview of what was rolled back"):
        fleet.preview("airports")
    with reported("a query with a slip"):
        delays.query("flights", "SELECT avg(dep_dely) FROM {table}")
    with reported("an endless query"):
        delays.query("flights", EVERY_PAIR, seconds_max=0.5, stop=TimedOut)
    with reported("a job whose user gave up"), delays.job("rank-all-pairs"):
        delays.query("flights", EVERY_PAIR, seconds_max=0.2, stop=Cancelled)
    with reported("a file that is not what it should be"):
        climate.import_csv("weather", files["planes"])


class reported:
    """Says what went wrong and goes on."""

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type, error, _traceback) -> bool:
        if not isinstance(error, (duckdb.Error, Stopped)):
            return False
        print(f"  {self.what}: {str(error).strip().splitlines()[0]}")
        return True
