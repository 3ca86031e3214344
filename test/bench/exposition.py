"""What do metrics cost: an update from SQL, and a scrape of everything?"""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import harness
from databases import query
from measure import Case, time_in_turns
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from tables import print_table

ROOT = Path(__file__).resolve().parents[2]
ROWS = 200_000
# What a service labels a request with.
LABELS = "{method: method, operation: operation, tab: tab}"


def run(folder: Path, quick: bool) -> None:
    with closing(harness.connect()) as connection:
        connection.execute("SET threads = 1")
        measure_updates(connection, rounds=3 if quick else 9)
    sizes = [10, 1_000, 10_000] if quick else [10, 1_000, 10_000, 100_000]
    measure_text(sizes, rounds=5 if quick else 15)
    measure_crate(sizes)


def measure_updates(connection, rounds: int) -> None:
    connection.execute(
        f"""
        CREATE TABLE request AS
        SELECT ['GET', 'PUT', 'POST'][1 + i % 3] AS method, 'op ' || i % 5 AS operation, 'table ' || i % 7 AS tab, random() AS seconds
        FROM range({ROWS}) AS numbers(i)
        """
    )
    connection.execute("CREATE TABLE inserted (method VARCHAR, operation VARCHAR, tab VARCHAR, seconds DOUBLE)")
    rows = connection.execute("FROM request").fetchall()
    registry = CollectorRegistry()
    counter = Counter("client_requests", "Requests.", ["method", "operation", "table"], registry=registry)
    histogram = Histogram("client_seconds", "Seconds.", ["method", "operation", "table"], registry=registry)

    def count_in_python():
        for method, operation, table, _ in rows:
            counter.labels(method, operation, table).inc()

    def observe_in_python():
        for method, operation, table, seconds in rows:
            histogram.labels(method, operation, table).observe(seconds)

    struct = "the labels alone"
    cases = [
        Case(struct, query(connection, f"SELECT count({LABELS}) FROM request")),
        Case("oplog_counter(name, {…})", query(connection, f"SELECT count(oplog_counter('requests_total', {LABELS})) FROM request")),
        Case("oplog_observe(name, {…}, value)", query(connection, f"SELECT count(oplog_observe('seconds', {LABELS}, seconds)) FROM request")),
        Case("oplog_gauge(name, {…}, value)", query(connection, f"SELECT count(oplog_gauge('level', {LABELS}, seconds)) FROM request")),
        Case("prometheus_client: labels(…).inc()", count_in_python),
        Case("prometheus_client: labels(…).observe()", observe_in_python),
        Case(
            "INSERT of the rows, to be grouped later",
            query(connection, "INSERT INTO inserted FROM request"),
            query(connection, "TRUNCATE inserted"),
        ),
    ]
    seconds = time_in_turns(cases, rounds)
    ((counted,),) = connection.execute("SELECT sum(value) FROM oplog_metrics() WHERE name = 'requests_total'").fetchall()
    assert counted == ROWS * (rounds + 1)
    base = seconds["oplog_counter(name, {…})"]
    print_table(
        f"{ROWS:,} updates a statement, one thread",
        ["ns an update", "million a second", "× oplog_counter"],
        [(name, taken / ROWS * 1e9, ROWS / taken / 1e6, taken / base) for name, taken in seconds.items()],
    )


def measure_text(sizes: list[int], rounds: int) -> None:
    lines = []
    for size in sizes:
        registry = CollectorRegistry()
        counter = Counter("client_requests", "Requests.", ["page", "kind"], registry=registry)
        for number in range(size):
            counter.labels(f"value {number}", "x").inc(number)
        with closing(harness.connect()) as connection:
            connection.execute("SET threads = 1")
            connection.execute("SET oplog_max_series = 200000")
            without = Case("without", query(connection, "SELECT length(prometheus_text())"))
            seconds = time_in_turns([without], rounds)
            connection.execute(
                f"SELECT max(oplog_counter('requests_total', {{page: 'value ' || i, kind: 'x'}}, i)) FROM range({size}) AS numbers(i)"
            ).fetchall()
            cases = [
                Case("text", query(connection, "SELECT length(prometheus_text())")),
                Case("openmetrics", query(connection, "SELECT length(openmetrics_text())")),
                Case("python", lambda: generate_latest(registry)),
            ]
            seconds |= time_in_turns(cases, rounds)
        net = seconds["text"] - seconds["without"]
        lines.append(
            (f"{size:,} series", net * 1e3, seconds["text"] * 1e3, seconds["openmetrics"] * 1e3, seconds["python"] * 1e3,
             seconds["python"] / seconds["text"])
        )
    print_table(
        "A scrape, from SQL",
        ["these, ms", "all of prometheus_text(), ms", "openmetrics_text(), ms", "prometheus_client, ms", "× prometheus_text()"],
        lines,
    )


def measure_crate(sizes: list[int]) -> None:
    """Gathering and encoding in Rust, against the crate that most Rust services use. Both run in one process."""
    command = ["cargo", "test", "--release", "--quiet", "--package", "oplog", "--", "--ignored", "--nocapture", "rendering_against"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = []
    for line in output.splitlines():
        if line.startswith("rendered "):
            _, size, ours, crate = line.split()
            if int(size) in sizes:
                lines.append((f"{int(size):,} series", float(ours) * 1e3, float(crate) * 1e3, float(crate) / float(ours)))
    assert len(lines) == len(sizes), output
    print_table("Gathering and rendering, in Rust", ["oplog, ms", "prometheus crate, ms", "× oplog"], lines)
