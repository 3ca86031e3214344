"""Reads from the output of each test tool how many tests passed and failed."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    passed: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def sum_of(pattern: str, output: str) -> int:
    return sum(int(number) for number in re.findall(pattern, output, re.MULTILINE))


def cargo(output: str) -> Counts:
    """One `test result: ok. 3 passed; 0 failed; ...` per test binary."""
    return Counts(
        passed=sum_of(r"^test result: .*?(\d+) passed", output),
        failed=sum_of(r"^test result: .*?(\d+) failed", output),
    )


def sqllogictest(output: str) -> Counts:
    return Counts(
        passed=sum_of(r"^sqllogictest .*: (\d+) passed", output),
        failed=sum_of(r"^sqllogictest .*: .*?(\d+) failed$", output),
    )


def pytest(output: str) -> Counts:
    """The last line, `3 passed, 1 failed, 1 error in 0.5s`. What breaks a fixture fails a test as well."""
    last = (output.strip().splitlines() or [""])[-1]
    return Counts(
        passed=sum_of(r"(\d+) passed", last),
        failed=sum_of(r"(\d+) (?:failed|errors?)\b", last),
    )


def node(output: str) -> Counts:
    """The summary of Node's TAP reporter."""
    return Counts(passed=sum_of(r"^# pass (\d+)$", output), failed=sum_of(r"^# fail (\d+)$", output))
