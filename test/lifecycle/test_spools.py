"""Several processes and one log: one owns it, the others keep spools, and every operation gets into the log once."""

import time

import pytest

from harness import record, start_python

OWNER = """
    import sys
    from harness import connect, record
    session = connect()
    assert dict(session.execute("SELECT name, value FROM oplog_status()").fetchall())["role"] == "owner"
    record(session, "owner")
    print("ready", flush=True)
    input()
"""

# Says each id once it is acknowledged, so that what is killed can be held against the log.
GUEST = """
    import sys, time
    from harness import connect
    session = connect()
    assert dict(session.execute("SELECT name, value FROM oplog_status()").fetchall())["role"] == "guest"
    rows, statements, pause_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    for number in range(statements):
        ids = session.execute(
            "SELECT oplog_record({command: 'guest', rows_affected: i}) FROM range(?) AS t(i)", [rows]
        ).fetchall()
        print("\\n".join(str(id) for (id,) in ids), flush=True)
        time.sleep(pause_s)
    print("done", flush=True)
    input()
"""


def wait_until(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def acknowledged(child):
    """The ids that a guest has printed until it was done, or until it was killed."""
    ids = []
    while (line := child.process.stdout.readline().strip()) not in ("", "done"):
        ids.append(line)
    return ids


def ids_in_log(session):
    return [str(id) for (id,) in session.execute("SELECT id FROM operation_log WHERE command = 'guest'").fetchall()]


def status(session, name):
    return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]


def spools(path):
    return list(path.parent.glob(path.name + ".spool-*"))


def assert_gapless(session):
    (row,) = session.execute("SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM operation_log").fetchall()
    assert row == (row[0], row[0], 1, row[0])


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "shared.oplog"
    monkeypatch.setenv("OPLOG_PATH", str(path))
    return path


def start_guest(path, rows, statements, pause_s=0.0):
    return start_python(GUEST, rows, statements, pause_s, env={"OPLOG_PATH": str(path)})


def test_the_owner_takes_in_what_living_guests_record(connect, path):
    owner = connect()
    record(owner, "owner")
    guests = [start_guest(path, rows, 20) for rows in (1, 700)]
    ids = [id for guest in guests for id in acknowledged(guest)]
    assert len(ids) == 20 + 20 * 700
    wait_until(lambda: sorted(ids_in_log(owner)) == sorted(ids))
    assert status(owner, "spools") == "2"
    assert status(owner, "spooled_operations") == str(len(ids))
    for guest in guests:
        guest.go_on()
        assert guest.finish() == 0
    # With the guests gone, nothing of theirs is left to take in.
    wait_until(lambda: not spools(path))
    assert sorted(ids_in_log(owner)) == sorted(ids)
    assert_gapless(owner)


def test_a_guest_that_is_killed_loses_nothing_that_it_acknowledged(connect, path):
    owner = connect()
    record(owner, "owner")
    acknowledged_ids = []
    for _ in range(5):
        guest = start_guest(path, 50, 10_000)
        first = guest.process.stdout.readline().strip()
        time.sleep(0.3)
        guest.kill()
        acknowledged_ids += [first, *acknowledged(guest)]
    wait_until(lambda: not spools(path))
    in_log = ids_in_log(owner)
    # The last line that a killed process printed may be cut short.
    whole = {id for id in acknowledged_ids if len(id) == 36}
    assert whole <= set(in_log)
    assert len(in_log) == len(set(in_log))
    assert len(in_log) % 50 == 0, "a chunk is taken in whole"
    assert_gapless(owner)


def test_the_next_owner_takes_in_what_was_left(connect, path):
    owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    owner.wait_for("ready")
    guest = start_guest(path, 10, 10)
    ids = acknowledged(guest)
    owner.kill()
    guest.kill()
    next_owner = connect()
    wait_until(lambda: sorted(ids_in_log(next_owner)) == sorted(ids))
    wait_until(lambda: not spools(path))
    assert_gapless(next_owner)


def test_owners_that_are_killed_while_they_take_in_take_nothing_in_twice(connect, path):
    owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    owner.wait_for("ready")
    guest = start_guest(path, 40, 400, 0.01)
    # From its first line on it is a guest, and stays one.
    first = guest.process.stdout.readline().strip()
    for delay_s in (0.2, 0.5, 1.0, 1.5, 0.1):
        time.sleep(delay_s)
        owner.kill()
        owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
        owner.wait_for("ready")
    ids = [first, *acknowledged(guest)]
    guest.go_on()
    assert guest.finish() == 0
    owner.go_on()
    assert owner.finish() == 0
    last = connect()
    wait_until(lambda: not spools(path))
    in_log = ids_in_log(last)
    assert len(in_log) == len(ids) == 16_000
    assert sorted(in_log) == sorted(ids)
    assert_gapless(last)
