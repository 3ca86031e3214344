"""A wall clock that is wrong for a moment deletes nothing."""

from __future__ import annotations

from harness import faults, run_python

YEAR = 365 * 86_400


def test_records_survive_a_clock_that_was_a_year_ahead(host):
    run_python(
        f"""
        import sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        session.execute("SELECT count(oplog_record({{command: 'x', status: ['success', 'error'][1 + i % 2]}})) FROM range(100) t(i)").fetchall()
        control.clock({YEAR})
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        (state, detail), = session.execute("SELECT status, detail FROM oplog_health() WHERE component = 'retention'").fetchall()
        assert state == "warn" and "the clock jumped by" in detail, detail
        control.clock(0)
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        (state,), = session.execute("SELECT status FROM oplog_health() WHERE component = 'retention'").fetchall()
        assert state == "pass"
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(100,)]
        # What is old by a clock that nobody has set still goes.
        session.execute("SELECT oplog_record({{command: 'old', timestamp: TIMESTAMPTZ '2020-01-01 00:00:00+00'}})").fetchall()
        assert session.execute("CALL oplog_purge()").fetchall() == [(1, 1, 0)]
        """,
        host,
        env=faults.environment(),
    )


def test_a_process_that_starts_with_a_wrong_clock_deletes_nothing_either(host):
    records = """
        import sys
        from harness import connect, faults
        control = faults.control()
        control.clock({ahead})
        session = connect(sys.argv[1])
        session.execute("SELECT oplog_record({{command: 'x'}})").fetchall()
        session.execute("CALL oplog_purge()").fetchall()
        print(session.execute("SELECT count(*) FROM operation_log").fetchone()[0])
    """
    said = [
        run_python(records.format(ahead=ahead), host, env=faults.environment()).strip()
        for ahead in (0, 2 * YEAR, 0)
    ]
    assert said == ["1", "2", "3"]
    # What one process after the other has seen is the time: that of the first two is long ago.
    assert run_python(records.format(ahead=3 * YEAR), host, env=faults.environment()).strip() == "4"
    assert run_python(records.format(ahead=3 * YEAR + 60), host, env=faults.environment()).strip() == "2"
