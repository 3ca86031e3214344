"""A service whose operations a test can make again, to hold what oplog says of them against all that were ever recorded."""

from __future__ import annotations

import datetime
import random

import duckdb

# A service of 50 projects and 20 commands: what it does is made of its number alone, so that another session can make it again.
MADE = """
    SELECT
        i,
        'command_' || (hash(i, 1) % 20)::VARCHAR AS command,
        'project_' || (hash(i, 2) % 50)::VARCHAR AS project_id,
        CASE hash(i, 3) % 100 WHEN 0 THEN 'error' WHEN 1 THEN 'timeout' ELSE 'success' END AS status,
        CASE WHEN hash(i, 3) % 100 = 0 THEN 'code_' || (hash(i, 4) % 3)::VARCHAR END AS error_code,
        CASE WHEN hash(i, 5) % 50 > 0 THEN exp((hash(i, 6) % 100000) / 10000.0) END::DOUBLE AS duration_ms,
        CASE WHEN hash(i, 7) % 2 = 0 THEN (hash(i, 8) % 1000)::DOUBLE END AS queue_wait_ms,
        (hash(i, 9) % 1000)::BIGINT AS rows_affected,
        (hash(i, 10) % 100000)::BIGINT AS bytes_out,
        TIMESTAMPTZ '{start}' + to_microseconds((hash(i, 11) % {length_us}::UBIGINT)::BIGINT) AS timestamp
    FROM range({first}, {until}) AS t(i)
"""
RECORD = """
    SELECT count(oplog_record({{
        command: command, project_id: project_id, status: status, error_code: error_code, duration_ms: duration_ms,
        queue_wait_ms: queue_wait_ms, rows_affected: rows_affected, bytes_out: bytes_out, timestamp: timestamp
    }})) FROM ({made})
"""
DAY = datetime.timedelta(days=1)


class Service:
    """What it did in the days before now, in a log and in a table of the test's own."""

    def __init__(self, days: int):
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.start = self.now - days * DAY
        self.length_us = days * 86_400_000_000
        self.truth = duckdb.connect()
        self.truth.execute("SET TimeZone = 'UTC'")
        self.recorded = 0

    def made(self, first: int, until: int) -> str:
        return MADE.format(start=self.start.isoformat(), length_us=self.length_us, first=first, until=until)

    def record(self, session, operations: int) -> None:
        made = self.made(self.recorded, self.recorded + operations)
        session.execute(RECORD.format(made=made)).fetchall()
        self.recorded += operations
        self.truth.execute(f"CREATE OR REPLACE TABLE operations AS {self.made(0, self.recorded)}")

    def moment(self, chance: random.Random) -> datetime.datetime:
        return self.start + chance.random() * (self.now - self.start)


def one(session, query, parameters=()):
    cursor = session.execute(query, list(parameters))
    names = [name for name, *_ in cursor.description]
    (row,) = cursor.fetchall()
    return dict(zip(names, row))


def close(left, right, share=1e-9) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= share * max(abs(left), abs(right)) + 1e-9
