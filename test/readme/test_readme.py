"""Every SQL example of the README runs, in order and in one session, and shows what the README says."""

from __future__ import annotations

import os
import subprocess
import sys

import duckdb
import pytest

import engines
from harness import EXTENSION
from harness.readme import Example, examples, is_error, is_table, matches, table_matches, text_matches

README = engines.ROOT / "README.md"
EXAMPLES = examples(README)


class Session:
    """Runs the examples one after the other: each may build on those before it."""

    def __init__(self, directory):
        # As the README has it: installed, and then loaded by name.
        environment = {**os.environ, "DUCKDB_EXTENSION_DIR": str(directory / "extensions")}
        install = [sys.executable, engines.TOOLS / "install_extension.py", EXTENSION]
        subprocess.run(install, env=environment, check=True, capture_output=True)
        self.connection = duckdb.connect(
            str(directory / "app.duckdb"),
            config={"allow_unsigned_extensions": True, "extension_directory": environment["DUCKDB_EXTENSION_DIR"]},
        )
        self.done = 0

    def run_through(self, index: int) -> None:
        for example in EXAMPLES[self.done : index]:
            try:
                self.run(example)
            except duckdb.Error:
                pass  # its own test has to say so
        self.done = index + 1
        check(EXAMPLES[index], self)

    def run(self, example: Example):
        """Names and rows of the last statement, all as text; None if that is no query."""
        shown = None
        for statement in self.connection.extract_statements(example.sql):
            relation = self.connection.sql(statement)
            shown = None
            if relation is not None:
                rows = relation.project("CAST(COLUMNS(*) AS VARCHAR)").fetchall()
                shown = relation.columns, [["NULL" if cell is None else cell for cell in row] for row in rows]
        return shown


def check(example: Example, session: Session) -> None:
    where = f"README.md, line {example.line}"
    if is_error(example.expected):
        with pytest.raises(duckdb.Error) as raised:
            session.run(example)
        message = str(raised.value)
        assert matches(f"{example.expected.strip()}…", message), f"{where}: {message}"
        return
    shown = session.run(example)
    if example.expected is None:
        return
    assert shown is not None, f"{where}: the last statement shows nothing"
    names, rows = shown
    if is_table(example.expected):
        assert table_matches(example.expected, names, rows), f"{where}: the result is\n{names}\n" + "\n".join(map(str, rows))
    else:
        (value,) = [cell for row in rows for cell in row]
        assert text_matches(example.expected, value), f"{where}: the result is\n{value}"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    directory = tmp_path_factory.mktemp("readme")
    before = os.getcwd()
    os.chdir(directory)
    opened = Session(directory)
    yield opened
    opened.connection.close()
    os.chdir(before)


def test_readme_has_examples():
    assert EXAMPLES, "no ```sql block was found"


@pytest.mark.parametrize("index", range(len(EXAMPLES)), ids=[f"line-{example.line}" for example in EXAMPLES])
def test_example(session, index):
    session.run_through(index)
