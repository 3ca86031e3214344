"""What does it cost to count operations before they are deleted, and how long do answers take from what is left of them?"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import harness
from databases import query
from measure import Case, time_in_turns
from tables import print_table

# 20 commands and 50 projects, with durations as those of a service; a hundred thousand a day.
RECORD = """
    SELECT count(oplog_record({{
        command: 'command_' || hash(i) % 20, project_id: 'project_' || hash(i, 2) % 50,
        status: CASE WHEN hash(i, 3) % 100 = 0 THEN 'error' ELSE 'success' END,
        duration_ms: exp(2 + (hash(i, 4) % 1000 + hash(i, 5) % 1000 + hash(i, 6) % 1000) / 1000.0),
        timestamp: now() - to_microseconds(({count} - i) * 864000)
    }})) FROM range({first}, {until}) AS numbers(i)
"""
# Less than what is rolled up by itself.
ROWS_OF_A_PART = 200_000
DAY = 100_000

QUESTIONS = [
    "oplog_stats(period := '30d')",
    "oplog_stats(period := '30d', by := 'project_id')",
    "oplog_stats(period := '30d', by := 'project_id,command')",
    "oplog_stats(period := '395d')",
    "oplog_stats(period := '395d', by := 'project_id')",
    "oplog_summary(period := '395d')",
    "oplog_timeline(period := '395d', bucket := '7 days', timezone := 'UTC')",
    "oplog_errors(period := '395d')",
]


def run(folder: Path, quick: bool) -> None:
    days = 30 if quick else 395
    count = days * DAY
    path = folder / "rollups.duckdb"
    with closing(harness.connect(path)) as host:
        rolling = 0.0
        for first in range(0, count, ROWS_OF_A_PART):
            until = min(first + ROWS_OF_A_PART, count)
            host.execute(RECORD.format(count=count, first=first, until=until)).fetchall()
            host.execute("CALL oplog_flush()")
            started = time.process_time()
            host.execute("CALL oplog_purge()")
            rolling += time.process_time() - started
        host.execute("SET oplog_retention = '0 days'")
        host.execute("SET oplog_error_retention = '0 days'")
        host.execute("CALL oplog_purge()")
        ((known,),) = host.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchall()
        assert known == count, known
        cases = [Case(question, query(host, f"FROM {question}")) for question in QUESTIONS]
        seconds = time_in_turns(cases, 3 if quick else 7)
        print_table(
            f"Answers from {count:,} operations of {days} days whose rows are gone",
            ["ms"],
            [(question, seconds[question] * 1e3) for question in QUESTIONS],
        )
    print_table(
        "Rolling them up, a day or two at a time, and deleting what is old",
        ["figure"],
        [
            ("CPU, ns an operation", rolling / count * 1e9),
            ("bytes an operation", Path(f"{path}.oplog").stat().st_size / count),
        ],
    )
