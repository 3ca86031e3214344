"""What does it cost that a record survives the process, or the machine? `oplog_durability = memory` is held against."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

import operations
from databases import count_operations, create_source, open_host, query, status
from measure import Case, Turns, added_to, cpu, measure_in_turns, wall
from tables import print_table

REFERENCE = "memory"
DURABILITIES = [REFERENCE, "process", "os"]

# Few in a turn and many turns: the machine changes its pace between two turns as little as may be.
CALLS = 50
# Each waits for the disk.
SYNCED_CALLS = 5
# Few enough for the queue to have room and the writer to sleep: what is measured is the call, and nothing else.
ROWS_OF_A_STATEMENT = 8 * 2_048
ROWS_OF_A_CHUNK = 2_048


def run(folder: Path, quick: bool) -> None:
    with ExitStack() as stack:
        hosts = {}
        for durability in DURABILITIES:
            host = stack.enter_context(closing(open_host(folder / f"durability_{durability}.duckdb")))
            host.execute("SET threads = 1")
            host.execute(f"SET oplog_durability = '{durability}'")
            # The writer sleeps meanwhile.
            host.execute("SET oplog_flush_interval = '1 day'")
            hosts[durability] = host
        file = stack.enter_context(closing(PlainFile(folder / "durability.plain")))
        measure_statements(hosts, file, rounds=10 if quick else 60)
        measure_calls(hosts, rounds=10 if quick else 60)
        measure_rows(hosts, file, rounds=5 if quick else 21)


def measure_statements(hosts, file: PlainFile, rounds: int) -> None:
    arguments = ", ".join(repr(value) for value in operations.VALUES)
    execute = f"EXECUTE record_one({arguments})"

    def repeat(host, calls: int):
        def run() -> None:
            for _ in range(calls):
                host.execute(execute).fetchall()

        return run

    for host in hosts.values():
        host.execute(f"PREPARE record_one AS SELECT oplog_record({operations.STRUCT_OF_PARAMETERS})")
    frame_bytes = journaled_bytes(hosts, execute)
    cases = [Case(name, repeat(host, calls_under(name)), operations=calls_under(name)) for name, host in hosts.items()]
    cases += file.cases(frame_bytes, CALLS, SYNCED_CALLS)
    turns = measure_counted(hosts, cases, rounds, calls_under)
    print_added(f"One operation a statement, prepared ({frame_bytes} bytes in the journal)", "µs", 1e6, turns)


def measure_calls(hosts, rounds: int) -> None:
    """A call without the statement around it, which costs many times as much: each turn of the loop is a chunk of a row."""

    def loop(calls: int, call: str) -> str:
        return f"""
            WITH RECURSIVE calls(number, id) AS (
                SELECT 0, NULL::UUID
                UNION ALL
                SELECT number + 1, {call} FROM calls WHERE number < {calls}
            )
            SELECT count(id) FROM calls"""

    values = [repr(value) for value in operations.VALUES]
    struct = "{" + ", ".join(f"{name}: {value}" for name, value in zip(operations.FIELDS, values)) + "}"
    # Were the struct a constant, DuckDB would give it to oplog as one.
    struct = struct.replace("rows_affected: 1000", "rows_affected: number")
    cases = [
        Case(name, query(host, loop(calls_under(name), f"oplog_record({struct})")), operations=calls_under(name))
        for name, host in hosts.items()
    ]
    cases.append(Case("the loop alone", query(hosts[REFERENCE], loop(CALLS, "NULL")), operations=CALLS))
    turns = measure_counted(hosts, cases, rounds, calls_under)
    print_added("One operation a chunk, in a loop within a statement", "µs", 1e6, turns)


def measure_rows(hosts, file: PlainFile, rounds: int) -> None:
    for host in hosts.values():
        create_source(host, ROWS_OF_A_STATEMENT)
    record = f"SELECT count(oplog_record({operations.STRUCT})) FROM source.operations"
    chunks = ROWS_OF_A_STATEMENT // ROWS_OF_A_CHUNK
    frame_bytes = journaled_bytes(hosts, record) // chunks
    cases = [
        Case(name, query(host, record), query(host, "CALL oplog_flush()"), ROWS_OF_A_STATEMENT)
        for name, host in hosts.items()
    ]
    for case in file.cases(frame_bytes, chunks, chunks):
        cases.append(Case(case.name, case.run, case.settle, ROWS_OF_A_STATEMENT))
    turns = measure_counted(hosts, cases, rounds, lambda _: ROWS_OF_A_STATEMENT)
    print_added(
        f"{ROWS_OF_A_STATEMENT:,} operations a statement, one thread ({frame_bytes // ROWS_OF_A_CHUNK} bytes a row)",
        "ns/row",
        1e9,
        turns,
    )


def calls_under(durability: str) -> int:
    return SYNCED_CALLS if durability == "os" else CALLS


def journaled_bytes(hosts, statement: str) -> int:
    """Runs the statement under each durability, sees that it does what it should, and returns the bytes that it journals."""
    added = {}
    for name, host in hosts.items():
        figures = ["journal_bytes", "journal_syncs"]
        # The first begins a segment.
        host.execute(statement).fetchall()
        before = [status(host, figure) for figure in figures]
        host.execute(statement).fetchall()
        added[name] = [status(host, figure) - known for figure, known in zip(figures, before)]
        host.execute("CALL oplog_flush()")
    (in_memory, _), (journaled, no_syncs), (synced, syncs) = (added[name] for name in DURABILITIES)
    assert in_memory == 0 and journaled == synced > 0, added
    assert no_syncs == 0 < syncs, added
    return journaled


def measure_counted(hosts, cases: list[Case], rounds: int, operations_of_a_turn) -> Turns:
    before = {name: count_operations(host) for name, host in hosts.items()}
    turns = measure_in_turns(cases, rounds)
    for name, host in hosts.items():
        assert count_operations(host) - before[name] == operations_of_a_turn(name) * (rounds + 1)
    return turns


def print_added(heading: str, unit: str, units_of_a_second: float, turns: Turns) -> None:
    reference = turns[REFERENCE]
    lines = []
    for name, taken in turns.items():
        figures = [wall(taken), cpu(taken)]
        if name in DURABILITIES and name != REFERENCE:
            added = added_to(reference, taken)
            figures += [added.wall, added.cpu]
        scaled = [figure * units_of_a_second for figure in figures] + [None] * (4 - len(figures))
        ratio = wall(taken) / wall(reference) if name in DURABILITIES else None
        lines.append((name, *scaled, ratio))
    print_table(heading, [unit, "CPU", "added", "CPU added", f"× {REFERENCE}"], lines)


class PlainFile:
    """What the system asks for the same bytes, without oplog."""

    def __init__(self, path: Path):
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def close(self) -> None:
        os.close(self.file)

    def cases(self, frame_bytes: int, writes: int, synced_writes: int) -> list[Case]:
        frame = os.urandom(frame_bytes)

        def write() -> None:
            for _ in range(writes):
                os.write(self.file, frame)

        def write_and_sync() -> None:
            for _ in range(synced_writes):
                os.write(self.file, frame)
                os.fdatasync(self.file)

        def empty() -> None:
            os.ftruncate(self.file, 0)

        return [
            Case("write(2) of as many bytes", write, empty, writes),
            Case("write(2), then fdatasync(2)", write_and_sync, empty, synced_writes),
        ]
