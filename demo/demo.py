"""A small service on real data, and what oplog has to say about it: `make demo`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import duckdb

import day
import flights
import questions
import show

EXTENSION = Path(__file__).resolve().parents[1] / "build" / "oplog.duckdb_extension"

SECOND_PROCESS = Path(__file__).with_name("second_process.py")


def main() -> None:
    if not EXTENSION.is_file():
        raise SystemExit(f"demo: {EXTENSION} is missing: run `make` first")
    with tempfile.TemporaryDirectory(prefix="oplog-demo-") as name:
        folder = Path(name)
        files = flights.unpack(folder)
        host = folder / "service.duckdb"
        connection = duckdb.connect(str(host), config={"allow_unsigned_extensions": "true"})
        connection.execute(f"LOAD '{EXTENSION}'")
        print("A service imports, queries, previews and exports; this is what it reports as failed:")
        start = time.perf_counter()
        day.run(connection, files, folder)
        print(f"\nThat took {time.perf_counter() - start:.1f} s. Now the questions, asked of the service's own database.")
        print_answers(connection)
        connection.close()
        show.heading("The service has closed its database. Can another process have it at once, and read the log?")
        print(flush=True)
        subprocess.run([sys.executable, str(SECOND_PROCESS), str(host)], check=True)


def print_answers(connection: duckdb.DuckDBPyConnection) -> None:
    for title, sql in questions.FUNCTIONS + questions.ANALYSES + questions.RELATION + questions.ITSELF:
        show.question(connection, title, sql)
    print_scrape(connection)


def print_scrape(connection: duckdb.DuckDBPyConnection) -> None:
    show.heading("What does Prometheus scrape? The service publishes the sizes of its tables, and has the process answer:")
    print("\n".join(f"   {line}" for line in f"{questions.PUBLISH};\nCALL oplog_serve(port := 0);".splitlines()), end="\n\n")
    connection.execute(questions.PUBLISH).fetchall()
    ((_, _, url),) = connection.execute("CALL oplog_serve(port := 0)").fetchall()
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        metrics = answer.read().decode()
    for line in metrics.splitlines():
        if line.replace("{", " ").replace("# TYPE ", "").split()[0] in questions.METRICS:
            print(f"   {line}")


if __name__ == "__main__":
    main()
