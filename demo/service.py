"""A small service on DuckDB: it imports, queries, previews and exports tables for several projects."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path

import duckdb

from recorder import Recorder, Stopped

# What must be unique, by table.
KEYS = {"airlines": "carrier", "airports": "faa", "planes": "tailnum"}


class Project:
    """One tenant's work. Its tables live in a schema of its own, its bucket."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str):
        self.connection = connection
        self.bucket = name
        self.recorder = Recorder(connection, project_id=name, bucket_name=name)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.bucket}")

    @contextmanager
    def job(self, job_id: str):
        """A transaction around several operations: all of them, or none."""
        self.recorder.fields["connection_job_id"] = job_id
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except Exception:
            self.connection.execute("ROLLBACK")
            raise
        finally:
            del self.recorder.fields["connection_job_id"]

    def import_csv(self, table: str, path: Path) -> None:
        source = f"read_csv('{path}', nullstr = 'NA')"
        with self.recorder.operation("import", table_name=table, bytes_in=path.stat().st_size) as operation:
            if not self.exists(table):
                self.connection.execute(f"CREATE TABLE {self.bucket}.{table} AS FROM {source} LIMIT 0")
                if table in KEYS:
                    self.connection.execute(f"ALTER TABLE {self.bucket}.{table} ADD PRIMARY KEY ({KEYS[table]})")
            ((rows,),) = self.connection.execute(f"INSERT INTO {self.bucket}.{table} FROM {source}").fetchall()
            operation["rows_affected"] = rows

    def exists(self, table: str) -> bool:
        found = self.connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [self.bucket, table]
        )
        return bool(found.fetchall())

    def query(self, table: str, sql: str, seconds_max: float = 30, stop: type[Stopped] | None = None) -> list[tuple]:
        """Runs a query with {table} in it. After seconds_max it is interrupted; `stop` says what to call that."""
        with self.recorder.operation("query", table_name=table) as operation:
            with interrupted_after(self.connection, seconds_max, stop):
                rows = self.connection.execute(sql.replace("{table}", f"{self.bucket}.{table}")).fetchall()
            operation["rows_affected"] = len(rows)
            return rows

    def preview(self, table: str, rows_max: int = 20) -> list[tuple]:
        with self.recorder.operation("preview", table_name=table) as operation:
            rows = self.connection.execute(f"FROM {self.bucket}.{table} LIMIT {rows_max}").fetchall()
            operation["rows_affected"] = len(rows)
            return rows

    def export(self, table: str, path: Path, where: str = "true") -> None:
        """Writes CSV or Parquet, as the file's name says."""
        with self.recorder.operation("export", table_name=table) as operation:
            ((rows,),) = self.connection.execute(
                f"COPY (FROM {self.bucket}.{table} WHERE {where}) TO '{path}' (FORMAT {path.suffix[1:]})"
            ).fetchall()
            operation |= {"rows_affected": rows, "bytes_out": path.stat().st_size}


@contextmanager
def interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float, stop: type[Stopped] | None):
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        if stop is None:
            raise
        raise stop(f"stopped after {seconds} s") from None
    finally:
        timer.cancel()
