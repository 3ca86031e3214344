"""How long do answers from a month of operations take, and how much room does the month take?"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import harness
import operations
from databases import count_operations, open_host, query
from measure import Case, time_in_turns
from tables import print_table

SQL = Path(__file__).resolve().parents[2] / "sql" / "functions"
ROWS_OF_A_PART = 100_000


@dataclass(frozen=True)
class Question:
    name: str
    sql: str
    # The same question to a table of one's own; None where that takes more than a query.
    own_sql: str | None = None


def call(function: str) -> Question:
    return Question(function, f"FROM {function}")


def call_beside_its_sql(function: str) -> Question:
    """Asks the function, and the table by the very SQL that the function is made of."""
    sql = (SQL / f"{function.split('(')[0]}.sql").read_text().strip().rstrip(";")
    for placeholder, value in {
        "{by}": "command",
        "{filters}": "timestamp >= now() - INTERVAL 30 days",
        "$period": "'30 days'",
        "$complete_since": "NULL",
        "$since_used": "NULL",
        "$until_used": "NULL",
        "$n": "10",
    }.items():
        sql = sql.replace(placeholder, value)
    return Question(function, f"FROM {function}", ask_own_log(sql))


def ask(name: str, sql: str) -> Question:
    return Question(f"operation_log: {name}", sql, ask_own_log(sql))


def ask_own_log(sql: str) -> str:
    return sql.replace("FROM operation_log", "FROM own_log")


QUESTIONS = [
    call_beside_its_sql("oplog_stats(period := '30d')"),
    call("oplog_stats(period := '30d', by := 'project_id')"),
    call("oplog_stats(period := '1h')"),
    call_beside_its_sql("oplog_summary(period := '30d')"),
    call_beside_its_sql("oplog_slowest(period := '30d')"),
    call_beside_its_sql("oplog_errors(period := '30d')"),
    call("oplog_timeline(period := '30d')"),
    call("oplog_operations(max_rows := 20)"),
    call("oplog_operations(connection_job_id := 'job_7')"),
    ask("count(*)", "SELECT count(*) FROM operation_log"),
    ask(
        "slowest imports of an hour",
        """SELECT table_name, duration_ms FROM operation_log
           WHERE command = 'import' AND timestamp > now() - INTERVAL '1 hour' ORDER BY duration_ms DESC LIMIT 10""",
    ),
    ask(
        "error rate of a day, by command",
        """SELECT command, count(*), sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) / count(*) FROM operation_log
           WHERE timestamp > now() - INTERVAL '24 hours' GROUP BY command""",
    ),
    ask(
        "P95 of a week, by table",
        """SELECT table_name, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FROM operation_log
           WHERE timestamp > now() - INTERVAL '7 days' GROUP BY table_name HAVING count(*) > 10""",
    ),
    ask("all of one job", "SELECT * FROM operation_log WHERE connection_job_id = 'job_7' ORDER BY timestamp"),
]


def run(folder: Path, quick: bool) -> None:
    count = 300_000 if quick else 3_000_000
    path = folder / "month.duckdb"
    with closing(open_host(path)) as host:
        seconds = write(host, count)
        host.execute("INSERT INTO own_log FROM operation_log")
        print_answers(host, count, rounds=2 if quick else 7)
    print_table(
        f"Writing {count:,} operations of a month and keeping them",
        ["figure"],
        [
            ("until committed, ns/row", seconds / count * 1e9),
            ("bytes a record on disk", size(f"{path}.oplog") / count),
            # A statement's rows share their ids' random bits, which then compress to nothing. An operation that is
            # recorded by itself brings 74 random bits of its own.
            ("bytes more if each was recorded by itself", bytes_of_an_id(folder, count)),
            ("bytes a row in an equal table", size(path) / count),
        ],
    )


def write(host, count: int) -> float:
    # By default retention would take most of them away again.
    host.execute("PRAGMA oplog_retention = '60 days'")
    host.execute("PRAGMA oplog_error_retention = '60 days'")
    host.execute("ATTACH ':memory:' AS source")
    seconds = 0.0
    for first in range(0, count, ROWS_OF_A_PART):
        # Made first, in memory: that takes longer than to record them.
        part = operations.month(count, first, first + ROWS_OF_A_PART)
        host.execute(f"CREATE OR REPLACE TABLE source.part AS {part}")
        start = time.perf_counter()
        host.execute("SELECT count(oplog_record(op)) FROM source.part").fetchall()
        host.execute("CALL oplog_flush()").fetchall()
        seconds += time.perf_counter() - start
    host.execute("DETACH source")
    assert count_operations(host) == count
    return seconds


def print_answers(host, count: int, rounds: int) -> None:
    cases = []
    for question in QUESTIONS:
        cases.append(Case(question.name, query(host, question.sql)))
        if question.own_sql:
            cases.append(Case(own(question), query(host, question.own_sql)))
    ms = {name: seconds * 1e3 for name, seconds in time_in_turns(cases, rounds).items()}
    lines = []
    for question in QUESTIONS:
        taken, reference = ms[question.name], ms.get(own(question))
        lines.append((question.name, taken, reference, reference and reference / taken))
    print_table(f"Answers from {count:,} operations of 30 days", ["ms", "own table, ms", "× oplog"], lines)


def own(question: Question) -> str:
    return f"{question.name}, own table"


def bytes_of_an_id(folder: Path, count: int) -> float:
    path = folder / "ids.duckdb"
    with closing(harness.connect(path, load=False)) as connection:
        connection.execute(f"CREATE TABLE ids AS SELECT uuidv7() AS id FROM range({count})")
    return size(path) / count


def size(path: Path | str) -> int:
    return Path(path).stat().st_size
