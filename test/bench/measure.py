"""Timing: cases take turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[], object]
    # Puts things back in order after each turn; not timed.
    settle: Callable[[], object] = lambda: None
    # How many operations a turn consists of, where seconds of one are wanted.
    operations: int = 1


@dataclass(frozen=True)
class Turn:
    """Seconds of one operation."""

    wall: float
    # Of the processor: it leaves out what else the machine did meanwhile, and waiting too.
    cpu: float


Turns = dict[str, list[Turn]]


def measure_in_turns(cases: list[Case], rounds: int, cpu_clock: Callable[[], float] = time.thread_time) -> Turns:
    """All turns of each case. The first round warms up and does not count. Every other one goes backwards: what a case
    leaves in the processor's caches is no advantage of the next."""
    turns: Turns = {case.name: [] for case in cases}
    for round_number in range(rounds + 1):
        for case in cases if round_number % 2 == 0 else cases[::-1]:
            cpu_start, start = cpu_clock(), time.perf_counter()
            case.run()
            wall, cpu = time.perf_counter() - start, cpu_clock() - cpu_start
            case.settle()
            if round_number > 0:
                turns[case.name].append(Turn(wall / case.operations, cpu / case.operations))
    return turns


def time_in_turns(cases: list[Case], rounds: int) -> dict[str, float]:
    """Median seconds of each case."""
    return {name: wall(turns) for name, turns in measure_in_turns(cases, rounds).items()}


def wall(turns: list[Turn]) -> float:
    return statistics.median(turn.wall for turn in turns)


def cpu(turns: list[Turn]) -> float:
    return statistics.median(turn.cpu for turn in turns)


def added_to(reference: list[Turn], turns: list[Turn]) -> Turn:
    """What a case takes more than another in the same round: a slow spell is in both, and goes out."""
    pairs = list(zip(reference, turns))
    return Turn(
        statistics.median(turn.wall - base.wall for base, turn in pairs),
        statistics.median(turn.cpu - base.cpu for base, turn in pairs),
    )
