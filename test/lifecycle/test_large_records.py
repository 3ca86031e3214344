"""What is acknowledged can be committed, however large it is: chunks of hundreds of megabytes, and texts of any length."""

from __future__ import annotations

import pytest

from harness.ledger import sidecar_of, status

# 2,048 rows of 192 KB: one chunk of DuckDB's.
CHUNK = """
    SELECT count(oplog_record({command: 'large', error_message: repeat('x', 65536), request_id: repeat('y', 65536),
        bucket_name: repeat('z', 65536), rows_affected: i}))
    FROM range(2048) t(i)
"""


def health(session) -> dict[str, str]:
    return dict(session.execute("SELECT component, status FROM oplog_health()").fetchall())


def test_a_chunk_that_no_commit_has_memory_for_is_committed_in_parts(connect, host):
    session = connect(host)
    assert session.execute(CHUNK).fetchall() == [(2048,)]
    session.execute("SELECT oplog_record({command: 'small'})").fetchall()
    count = "SELECT command, count(*), count(DISTINCT id), sum(rows_affected) FROM operation_log GROUP BY ALL ORDER BY ALL"
    there = [("large", 2048, 2048, 2047 * 1024), ("small", 1, 1, None)]
    assert session.execute(count).fetchall() == there
    assert session.execute("SELECT bool_and(seq = rows_affected + 1) FROM oplog_operations(command := 'large')").fetchall() == [(True,)]
    assert health(session)["writer"] == "pass"
    session.close()
    assert connect(host).execute(count).fetchall() == there


@pytest.mark.parametrize(("texts", "text_bytes"), [(1, 1_000), (1, 10_000), (10, 60_000)])
def test_a_log_in_memory_goes_on_under_long_texts(connect, texts, text_bytes):
    session = connect()
    fields = ["error_message", "project_id", "branch_id", "bucket_name", "table_name", "error_code", "request_id",
              "connection_job_id", "connection_run_id", "command"][:texts]
    named = ", ".join(f"{field}: left(repeat(uuid()::VARCHAR || i, {text_bytes // 30 + 1}), {text_bytes})" for field in fields)
    named += "" if "command" in fields else ", command: 'c'"
    rows = 20_000_000 // (texts * text_bytes)
    recorded = 0
    # More than the instance of the log has memory for.
    while recorded * texts * text_bytes < 600_000_000:
        (count,) = session.execute(f"SELECT count(oplog_record({{{named}}})) FROM range({rows}) t(i)").fetchone()
        assert count == rows
        recorded += rows
    (kept, newest) = session.execute("SELECT count(*), max(seq) FROM operation_log").fetchone()
    assert newest == recorded
    assert kept * texts * text_bytes > 50_000_000, "the oldest go, and not all"
    figures = status(session)
    assert int(figures["purged_operations"]) == recorded - kept
    assert figures["commit_errors"] == "0", figures["notes"]


def test_a_file_with_large_records_stays_near_its_limit(connect, host):
    session = connect(host)
    session.execute("SET oplog_max_size = '16MB'")
    large = """
        SELECT count(oplog_record({command: 'c', error_message: text}))
        FROM (SELECT string_agg(md5(random()::VARCHAR || j || i), '') AS text FROM range(400) t(i), range(1875) s(j) GROUP BY i)
    """
    for _ in range(4):
        assert session.execute(large).fetchall() == [(400,)]
        session.execute("CALL oplog_purge()").fetchall()
        log = sidecar_of(host)
        wal = log.with_name(log.name + ".wal")
        assert log.stat().st_size + (wal.stat().st_size if wal.exists() else 0) < 3 * 16_000_000
    count, first, last = session.execute("SELECT count(*), min(seq), max(seq) FROM operation_log").fetchone()
    assert (last, count) == (1600, last - first + 1)
    assert count > 50
    # Those that went are known of, and that they went is said.
    assert session.execute("SELECT sum(operations) FROM oplog_stats(since := '-infinity')").fetchall() == [(1600,)]
    (complete_since,) = session.execute("SELECT complete_since FROM oplog_stats(since := '-infinity', by := 'table_name')").fetchone()
    assert complete_since is not None
    constraints = "SELECT count(*) FROM duckdb_constraints() WHERE table_name = 'operation_log'"
    session.close()
    import duckdb

    # What was written anew is the same table.
    assert duckdb.connect(str(sidecar_of(host))).execute(constraints).fetchone()[0] > 0
