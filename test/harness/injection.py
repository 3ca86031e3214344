"""A fault at one file operation of a log's life, and what must hold whatever it was.

Each scenario is a function that runs in a process of its own (`python -c "from harness.injection import main; main()"`): it sets the
log up, `arm`s the fault, does what the scenario is about, and goes on. It says a line for whatever was acknowledged, at once, so that
the test knows it after a kill as well:

    ack ID ...      recorded, and in a log that has a file
    span ID         a span that runs
    armed, calm     the fault is in force; it is over
    hits N          the fault's rule has matched so many operations

A fault is named by a text, which repeats it: `scenario:operation:file:nth:action:end`.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from . import faults
from .ledger import assert_gapless, hold_back, recording, status
from .sessions import connect

# Where the directory of a case is; the log's files in it are what faults are about, and the directory itself.
DIRECTORY = "logdir"

# What an operation may meet: the fault's name, its action, the error, and how often in a row.
ACTIONS = {
    "eio": (faults.FAIL, errno.EIO, 1),
    "eio3": (faults.FAIL, errno.EIO, 3),
    "enospc3": (faults.FAIL, errno.ENOSPC, 3),
    "eacces": (faults.FAIL, errno.EACCES, 1),
    "emfile3": (faults.FAIL, errno.EMFILE, 3),
    "short": (faults.SHORT, 0, 1),
    "kill": (faults.KILL, 0, 1),
    "torn": (faults.TORN, 0, 1),
}
FITTING = {
    "write": ["eio", "eio3", "enospc3", "short", "kill", "torn"],
    "sync": ["eio", "eio3", "kill"],
    "truncate": ["eio", "enospc3", "kill"],
    "rename": ["eacces", "eio3", "kill"],
    "unlink": ["eacces", "eio3", "kill"],
    "open": ["eacces", "eio3", "emfile3", "kill"],
    "read": ["eio", "eio3"],
    "mkdir": ["eacces", "enospc3", "kill"],
}
ENDS = ["closed", "killed"]


@dataclass(frozen=True)
class Fault:
    scenario: str
    operation: str
    file: str
    nth: int
    action: str
    end: str

    def __str__(self) -> str:
        return ":".join([self.scenario, self.operation, self.file, str(self.nth), self.action, self.end])

    @classmethod
    def read(cls, text: str) -> "Fault":
        scenario, operation, file, nth, action, end = text.split(":")
        return cls(scenario, operation, file, int(nth), action, end)

    @property
    def kills(self) -> bool:
        return self.action in ("kill", "torn")


def pattern(path: str) -> str:
    """Which file of the log an operation is on, whatever the numbers in its name are."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) != DIRECTORY:
        return f"*/{name}" if name == DIRECTORY else "*"
    if ".spool-" in name:
        base, rest = name.split(".spool-", 1)
        number, *parts = rest.split(".")
        return f"*/{base}.spool-*" + "".join("." + ("0*" if part.isdigit() else part) for part in parts)
    return "*/" + ".".join("0*" if part.isdigit() and len(part) == 6 else part for part in name.split("."))


