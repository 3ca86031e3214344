"""oplog_functions() and the engine agree: what it lists is what LOAD adds, with the parameters and columns that DuckDB sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import connect

REFERENCE = (Path(__file__).resolve().parents[2] / "docs" / "functions.md").read_text()


@pytest.fixture(scope="module")
def session():
    with connect() as connection:
        yield connection


def listed(session, condition="true"):
    return session.execute(f"FROM oplog_functions() WHERE {condition}").fetchall()


def added(session, condition):
    """Names and parameters of what LOAD added."""
    query = f"SELECT function_name, function_type, parameters FROM duckdb_functions() WHERE {condition}"
    with connect(load=False) as plain:
        before = {str(row) for row in plain.execute(query).fetchall()}
    return [row for row in session.execute(query).fetchall() if str(row) not in before]


def test_every_function_is_listed_and_no_other(session):
    known = {(name, kind) for name, kind, _ in added(session, "true")}
    assert known == {(name, kind) for name, kind, *_ in listed(session, "kind <> 'relation'")}


def test_a_scalar_function_has_a_row_for_each_signature(session):
    for name, kind, parameters in added(session, "function_type = 'scalar'"):
        counts = {len(row[3]) for row in listed(session, f"kind = 'scalar' AND name = '{name}'")}
        assert len(parameters) in counts, name


def test_a_table_function_has_the_parameters_that_duckdb_knows(session):
    for name, _, known in added(session, "function_type = 'table'"):
        ((_, _, _, parameters, *_),) = listed(session, f"kind = 'table' AND name = '{name}'")
        by_name = {parameter["name"] for parameter in parameters if parameter["default"] != "required"}
        assert by_name == {parameter for parameter in known if not parameter.startswith("col")}, name
        assert len(parameters) == len(known), name


# What `by` takes, with the names of weekdays.
GROUPS = {"command", "status", "project_id", "branch_id", "bucket_name", "table_name", "error_code", "source", "weekday", "day", "hour"}


def test_columns_are_those_of_the_answer(session):
    for name, kind, _, parameters, columns, _, example in listed(session, "kind <> 'scalar'"):
        source = example.removesuffix(";").replace("CALL ", "FROM ").replace("SELECT count(*) FROM", "FROM")
        described = session.execute(f"DESCRIBE {source}").fetchall()
        types = [(column, str(of_type).replace('"', "")) for column, of_type, *_ in described]
        expected = [(column["name"], column["type"]) for column in columns]
        if "by" in {parameter["name"] for parameter in parameters or ()}:
            # It may be other than by default in the example.
            types, expected = ([column for column in all if column[0] not in GROUPS] for all in (types, expected))
            assert len(expected) > 5, name
        assert types == expected, name


def test_everything_has_words(session):
    for name, kind, section, parameters, columns, summary, example in listed(session):
        assert section and summary and example, name
        assert summary in REFERENCE, name
        if kind != "scalar":
            assert all(part["meaning"] for part in [*parameters, *columns]), name


def test_parameters_can_be_read_a_row_each(session):
    rows = session.execute(
        "SELECT unnest(parameters, recursive := true) FROM oplog_functions() WHERE name = 'oplog_slowest'"
    ).fetchall()
    assert ("n", "BIGINT", "10", "rows to give") in rows
