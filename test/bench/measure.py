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


def time_in_turns(cases: list[Case], rounds: int) -> dict[str, float]:
    """Median seconds of each case. The first round warms up and does not count."""
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for turn in range(rounds + 1):
        for case in cases:
            start = time.perf_counter()
            case.run()
            elapsed = time.perf_counter() - start
            case.settle()
            if turn > 0:
                seconds[case.name].append(elapsed)
    return {name: statistics.median(taken) for name, taken in seconds.items()}