class Life:
    """One process, up to the end of its scenario."""

    def __init__(self, directory: Path, fault: Fault | None, end: str):
        self.control = faults.control()
        self.directory = directory
        self.host = directory / "app.duckdb"
        self.fault = fault
        self.end = end
        self.session: duckdb.DuckDBPyConnection | None = None
        self.statements = 0
        self.is_durable = self.keeps_spans = True
        self.rule = 0

    def say(self, *words: object) -> None:
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    def arm(self) -> None:
        self.say("armed")
        if self.fault is None:
            self.control.count(faults.CHANGES | faults.READ, "*.oplog*")
            self.control.count(faults.CHANGES, f"*/{DIRECTORY}")
            self.control.mark("armed")
            return
        action, number, times = ACTIONS[self.fault.action]
        self.rule = self.control.rule(faults.NAMES[self.fault.operation], self.fault.file, action, number, self.fault.nth, times)

    def calm(self) -> None:
        if self.fault is not None:
            self.say("hits", self.control.hits(self.rule))
        self.control.mark("calm")
        self.control.clear()
        self.say("calm")

    def open(self, read_only: bool = False) -> None:
        """LOAD succeeds, always."""
        self.session = connect(self.host, read_only=read_only)
        # What cannot be opened on LOAD is a note, and records or spans are kept in memory.
        figures = status(self.session)
        notes = figures["notes"] or ""
        self.is_durable = figures["role"] != "fallback" and "they end with this process" not in notes
        self.keeps_spans = self.is_durable and "spans are lost with the process" not in notes

    def attempt(self, statement: str, *parameters: object) -> bool:
        """A statement that may fail, with an error that says why."""
        try:
            self.session.execute(statement, list(parameters) or None).fetchall()
            return True
        except duckdb.Error as error:
            assert str(error).strip(), f"an error without a word: {statement}"
            return False

    def record(self, rows: int = 1, text: str = "") -> bool:
        self.statements += 1
        statement = recording(f"{os.getpid()} {self.statements}", rows)
        if text:
            statement = f"SELECT oplog_record({{command: 'large', error_message: {text}}})::VARCHAR FROM range({rows}) t(i)"
        try:
            ids = self.session.execute(statement).fetchall()
        except duckdb.Error:
            return False
        if self.is_durable:
            self.say("ack", *(identifier for (identifier,) in ids))
        return True

    def start(self) -> str | None:
        try:
            ((identifier,),) = self.session.execute("SELECT oplog_start({command: 'span'})::VARCHAR").fetchall()
        except duckdb.Error:
            return None
        if self.keeps_spans:
            self.say("span", identifier)
        return identifier

    def finish(self, identifier: str | None) -> None:
        if identifier:
            self.attempt(f"SELECT oplog_finish('{identifier}')")

    def go_on(self) -> None:
        """The fault is over: without a restart all works again, and everything acknowledged is there."""
        over = time.monotonic() + 30
        while True:
            done = self.record() and self.attempt("CALL oplog_flush()")
            if done:
                break
            assert time.monotonic() < over, f"it does not go on: {status(self.session)['notes']}"
            time.sleep(0.05)
        self.attempt("SELECT count(*) FROM operation_log")
        assert self.record(5), "it refuses what it has taken a moment ago"
        identifier = self.start()
        assert identifier, "it starts no spans"
        self.finish(identifier)
        self.start()
        assert self.attempt("SELECT count(*) FROM operation_log"), "it answers no question"

    def over(self) -> None:
        if self.end == "killed":
            os.kill(os.getpid(), 9)
        self.session.close()


def opening(life: Life) -> None:
    life.arm()
    life.open()
    life.record(3)
    life.attempt("CALL oplog_flush()")


def recovering(life: Life) -> None:
    # What a process has left that was killed: records and spans in the journal.
    opening(life)


def committing(life: Life) -> None:
    life.open()
    life.record(3)
    life.attempt("CALL oplog_flush()")
    life.arm()
    for _ in range(3):
        life.record(50)
        life.attempt("CALL oplog_flush()")
    life.record()


def syncing(life: Life) -> None:
    life.open()
    life.session.execute("SET oplog_durability = 'os'")
    life.arm()
    for _ in range(3):
        life.record(2)
        life.finish(life.start())
        life.start()


def segmenting(life: Life) -> None:
    # More than a segment of the journal holds.
    life.open()
    hold_back(life.session)
    life.arm()
    for _ in range(3):
        life.record(500, "repeat('x', 60000)")
    life.attempt("CALL oplog_flush()")
    life.record()


def purging(life: Life) -> None:
    life.open()
    old = "oplog_record({command: 'old', timestamp: TIMESTAMPTZ '2001-01-01 00:00:00Z'})"
    life.session.execute(f"SELECT count({old}) FROM range(500)").fetchall()
    life.record(500)
    life.attempt("CALL oplog_flush()")
    life.arm()
    life.attempt("CALL oplog_purge()")
    life.record(10)
    life.attempt("CALL oplog_purge()")


def moving(life: Life) -> None:
    life.open()
    life.record(200)
    life.start()
    life.attempt("CALL oplog_flush()")
    life.record(3)
    life.arm()
    life.attempt("CALL oplog_open(?)", str(life.directory / "new.oplog"))
    life.record(20)
    life.attempt("CALL oplog_flush()")


def moving_back(life: Life) -> None:
    life.open()
    life.record(100)
    assert life.attempt("CALL oplog_open(?)", str(life.directory / "new.oplog"))
    life.record(100)
    life.start()
    life.attempt("CALL oplog_flush()")
    life.record(3)
    life.arm()
    life.attempt("CALL oplog_open(?)", str(life.host) + ".oplog")
    life.record(20)
    life.attempt("CALL oplog_flush()")


