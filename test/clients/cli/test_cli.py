"""DuckDB's own command line client."""

from __future__ import annotations

import json
import subprocess

import pytest

from engines import of_kind
from harness import EXTENSION

CLI = of_kind("cli")[0].environment / "bin" / "duckdb"


def cli(database, *, script: str | None = None, command: str | None = None) -> str:
    """Runs the client with a script on its standard input, or with -c."""
    options = ["-c", command] if command else []
    finished = subprocess.run(
        [CLI, "-unsigned", "-bail", "-json", str(database), *options], input=script or "", capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def commands(database) -> list[str]:
    output = cli(database, command=f"LOAD '{EXTENSION}'; SELECT command FROM operation_log ORDER BY seq;")
    return [row["command"] for row in json.loads(output)]


@pytest.mark.parametrize("ending", ["", ".quit\n", ".exit\n"], ids=["end-of-input", "quit", "exit"])
def test_records_of_a_script_are_kept(host, ending):
    script = f"LOAD '{EXTENSION}';\n" + "".join(
        f"CREATE TABLE t{number} AS SELECT oplog_record({{command: 'step {number}'}}) AS id;\n" for number in range(3)
    )
    cli(host, script=script + ending)
    assert commands(host) == ["step 0", "step 1", "step 2"]


def test_record_with_dash_c_is_kept(host):
    cli(host, command=f"LOAD '{EXTENSION}'; SELECT oplog_record({{command: 'one shot'}}) AS id;")
    assert commands(host) == ["one shot"]


def test_log_goes_on_in_the_next_run(host):
    for run in ("first", "second"):
        cli(host, command=f"LOAD '{EXTENSION}'; SELECT oplog_record({{command: '{run}'}}) AS id;")
    assert commands(host) == ["first", "second"]


def test_record_of_an_open_transaction_is_kept(host):
    cli(host, script=f"LOAD '{EXTENSION}';\nBEGIN;\nSELECT oplog_record({{command: 'unfinished'}});\n")
    assert commands(host) == ["unfinished"]


def test_metrics_are_plain_lines():
    statements = f"LOAD '{EXTENSION}'; SELECT oplog_record({{command: 'import'}}); SELECT prometheus_text();"
    finished = subprocess.run(
        [CLI, "-unsigned", "-noheader", "-list", "-c", statements], capture_output=True, text=True, timeout=60, check=True
    )
    assert 'duckdb_operations_total{command="import",status="success"} 1' in finished.stdout.splitlines()
