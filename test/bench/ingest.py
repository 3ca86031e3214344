"""How many operations a second can be kept for good, while the writer has always more to do?"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path

import operations
from databases import count_operations, create_source, insert_into_own_log, open_host, query, status
from measure import Case, cpu, measure_in_turns, wall
from tables import print_table

BARE = "INSERT … SELECT, one thread: the bare append"
RECORD = f"SELECT count(oplog_record({operations.STRUCT})) FROM source.operations"
DURABILITIES = ["process", "os", "memory"]


def run(folder: Path, quick: bool) -> None:
    rows, rounds = (100_000, 1) if quick else (1_000_000, 3)
    with ExitStack() as stack:
        hosts, cases = {}, []
        for durability in DURABILITIES:
            host = stack.enter_context(closing(open_host(folder / f"ingest_{durability}.duckdb")))
            host.execute("SET threads = 1")
            host.execute(f"SET oplog_durability = '{durability}'")
            create_source(host, rows)
            record, flush = query(host, RECORD), query(host, "CALL oplog_flush()")
            cases.append(Case(until_committed(durability), both(record, flush), operations=rows))
            hosts[durability] = host
        bare_host = stack.enter_context(closing(open_host(folder / "ingest_bare.duckdb")))
        bare_host.execute("SET threads = 1")
        create_source(bare_host, rows)
        cases += bare_appends(bare_host, rows)
        # The writer's processor counts as well as the caller's.
        turns = measure_in_turns(cases, rounds, cpu_clock=time.process_time)
        for durability, host in hosts.items():
            assert count_operations(host) == rows * (rounds + 1), durability
            assert status(host, "rejected_operations") == status(host, "commit_errors") == 0
    bare, unsynced = wall(turns[BARE]), wall(turns[until_committed("process")])
    print_table(
        f"{rows:,} operations a statement: until they are committed",
        ["ns/row", "CPU", "rows/s", "× oplog", "share of the bare append's rate"],
        [
            (name, wall(taken) * 1e9, cpu(taken) * 1e9, 1 / wall(taken), wall(taken) / unsynced, bare / wall(taken))
            for name, taken in turns.items()
        ],
    )


def until_committed(durability: str) -> str:
    return f"oplog_record({{…}}), then oplog_flush(): {durability}"


def both(first, second):
    return lambda: (first(), second())


def bare_appends(host, rows: int) -> list[Case]:
    # DuckDB's Python client has no appender. An INSERT … SELECT with one thread comes closest: it appends the same
    # chunks, made by a scan in memory, to the same table in the same way, and commits.
    insert = insert_into_own_log(f"SELECT uuidv7(), now(), {operations.NAMES} FROM source.operations")
    truncate = query(host, "TRUNCATE own_log")

    def insert_with_one_thread() -> None:
        ((inserted,),) = host.execute(insert).fetchall()
        assert inserted == rows

    def insert_with_all_threads() -> None:
        host.execute("RESET threads")
        insert_with_one_thread()

    def settle() -> None:
        host.execute("SET threads = 1")
        truncate()

    return [
        Case(BARE, insert_with_one_thread, truncate, rows),
        Case("INSERT … SELECT, all threads", insert_with_all_threads, settle, rows),
    ]
