"""docs/functions.md and the engine agree: every function stands in it, with its columns and their types."""

import re
from pathlib import Path

import pytest

from harness import connect

REFERENCE = (Path(__file__).resolve().parents[2] / "docs" / "functions.md").read_text()
SECTION = re.compile(r"^### `(\w+)(?:\(([^`]*)\))?`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
# Examples that are about what another one has made.
MADE_BY = {"oplog_retention_drop": "oplog_retention_set", "oplog_history_drop": "oplog_history_set"}
COLUMN = re.compile(r"^\| `(\w+)` \| (.+?) \| ", re.MULTILINE)


def sections():
    return [(name, body) for name, _, body in SECTION.findall(REFERENCE + "\n## ")]


def example_of(body):
    (example,) = re.findall(r"```sql\n(.*?)\n```", body, re.DOTALL)
    return example


def columns(body):
    """The rows of the table of columns, which is the last one."""
    tables = body.split("| column | type | meaning |")
    return COLUMN.findall(tables[1]) if len(tables) == 2 else None


def test_every_function_stands_in_the_reference():
    with connect() as session:
        known = session.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    with connect(load=False) as plain:
        known = {name for (name,) in known} - {
            name for (name,) in plain.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
        }
    assert known == {name for name, _ in sections()}


@pytest.mark.parametrize(("name", "body"), [pytest.param(*section, id=section[0]) for section in sections()])
def test_the_example_runs_and_the_columns_are_those_of_the_reference(name, body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = example_of(body)
    with connect(tmp_path / "app.duckdb") as session:
        if name in MADE_BY:
            session.execute(example_of(dict(sections())[MADE_BY[name]]))
        result = session.execute(example.removesuffix(";"))
        described = [(column[0], str(column[1])) for column in result.description]
        documented = columns(body)
        if documented is None:
            assert described, "a function without a table of columns gives those of the log, or one value"
            return
        types = dict(documented)
        # `by` puts its own columns beside those that are listed.
        listed = [column for column, _ in described if column in types]
        assert listed == [column for column, _ in documented]
        relation = session.execute(f"DESCRIBE {'FROM ' + example[5:] if example.startswith('CALL') else example}")
        for column, kind, *_ in relation.fetchall():
            if column in types:
                assert kind.replace('"', "") == types[column], column
