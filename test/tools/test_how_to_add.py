"""docs/architecture.md says how to add a function: the steps are followed in a copy of the code, and the function is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engines
from harness import run_python

ROOT = Path(__file__).resolve().parents[2]
# What cargo needs of the project.
COPIED = ["Cargo.toml", "Cargo.lock", "src", "sql", "docs", "test/panics", "extension-ci-tools/sqllogictest"]
LOG_QUERIES = "src/functions/table/log_queries.rs"


def block(language):
    text = (ROOT / "docs" / "architecture.md").read_text().split("## How to add …")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


@pytest.mark.skipif(Path(sys.prefix).resolve() != engines.default_engine().environment.resolve(), reason="the steps are of no engine")
@pytest.mark.timeout(900)
def test_a_function_that_reads_the_log_is_a_file_and_an_entry(tmp_path):
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "sql/functions/oplog_busiest.sql").write_text(block("sql"))
    entries = (tmp_path / LOG_QUERIES).read_text()
    # The list is the first one that ends at the margin.
    assert entries.index("pub const ALL: &[LogQuery] = &[") < entries.index("\n];\n")
    (tmp_path / LOG_QUERIES).write_text(entries.replace("\n];\n", "\n" + block("rust") + "];\n", 1))

    # What it depends on has been built there already.
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
    command = ["cargo", "build", "--package", "oplog", "--message-format=json", "--target-dir", target]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    (library,) = [
        file
        for message in messages
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "oplog"
        for file in message["filenames"]
        if file.endswith(".so")
    ]
    extension = tmp_path / "oplog.duckdb_extension"
    footer = [sys.executable, ROOT / "extension-ci-tools" / "append_footer.py", library, extension]
    subprocess.run(footer, cwd=tmp_path, check=True, capture_output=True)

    out = run_python(f"""
        import duckdb
        session = duckdb.connect(config={{"allow_unsigned_extensions": "true"}})
        session.execute("LOAD '{extension}'")
        for table in ["orders", "orders", "customers"]:
            session.execute("SELECT oplog_record({{command: 'import', duration_ms: 2, table_name: ?}})", [table])
        print(session.execute("FROM oplog_busiest()").fetchall())
        print(session.execute("FROM oplog_busiest(n := 1, table_name := 'customers')").fetchall())
        print(session.execute(
            "SELECT summary, len(columns) FROM oplog_functions() WHERE name = 'oplog_busiest'"
        ).fetchall())
    """)
    assert out.splitlines() == [
        "[('orders', 2, 4.0), ('customers', 1, 2.0)]",
        "[('customers', 1, 2.0)]",
        "[('The tables with the most operations.', 3)]",
    ]
