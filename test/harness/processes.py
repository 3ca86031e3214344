"""Other processes: locks, exits and crashes show only from outside the process that has them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 60


def environment(extra: dict[str, str] | None) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name != "OPLOG_PATH"}
    return {**own, "PYTHONPATH": str(TESTS), **(extra or {})}


def command(code: str, arguments: tuple) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]


def run_python(code: str, *arguments, env: dict[str, str] | None = None, exit_code: int = 0) -> str:
    """Runs a snippet in a second process with the same engine, and returns what it printed.

    The snippet finds the arguments in sys.argv[1:], and may import from harness.
    """
    finished = subprocess.run(
        command(code, arguments), env=environment(env), capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert finished.returncode == exit_code, (
        f"exit code {finished.returncode}, expected {exit_code}\n{finished.stdout}\n{finished.stderr}"
    )
    return finished.stdout


class Child:
    """A process that runs beside the test. It prints a line for every point that the test waits for."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def wait_for(self, line: str) -> None:
        actual = self.process.stdout.readline()
        # Where a statement takes long, DuckDB draws its progress, and ends the line.
        while actual == "\n":
            actual = self.process.stdout.readline()
        actual = actual.rstrip("\n")
        assert actual == line, f"the child said {actual!r}, not {line!r} (exit code {self.process.poll()})"

    def go_on(self) -> None:
        """Lets a child that waits in input() run on."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self) -> int:
        self.process.stdin.close()
        return self.process.wait(TIMEOUT_SECONDS)

    def kill(self) -> None:
        """kill -9: nothing in the child gets to run any more."""
        self.process.kill()
        self.process.wait(TIMEOUT_SECONDS)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_exception) -> None:
        if self.process.poll() is None:
            self.kill()


def start_python(code: str, *arguments, env: dict[str, str] | None = None) -> Child:
    """Starts a snippet as run_python does, and does not wait for its end."""
    return Child(
        subprocess.Popen(
            command(code, arguments),
            env={**environment(env), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
