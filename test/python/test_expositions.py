"""Both formats over random metrics with hostile names, labels, help texts and values, judged by the official parsers and by
our own checker of what those let pass."""

from __future__ import annotations

import math
import os
import random
import subprocess

import duckdb
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from harness import record
from harness.exposition import check

HOSTILE = [
    "", " ", "plain", 'say "hi"', "back\\slash", "two\nlines", "\r\n", "\\n", '"', '\\"', "příkaz 🦆", '{a="b"} 1', "# EOF", "a,b=c",
    "\t", "\x01", "\x7f", "\u2028", "NaN", "x" * 65536, "ä" * 3000, "' OR 1=1 --", "%s", "\u202eright",
]
SEEDS = int(os.environ.get("OPLOG_TEST_SEEDS", "30"))
VALUES = [0, -0.0, 1, -1, 0.1, 1e300, -1e-300, 2**53 + 1, 5e-324, math.nan, math.inf, -math.inf, 123456.789]


def fill(connection, seed: int) -> None:
    """Metrics of every kind; some have labels, some a description."""
    chance = random.Random(seed)
    for index in range(chance.randint(5, 15)):
        kind = chance.choice(["counter", "gauge", "histogram"])
        name = chance.choice(["", "_", ":", "job:"]) + "".join(chance.choices("abcXYZ019_:", k=chance.randint(1, 12)))
        name = f"m{index}{name}{chance.choice(['', '_seconds', '_bytes'])}" + ("_total" if kind == "counter" else "")
        if chance.random() < 0.6:
            buckets = sorted(chance.sample([-5, -0.1, 0, 0.001, 0.5, 1, 7, 1e9, 1e-9], 4)) if kind == "histogram" else None
            connection.execute("SELECT oplog_describe(?, ?, ?, ?)", [name, kind, chance.choice(HOSTILE), buckets]).fetchall()
        names = chance.sample(["a", "B", "_c", "d1", "le" if kind != "histogram" else "e", "quantile"], chance.randint(0, 4))
        for _ in range(chance.randint(1, 8)):
            labels = {name: chance.choice(HOSTILE) for name in names}
            given = {"key": list(labels), "value": list(labels.values())}
            value = chance.choice(VALUES)
            if kind == "counter":
                value = chance.choice([0, 0.5, 1, 1e15, 1e300])
            elif kind == "histogram" and not math.isfinite(value):
                value = 0.3
            function = {"counter": "oplog_counter", "gauge": "oplog_gauge", "histogram": "oplog_observe"}[kind]
            connection.execute(f"SELECT {function}(?, map_from_entries(list_zip(?::VARCHAR[], ?::VARCHAR[])), ?)",
                               [name, given["key"], given["value"], value]).fetchall()
    for command in chance.sample(HOSTILE, 8):
        if command.strip():
            record(connection, command, duration_ms=chance.random() * 1e4, trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
                   status="error", error_code=chance.choice(HOSTILE))


def unescaped(text: str) -> str:
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace('\\"', '"').replace("\0", "\\")


def parsed(families) -> dict:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def alike(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


# OPLOG_TEST_SEEDS sets how many.
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_metrics_are_well_formed_in_both_formats(connect, promtool, seed):
    connection = connect()
    fill(connection, seed)
    text, openmetrics = connection.execute("SELECT prometheus_text(), openmetrics_text()").fetchone()
    ours = check(text, "text")
    assert ours.keys() <= check(openmetrics, "openmetrics").keys() | {
        key for key in ours if key[0].endswith(("_sum", "_count"))  # none in OpenMetrics where the sum could fall
    }
    for found in [parsed(parse_text(text)), parsed(parse_openmetrics(openmetrics))]:
        compared = 0
        for (name, labels), value in ours.items():
            key = (name, frozenset((label, unescaped(text)) for label, text in labels))
            if key in found and not name.startswith(("process_", "oplog_")):
                assert alike(found[key], value), key
                compared += 1
        assert compared > 10
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    problems = [line for line in checked.stderr.splitlines() if not line.startswith("m")]
    assert problems == [], "what is not named by a test here is our own"


def test_both_formats_have_the_same_content(connect):
    connection = connect()
    fill(connection, 1)
    text, openmetrics = connection.execute("SELECT prometheus_text(), openmetrics_text()").fetchone()
    of_text, of_openmetrics = check(text, "text"), check(openmetrics, "openmetrics")
    extra = {name for name, _ in of_openmetrics.keys() - of_text.keys()}
    assert all(name.endswith("_created") for name in extra), extra
    missing = {name for name, _ in of_text.keys() - of_openmetrics.keys()}
    assert all(name.endswith(("_sum", "_count")) for name in missing), missing


def test_rows_are_the_samples_of_the_text(connect):
    connection = connect()
    fill(connection, 2)
    rows = connection.execute("SELECT name, labels, value FROM oplog_metrics()").fetchall()
    text = check(connection.execute("SELECT prometheus_text()").fetchone()[0], "text")
    from_rows = {(name, frozenset(labels.items())): value for name, labels, value in rows}
    from_text = {
        (name, frozenset((label, unescaped(value)) for label, value in labels)): value
        for (name, labels), value in text.items()
    }
    assert from_rows.keys() == from_text.keys()
    for key, value in from_rows.items():
        if not key[0].startswith(("process_", "oplog_")):
            assert alike(value, from_text[key]), key


def test_the_checker_finds_what_is_wrong():
    good = "# TYPE a gauge\na 1\n"
    check(good, "text")
    for bad in [
        good + "a 1\n",
        good + "# TYPE b gauge\nb 1\n# TYPE a gauge\na{x=\"y\"} 1\n",
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_sum 1\nh_count 1\n",
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
        "# TYPE a gauge\na{x=\"y} 1\n",
        "a 1\n",
    ]:
        with pytest.raises((AssertionError, KeyError)):
            check(bad, "text")
    with pytest.raises(AssertionError):
        check(good, "openmetrics")


def test_concurrent_updates_are_all_counted(connect):
    import threading

    connection = connect()
    threads, calls, rows = 8, 20, 500

    def work():
        cursor = connection.cursor()
        for _ in range(calls):
            cursor.execute(
                f"SELECT sum(oplog_counter('hits_total', {{k: i % 5}})), sum(oplog_observe('h', {{k: i % 3}}, 1)) FROM range({rows}) t(i)"
            ).fetchall()
            check(cursor.execute("SELECT prometheus_text()").fetchone()[0], "text")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    totals = dict(
        connection.execute(
            "SELECT name, sum(value) FROM oplog_metrics() WHERE name IN ('hits_total', 'h_count', 'h_sum') GROUP BY ALL"
        ).fetchall()
    )
    assert totals == {name: threads * calls * rows for name in ["hits_total", "h_count", "h_sum"]}
    with pytest.raises(duckdb.Error):
        connection.execute("SELECT oplog_gauge('hits_total', 1)").fetchall()
