"""Samples of metrics, as a process of earlier would have left them."""

from __future__ import annotations

import datetime

import duckdb

MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)


def this_hour() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0)


def put_samples(log, rows) -> None:
    """Writes samples into a log that nobody has open: time, metric, labels, value and increase of each."""
    with duckdb.connect(log) as file:
        file.execute("CREATE TEMP TABLE given (timestamp TIMESTAMPTZ, metric VARCHAR, labels VARCHAR, value DOUBLE, increase DOUBLE)")
        file.executemany("INSERT INTO given VALUES (?, ?, ?, ?, ?)", rows)
        file.execute("INSERT INTO history_1m BY NAME FROM given")


def put_hours(log, metric: str, labels: str, hours: int, value: str, increase: str = "NULL") -> None:
    """Writes what a metric was in hours that have ended; `value` and `increase` are SQL, in which `ago` counts them back."""
    with duckdb.connect(log) as file:
        file.execute(
            f"""INSERT INTO history_1h
            SELECT time_bucket(INTERVAL 1 hour, now()) - to_hours(ago), ?, ?, 60, {value}, {value}, {value}, {value}, {increase}
            FROM (SELECT unnest(range(?, 0, -1)) AS ago)""",
            [metric, labels, hours],
        )
