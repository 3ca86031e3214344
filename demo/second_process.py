"""Started by the demo when its service has closed its database. This process knows nothing of oplog."""

from __future__ import annotations

import sys

import duckdb


def main(path: str) -> None:
    with duckdb.connect(path) as host:
        host.execute("CREATE TABLE made_by_another_process (number INTEGER)")
        tables = host.execute("SELECT count(*) FROM duckdb_tables()").fetchall()[0][0]
        functions = host.execute("SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'oplog%'").fetchall()[0][0]
    print(f"   the database: opened for writing; {tables} tables with the one just made, {functions} functions of oplog")
    with duckdb.connect(f"{path}.oplog", read_only=True) as log:
        operations, size = log.execute("SELECT count(*), sum(bytes_in) FROM operation_log").fetchall()[0]
    print(f"   its log: a plain DuckDB file; {operations} operations, which took in {size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