def taking_in(life: Life) -> None:
    # A guest's spool and its spans are there, and the guest is gone.
    life.arm()
    life.open(read_only=True)
    life.record(3)
    life.attempt("CALL oplog_flush()")
    # The writer looks for spools as soon as it runs, and every two seconds.
    life.attempt("SELECT count(*) FROM operation_log")


def visiting(life: Life) -> None:
    # Another process owns the log.
    life.arm()
    life.open(read_only=True)
    for _ in range(3):
        life.record(5)
        life.finish(life.start())
    life.start()


def spanning(life: Life) -> None:
    life.open()
    life.arm()
    running = [life.start() for _ in range(4)]
    life.finish(running[0])
    life.finish(running[2])
    life.attempt("CALL oplog_flush()")
    life.start()


def closing(life: Life) -> None:
    life.open()
    life.record(200)
    life.start()
    hold_back(life.session)
    life.record(50)
    life.arm()
    life.session.close()
    life.calm()
    life.open()


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in [
        opening, recovering, committing, syncing, segmenting, purging, moving, moving_back, taking_in, visiting, spanning, closing,
    ]
}  # fmt: skip


def prepare(life: Life) -> None:
    """Leaves records and spans in a journal, or in a spool, and dies."""
    life.open(read_only=life.host.exists())
    hold_back(life.session)
    for _ in range(4):
        life.record(20)
    life.finish(life.start())
    life.start()
    os.kill(os.getpid(), 9)


def main() -> None:
    directory, name, fault, end = sys.argv[1:]
    life = Life(Path(directory), Fault.read(fault) if fault else None, end)
    if name == "prepare":
        prepare(life)
    SCENARIOS[name](life)
    if name != "closing":
        life.calm()
    life.go_on()
    life.over()


@dataclass
class Said:
    code: int
    acknowledged: list[str] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)
    hits: int = 0
    is_calm: bool = False
    text: str = ""


def spools(directory: Path) -> list[Path]:
    """What is left to take in. A lock that could not be deleted is none of it."""
    return [path for path in directory.iterdir() if ".spool-" in path.name and not path.name.endswith(".lock")]


def assert_numbers_agree(session: duckdb.DuckDBPyConnection) -> None:
    assert_gapless(session)
    count, deleted, counted = session.execute("""
        SELECT (SELECT count(*) FROM operation_log), (SELECT sum(deleted_operations)::BIGINT FROM oplog_retention()),
            (SELECT coalesce(sum(value), 0)::BIGINT FROM oplog_metrics() WHERE name = 'duckdb_operations_total')
    """).fetchone()
    assert counted == count + deleted, f"duckdb_operations_total is {counted}; {count} operations are there, and {deleted} were deleted"


def check(directory: Path, lives: list[Said], fault: Fault | None = None) -> None:
    """A clean LOAD has everything that was acknowledged once, and numbers that agree."""
    acknowledged = [identifier for said in lives for identifier in said.acknowledged]
    spans = [identifier for said in lives for identifier in said.spans]
    for load in ("first", "second"):
        with connect(directory / "app.duckdb", read_only=True) as session:
            over = time.monotonic() + 30
            while spools(directory):
                assert time.monotonic() < over, f"spools are not taken in: {spools(directory)}; {status(session)['notes']}"
                time.sleep(0.05)
            figures = status(session)
            assert figures["role"] == "owner", figures["notes"]
            assert figures["lost_operations"] == "0" == figures["set_aside_operations"], figures["notes"]
            rows = session.execute("SELECT id::VARCHAR, command, status FROM operation_log").fetchall()
            found = {identifier for identifier, *_ in rows}
            assert len(found) == len(rows), f"{load} LOAD: {len(rows) - len(found)} operations are there twice"
            missing = [identifier for identifier in acknowledged if identifier not in found]
            assert not missing, f"{load} LOAD: {len(missing)} of {len(acknowledged)} acknowledged are missing; {figures['notes']}"
            lost = [identifier for identifier in spans if identifier not in found]
            assert not lost, f"{load} LOAD: {len(lost)} of {len(spans)} spans are missing; {figures['notes']}"
            assert_numbers_agree(session)
            set_aside = [path.name for path in directory.iterdir() if ".damaged-" in path.name or ".rejected-" in path.name]
            # A log that was cut off while it was made has nothing in it. One that LOAD cannot read is set aside, and what it had is
            # taken from the journal.
            if fault and (fault.scenario == "opening" or fault.operation in ("open", "read")):
                set_aside = [name for name in set_aside if not name.startswith("app.duckdb.oplog.damaged-")]
            assert not set_aside, f"taken for damaged: {set_aside}; {figures['notes']}"
