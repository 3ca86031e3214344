"""A wall clock that is wrong for a while deletes next to nothing, and one that is right is believed in time."""

from __future__ import annotations

import duckdb

from harness import faults, run_python

DAY = 86_400
YEAR = 365 * DAY

RECORD = "SELECT count(oplog_record({{command: 'x', status: ['success', 'error'][1 + i % 2]}})) FROM range({rows}) t(i)"


def test_records_survive_a_clock_that_was_a_year_ahead(host):
    run_python(
        f"""
        import sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        session.execute("{RECORD.format(rows=100)}").fetchall()
        control.clock({YEAR})
        def retention():
            return session.execute('''
                SELECT setting, expired_operations, held_back_operations, expires_before < now() - INTERVAL 1 YEAR FROM oplog_retention()
            ''').fetchall()
        held = [("oplog_retention", 0, 50, True), ("oplog_error_retention", 0, 50, True), ("oplog_max_size", None, None, None)]
        # It is seen when it is asked for, and not only when retention has run.
        assert retention() == held, retention()
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        assert retention() == held, retention()
        figures = "SELECT name, value::DOUBLE::BIGINT FROM oplog_status() WHERE name IN ('clock_ahead_seconds', 'held_back_operations') ORDER BY name"
        assert session.execute(figures).fetchall() == [("clock_ahead_seconds", {YEAR}), ("held_back_operations", 100)]
        (notes,), = session.execute("SELECT value FROM oplog_status() WHERE name = 'notes'").fetchall()
        (state, detail), = session.execute("SELECT status, detail FROM oplog_health() WHERE component = 'retention'").fetchall()
        assert state == "warn" and detail in notes, (detail, notes)
        assert "only that makes 100 of 100 operations too old" in detail and "CALL oplog_purge(force := true)" in detail, detail
        # Again and again it is one note.
        session.execute("CALL oplog_purge()").fetchall()
        assert session.execute("SELECT value FROM oplog_status() WHERE name = 'notes'").fetchall() == [(notes,)]
        control.clock(0)
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        (state,), = session.execute("SELECT status FROM oplog_health() WHERE component = 'retention'").fetchall()
        assert state == "pass"
        assert session.execute(figures).fetchall() == [("clock_ahead_seconds", 0), ("held_back_operations", 0)]
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(100,)]
        # What is old by a clock that nobody has set still goes.
        session.execute("SELECT oplog_record({{command: 'old', timestamp: TIMESTAMPTZ '2020-01-01 00:00:00+00'}})").fetchall()
        assert session.execute("CALL oplog_purge()").fetchall() == [(1, 1, 0)]
        """,
        host,
        env=faults.environment(),
    )


def test_what_is_old_anyway_does_not_wait_and_neither_does_a_tenth(host):
    run_python(
        f"""
        import sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        def record(rows, days):
            session.execute(f'''
                SELECT count(oplog_record({{{{command: 'x', timestamp: now() - to_days({{days}})}}}})) FROM range({{rows}})
            ''').fetchall()
        record(3, 8)
        record(9, 6)
        record(90, 0)
        control.clock(2 * {DAY})
        # 9 of the 99 that are left.
        (expired,), = session.execute("SELECT expired_operations FROM oplog_retention() WHERE setting = 'oplog_retention'").fetchall()
        assert expired == 12
        assert session.execute("CALL oplog_purge()").fetchall() == [(12, 12, 0)]
        (state,), = session.execute("SELECT status FROM oplog_health() WHERE component = 'retention'").fetchall()
        assert state == "pass"
        # Another small leap, and it is more than a tenth together.
        record(9, 5)
        control.clock(4 * {DAY})
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        rows = session.execute("SELECT sum(expired_operations), sum(held_back_operations) FROM oplog_retention()").fetchall()
        assert rows == [(0, 9)]
        # Whoever knows that the clock is right says so.
        assert session.execute("CALL oplog_purge(force := true)").fetchall() == [(9, 9, 0)]
        assert session.execute("SELECT value FROM oplog_status() WHERE name = 'clock_ahead_seconds'").fetchall() == [("0",)]
        record(9, 8)
        assert session.execute("CALL oplog_purge()").fetchall() == [(9, 9, 0)]
        assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(90,)]
        """,
        host,
        env=faults.environment(),
    )


