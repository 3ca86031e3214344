"""The engines that engines.txt pins, and where their environments live under build/."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
BUILD = ROOT / "build"
ENVIRONMENTS = BUILD / "engines"
# The build that is tested.
EXTENSION = Path(os.environ.get("OPLOG_EXTENSION") or BUILD / "oplog.duckdb_extension").resolve()

KINDS = ("python", "cli", "node")


@dataclass(frozen=True)
class Client:
    """One pinned DuckDB client."""

    kind: str
    package: str
    version: str
    # Whether it gets the short set of Python tests.
    short: bool = False

    @property
    def environment(self) -> Path:
        # One directory each: a client that is set up anew leaves the others alone.
        name = self.version if self.kind == "python" else f"{self.kind}-{self.version}"
        return ENVIRONMENTS / name

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def label(self) -> str:
        """How skipif and onlyif in .test files call this engine."""
        return f"{self.package}-{self.version}"


def read_clients(path: Path = TOOLS / "engines.txt") -> list[Client]:
    clients = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        short = words[0] == "python" and words[3:] == ["short"]
        if words[0] not in KINDS or len(words) != (4 if short else 3):
            raise ValueError(f"{path}:{number}: expected `<{'|'.join(KINDS)}> <package> <version> [short]`, found {line!r}")
        clients.append(Client(*words[:3], short=short))
    return clients


def of_kind(kind: str) -> list[Client]:
    clients = [client for client in read_clients() if client.kind == kind]
    if not clients:
        raise ValueError(f"engines.txt names no client of kind {kind!r}")
    return clients


def engines() -> list[Client]:
    return of_kind("python")


def short_tests() -> list[str]:
    """What a `short` engine runs of the Python tests, as paths below the root."""
    lines = [line.split("#", 1)[0].strip() for line in (ROOT / "test" / "short.txt").read_text().splitlines()]
    return [line for line in lines if line]


def default_engine() -> Client:
    return engines()[0]


def main(arguments: list[str]) -> int:
    """For the Makefile: `engines.py python` prints the default engine's interpreter, `engines.py label` its label."""
    if arguments == ["python"]:
        print(default_engine().python.relative_to(ROOT))
        return 0
    if arguments == ["label"]:
        print(default_engine().label)
        return 0
    print("usage: engines.py python|label", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
