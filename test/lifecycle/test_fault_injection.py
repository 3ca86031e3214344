"""A fault at any file operation: the host goes on, and what was acknowledged is in the log once.

Each scenario runs once without a fault to see its operations on the log's files. Then one of them fails, once or three times in a
row, or falls short, or is the last one of its process, and the scenario runs again. OPLOG_FAULT_SECONDS is how long a run of all
scenarios takes, with another choice of operations each time; with `all` each operation has its turn, which takes an hour.
OPLOG_FAULT_SEED repeats a choice, and OPLOG_FAULT=... one fault, by the name that a failure shows.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import connect, faults, start_python
from harness.injection import DIRECTORY, ENDS, FITTING, SCENARIOS, Fault, Said, check, pattern
from harness.processes import command, environment

WISHED = os.environ.get("OPLOG_FAULT_SECONDS", "40")
SECONDS = float("inf") if WISHED == "all" else float(WISHED) / len(SCENARIOS)
# The same one in every run, so that a run that fails says something of the change; 0 stands for any.
SEED = int(os.environ.get("OPLOG_FAULT_SEED", "1")) or random.SystemRandom().randrange(1, 1_000_000)
ONLY = os.environ.get("OPLOG_FAULT", "")

RUN = "from harness.injection import main; main()"
HANG_SECONDS = 90
FEW = 4


def run(directory: Path, scenario: str, fault: Fault | None, end: str, trace: Path | None = None) -> Said:
    try:
        finished = subprocess.run(
            command(RUN, (directory, scenario, fault or "", end)),
            env=environment(faults.environment(trace=trace)), capture_output=True, text=True, timeout=HANG_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as hung:
        raise AssertionError(f"the process hangs; it had said {(hung.stdout or b'')[-500:]!r}") from hung
    said = Said(finished.returncode, text=finished.stderr[-3000:])
    # A line without an end was not said in full before the kill.
    for line in finished.stdout.split("\n")[:-1]:
        match line.split():
            case ["ack", *ids]:
                said.acknowledged += ids
            case ["span", identifier]:
                said.spans.append(identifier)
            case ["hits", number]:
                said.hits = int(number)
            case ["calm"]:
                said.is_calm = True
    return said


class World:
    """The directories of the cases of a scenario, each begun in the same way."""

    def __init__(self, scenario: str, folder: Path):
        self.scenario = scenario
        self.folder = folder
        self.count = 0
        self.lock = threading.Lock()
        self.prepared = Said(0)
        if scenario in ("recovering", "taking_in", "visiting"):
            directory = folder / "prepared" / DIRECTORY
            directory.mkdir(parents=True)
            if scenario != "recovering":
                connect(directory / "app.duckdb", load=False).close()
            with owner(directory) if scenario == "taking_in" else nobody():
                if scenario != "visiting":
                    self.prepared = run(directory, "prepare", None, "killed")
                    assert self.prepared.code == -9 and self.prepared.acknowledged, self.prepared.text

    def directory(self) -> Path:
        with self.lock:
            self.count += 1
            directory = self.folder / str(self.count) / DIRECTORY
        prepared = self.folder / "prepared" / DIRECTORY
        if prepared.exists():
            shutil.copytree(prepared, directory)
        else:
            directory.mkdir(parents=True)
        return directory


class nobody:
    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass


class owner:
    """A process that owns the log of a directory meanwhile."""

    def __init__(self, directory: Path):
        self.child = start_python(
            """
            import sys
            from harness import connect
            session = connect(sys.argv[1], read_only=True)
            print("ready", flush=True)
            input()
            """,
            directory / "app.duckdb",
        )

    def __enter__(self):
        self.child.wait_for("ready")
        return self

    def __exit__(self, *_exception):
        self.child.kill()


def operations(world: World) -> dict[tuple[str, str], int]:
    """How many operations of each kind the scenario has on each of the log's files."""
    directory, trace = world.directory(), world.folder / "trace"
    said = live(world, directory, None, "closed", trace)
    assert said.code == 0, said.text
    check(directory, [world.prepared, said])
    counts: dict[tuple[str, str], int] = {}
    is_armed = False
    for line in trace.read_text().splitlines():
        operation, path = line.split(" ", 1)
        if operation == "mark":
            is_armed = path == "armed"
        elif is_armed:
            kind = (operation, pattern(path))
            counts[kind] = counts.get(kind, 0) + 1
    assert counts, "the scenario does nothing to the log"
    return counts


