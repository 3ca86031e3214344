"""What was acknowledged, held against what is in the log: for the tests that kill, damage, and fill disks.

Every operation of `recording` carries what it should be: `request_id` names its statement, `rows_affected` is its
place in it, `bytes_out` says how many the statement has, and `error_message` is a checksum of the other fields. So a row
that came apart, or a chunk of which only a part is in the log, can be told from the log alone.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb


def recording(name: str, rows: int) -> str:
    """A statement that records so many operations. It has no parameters: to bind its first, the client imports pandas."""
    return f"""
        SELECT oplog_record({{
            command: 'ledger', request_id: name, rows_affected: i, bytes_out: n, bytes_in: i * 7919,
            duration_ms: i / 2, table_name: repeat('t', (i % 40)::INTEGER), metadata: {{place: i}},
            error_message: md5(concat_ws('|', name, i, n, i * 7919, i / 2, i % 40))
        }})::VARCHAR
        FROM (SELECT '{name}' AS name, {rows}::BIGINT AS n), range({rows}) t(i)
    """


# DuckDB's vectors: a statement with more rows reaches oplog in chunks of so many, and each of them is whole.
CHUNK_ROWS = 2048

BROKEN_ROWS = """
    SELECT seq, request_id, rows_affected
    FROM operation_log
    WHERE command = 'ledger' AND seq >= {from_seq} AND (
        error_message IS DISTINCT FROM md5(concat_ws('|', request_id, rows_affected, bytes_out, rows_affected * 7919,
            rows_affected / 2, rows_affected % 40))
        OR bytes_in IS DISTINCT FROM rows_affected * 7919
        OR duration_ms IS DISTINCT FROM rows_affected / 2
        OR length(table_name) IS DISTINCT FROM rows_affected % 40
        OR metadata IS DISTINCT FROM concat('{{"place":', rows_affected, '}}')
    )
"""

BROKEN_CHUNKS = """
    SELECT request_id, count(*), max(bytes_out)
    FROM operation_log
    WHERE command = 'ledger' AND seq >= {from_seq}
    GROUP BY request_id
    HAVING count(DISTINCT rows_affected) <> count(*)
        OR max(rows_affected) + 1 <> count(*)
        OR count(*) > max(bytes_out)
        OR (count(*) < max(bytes_out) AND count(*) % {chunk_rows} <> 0)
"""


def status(session: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(session.execute("SELECT name, value FROM oplog_status()").fetchall())


def sidecar_of(host: Path) -> Path:
    return host.with_name(host.name + ".oplog")


def segments_of(host: Path) -> list[Path]:
    """The journal's files, the oldest first."""
    files = host.parent.glob(f"{host.name}.oplog.journal.*")
    return sorted(file for file in files if file.suffix[1:].isdigit())


def hold_back(session: duckdb.DuckDBPyConnection) -> None:
    """From here on the log commits only when asked: what is recorded stays in the journal."""
    session.execute("SET oplog_flush_interval = '1 hour'")
    # To store a setting is a commit, and so is the writer's first look for spools: a purge is answered behind them.
    for _ in range(2):
        session.execute("CALL oplog_purge()").fetchall()
        time.sleep(0.05)


def patiently(session: duckdb.DuckDBPyConnection, statement: str, seconds: float = 30) -> list[tuple]:
    """Tries a statement until it works: what a fault has broken comes back by itself, but not at once."""
    end = time.monotonic() + seconds
    while True:
        try:
            return session.execute(statement).fetchall()
        except Exception:
            assert time.monotonic() < end, statement
            time.sleep(0.1)


def peak_rss_bytes() -> int:
    """What this process has had resident at most. Not from getrusage(), which begins with what its parent had."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def ids_in_log(session: duckdb.DuckDBPyConnection, from_seq: int = 1) -> list[str]:
    rows = session.execute(f"SELECT id::VARCHAR FROM operation_log WHERE seq >= {from_seq} ORDER BY seq").fetchall()
    return [identifier for (identifier,) in rows]


def assert_whole(session: duckdb.DuckDBPyConnection, from_seq: int = 1) -> None:
    """No half record, and no half chunk."""
    assert session.execute(BROKEN_ROWS.format(from_seq=from_seq)).fetchmany(5) == []
    assert session.execute(BROKEN_CHUNKS.format(from_seq=from_seq, chunk_rows=CHUNK_ROWS)).fetchmany(5) == []


def assert_gapless(session: duckdb.DuckDBPyConnection) -> int:
    """`seq` counts from 1, and what is missing is what retention says that it deleted. Returns the last one."""
    count, different, ids, first, last = session.execute(
        "SELECT count(*), count(DISTINCT seq), count(DISTINCT id), min(seq), max(seq) FROM operation_log"
    ).fetchone()
    (deleted,) = session.execute("SELECT sum(deleted_operations)::BIGINT FROM oplog_retention()").fetchone()
    if count:
        assert count == different == ids, f"{count} rows, {different} numbers, {ids} ids"
        assert first == 1 or deleted, f"the first seq is {first}"
        assert last == count + deleted, f"{count} rows are there and {deleted} deleted, and the last seq is {last}"
    return last or 0


class Ledger:
    """Holds what was acknowledged against a log that grows, and looks at each part of it once."""

    def __init__(self):
        self.acknowledged: list[str] = []
        self.from_seq = 1

    def check(self, session: duckdb.DuckDBPyConnection) -> None:
        found = ids_in_log(session, self.from_seq)
        assert len(found) == len(set(found)), "an id is in the log twice"
        missing = set(self.acknowledged) - set(found)
        assert not missing, f"{len(missing)} of {len(self.acknowledged)} acknowledged are missing: {sorted(missing)[:5]}"
        assert_whole(session, self.from_seq)
        self.from_seq = assert_gapless(session) + 1
        self.acknowledged = []


def assert_totals(session) -> None:
    """The counters have each operation that the log was ever given once, whatever retention has deleted since."""
    session.execute("CALL oplog_flush()").fetchall()
    recorded = int(status(session)["recorded_operations"])
    (counted,) = session.execute(
        "SELECT coalesce(sum(value), 0) FROM oplog_metrics() WHERE name = 'duckdb_operations_total'"
    ).fetchone()
    assert counted == recorded, f"duckdb_operations_total is {counted}, and {recorded} operations were recorded"
