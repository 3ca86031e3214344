"""The log's file belongs to its owner, whatever else in the process opens and closes it, and whatever becomes of it."""

from __future__ import annotations

import shutil
import time

import duckdb
import pytest

from harness import record, run_python
from harness.ledger import sidecar_of, status

CHANGES_IT = """
    import sys, duckdb
    try:
        log = duckdb.connect(sys.argv[1])
        log.execute("DELETE FROM operation_log")
        print("changed")
    except duckdb.Error as error:
        assert "lock" in str(error), error
        print("refused")
"""


def recorded(session, rows: int = 100) -> None:
    session.execute(f"SELECT count(oplog_record({{command: 'x'}})) FROM range({rows})").fetchall()
    session.execute("CALL oplog_flush()").fetchall()


def health(session) -> dict[str, tuple[str, str]]:
    rows = session.execute("SELECT component, status, detail FROM oplog_health()").fetchall()
    return {component: (status, detail) for component, status, detail in rows}


def test_a_copy_made_in_the_process_takes_no_lock_away(connect, host):
    session = connect(host)
    recorded(session)
    for file in host.parent.glob("app.duckdb.oplog*"):
        shutil.copy(file, host.parent / f"copy-of-{file.name}")
    assert run_python(CHANGES_IT, sidecar_of(host)).strip() == "refused"
    # Another process is a guest, and not a second owner.
    role = run_python(
        """
        import os, sys
        os.environ["OPLOG_PATH"] = sys.argv[1]
        from harness import connect
        from harness.ledger import status
        print(status(connect())["role"])
        """,
        sidecar_of(host),
    )
    assert role.strip() == "guest"
    recorded(session)
    assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(200,)]


@pytest.mark.parametrize("options", ["", " (READ_ONLY)"])
def test_the_log_of_a_running_service_cannot_be_attached(connect, host, options):
    session = connect(host)
    recorded(session)
    with pytest.raises(duckdb.Error):
        session.execute(f"ATTACH '{sidecar_of(host)}' AS log{options}")
    # Another instance of the same process knows nothing of ours.
    other = duckdb.connect()
    with pytest.raises(duckdb.Error):
        other.execute(f"ATTACH '{sidecar_of(host)}' AS log{options}")
    other.close()
    recorded(session)
    assert session.execute("SELECT count(*), count(DISTINCT id) FROM operation_log").fetchall() == [(200, 200)]
    assert run_python(CHANGES_IT, sidecar_of(host)).strip() == "refused"


def test_after_close_the_log_is_anybodys_to_open(connect, host):
    session = connect(host)
    recorded(session)
    session.close()
    with duckdb.connect(str(sidecar_of(host)), read_only=True) as log:
        assert log.execute("SELECT count(*) FROM operation_log").fetchall() == [(100,)]


@pytest.mark.parametrize("what", ["deleted", "renamed", "deleted with its write-ahead log"])
def test_a_log_that_is_taken_away_is_missed_and_begun_anew(connect, host, what):
    session = connect(host)
    log = sidecar_of(host)
    recorded(session)
    if what == "renamed":
        log.rename(log.with_name("rotated.oplog"))
    else:
        log.unlink()
    if what.endswith("write-ahead log"):
        log.with_name(log.name + ".wal").unlink()
    record(session, "after")
    assert session.execute("SELECT command, seq FROM operation_log").fetchall() == [("after", 101)]
    assert log.is_file()
    state, detail = health(session)["log"]
    assert state == "warn" and "was removed or replaced while it was in use" in detail
    assert "was removed or replaced" in status(session)["notes"]
    session.close()
    again = connect(host)
    assert again.execute("SELECT command, seq FROM operation_log").fetchall() == [("after", 101)]
    record(again, "next")
    assert again.execute("SELECT max(seq) FROM operation_log").fetchall() == [(102,)]
    if what == "renamed":
        with duckdb.connect(str(log.with_name("rotated.oplog")), read_only=True) as rotated:
            assert rotated.execute("SELECT count(*) FROM operation_log").fetchall() == [(100,)]


def test_a_database_that_is_put_in_the_place_of_the_log_is_left_alone(connect, host):
    session = connect(host)
    log = sidecar_of(host)
    recorded(session)
    foreign = log.with_name("foreign")
    with duckdb.connect(str(foreign)) as other:
        other.execute("CREATE TABLE precious AS SELECT 42 AS answer")
    foreign.replace(log)
    record(session, "after")
    with pytest.raises(duckdb.Error, match="cannot be opened again yet: .* is no log of oplog"):
        session.execute("FROM operation_log")
    assert health(session)["writer"][0] == "fail"
    with duckdb.connect(str(log), read_only=True) as other:
        assert other.execute("FROM precious").fetchall() == [(42,)]
    # What was recorded meanwhile is in the journal, and goes into the log once there can be one.
    log.unlink()
    end = time.monotonic() + 10
    while health(session)["writer"][0] == "fail":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert session.execute("SELECT command, seq FROM operation_log").fetchall() == [("after", 101)]


def test_another_log_that_is_put_in_its_place_is_set_aside(connect, host):
    session = connect(host)
    log = sidecar_of(host)
    recorded(session)
    other = connect(host.with_name("other.duckdb"))
    record(other, "theirs")
    other.close()
    host.with_name("other.duckdb.oplog").replace(log)
    record(session, "after")
    assert session.execute("SELECT command, seq FROM operation_log").fetchall() == [("after", 101)]
    (aside,) = log.parent.glob("app.duckdb.oplog.replaced-*")
    with duckdb.connect(str(aside), read_only=True) as replaced:
        assert replaced.execute("SELECT command FROM operation_log").fetchall() == [("theirs",)]
