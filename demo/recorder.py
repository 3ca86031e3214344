"""All that a service needs to record its operations: a block around each."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager

import duckdb


class Stopped(Exception):
    """An operation that was stopped before its end; the subclass says by whom."""


class TimedOut(Stopped):
    status, code = "timeout", "deadline_exceeded"


class Cancelled(Stopped):
    status, code = "cancelled", "cancelled_by_user"


class Recorder:
    def __init__(self, connection: duckdb.DuckDBPyConnection, **fields: object):
        """The fields are those that all operations of this recorder share, such as the project."""
        self.connection = connection
        self.fields = fields
        # A statement that fails leaves its transaction aborted, and from then on DuckDB takes nothing but ROLLBACK in
        # that session. So failures are recorded from another.
        self.other_session = connection.cursor()

    @contextmanager
    def operation(self, command: str, **fields: object):
        """Times the block and records what came of it. The block adds what it finds out, such as rows_affected."""
        operation = {**self.fields, "command": command, "request_id": str(uuid.uuid4()), **fields}
        start = time.perf_counter()
        try:
            yield operation
        except BaseException as error:
            operation |= failure(error)
            raise
        finally:
            operation["duration_ms"] = (time.perf_counter() - start) * 1000
            failed = "error_code" in operation
            session = self.other_session if failed else self.connection
            session.execute("SELECT oplog_record(?)", [operation]).fetchall()


def failure(error: BaseException) -> dict[str, str]:
    message = str(error).strip().split("\n")[0]
    if isinstance(error, Stopped):
        return {"status": error.status, "error_code": error.code, "error_message": message}
    code = "duplicate_key" if isinstance(error, duckdb.ConstraintException) else type(error).__name__
    return {"status": "error", "error_code": code, "error_message": message}
