"""What does one operation cost a service that records it with a statement of its own?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import operations
from databases import count_operations, insert_into_own_log, open_host, open_logging, trivial, write_log
from measure import Case, time_in_turns
from tables import print_table

RECORD = "oplog_record({…})"
STRUCT = operations.STRUCT_OF_PARAMETERS
INSERT = insert_into_own_log(f"VALUES (uuidv7(), now(), {operations.PARAMETERS})")


def run(folder: Path, quick: bool) -> None:
    statements, rounds = (20, 3) if quick else (100, 9)
    with (
        closing(open_host(folder / "one_row.duckdb")) as host,
        closing(open_logging(folder / "memory_log.duckdb", "memory")) as memory_log,
        closing(open_logging(folder / "file_log.duckdb", "file")) as file_log,
    ):
        # An INSERT commits, which waits for the disk; oplog answers for a crash of the process, not for one of the
        # machine, and waits for no disk. That is a difference of promises, and it is in the figures.
        ways = [
            (RECORD, host, f"SELECT oplog_record({STRUCT})"),
            ("trivial function: hash({…}), uuidv7()", host, f"SELECT {trivial(STRUCT)}"),
            ("write_log({…}::VARCHAR), in memory", memory_log, f"SELECT {write_log(STRUCT)}"),
            ("write_log({…}::VARCHAR), in a file", file_log, f"SELECT {write_log(STRUCT)}"),
            ("INSERT of an equal row, autocommitted", host, INSERT),
        ]
        # A Python client makes and plans a statement for each call with parameters. PREPARE does that once.
        arguments = ", ".join(repr(value) for value in operations.VALUES)
        planned, prepared = [], []
        for number, (name, connection, sql) in enumerate(ways):
            connection.execute(f"PREPARE way_{number} AS {sql}")
            planned.append(repeat(name, connection, statements, sql, operations.VALUES))
            prepared.append(repeat(name, connection, statements, f"EXECUTE way_{number}({arguments})"))
        for heading, cases in [
            ("One operation a statement, prepared", prepared),
            ("One operation a statement, parameters given by the client", planned),
        ]:
            seconds = time_in_turns(cases, rounds)
            print_table(
                heading,
                ["µs", "× oplog"],
                [(name, taken / statements * 1e6, taken / seconds[RECORD]) for name, taken in seconds.items()],
            )
        assert count_operations(host) == 2 * statements * (rounds + 1)


def repeat(name: str, connection, statements: int, sql: str, parameters: list | None = None) -> Case:
    def run() -> None:
        for _ in range(statements):
            connection.execute(sql, parameters).fetchall()

    return Case(name, run)
