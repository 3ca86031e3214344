"""What prometheus_text() renders is judged by Prometheus' own tools, and not by us."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import record

# Whatever a label can hold: the quotes, backslashes and line breaks that the format escapes, and beyond ASCII.
AWKWARD_COMMANDS = ['say "hi"', "back\\slash", "two\nlines", "příkaz 🦆", "import", "{a=\"b\"} 1"]


@pytest.fixture
def text(connect) -> str:
    connection = connect()
    for command in AWKWARD_COMMANDS:
        record(connection, command, duration_ms=12.5, rows_affected=3)
        record(connection, command, status="error", error_code="E1")
    (rendered,) = connection.execute("SELECT prometheus_text()").fetchone()
    return rendered


def test_official_parser_reads_back_every_label_and_value(text):
    samples = {
        (sample.name, sample.labels.get("command"), sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for command in AWKWARD_COMMANDS:
        assert samples["duckdb_operations_total", command, "success"] == 1
        assert samples["duckdb_operations_total", command, "error"] == 1


def test_histogram_is_cumulative_and_complete(text):
    buckets = [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "duckdb_operation_duration_seconds_bucket" and sample.labels["command"] == "import"
    ]
    assert [bound for bound, _ in buckets] == [
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, float("inf"),
    ]
    # 12.5 ms; the operation without a duration is not in the histogram.
    assert [count for _, count in buckets] == [0, 0, 0] + [1] * 13


def test_promtool_has_nothing_to_say(text, promtool):
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
