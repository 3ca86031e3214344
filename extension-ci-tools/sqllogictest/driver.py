"""One DuckDB process for one .test file: takes requests as JSON lines on stdin, answers on stdout.

A request names a connection and carries a statement or a control command (see control). The statement runs
exactly as written, and once. Results leave the engine as Arrow and are turned to text by a second DuckDB, so
that what .test files show is DuckDB's own rendering, and the session under test sees no extra query.
"""

from __future__ import annotations

import faulthandler
import json
import os
import shlex
import sys
import warnings

import duckdb
import pyarrow

# A statement that takes this long hangs. The process then says where, and ends, which fails the file.
STATEMENT_TIMEOUT_SECONDS = 120

INTEGERS = {
    f"{sign}{width}INT" for sign in ("", "U") for width in ("TINY", "SMALL", "BIG", "HUGE")
} | {"INTEGER", "UINTEGER"}

# What statements that are no queries answer with, beside no columns at all.
NO_QUERY = ([], [("Count", "BIGINT")], [("Success", "BOOLEAN")])


class ControlError(Exception):
    """A control command that is misspelled or does not fit the state."""


class Database:
    """The database under test and its connections, in one process."""

    def __init__(self, extension: str):
        self.extension = extension
        self.connections: dict[str, duckdb.DuckDBPyConnection] = {}
        self.root: duckdb.DuckDBPyConnection | None = None
        self.path = ":memory:"
        self.read_only = False
        self.load_extension = True
        self.open()

    def open(self) -> None:
        config = {
            "allow_unsigned_extensions": True,
            # Else a name in SQL could find a Python variable of this file.
            "python_enable_replacements": False,
        }
        self.root = duckdb.connect(self.path, read_only=self.read_only, config=config)
        if self.load_extension:
            try:
                self.root.execute(f"LOAD '{self.extension}'")
            except duckdb.Error:
                self.close()
                raise

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()
        if self.root is not None:
            self.root.close()
            self.root = None

    def connection(self, name: str) -> duckdb.DuckDBPyConnection:
        if self.root is None:
            raise ControlError("No database is open; use .open or .restart")
        if name not in self.connections:
            self.connections[name] = self.root.cursor()
        return self.connections[name]

    def control(self, line: str) -> None:
        """Commands about the process, which SQL has no words for:

        .open PATH [readonly] [plain]   close what is open, open PATH; `plain` does not load oplog
        .close                          close all connections and the database
        .restart                        close, and open the same database in the same way
        .env NAME=VALUE                 set an environment variable; .env NAME= removes it
        """
        command, *arguments = shlex.split(line)
        if command == ".open" and arguments and set(arguments[1:]) <= {"readonly", "plain"}:
            self.close()
            self.path, *options = arguments
            self.read_only = "readonly" in options
            self.load_extension = "plain" not in options
            self.open()
        elif command == ".close" and not arguments:
            self.close()
        elif command == ".restart" and not arguments:
            self.close()
            self.open()
        elif command == ".env" and len(arguments) == 1 and "=" in arguments[0]:
            name, value = arguments[0].split("=", 1)
            # os.environ also changes the environment of the process, which is where native code looks.
            if value:
                os.environ[name] = value
            else:
                os.environ.pop(name, None)
        else:
            raise ControlError(f"Unknown control command: {line}")


def column_letter(duckdb_type: str) -> str:
    """I for whole numbers, R for other numbers, T for the rest: the letters of a `query` line."""
    if duckdb_type in INTEGERS:
        return "I"
    if duckdb_type in ("FLOAT", "DOUBLE") or duckdb_type.startswith("DECIMAL"):
        return "R"
    return "T"


def render(value: str | None) -> str:
    if value is None:
        return "NULL"
    # An empty field would leave nothing to see, nor to compare, in a line of results.
    return value if value else "(empty)"


def time_zone(schema: pyarrow.Schema) -> str:
    """The session's time zone, which Arrow notes on every TIMESTAMPTZ column."""
    zones = (field.type.tz for field in schema if pyarrow.types.is_timestamp(field.type) and field.type.tz)
    return next(zones, "UTC")


def execute(connection: duckdb.DuckDBPyConnection, renderer: duckdb.DuckDBPyConnection, sql: str) -> dict:
    connection.execute(sql)
    columns = [(name, str(kind)) for name, kind, *_ in connection.description or []]
    with warnings.catch_warnings():
        # DuckDB 2.0 advises a way to fetch that would not run the statement as written.
        warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
        table = connection.to_arrow_table()
    if columns in NO_QUERY:
        counts = table.to_pydict().get("Count") or [0]
        return {"complete": counts[0]}
    # Arrow is strict about names that occur twice; results in .test files have no names anyway.
    table = table.rename_columns([f"c{index}" for index in range(len(columns))])
    renderer.execute(f"SET TimeZone = '{time_zone(table.schema)}'")
    rows = renderer.from_arrow(table).project("CAST(COLUMNS(*) AS VARCHAR)").fetchall()
    return {
        "types": "".join(column_letter(kind) for _, kind in columns),
        "rows": [[render(value) for value in row] for row in rows],
    }


def answer(database: Database, renderer: duckdb.DuckDBPyConnection, request: dict) -> dict:
    sql = request["sql"].strip()
    try:
        if sql.startswith("."):
            database.control(sql)
            return {"complete": 0}
        return execute(database.connection(request["connection"]), renderer, sql)
    except (duckdb.Error, ControlError) as error:
        return {"error": str(error)}


def main() -> None:
    # Answers get a descriptor of their own: what native code prints to stdout must not mix with them.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    database = Database(extension=sys.argv[1])
    renderer = duckdb.connect()
    for line in sys.stdin:
        faulthandler.dump_traceback_later(STATEMENT_TIMEOUT_SECONDS, exit=True)
        print(json.dumps(answer(database, renderer, json.loads(line))), file=answers, flush=True)
        faulthandler.cancel_dump_traceback_later()
    database.close()


if __name__ == "__main__":
    main()
