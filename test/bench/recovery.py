"""How long does LOAD take after a kill -9, and the first answer, when much had been recorded but not committed?"""

from __future__ import annotations

import shutil
import signal
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import harness
import operations
from databases import count_operations, status
from tables import print_table

RECORD = f"SELECT count(oplog_record({operations.STRUCT})) FROM source.operations"
HOST = "host.duckdb"

# Records, says how many operations were acknowledged, and is gone without a chance to commit what waits.
VICTIM = """
    import os, signal, sys
    from harness import connect
    path, source, record, flush = sys.argv[1:]
    session = connect(path)
    session.execute("SET threads = 1")
    session.execute("SET oplog_flush_interval = '1 day'")
    session.execute("ATTACH ':memory:' AS source")
    session.execute(f"CREATE TABLE source.operations AS {source}")
    ((recorded,),) = session.execute(record).fetchall()
    if flush == "flush":
        session.execute("CALL oplog_flush()").fetchall()
    print(recorded, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Opening:
    load: float
    answer: float
    recovered: int

    @property
    def total(self) -> float:
        return self.load + self.answer


def run(folder: Path, quick: bool) -> None:
    # The writer commits all the while and has a part of them by the end; the journal has the others.
    rows, rounds = (150_000, 1) if quick else (1_150_000, 2)
    killed, flushed = folder / "killed", folder / "flushed"
    journal_bytes = leave(killed, rows, "")
    leave(flushed, rows, "flush")
    after_kill, after_flush, after_close = [], [], []
    for _ in range(rounds):
        copy = folder / "copy"
        for left, openings in [(killed, after_kill), (flushed, after_flush)]:
            shutil.copytree(left, copy)
            openings.append(open_log(copy / HOST, rows))
            if left is killed:
                # The same log; this time it was closed in order.
                after_close.append(open_log(copy / HOST, rows))
            shutil.rmtree(copy)
    (recovered,) = {opening.recovered for opening in after_kill}
    assert 0 < recovered <= rows
    assert {opening.recovered for opening in after_close + after_flush} == {0}
    closed = median(opening.total for opening in after_close)
    added = median(after.total - before.total for after, before in zip(after_kill, after_close))
    print_table(
        f"Opening a log of {rows:,} operations",
        ["recovered", "LOAD, ms", "first answer, ms", "× closed"],
        [
            line("closed in order", after_close, closed),
            line("killed after oplog_flush()", after_flush, closed),
            line("killed when the statement had returned", after_kill, closed),
        ],
    )
    print_table(
        "Recovery of 1,000,000 operations",
        ["figure"],
        [
            ("LOAD, s more than closed in order", per_million(after_kill, after_close, "load", recovered)),
            ("first answer, s more", per_million(after_kill, after_close, "answer", recovered)),
            ("both, s more", added / recovered * 1e6),
            ("bytes of the journal an operation", journal_bytes / recovered),
        ],
    )


def leave(folder: Path, rows: int, flush: str) -> int:
    """Lets a process record and die; returns the size of the journal that it leaves."""
    folder.mkdir()
    source = f"SELECT {operations.columns()} FROM range({rows}) AS numbers(i)"
    said = harness.run_python(VICTIM, folder / HOST, source, RECORD, flush, exit_code=-signal.SIGKILL)
    assert int(said.split()[-1]) == rows, said
    return sum(file.stat().st_size for file in folder.glob("*.journal.0*"))


def open_log(path: Path, rows: int) -> Opening:
    with closing(harness.connect(path, load=False)) as connection:
        start = time.perf_counter()
        connection.execute(f"LOAD '{harness.EXTENSION}'")
        loaded = time.perf_counter()
        count = count_operations(connection)
        answered = time.perf_counter()
        assert count == rows, f"{count:,} of {rows:,} operations are there"
        assert status(connection, "lost_operations") == 0
        return Opening(loaded - start, answered - loaded, status(connection, "recovered_operations"))


def line(name: str, openings: list[Opening], closed: float) -> tuple:
    return (
        name,
        f"{openings[0].recovered:,}",
        median(opening.load for opening in openings) * 1e3,
        median(opening.answer for opening in openings) * 1e3,
        median(opening.total for opening in openings) / closed,
    )


def per_million(after_kill: list[Opening], after_close: list[Opening], what: str, recovered: int) -> float:
    return median(getattr(a, what) - getattr(b, what) for a, b in zip(after_kill, after_close)) / recovered * 1e6


median = statistics.median
