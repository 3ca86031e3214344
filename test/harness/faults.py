"""Faults of the file system and the clock, in a process of the test's own: see test/README.md.

The test starts a process with `env=faults.environment(...)`; in it `faults.control()` gives and takes back rules. A rule says
which operations it is about (a sum of WRITE, SYNC, TRUNCATE, RENAME, UNLINK, OPEN, READ and MKDIR) on which paths (a pattern as the
shell has it, whose `*` matches slashes too), and what becomes of them:

- `fail(ops, glob, errno)`: they fail so;
- `short(ops, glob)`: writes take half of their bytes;
- `kill(ops, glob)`: the process dies before the operation, as of kill -9;
- `torn(ops, glob)`: it dies after half of the bytes were written;
- `count(ops, glob)`: nothing, but `hits` counts them, and the trace names them.

`skip` leaves out so many operations first; `times` is how many are hit then, all by default. A rename is matched by its old name.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

WRITE, SYNC, TRUNCATE, RENAME, UNLINK, OPEN, READ, MKDIR = (1 << bit for bit in range(8))
CHANGES = WRITE | SYNC | TRUNCATE | RENAME | UNLINK | OPEN | MKDIR
# What a trace calls them.
NAMES = {
    "write": WRITE, "sync": SYNC, "truncate": TRUNCATE, "rename": RENAME, "unlink": UNLINK, "open": OPEN, "read": READ, "mkdir": MKDIR,
}  # fmt: skip

COUNT, FAIL, SHORT, KILL, TORN = range(5)
ALWAYS = -1

SOURCE = Path(__file__).with_name("faults.c")
BUILD = Path(__file__).resolve().parents[2] / "build" / "faults"


@dataclass(frozen=True)
class Rule:
    """A rule that holds from the process's first instruction on."""

    ops: int
    glob: str
    action: int
    errno: int = 0
    skip: int = 0
    times: int = ALWAYS


def library() -> Path:
    """The library to preload. It is compiled when there is none of this source."""
    built = BUILD / f"faults-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not built.is_file():
        BUILD.mkdir(parents=True, exist_ok=True)
        # Several test processes may do so at once, and each of them puts a whole file in place.
        unfinished = built.with_suffix(f".{os.getpid()}")
        warnings = ["-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", *warnings, "-o", str(unfinished), str(SOURCE), "-ldl"], check=True)
        unfinished.rename(built)
    return built


def environment(*rules: Rule, trace: Path | None = None) -> dict[str, str]:
    """What a process needs in its environment. With `trace`, a line of every operation that a rule matches is added there."""
    preloaded = [str(library())] + os.environ.get("LD_PRELOAD", "").split()
    lines = [f"{r.ops} {r.action} {r.errno} {r.skip} {r.times} {r.glob}" for r in rules]
    return {
        "LD_PRELOAD": " ".join(preloaded),
        "OPLOG_FAULTS": "\n".join(lines),
        **({"OPLOG_FAULTS_TRACE": str(trace)} if trace else {}),
    }


class Control:
    """The rules of the process that it runs in."""

    def __init__(self):
        self.library = ctypes.CDLL(None)
        assert hasattr(self.library, "faults_rule"), "this process was not started with faults.environment()"

    def rule(self, ops: int, glob: str, action: int, errno: int = 0, skip: int = 0, times: int = ALWAYS) -> int:
        number = self.library.faults_rule(ops, os.fsencode(glob), action, errno, skip, times)
        assert number >= 0, "too many rules"
        return number

    def fail(self, ops: int, glob: str, errno: int, skip: int = 0, times: int = ALWAYS) -> int:
        return self.rule(ops, glob, FAIL, errno, skip, times)

    def short(self, ops: int, glob: str, skip: int = 0, times: int = ALWAYS) -> int:
        return self.rule(ops, glob, SHORT, 0, skip, times)

    def kill(self, ops: int, glob: str, skip: int = 0) -> int:
        return self.rule(ops, glob, KILL, 0, skip)

    def torn(self, ops: int, glob: str, skip: int = 0) -> int:
        return self.rule(ops, glob, TORN, 0, skip)

    def count(self, ops: int, glob: str) -> int:
        return self.rule(ops, glob, COUNT)

    def hits(self, number: int) -> int:
        """How many operations the rule has matched."""
        return self.library.faults_hits(number)

    def clear(self) -> None:
        """All is well again, save the clock."""
        self.library.faults_clear()

    def clock(self, seconds: float) -> None:
        """The wall clock is so far ahead (or behind) from now on."""
        self.library.faults_clock(ctypes.c_longlong(round(seconds * 1_000_000)))

    def mark(self, text: str) -> None:
        """A line `mark …` in the trace."""
        self.library.faults_mark(text.encode())


def control() -> Control:
    return Control()
