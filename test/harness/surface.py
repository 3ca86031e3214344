"""What an extension adds to a session: every object that a catalog lists, as lines of text."""

from __future__ import annotations

import duckdb

# One query for each kind of object that an extension can add; every row becomes a line.
CATALOGS = {
    "function": """
        SELECT function_type, function_name, parameters, parameter_types, varargs, return_type
        FROM duckdb_functions()
    """,
    "setting": "SELECT name, input_type, description FROM duckdb_settings()",
    "type": "SELECT type_name, logical_type FROM duckdb_types()",
    "table": "SELECT database_name, schema_name, table_name FROM duckdb_tables()",
    "view": "SELECT database_name, schema_name, view_name FROM duckdb_views()",
    "schema": "SELECT database_name, schema_name FROM duckdb_schemas()",
    "database": "SELECT database_name FROM duckdb_databases()",
    "secret type": "SELECT type FROM duckdb_secret_types()",
}

# An argument of each type that a table function of oplog takes by position. DESCRIBE binds, and runs nothing.
ARGUMENTS = {"ANY": "uuid()", "VARCHAR": "'x'", "BIGINT": "1", "UBIGINT": "1"}


def snapshot(connection: duckdb.DuckDBPyConnection) -> set[tuple]:
    return {
        (kind, *map(freeze, row)) for kind, query in CATALOGS.items() for row in connection.execute(query).fetchall()
    }


def freeze(value):
    return tuple(value) if isinstance(value, list) else value


def added_by_load(connection: duckdb.DuckDBPyConnection, load: str) -> list[str]:
    """Runs the LOAD statement and describes what it added."""
    before = snapshot(connection)
    connection.execute(load)
    after = snapshot(connection)
    lost = before - after
    assert not lost, f"LOAD took away {sorted(map(str, lost))}"
    lines = []
    for entry in sorted(after - before, key=str):
        lines += describe(connection, entry)
    return lines


def describe(connection: duckdb.DuckDBPyConnection, entry: tuple) -> list[str]:
    kind, *rest = entry
    if kind != "function":
        return [" ".join([kind, *(str(part) for part in rest if part is not None)])]
    function_type, name, parameters, types, varargs, return_type = rest
    if function_type == "table":
        return describe_table_function(connection, name, parameters, types)
    arguments = [str(argument) for argument in types] + ([f"{varargs}..."] if varargs else [])
    return [f"{function_type} {name}({', '.join(arguments)}) -> {return_type}"]


def describe_table_function(connection: duckdb.DuckDBPyConnection, name: str, parameters: tuple, types: tuple) -> list[str]:
    # DuckDB calls parameters without a name col0, col1, ...
    positional = [kind for parameter, kind in zip(parameters, types) if parameter.startswith("col")]
    named = sorted(f"{parameter} := {kind}" for parameter, kind in zip(parameters, types) if not parameter.startswith("col"))
    call = f"{name}({', '.join(ARGUMENTS[kind] for kind in positional)})"
    return [f"table {name}({', '.join(positional + named)})"] + columns(connection, call)


def columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    described = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
    return [f"    {name} {kind}" for name, kind, *_ in described]
