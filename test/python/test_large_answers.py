"""Answers that the log's own DuckDB has no memory for are refused by name, and the log goes on."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import duckdb
import pytest

from harness import record

ROWS = 15_000
TEXT_BYTES = 20_000


def test_an_answer_without_memory_names_the_limit_and_the_log_goes_on(connect, tmp_path):
    session = connect(tmp_path / "app.duckdb")
    text = f"left(repeat(uuid()::VARCHAR || i, 2000), {TEXT_BYTES})"
    for _ in range(ROWS // 500):
        session.execute(
            f"SELECT count(oplog_record({{command: 'x', error_message: {text}, request_id: {text}}})) FROM range(500) AS t(i)"
        ).fetchall()
    refused = "the answer needs more memory than the 512MB that the log's own DuckDB has"
    # 600 MB, of which so many rows are the first of an order: DuckDB keeps these in memory.
    with pytest.raises(duckdb.Error, match=f"oplog_operations: {refused}"):
        session.execute(f"FROM oplog_operations(max_rows := {ROWS - 1})").fetchall()
    port = session.execute("CALL oplog_serve(port := 0)").fetchall()[0][1]
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/operations?max_rows=10000&skip_rows={ROWS - 10_001}", timeout=60)
    error = json.load(failed.value)["error"]
    assert (failed.value.code, error["code"]) == (422, "answer_too_large")
    assert refused in error["message"]
    # What needs less is answered, and the log goes on.
    record(session, "small")
    session.execute("CALL oplog_flush()").fetchall()
    rows = session.execute("SELECT command FROM oplog_operations(max_rows := 3)").fetchall()
    assert rows == [("small",), ("x",), ("x",)]
    assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(ROWS + 1,)]
    assert session.execute("SELECT status FROM oplog_health() WHERE component = 'writer'").fetchall() == [("pass",)]
