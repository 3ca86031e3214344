"""A log that cannot be opened where it should be: LOAD succeeds, nothing of the file is lost, and oplog_status() tells."""

import os
import sys

import duckdb
import pytest

from harness import commands_in_log, record, run_python, start_python
from harness.processes import TESTS

SCHEMA = TESTS.parent / "sql" / "schema"


def status(session, name):
    return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]


def sidecar_of(host):
    return host.with_name(host.name + ".oplog")


def test_a_file_of_somebody_else_in_the_logs_place_is_left_alone(connect, host):
    notes = b"these are my notes, not a database " * 100
    sidecar_of(host).write_bytes(notes)
    session = connect(host)
    record(session, "import")
    assert commands_in_log(session) == ["import"]
    assert status(session, "role") == "fallback"
    assert "is not a DuckDB database but text; it is left alone" in status(session, "notes")
    session.close()
    assert sidecar_of(host).read_bytes() == notes
    assert sorted(path.name for path in host.parent.iterdir()) == ["app.duckdb", "app.duckdb.oplog"]


def test_a_database_with_a_damaged_header_is_set_aside(connect, host):
    with connect(host) as session:
        record(session, "before")
    content = bytearray(sidecar_of(host).read_bytes())
    content[4096:3 * 4096] = os.urandom(2 * 4096)
    sidecar_of(host).write_bytes(content)
    session = connect(host)
    record(session, "after")
    assert commands_in_log(session) == ["after"]
    (aside,) = host.parent.glob("*.damaged-*")
    assert aside.read_bytes() == bytes(content)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a directory that even its owner cannot write")
def test_a_directory_that_cannot_be_written_leaves_the_log_in_memory(connect, tmp_path, monkeypatch):
    monkeypatch.setenv("OPLOG_PATH", "/proc/oplog/app.oplog")
    session = connect()
    record(session, "import")
    assert commands_in_log(session) == ["import"]
    assert status(session, "role") == "fallback"
    assert status(session, "log") == "memory"
    assert "/proc/oplog/app.oplog cannot be used; records are kept in memory" in status(session, "notes")
    moved = session.execute("CALL oplog_open(?)", [str(tmp_path / "kept.oplog")]).fetchall()
    assert moved == [(1, str(tmp_path / "kept.oplog"))]
    assert status(session, "role") == "owner"


def test_a_log_of_a_newer_version_is_left_alone(connect, host):
    with connect(host) as session:
        record(session, "import")
    with duckdb.connect(str(sidecar_of(host))) as newer:
        newer.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    before = sidecar_of(host).read_bytes()
    with connect(host) as session:
        record(session, "in memory")
        assert commands_in_log(session) == ["in memory"]
        assert status(session, "role") == "fallback"
        notes = status(session, "notes")
        assert "has schema version 99, written by a newer oplog; this one knows versions up to 10" in notes
    assert sidecar_of(host).read_bytes() == before


def test_a_log_of_an_older_version_is_brought_up_to_date(connect, host):
    with duckdb.connect() as older:
        older.execute(f"ATTACH '{sidecar_of(host)}' AS log (STORAGE_VERSION 'v1.5.0'); USE log")
        older.execute((SCHEMA / "0001_operation_log.sql").read_text())
        older.execute(
            """INSERT INTO operation_log BY NAME
               SELECT uuid() AS id, now() AS timestamp, 'from before' AS command, 'success' AS status,
                   'default' AS project_id, 'default' AS branch_id, 'record' AS source,
                   0 AS host_connection_id, 1 AS seq;
               UPDATE meta SET value = '2' WHERE key = 'next_seq'"""
        )
        older.execute("USE memory; DETACH log")
    session = connect(host)
    record(session, "from now")
    assert session.execute("SELECT seq, command FROM operation_log ORDER BY seq").fetchall() == [
        (1, "from before"),
        (2, "from now"),
    ]
    assert session.execute("SELECT deleted_operations FROM oplog_retention()").fetchall() == [(0,)] * 3
    session.close()
    with duckdb.connect(str(sidecar_of(host)), read_only=True) as plain:
        assert plain.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [("10",)]


