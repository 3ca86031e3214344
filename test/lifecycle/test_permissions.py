"""Files of a log are no more open than the database that it is for: who may not read that learns nothing from its log."""

from __future__ import annotations

import os
import signal
import stat

import duckdb
import pytest

from harness import record, run_python, start_python

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def closed(tmp_path):
    """A database that only its owner may read."""
    path = tmp_path / "app.duckdb"
    duckdb.connect(str(path)).close()
    path.chmod(0o600)
    return path


def modes(folder) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def open_files(folder, allowed=0o600) -> list[str]:
    return [f"{name} {mode:o}" for name, mode in modes(folder).items() if mode & ~allowed]


def fill(session):
    record(session, "import", error_message="password=hunter2")
    session.execute("SELECT oplog_start({command: 'runs'})").fetchall()
    session.execute("CALL oplog_flush()").fetchall()
    record(session, "import", error_message="password=hunter2")


def test_all_files_are_as_closed_as_the_database(connect, closed):
    session = connect(closed)
    fill(session)
    names = modes(closed.parent)
    suffixes = ["", ".wal", ".journal.000001", ".journal.spans", ".journal.lock"]
    assert {f"app.duckdb.oplog{suffix}" for suffix in suffixes} <= set(names), names
    assert open_files(closed.parent) == []
    # The write-ahead log is made anew after each checkpoint.
    session.execute("CALL oplog_purge()").fetchall()
    fill(session)
    assert open_files(closed.parent) == []
    session.close()
    assert open_files(closed.parent) == []


def test_a_database_that_others_may_read_has_such_a_log(connect, tmp_path):
    session = connect(tmp_path / "app.duckdb")
    fill(session)
    assert open_files(tmp_path, allowed=0o644) == []
    assert stat.S_IMODE((tmp_path / "app.duckdb.oplog").stat().st_mode) == 0o644


def test_what_an_earlier_version_left_open_is_closed(connect, closed):
    # Killed, so that there is a journal, a file of spans and a write-ahead log.
    run_python(
        """
        import os, signal, sys
        from harness import connect, record
        session = connect(sys.argv[1])
        session.execute("SELECT oplog_start({command: 'runs'})").fetchall()
        record(session, "import")
        session.execute("CALL oplog_flush()").fetchall()
        record(session, "import")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        closed,
        exit_code=-signal.SIGKILL,
    )
    for file in closed.parent.glob("app.duckdb.oplog*"):
        file.chmod(0o644)
    session = connect(closed)
    assert open_files(closed.parent) == []
    assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(3,)]


def test_a_log_elsewhere_is_for_its_hosts(connect, closed, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("OPLOG_PATH", str(folder / "shared.oplog"))
    session = connect(closed)
    fill(session)
    assert open_files(folder) == []


def test_a_log_takes_its_permissions_along(connect, closed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    session = connect(closed)
    fill(session)
    session.execute("CALL oplog_open(?)", [str(folder / "moved.oplog")]).fetchall()
    fill(session)
    assert "moved.oplog" in modes(folder)
    assert open_files(folder) == [] == open_files(closed.parent)


def test_a_guest_keeps_its_spool_closed(connect, closed, monkeypatch):
    log = closed.with_name("shared.oplog")
    monkeypatch.setenv("OPLOG_PATH", str(log))
    connect(closed)
    with start_python(
        """
        from harness import connect, record
        session = connect()
        record(session, "guest")
        session.execute("SELECT oplog_start({command: 'runs'})").fetchall()
        print("ready", flush=True)
        input()
        """,
        env={"OPLOG_PATH": str(log)},
    ) as guest:
        guest.wait_for("ready")
        assert any(".spool-" in name for name in modes(closed.parent))
        assert open_files(closed.parent) == []
