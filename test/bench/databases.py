"""The databases that the benchmarks run in."""

from __future__ import annotations

from pathlib import Path

import duckdb

import harness
import operations

LOG_TYPE = "operation"


def open_host(path: Path) -> duckdb.DuckDBPyConnection:
    """A file database with oplog, and in it the table that one would keep without oplog: `own_log`."""
    connection = harness.connect(path)
    # The same columns of the same types, so that both store the same.
    connection.execute("CREATE TABLE own_log AS FROM operation_log LIMIT 0")
    return connection


def insert_into_own_log(source: str) -> str:
    """The INSERT that gives own_log what oplog_record gives the log: the fields, an id and the time."""
    return f"INSERT INTO own_log (id, timestamp, {operations.NAMES}) {source}"


def open_logging(path: Path, storage: str) -> duckdb.DuckDBPyConnection:
    """A file database where write_log() keeps what it is given, and DuckDB logs nothing of its own."""
    connection = harness.connect(path, load=False)
    config = f", storage_config := {{'path': '{path}.logs'}}" if storage == "file" else ""
    connection.execute(f"CALL enable_logging(level := 'info', storage := '{storage}'{config})")
    connection.execute(f"SET enabled_log_types = '{LOG_TYPE}'")
    connection.execute("SET logging_mode = 'ENABLE_SELECTED'")
    return connection


def write_log(struct: str) -> str:
    """write_log() takes text; a struct's own text is what costs least."""
    return f"write_log({struct}::VARCHAR, level := 'info', log_type := '{LOG_TYPE}')"


def trivial(struct: str) -> str:
    """The trivial function that oplog_record is held against.

    It must do what no function in its place could do without: be volatile, so that DuckDB calls it for every row; look
    at every field once; and return a new UUID of version 7. DuckDB's own hash() and uuidv7() do that, and the
    comparison (no row fails it) makes one value of the two.
    """
    return f"CASE WHEN hash({struct}) > 0 THEN uuidv7() END"


def create_source(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """source.operations, to record from: a table in memory, as generating the values would cost more than what is measured."""
    connection.execute("ATTACH IF NOT EXISTS ':memory:' AS source")
    connection.execute(
        f"CREATE OR REPLACE TABLE source.operations AS SELECT {operations.columns()} FROM range({rows}) AS numbers(i)"
    )


def count_operations(connection: duckdb.DuckDBPyConnection) -> int:
    ((count,),) = connection.execute("SELECT count(*) FROM operation_log").fetchall()
    return count


def status(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    ((value,),) = connection.execute("SELECT value::BIGINT FROM oplog_status() WHERE name = ?", [name]).fetchall()
    return value


def query(connection: duckdb.DuckDBPyConnection, sql: str):
    return lambda: connection.execute(sql).fetchall()
