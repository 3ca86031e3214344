"""What does an operation cost when one statement records many: a chunk of rows should cost what copying it costs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import operations
from databases import count_operations, create_source, open_host, open_logging, query, trivial, write_log
from measure import Case, time_in_turns
from tables import print_table

RECORD = "oplog_record({…})"
STRUCT = operations.STRUCT
# Few enough for the queue to have room and the writer to sleep: what is measured is the call, and nothing else.
ROWS_OF_A_CALL = 8 * 2_048


def run(folder: Path, quick: bool) -> None:
    with (
        closing(open_host(folder / "many_rows.duckdb")) as host,
        closing(open_logging(folder / "many_rows_log.duckdb", "memory")) as logging,
    ):
        for connection in (host, logging):
            # Nanoseconds of one thread; what several do at once is told by the machine, not by oplog.
            connection.execute("SET threads = 1")
        measure_call(host, logging, rounds=5 if quick else 25)


def measure_call(host, logging, rounds: int) -> None:
    for connection in (host, logging):
        create_source(connection, ROWS_OF_A_CALL)
    struct = "the struct alone"
    # count() needs its argument, so nothing is pruned.
    cases = [
        Case(struct, query(host, f"SELECT count({STRUCT}) FROM source.operations")),
        Case(
            RECORD,
            query(host, f"SELECT count(oplog_record({STRUCT})) FROM source.operations"),
            query(host, "CALL oplog_flush()"),
        ),
        Case("trivial function: hash({…}), uuidv7()", query(host, f"SELECT count({trivial(STRUCT)}) FROM source.operations")),
        Case(
            "write_log({…}::VARCHAR), in memory",
            query(logging, f"SELECT count({write_log(STRUCT)}) FROM source.operations"),
            query(logging, "CALL truncate_duckdb_logs()"),
        ),
    ]
    before = count_operations(host)
    seconds = time_in_turns(cases, rounds)
    assert count_operations(host) - before == ROWS_OF_A_CALL * (rounds + 1)
    ns = {name: taken / ROWS_OF_A_CALL * 1e9 for name, taken in seconds.items()}
    net = {name: taken - ns[struct] for name, taken in ns.items()}
    lines = [(struct, ns[struct], None, None)]
    lines += [(name, ns[name], net[name], net[name] / net[RECORD]) for name in ns if name != struct]
    print_table(
        f"{ROWS_OF_A_CALL:,} operations a statement, one thread: the call",
        ["ns/row", "net of the struct", "× oplog, net"],
        lines,
    )
