"""Runs the suites and ends with the line `N passed, N failed`, the sum over all of them. Those that use all cores run one after
the other; those that mostly wait run two at a time, and each is shown when it has ended.

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

from concurrent.futures import ThreadPoolExecutor

from counts import Counts
from engines import ROOT
from suites import LINT, STEPS, Suite, test_suites

# Far above what any suite needs: only a suite that hangs gets there.
SUITE_TIMEOUT_SECONDS = 40 * 60


# More would make tests slow that expect an answer within some seconds.
SUITES_BESIDE_EACH_OTHER = 2


def run_command(suite: Suite, shown: bool) -> tuple[int, str]:
    """Returns the output and the exit code; shows the output as it comes, if it shall be shown."""
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
            if shown:
                sys.stdout.write(line)
                sys.stdout.flush()
            lines.append(line)
        return process.wait(), "".join(lines)
    finally:
        timer.cancel()


def judge(suite: Suite, code: int, output: str) -> tuple[Counts, str]:
    """What counts, and what there is to say of it."""
    if suite.count is None:
        return (Counts(passed=1) if code == 0 else Counts(failed=1)), ""
    counted = suite.count(output)
    if code != 0 and counted.failed == 0:
        return counted + Counts(failed=1), f"{suite.name}: exit code {code}, though no test failed\n"
    if counted == Counts():
        return Counts(failed=1), f"{suite.name}: no test was run\n"
    return counted, ""


def run_suite(suite: Suite, shown: bool = True) -> Counts:
    heading = f"\n=== {suite.name}\n"
    if shown:
        print(heading, end="", flush=True)
    started = time.monotonic()
    try:
        code, output = run_command(suite, shown)
    except OSError as error:
        code, output = 127, f"{error}\n"
    counted, remark = judge(suite, code, output)
    before = "" if shown else heading + output
    # One call, so that suites which end at the same time do not mix.
    sys.stdout.write(f"{before}{remark}--- {suite.name}: {counted} ({time.monotonic() - started:.0f} s)\n")
    sys.stdout.flush()
    return counted


def run_all(steps: list[Suite], suites: list[Suite]) -> dict[str, Counts]:
    for step in steps:
        if run_suite(step).failed:
            return {step.name: Counts(failed=1)}
    results = {suite.name: run_suite(suite) for suite in suites if suite.uses_all_cores}
    waiting = [suite for suite in suites if not suite.uses_all_cores]
    if waiting:
        names = ", ".join(suite.name for suite in waiting)
        print(f"\n=== {SUITES_BESIDE_EACH_OTHER} at a time: {names}", flush=True)
    with ThreadPoolExecutor(SUITES_BESIDE_EACH_OTHER) as pool:
        counted = pool.map(lambda suite: run_suite(suite, shown=False), waiting)
        return results | {suite.name: counts for suite, counts in zip(waiting, counted)}


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
