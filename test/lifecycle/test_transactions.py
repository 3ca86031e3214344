"""Records take no part in the user's transactions, and the user's statements behave as without oplog."""

from __future__ import annotations

import duckdb
import pytest

from harness import commands_in_log, connect, record, run_python


def test_record_survives_rollback(host):
    connection = connect(host)
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE t AS SELECT 1 AS i")
    record(connection, "import")
    connection.execute("ROLLBACK")
    assert commands_in_log(connection) == ["import"]
    connection.close()
    with connect(host) as reopened:
        assert commands_in_log(reopened) == ["import"]
        assert reopened.execute("SHOW TABLES").fetchall() == []


def test_record_survives_an_error_in_its_transaction(connect, host):
    connection = connect(host)
    connection.execute("BEGIN")
    record(connection, "import")
    with pytest.raises(duckdb.Error, match="boom"):
        connection.execute("SELECT error('boom')").fetchall()
    connection.execute("ROLLBACK")
    assert commands_in_log(connection) == ["import"]


def test_record_is_visible_to_other_sessions_while_the_transaction_is_open(connect, host):
    connection = connect(host)
    other = connection.cursor()
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE t AS SELECT 1 AS i")
    record(connection, "import")
    assert commands_in_log(other) == ["import"]
    assert other.execute("SHOW TABLES").fetchall() == []
    connection.execute("COMMIT")


def test_a_transaction_sees_what_others_record_after_it_began(connect, host):
    # The log is no part of the snapshot: it tells what happened, and not what was so when the transaction began.
    connection = connect(host)
    other = connection.cursor()
    connection.execute("BEGIN")
    assert commands_in_log(connection) == []
    record(other, "export")
    assert commands_in_log(connection) == ["export"]
    connection.execute("COMMIT")


def test_recording_conflicts_with_nobody(connect, host):
    connection = connect(host)
    other = connection.cursor()
    for session in (connection, other):
        session.execute("BEGIN")
        record(session, "import")
    for session in (connection, other):
        session.execute("COMMIT")
    assert commands_in_log(connection) == ["import", "import"]


# Every way to end, keep or move data. What fails without oplog has to fail with the same words.
STATEMENTS = """
    CREATE TABLE t (i INTEGER PRIMARY KEY)
    BEGIN
    INSERT INTO t VALUES (1)
    ROLLBACK
    FROM t
    BEGIN
    INSERT INTO t VALUES (2)
    COMMIT
    FROM t
    COMMIT
    ROLLBACK
    CHECKPOINT
    FORCE CHECKPOINT
    BEGIN
    BEGIN
    INSERT INTO t VALUES (2)
    SELECT 1
    ROLLBACK
    ATTACH 'other.duckdb' AS other
    CREATE TABLE other.u AS SELECT 42 AS answer
    BEGIN
    INSERT INTO other.u VALUES (43)
    INSERT INTO t VALUES (3)
    COMMIT
    CHECKPOINT other
    USE other
    DETACH other
    USE app
    DETACH other
    DETACH app
    EXPORT DATABASE 'exported'
    SHOW ALL TABLES
    SELECT database_name FROM duckdb_databases() ORDER BY ALL
    VACUUM
    DROP TABLE t
    IMPORT DATABASE 'exported'
    FROM t
"""


def outcomes(directory, monkeypatch, *, load: bool) -> list:
    """What each statement answers in a fresh database, with a record before each if oplog is loaded."""
    directory.mkdir()
    monkeypatch.chdir(directory)
    connection = connect("app.duckdb", load=load)
    answers = []
    recorded = []
    for statement in map(str.strip, STATEMENTS.strip().splitlines()):
        if load:
            try:
                record(connection, f"before {statement}")
                recorded.append(f"before {statement}")
            except duckdb.TransactionException:
                pass  # in an aborted transaction DuckDB runs nothing at all
        try:
            answers.append((statement, connection.execute(statement).fetchall()))
        except duckdb.Error as error:
            answers.append((statement, str(error)))
    if load:
        assert commands_in_log(connection) == recorded
    connection.close()
    exported = {file.name: file.read_text() for file in (directory / "exported").iterdir()}
    return answers + sorted(exported.items())


def test_statements_behave_as_without_oplog(tmp_path, monkeypatch):
    without = outcomes(tmp_path / "without", monkeypatch, load=False)
    with_oplog = outcomes(tmp_path / "with", monkeypatch, load=True)
    assert with_oplog == without


def test_detached_database_is_free_at_once(connect, tmp_path):
    connection = connect(tmp_path / "app.duckdb")
    connection.execute(f"ATTACH '{tmp_path}/other.duckdb' AS other")
    connection.execute("CREATE TABLE other.t AS SELECT 1 AS i")
    record(connection, "import")
    connection.execute("DETACH other")
    run_python(
        "import sys, duckdb; duckdb.connect(sys.argv[1]).execute('INSERT INTO t VALUES (2)')", tmp_path / "other.duckdb"
    )


def test_checkpoint_empties_the_wal_while_oplog_is_in_use(connect, host):
    # A connection that oplog kept to the host would hold old versions, and keep the checkpoint from ending the WAL.
    connection = connect(host)
    connection.execute("CREATE TABLE t AS FROM range(1000)")
    record(connection, "import")
    connection.execute("FROM oplog_summary()").fetchall()
    connection.execute("CHECKPOINT")
    wal = host.with_name(host.name + ".wal")
    assert not wal.exists() or wal.stat().st_size == 0
