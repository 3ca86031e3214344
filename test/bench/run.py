"""Measures oplog against what one would do without it, side by side in one run: `make bench`.

    run.py [--quick] [--engine VERSION | --engine all] [--only PART …]

Figures are medians of rounds in which all cases take turns. They vary with the machine; what is to be compared are the
ratios. "× oplog" says how many times as long the other way takes.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "extension-ci-tools"), str(ROOT / "test")]

import engines

PARTS = ["one_row", "many_rows", "durability", "ingest", "recovery", "month", "rollups", "exposition"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures oplog against what one would do without it.")
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds: about half a minute")
    parser.add_argument("--engine", help="a version in extension-ci-tools/engines.txt, or all; this interpreter's by default")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    options = parser.parse_args()
    if options.engine:
        return run_in_engines(options)
    # It would send the logs of all databases here to one file.
    os.environ.pop("OPLOG_PATH", None)
    with tempfile.TemporaryDirectory(prefix="oplog-bench-") as folder:
        print_machine(Path(folder))
        for part in options.only or PARTS:
            # Imported here: a measuring process loads DuckDB, the one that starts them for all engines does not.
            __import__(part).run(Path(folder), options.quick)
    return 0


def run_in_engines(options: argparse.Namespace) -> int:
    chosen = [engine for engine in engines.engines() if options.engine in (engine.version, "all")]
    if not chosen:
        known = ", ".join(engine.version for engine in engines.engines())
        print(f"bench: no engine {options.engine!r}: give all, or one of {known}", file=sys.stderr)
        return 2
    arguments = (["--quick"] if options.quick else []) + (["--only", *options.only] if options.only else [])
    for engine in chosen:
        code = subprocess.run([engine.python, __file__, *arguments]).returncode
        if code != 0:
            return code
    return 0


def print_machine(folder: Path) -> None:
    import duckdb
    import harness

    connection = harness.connect()
    ((oplog,),) = connection.execute("SELECT oplog_version()").fetchall()
    connection.close()
    load = os.getloadavg()[0]
    print(
        f"DuckDB {duckdb.__version__}, oplog {oplog}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores (load {load:.1f} at the start)\n"
    )


if __name__ == "__main__":
    sys.exit(main())
