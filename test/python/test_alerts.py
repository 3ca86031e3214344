"""Alerts and health, where a statement in one session does not show it."""

from __future__ import annotations

import shutil
import time

import duckdb
import pytest

from harness import record, run_python


def test_rules_have_a_limit(connect):
    session = connect()
    (rules,) = session.execute("SELECT count(*) FROM oplog_alert_rules()").fetchone()
    for number in range(rules, 200):
        session.execute(f"CALL oplog_alert_set('rule {number}', metric := 'errors', threshold := 1, enabled := false)").fetchall()
    with pytest.raises(duckdb.Error, match="there are 200 rules, and 200 are the limit: drop one first"):
        session.execute("CALL oplog_alert_set('one more', metric := 'errors', threshold := 1)")
    # What is there can be changed, and makes room.
    session.execute("CALL oplog_alert_set('rule 100', threshold := 2)").fetchall()
    session.execute("CALL oplog_alert_drop('rule 100')").fetchall()
    session.execute("CALL oplog_alert_set('one more', metric := 'errors', threshold := 1)").fetchall()


def test_a_prepared_change_is_made_each_time_it_runs(connect):
    session = connect()
    session.execute("PREPARE change AS FROM oplog_alert_set('cpu_high', threshold := 55)")
    assert session.execute("SELECT threshold FROM oplog_alert_rules() WHERE name = 'cpu_high'").fetchall() == [(90.0,)]
    session.execute("EXECUTE change").fetchall()
    assert session.execute("SELECT threshold FROM oplog_alert_rules() WHERE name = 'cpu_high'").fetchall() == [(55.0,)]
    session.execute("CALL oplog_alert_set('cpu_high', threshold := 66)").fetchall()
    session.execute("EXECUTE change").fetchall()
    assert session.execute("SELECT threshold FROM oplog_alert_rules() WHERE name = 'cpu_high'").fetchall() == [(55.0,)]


def test_a_busy_process_shows_in_cpu_percent(connect):
    """Beyond a threshold that a single thread passes on every machine; for how long is a matter of samples."""
    session = connect()
    session.execute("CALL oplog_alert_set('cpu_high', threshold := 0.5, period := '10s', hold_for := '0s')").fetchall()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        sum(range(10_000))
    (row,) = session.execute("SELECT state, value FROM oplog_alerts() WHERE name = 'cpu_high'").fetchall()
    assert row[0] == "firing" and row[1] > 0.5
    session.execute("CALL oplog_alert_set('cpu_high', hold_for := '1m')").fetchall()
    assert session.execute("SELECT state FROM oplog_alerts() WHERE name = 'cpu_high'").fetchall() == [("pending",)]


def test_rules_and_states_are_of_the_log_and_not_of_the_session(connect, host):
    session = connect(host)
    other = session.cursor()
    other.execute("CALL oplog_alert_set('any', metric := 'operations', threshold := 0)").fetchall()
    record(session, "import")
    assert other.execute("SELECT state FROM oplog_alerts() WHERE name = 'any'").fetchall() == [("firing",)]


def test_a_guest_says_where_its_records_wait(connect, host):
    with duckdb.connect(str(host)):
        pass
    connect(host, read_only=True)
    output = run_python(
        """
        import sys
        from harness import connect, record
        session = connect(sys.argv[1], read_only=True)
        record(session, "query")
        for component, status, detail in session.execute("FROM oplog_health()").fetchall():
            print(component, status, detail)
        """,
        host,
    )
    assert "log pass another process has it; what is recorded here waits for that in " in output
    assert "journal pass " in output
    assert "fail" not in output


def test_health_says_that_the_log_was_damaged(connect, host):
    session = connect(host)
    record(session, "import")
    session.close()
    sidecar = host.with_name(host.name + ".oplog")
    sidecar.write_bytes(bytes(8000) + sidecar.read_bytes()[8000:])
    session = connect(host)
    # A fresh log is begun; what it lost of the old one is worth a word.
    ((status, detail),) = session.execute("SELECT status, detail FROM oplog_health() WHERE component = 'log'").fetchall()
    assert status == "warn" and f"{sidecar} is not a DuckDB database" in detail and ".damaged-" in detail, detail
    assert session.execute("SELECT count(*) FROM oplog_alert_rules()").fetchall() == [(9,)]


def test_a_file_system_that_cannot_be_asked_is_a_warning(connect, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    session = connect(folder / "app.duckdb")
    record(session, "import")
    # Again where DuckDB or the writer just made or removed a file of it.
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
    (row,) = session.execute("SELECT status, detail FROM oplog_health() WHERE component = 'disk'").fetchall()
    assert row == ("warn", f"{folder / 'app.duckdb'}: its file system cannot be asked")


def test_a_log_of_an_earlier_version_gets_the_rules(connect, host):
    session = connect(host)
    record(session, "import")
    session.close()
    with duckdb.connect(str(host.with_name(host.name + ".oplog"))) as plain:
        later = plain.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'rollup%' OR table_name LIKE 'history%' OR table_name LIKE 'archive%' OR table_name = 'retention_rules'"
        ).fetchall()
        plain.execute("ALTER TABLE retention_runs DROP COLUMN rule")
        for (table,) in [("alert_rules",), *later]:
            plain.execute(f"DROP TABLE {table}")
        plain.execute("UPDATE meta SET value = '4' WHERE key = 'schema_version'")
    session = connect(host)
    assert session.execute("SELECT count(*) FROM oplog_alert_rules()").fetchall() == [(9,)]
    assert session.execute("SELECT command FROM operation_log").fetchall() == [("import",)]
