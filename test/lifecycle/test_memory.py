"""A log in memory within a burst: it stays below the memory that its instance has, and the newest records are kept."""

from __future__ import annotations

from harness.ledger import status

# Texts that hardly compress.
BURST = """
    SELECT count(oplog_record({command: 'burst', rows_affected: i, request_id: md5(i::VARCHAR), error_message: md5((-i)::VARCHAR)}))
    FROM range(?) t(i)"""


def kept(session) -> tuple[int, int, int]:
    (row,) = session.execute("SELECT count(*), min(seq), max(seq) FROM operation_log").fetchall()
    return row


def test_a_burst_that_fits_is_kept_whole(connect):
    # Committed at once, what waits at most would take more memory than the log's instance has.
    rows = 1_500_000
    session = connect(threads=1)
    assert session.execute(BURST, [rows]).fetchall() == [(rows,)]
    assert kept(session) == (rows, 1, rows)
    figures = status(session)
    assert (figures["commit_errors"], figures["purged_operations"]) == ("0", "0"), figures["notes"]


def test_a_burst_beyond_the_limit_purges_before_retention_is_due(connect):
    session = connect(threads=1)
    session.execute("SET oplog_max_size = '32MB'")
    rows = 1_000_000
    assert session.execute(BURST, [rows]).fetchall() == [(rows,)]
    count, first, last = kept(session)
    assert (count, last) == (last - first + 1, rows), "the newest are kept, all of them"
    figures = status(session)
    assert int(figures["purged_operations"]) == first - 1 > 0
    assert figures["commit_errors"] == "0", figures["notes"]
    (deleted,) = session.execute("SELECT deleted_operations FROM oplog_retention() WHERE setting = 'oplog_max_size'").fetchall()
    assert deleted == (first - 1,)