def live(world: World, directory: Path, fault: Fault | None, end: str, trace: Path | None = None) -> Said:
    with owner(directory) if world.scenario == "visiting" else nobody():
        return run(directory, world.scenario, fault, end, trace)


def chosen(scenario: str, counts: dict[tuple[str, str], int]) -> list[Fault]:
    """All faults in an order in which each kind of operation on each file has its turn before one has it again."""
    chance = random.Random(f"{SEED}-{scenario}")
    kinds = []
    for (operation, file), count in sorted(counts.items()):
        of_kind = [Fault(scenario, operation, file, nth, action, "") for nth in range(count) for action in FITTING[operation]]
        chance.shuffle(of_kind)
        kinds.append(of_kind)
    chance.shuffle(kinds)
    deepest = max(len(of_kind) for of_kind in kinds)
    in_turn = [of_kind[turn] for turn in range(deepest) for of_kind in kinds if turn < len(of_kind)]
    return [Fault(f.scenario, f.operation, f.file, f.nth, f.action, chance.choice(ENDS)) for f in in_turn]


def inject(world: World, fault: Fault) -> bool:
    """Whether the fault came to pass. What it breaks is an error that tells how to see it again."""
    directory = world.directory()
    try:
        said = live(world, directory, fault, fault.end)
        if said.is_calm or not fault.kills:
            expected = -9 if fault.end == "killed" else 0
            assert said.code == expected, f"the process ended with {said.code}, not {expected}: {said.text}"
        else:
            assert said.code == -9, f"the process ended with {said.code} before the kill: {said.text}"
        check(directory, [world.prepared, said], fault)
    except Exception as error:
        raise AssertionError(f"{fault}: {error}") from error
    shutil.rmtree(directory.parent)
    return not said.is_calm or said.hits > fault.nth


# Faults that have lost something once, whatever the choice is this time.
MENDED = [
    "moving_back:unlink:*/app.duckdb.oplog.journal.spans.new:0:kill:closed",
    "moving_back:open:*/app.duckdb.oplog.journal.spans.new:0:kill:closed",
    "moving:open:*/new.oplog.journal.spans:0:eio3:killed",
    "moving_back:open:*/app.duckdb.oplog.journal.spans:0:eio3:killed",
    "moving:sync:*/app.duckdb.oplog.wal:2:eio3:killed",
    "recovering:unlink:*/app.duckdb.oplog.journal.0*:0:eacces:killed",
    "committing:write:*/app.duckdb.oplog.wal:0:enospc3:killed",
]


@pytest.mark.timeout(10_800 if WISHED == "all" else 300)
@pytest.mark.parametrize("scenario", [ONLY.split(":")[0]] if ONLY else list(SCENARIOS))
def test_a_fault_at_any_operation_loses_nothing(tmp_path, capsys, scenario):
    world = World(scenario, tmp_path)
    if ONLY:
        assert inject(world, Fault.read(ONLY)), "there was no such operation"
        return
    over = time.monotonic() + SECONDS
    counts = operations(world)
    todo = iter(chosen(scenario, counts))
    failures: list[str] = []
    done: list[bool] = []
    lock = threading.Lock()

    def work() -> None:
        # A few come to pass in any run; where threads take turns, not all operations of the first run are there in another.
        while time.monotonic() < over or (sum(done) < FEW and len(done) < 10 * FEW):
            with lock:
                fault = next(todo, None)
            if fault is None:
                return
            try:
                done.append(inject(world, fault))
            except AssertionError as failure:
                done.append(True)
                failures.append(str(failure))

    workers = 2
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()
    with capsys.disabled():
        print(f"\n{scenario}: {len(done)} faults, {sum(done)} came to pass, at {sum(counts.values())} operations; OPLOG_FAULT_SEED={SEED}")
    assert not failures, f"{len(failures)} of {len(done)} faults, each to be seen again with OPLOG_FAULT=...:\n" + "\n".join(failures)
    assert sum(done) >= min(FEW, len(done)), f"only {sum(done)} of {len(done)} faults came to pass"


@pytest.mark.skipif(bool(ONLY), reason="one fault was asked for")
@pytest.mark.parametrize("name", MENDED)
def test_a_fault_that_lost_something_once(tmp_path, name):
    fault = Fault.read(name)
    assert inject(World(fault.scenario, tmp_path), fault), "there was no such operation"
