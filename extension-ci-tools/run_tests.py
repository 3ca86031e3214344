"""Runs the suites one after the other and ends with the line `N passed, N failed`, the sum over all of them.

A suite fails if its command fails, whatever it printed, and if it ran no test at all.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time

from counts import Counts
from engines import ROOT
from suites import LINT, STEPS, Suite, test_suites

# Far above what any suite needs: only a suite that hangs gets there.
SUITE_TIMEOUT_SECONDS = 20 * 60


def run_command(suite: Suite) -> tuple[int, str]:
    """Shows the output as it comes, and returns it with the exit code."""
    process = subprocess.Popen(
        suite.command,
        cwd=ROOT,
        env={**os.environ, **suite.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, so that a suite that hangs goes with all that it started.
        start_new_session=True,
    )
    timer = threading.Timer(SUITE_TIMEOUT_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
        return process.wait(), "".join(lines)
    finally:
        timer.cancel()


def judge(suite: Suite, code: int, output: str) -> Counts:
    if suite.count is None:
        return Counts(passed=1) if code == 0 else Counts(failed=1)
    counted = suite.count(output)
    if code != 0 and counted.failed == 0:
        print(f"{suite.name}: exit code {code}, though no test failed")
        return counted + Counts(failed=1)
    if counted == Counts():
        print(f"{suite.name}: no test was run")
        return Counts(failed=1)
    return counted


def run_suite(suite: Suite) -> Counts:
    print(f"\n=== {suite.name}", flush=True)
    started = time.monotonic()
    try:
        code, output = run_command(suite)
    except OSError as error:
        code, output = 127, ""
        print(error)
    counted = judge(suite, code, output)
    print(f"--- {suite.name}: {counted} ({time.monotonic() - started:.0f} s)", flush=True)
    return counted


def run_all(steps: list[Suite], suites: list[Suite]) -> dict[str, Counts]:
    for step in steps:
        if run_suite(step).failed:
            return {step.name: Counts(failed=1)}
    return {suite.name: run_suite(suite) for suite in suites}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lint", action="store_true", help="check format and clippy first")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the suites whose name contains this")
    arguments = parser.parse_args()

    suites = [suite for suite in (LINT if arguments.lint else []) + test_suites() if arguments.only in suite.name]
    if not suites:
        parser.error(f"no suite has {arguments.only!r} in its name")
    results = run_all(STEPS, suites)

    print("\n=== summary")
    for name, counted in results.items():
        print(f"{'ok    ' if counted.failed == 0 else 'FAILED'}  {name}: {counted}")
    total = sum(results.values(), Counts())
    print(total, flush=True)
    return 0 if total.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