def test_a_log_that_another_process_has_is_not_touched(connect, tmp_path, monkeypatch):
    path = tmp_path / "shared.oplog"
    monkeypatch.setenv("OPLOG_PATH", str(path))
    owner = start_python(
        """
        from harness import connect, record
        session = connect()
        record(session, "owner")
        print("ready", flush=True)
        input()
        """,
        env={"OPLOG_PATH": str(path)},
    )
    owner.wait_for("ready")
    session = connect()
    record(session, "guest")
    assert status(session, "role") == "guest"
    assert commands_in_log(session) == ["guest"]
    assert f"{path} belongs to another process" in status(session, "notes")
    owner.go_on()
    assert owner.finish() == 0
    with duckdb.connect(str(path), read_only=True) as plain:
        assert plain.execute("SELECT command FROM operation_log").fetchall() == [("owner",)]


def test_two_hosts_of_one_process_share_a_log_that_both_name(connect, tmp_path, monkeypatch):
    monkeypatch.setenv("OPLOG_PATH", str(tmp_path / "shared.oplog"))
    one, other = connect(tmp_path / "one.duckdb"), connect(tmp_path / "other.duckdb")
    record(one, "one")
    record(other, "other")
    assert commands_in_log(one) == commands_in_log(other) == ["one", "other"]
    one.close()
    record(other, "still there")
    assert commands_in_log(other) == ["one", "other", "still there"]


def test_a_log_that_was_moved_is_found_again(connect, host, tmp_path):
    moved = tmp_path / "elsewhere.oplog"
    with connect(host) as session:
        record(session, "before")
        session.execute("CALL oplog_open(?)", [str(moved)])
        record(session, "after")
    session = connect(host)
    record(session, "reopened")
    assert commands_in_log(session) == ["before", "after", "reopened"]
    assert status(session, "log") == str(moved)
    assert f"the log was moved to {moved} by oplog_open()" in status(session, "notes")


def test_a_log_stays_readable_for_the_oldest_supported_engine(connect, host):
    with connect(host) as session:
        record(session, "import")
    with duckdb.connect(str(sidecar_of(host)), read_only=True) as plain:
        (tags,) = plain.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path LIKE '%.oplog'"
        ).fetchall()
    assert tags[0].startswith("v1."), f"storage version {tags[0]}, engine {duckdb.__version__}, {sys.version}"


@pytest.mark.parametrize("spelling", ["{host}", "{directory}/./app.duckdb", "{directory}/link.duckdb"])
def test_the_hosts_own_file_is_never_taken_for_a_log(connect, host, spelling, monkeypatch):
    (host.parent / "link.duckdb").symlink_to(host)
    path = spelling.format(host=host, directory=host.parent)
    session = connect(host)
    session.execute("CREATE TABLE mine AS SELECT 42 AS answer; CHECKPOINT")
    record(session, "import")
    with pytest.raises(duckdb.Error, match="is open in this process already, as a database: give another path"):
        session.execute("CALL oplog_open(?)", [path])
    assert commands_in_log(session) == ["import"]
    session.close()
    monkeypatch.setenv("OPLOG_PATH", path)
    session = connect(host)
    record(session, "in memory")
    assert status(session, "role") == "fallback"
    session.close()
    with duckdb.connect(str(host), read_only=True) as plain:
        assert plain.execute("SHOW ALL TABLES").fetchall()[0][2] == "mine"
        assert len(plain.execute("SHOW ALL TABLES").fetchall()) == 1


def test_an_attached_file_keeps_its_lock_when_it_is_refused(connect, host):
    session = connect(host)
    attached = host.with_name("attached.duckdb")
    session.execute(f"ATTACH '{attached}' AS attached; CREATE TABLE attached.t AS SELECT 1 AS one; CHECKPOINT attached")
    with pytest.raises(duckdb.Error, match="is open in this process already"):
        session.execute("CALL oplog_open(?)", [str(attached)])
    code = """
        import duckdb, sys
        try:
            duckdb.connect(sys.argv[1])
            print("opened")
        except duckdb.IOException as error:
            print("locked")
    """
    assert run_python(code, attached) == "locked\n"


def test_somebodys_database_is_no_log(connect, host):
    other = host.with_name("other.duckdb")
    with duckdb.connect(str(other)) as plain:
        plain.execute("CREATE TABLE meta (mine INTEGER)")
    before = other.read_bytes()
    session = connect(host)
    with pytest.raises(duckdb.Error, match="other.duckdb is a database, but no log of oplog: give another path"):
        session.execute("CALL oplog_open(?)", [str(other)])
    with pytest.raises(duckdb.Error, match="would be taken for a write-ahead log"):
        session.execute("CALL oplog_open(?)", [str(other) + ".wal"])
    assert other.read_bytes() == before
    record(session, "still here")
    assert commands_in_log(session) == ["still here"]
