"""A record that the store does not take, whatever is tried, is set aside, and nothing waits for it."""

from __future__ import annotations

import time

import duckdb

from harness import record
from harness.ledger import sidecar_of, status


def commands(session) -> list[str]:
    return [command for (command,) in session.execute("SELECT command FROM operation_log ORDER BY seq").fetchall()]


def test_what_cannot_be_stored_is_kept_in_a_file_and_nothing_waits_for_it(connect, host):
    connect(host).close()
    log = sidecar_of(host)
    with duckdb.connect(str(log)) as plain:
        # Somebody meant well.
        plain.execute("CREATE UNIQUE INDEX one_of_each ON operation_log (request_id)")
    session = connect(host)
    session.execute("SET oplog_flush_interval = '50 ms'")
    session.execute("SELECT oplog_record({command: 'c' || i, request_id: ['a', 'b', 'a', 'c'][i]}) FROM range(1, 5) t(i)").fetchall()
    end = time.monotonic() + 60
    while status(session)["set_aside_operations"] == "0":
        assert time.monotonic() < end, status(session)["notes"]
        time.sleep(0.2)
    record(session, "fifth")
    assert commands(session) == ["c1", "c2", "c4", "fifth"]
    (state, detail) = session.execute("SELECT status, detail FROM oplog_health() WHERE component = 'log'").fetchone()
    (aside,) = log.parent.glob("*.journal.rejected-*")
    assert state == "fail" and detail == f"1 operations from seq 3 on cannot be stored, and are kept in {aside}"
    assert b"c3" in aside.read_bytes()
    session.close()
    session = connect(host)
    assert commands(session) == ["c1", "c2", "c4", "fifth"]
    session.close()
    # It is a spool by another name: where the reason is gone, it is taken in as one.
    with duckdb.connect(str(log)) as plain:
        plain.execute("DROP INDEX one_of_each")
    aside.rename(log.with_name(log.name + ".spool-1.journal.000001"))
    session = connect(host)
    end = time.monotonic() + 20
    while commands(session) != ["c1", "c2", "c4", "fifth", "c3"]:
        assert time.monotonic() < end, commands(session)
        time.sleep(0.2)
