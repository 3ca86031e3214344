"""A store that DuckDB has given up, because a write, a sync or a checkpoint failed, is opened anew, and everything goes on."""

from __future__ import annotations

import duckdb
import pytest

from harness import faults, run_python
from harness.ledger import Ledger, status

SCENARIO = """
    import errno, os, sys, time
    from harness import connect, faults
    from harness.ledger import patiently, recording, status
    host, kind, error = sys.argv[1:]
    control = faults.control()
    session = connect(host)
    session.execute("SET oplog_flush_interval = '50 ms'")
    acknowledged = []
    count = 0

    def record(rows):
        global count
        count += 1
        acknowledged.extend(i for i, in session.execute(recording(f"statement {count}", rows)).fetchall())

    def failing(statement):
        try:
            session.execute(statement).fetchall()
        except Exception:
            pass

    record(3000)
    session.execute("CALL oplog_flush()")
    number = getattr(errno, error)
    ops, glob = {
        "write-ahead log": (faults.WRITE, "*.oplog.wal"),
        "sync of the write-ahead log": (faults.SYNC, "*.oplog.wal"),
        "log": (faults.WRITE, "*app.duckdb.oplog"),
        "sync of the log": (faults.SYNC, "*app.duckdb.oplog"),
    }[kind]
    control.fail(ops, glob, number, times=3)
    record(200)
    failing("CALL oplog_flush()")
    session.execute("SET oplog_retention = '1 day'")
    failing("CALL oplog_purge()")
    time.sleep(0.3)
    control.clear()
    record(200)
    patiently(session, "CALL oplog_flush()", 20)
    (there,) = session.execute("SELECT count(*) FROM operation_log").fetchone()
    assert there == len(acknowledged), (there, len(acknowledged))
    healthy = dict(session.execute("SELECT component, status FROM oplog_health()").fetchall())
    assert healthy["writer"] == "pass", healthy
    # A purge needs a checkpoint, and that works again.
    session.execute("CALL oplog_purge()").fetchall()
    print("\\n".join(acknowledged), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("kind", ["write-ahead log", "sync of the write-ahead log", "log", "sync of the log"])
def test_a_store_whose_file_failed_goes_on_by_itself(connect, host, kind, error):
    said = run_python(SCENARIO, host, kind, error, env=faults.environment(), exit_code=-9)
    ledger = Ledger()
    ledger.acknowledged = said.split()
    assert len(ledger.acknowledged) == 3400
    session = connect(host)
    ledger.check(session)
    assert status(session)["lost_operations"] == "0"


def test_questions_say_what_is_missing_while_nothing_can_be_committed(host):
    run_python(
        """
        import errno, sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        session.execute("SELECT oplog_record({command: 'before'})").fetchall()
        session.execute("CALL oplog_flush()")
        control.fail(faults.WRITE | faults.SYNC, "*.oplog.wal", errno.ENOSPC)
        session.execute("SELECT oplog_record({command: 'after'})").fetchall()
        for question in ["FROM operation_log", "FROM oplog_stats()", "FROM oplog_operations()"]:
            try:
                session.execute(question).fetchall()
                raise AssertionError("an answer without the newest operation")
            except Exception as error:
                assert "are missing, and oplog_operations(until := " in str(error), error
        control.clear()
        """,
        host,
        env=faults.environment(),
    )


def test_totals_are_those_of_the_operations_after_commits_that_failed(connect, host):
    """Several batches fail together, and are tried one by one then: each of them counts once."""
    run_python(
        """
        import errno, sys
        from harness import connect, faults
        from harness.ledger import hold_back, patiently
        control = faults.control()
        session = connect(sys.argv[1])
        session.execute("SELECT oplog_record({command: 'import'})").fetchall()
        hold_back(session)
        for _ in range(6):
            session.execute("SELECT oplog_record({command: 'import'}) FROM range(10)").fetchall()
        control.fail(faults.WRITE, "*.oplog.wal", errno.ENOSPC)
        for _ in range(4):
            try:
                session.execute("CALL oplog_flush()").fetchall()
                raise SystemExit("nothing failed")
            except Exception:
                pass
        control.clear()
        patiently(session, "CALL oplog_flush()", 20)
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(61,)]
        session.close()
        """,
        host,
        env=faults.environment(),
    )
    session = connect(host)
    total = "SELECT sum(value) FROM oplog_metrics() WHERE name = 'duckdb_operations_total'"
    assert session.execute(total).fetchall() == [(61,)]


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1.5.6 ends the process when it cannot cut off what it has written")
def test_what_cannot_be_cut_off_the_write_ahead_log_hides_nothing(connect, host):
    """Half of a commit stays in it; what is committed behind that is read back all the same."""
    said = run_python(
        """
        import errno, os, sys
        from harness import connect, faults
        from harness.ledger import hold_back, patiently, recording
        control = faults.control()
        session = connect(sys.argv[1])
        acknowledged = []

        def record(name, rows):
            acknowledged.extend(i for i, in session.execute(recording(name, rows)).fetchall())

        def flush():
            patiently(session, "CALL oplog_flush()", 20)

        record("before", 10)
        hold_back(session)
        record("torn", 6000)
        control.fail(faults.WRITE | faults.TRUNCATE, "*.oplog.wal", errno.EIO, skip=1, times=3)
        try:
            session.execute("CALL oplog_flush()").fetchall()
            raise SystemExit("nothing failed")
        except Exception:
            pass
        control.clear()
        flush()
        record("behind", 10)
        flush()
        print("\\n".join(acknowledged), flush=True)
        os.kill(os.getpid(), 9)
        """,
        host,
        env=faults.environment(),
        exit_code=-9,
    )
    ledger = Ledger()
    ledger.acknowledged = said.split()
    assert len(ledger.acknowledged) == 6020
    session = connect(host)
    ledger.check(session)
    assert status(session)["notes"] is None