def test_answers_stay_complete_where_a_leap_has_deleted_a_tenth(host):
    run_python(
        f"""
        import sys
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        record = "SELECT count(oplog_record({{{{command: 'x', timestamp: now() - to_days({{}})}}}})) FROM range({{}})"
        session.execute(record.format(6, 10)).fetchall()
        session.execute("CALL oplog_retention_set('all', command := '*', keep := '1 year')").fetchall()
        session.execute(record.format(0, 90)).fetchall()
        control.clock({YEAR} - 5 * {DAY})
        assert session.execute("CALL oplog_purge()").fetchall() == [(10, 10, 0)]
        control.clock(0)
        # By the clock of then, all rows of the year to come would be missing.
        (since,), = session.execute("SELECT complete_since IS NULL FROM oplog_stats(period := '5 days', by := 'table_name')").fetchall()
        assert since
        """,
        host,
        env=faults.environment(),
    )


PROCESS = """
    import sys
    from harness import connect, faults
    control = faults.control()
    control.clock({ahead})
    session = connect(sys.argv[1])
    session.execute("SELECT oplog_record({{command: 'x'}})").fetchall()
    session.execute("CALL oplog_purge({force})").fetchall()
    print(session.execute("SELECT count(*) FROM operation_log").fetchone()[0])
"""


def kept(host, ahead: int, force: str = "") -> int:
    """How many operations are there after a process of such a clock has recorded one and run retention."""
    return int(run_python(PROCESS.format(ahead=ahead, force=force), host, env=faults.environment()))


def edit(host, **values: str) -> None:
    """Changes what the log knows of the time, while nobody has it."""
    with duckdb.connect(f"{host}.oplog") as log:
        for key, value in values.items():
            (changed,) = log.execute("UPDATE meta SET value = ? WHERE key = ?", [value, f"clock_{key}"]).fetchone()
            assert changed == 1, key


def known(host) -> dict[str, str]:
    with duckdb.connect(f"{host}.oplog", read_only=True) as log:
        return dict(log.execute("SELECT key[7:], value FROM meta WHERE starts_with(key, 'clock_')").fetchall())


def test_processes_with_a_wrong_clock_delete_nothing_until_it_has_lasted_for_an_hour(host):
    assert [kept(host, ahead) for ahead in (0, 2 * YEAR, 2 * YEAR, 2 * YEAR, 0)] == [1, 2, 3, 4, 5]
    assert "ahead_us" not in known(host)
    # As long as the leap is the same one, the processes prove it together.
    assert kept(host, 2 * YEAR) == 6
    edit(host, ahead_kept_us=str(3_599_000_000))
    assert kept(host, 3 * YEAR) == 7
    assert int(known(host)["ahead_kept_us"]) < 10_000_000
    edit(host, ahead_kept_us=str(3_599_999_999))
    # Those of two years ahead are old by then, and the last two are not.
    assert kept(host, 3 * YEAR) == 2
    assert "ahead_us" not in known(host)


def test_a_log_that_was_not_opened_for_a_month_is_no_leap_where_the_machine_has_been_running(host):
    month = 30 * DAY * 1_000_000
    assert kept(host, 0) == 1
    before = {key: int(known(host)[key]) - month for key in ("trusted_us", "seen_us", "up_us")}
    edit(host, **{key: str(value) for key, value in before.items()})
    assert kept(host, 0) == 2
    assert "ahead_us" not in known(host)
    # Where it has been running for some seconds only since then, the clock has leapt.
    edit(host, trusted_us=str(before["trusted_us"]), seen_us=str(before["seen_us"]))
    assert kept(host, 0) == 3
    assert abs(int(known(host)["ahead_us"]) - month) < 60_000_000
    assert kept(host, 0, "force := true") == 4
    assert "ahead_us" not in known(host)


def test_a_log_that_comes_from_another_machine_is_believed_with_the_third_process(host):
    assert kept(host, 0) == 1
    for day, expected in ((30, 2), (60, 3), (90, 1)):
        edit(host, boot_id=f"another {day}")
        assert kept(host, day * DAY) == expected, day
    # All but the newest were older than a week.
    assert "ahead_us" not in known(host)
