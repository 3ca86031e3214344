"""DuckDB sessions with oplog loaded."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

# The artifact as users get it, and not a library on the side.
EXTENSION = Path(
    os.environ.get("OPLOG_EXTENSION") or Path(__file__).resolve().parents[2] / "build" / "oplog.duckdb_extension"
).resolve()


def connect(path: str | Path = ":memory:", *, read_only: bool = False, load: bool = True, **config) -> duckdb.DuckDBPyConnection:
    """Opens a database and loads oplog into it. With load=False, the same session without oplog."""
    connection = duckdb.connect(str(path), read_only=read_only, config={"allow_unsigned_extensions": True, **config})
    if load:
        try:
            connection.execute(f"LOAD '{EXTENSION}'")
        except BaseException:
            connection.close()
            raise
    return connection


def record(connection: duckdb.DuckDBPyConnection, command: str, **fields) -> str:
    """Records one operation, and returns its id."""
    (row,) = connection.execute("SELECT oplog_record(?)", [{"command": command, **fields}]).fetchall()
    return str(row[0])


def commands_in_log(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The commands of all operations, in the order in which they were recorded."""
    return [command for (command,) in connection.execute("SELECT command FROM operation_log ORDER BY seq").fetchall()]
