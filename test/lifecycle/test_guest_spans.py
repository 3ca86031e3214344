"""Spans of guests: what ran when a guest was killed is recorded by the owner of the log as interrupted, once."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from harness import record, start_python
from harness.processes import run_python

# `start` and `finish` are what a guest does; `spans_file` is where it keeps what runs.
GUEST = """
    import os, pathlib, signal, sys
    from harness import connect
    session = connect()
    def value(name):
        return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]
    assert value("role") == "guest", value("role")
    spans_file = pathlib.Path(value("spool") + ".journal.spans")
    def start(command, **fields):
        return session.execute("SELECT oplog_start(?)", [{"command": command, **fields}]).fetchall()[0][0]
    def finish(id):
        session.execute("SELECT oplog_finish(?)", [id]).fetchall()
    def die():
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""

OWNER = """
    from harness import connect
    session = connect()
    assert session.execute("SELECT value FROM oplog_status() WHERE name = 'role'").fetchall() == [("owner",)]
    print("ready", flush=True)
    input()
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "shared.oplog"
    monkeypatch.setenv("OPLOG_PATH", str(path))
    return path


def guest(path, body: str) -> list[str]:
    """Runs a guest that kills itself; what it has printed."""
    return run_python(GUEST + body, env={"OPLOG_PATH": str(path)}, exit_code=-signal.SIGKILL).split()


def spools(path):
    return sorted(file.name for file in path.parent.glob(path.name + ".spool-*"))


def wait_until_taken_in(path) -> None:
    end = time.monotonic() + 30
    while spools(path):
        assert time.monotonic() < end, spools(path)
        time.sleep(0.05)


def spans_in_log(session) -> dict[str, tuple[str, str]]:
    """Command and status of every span, by its id; an id that is there twice is an error."""
    rows = session.execute("SELECT id::VARCHAR, command, status FROM operation_log WHERE source = 'span'").fetchall()
    found = {id: (command, status) for id, command, status in rows}
    assert len(found) == len(rows)
    return found


def status(session, name: str) -> str:
    return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]


KILLED = """
    ended, first, second = start("ended"), start("first", table_name="orders"), start("second")
    finish(ended)
    print(ended, first, second)
    die()
"""


def interrupted_of(killed: list[str]) -> dict[str, tuple[str, str]]:
    ended, first, second = killed
    return {ended: ("ended", "success"), first: ("first", "interrupted"), second: ("second", "interrupted")}


def test_spans_of_a_killed_guest_are_interrupted_once(connect, path):
    owner = connect()
    record(owner, "owner")
    expected = interrupted_of(guest(path, KILLED))
    wait_until_taken_in(path)
    assert spans_in_log(owner) == expected
    (row,) = owner.execute(
        "SELECT table_name, duration_ms, epoch_us(timestamp) // 1000 - ('0x' || replace(id::VARCHAR, '-', '')[:12])::BIGINT"
        " FROM operation_log WHERE command = 'first'"
    ).fetchall()
    # The id has the millisecond of the start, and so has the operation.
    assert row == ("orders", None, 0)
    assert status(owner, "interrupted_operations") == "2"
    assert status(owner, "spooled_operations") == "3"
    owner.close()
    again = connect()
    assert spans_in_log(again) == expected
    assert [file.name for file in path.parent.iterdir() if "spans" in file.name] == []


def test_a_guest_that_recorded_nothing_else(connect, path):
    # There is no spool, only the file of spans.
    owner = connect()
    (id,) = guest(path, "    print(start('alone'))\n    die()")
    wait_until_taken_in(path)
    assert spans_in_log(owner) == {id: ("alone", "interrupted")}


def test_with_memory_nothing_of_a_killed_guest_is_left(connect, path):
    owner = connect()
    guest(
        path,
        """
    session.execute("SET oplog_durability = 'memory'")
    start("lost")
    session.execute("SET oplog_durability = 'process'")
    session.execute("SELECT oplog_record('kept', 'success', 1.0)").fetchall()
    die()""",
    )
    wait_until_taken_in(path)
    assert owner.execute("SELECT command FROM operation_log").fetchall() == [("kept",)]


def test_the_next_owner_takes_in_what_was_left(connect, path):
    owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    owner.wait_for("ready")
    killed = [guest(path, KILLED) for _ in range(3)]
    owner.kill()
    expected = {id: what for ids in killed for id, what in interrupted_of(ids).items()}
    next_owner = connect()
    wait_until_taken_in(path)
    assert spans_in_log(next_owner) == expected


def test_a_living_guest_keeps_its_spans(connect, path):
    owner = connect()
    child = start_python(
        GUEST
        + """
    id = start("long")
    session.execute("SELECT oplog_record('taken in', 'success', 1.0)").fetchall()
    print(id, flush=True)
    input()
    finish(id)""",
        env={"OPLOG_PATH": str(path)},
    )
    with child:
        id = child.process.stdout.readline().strip()
        end = time.monotonic() + 30
        while owner.execute("SELECT count(*) FROM operation_log").fetchall() == [(0,)]:
            assert time.monotonic() < end
            time.sleep(0.05)
        # What is a guest's own is none of the owner's running spans.
        assert spans_in_log(owner) == {} and owner.execute("FROM oplog_active()").fetchall() == []
        child.go_on()
        assert child.finish() == 0
    wait_until_taken_in(path)
    assert spans_in_log(owner) == {id: ("long", "success")}


@pytest.mark.parametrize("ending", ["session.close()", "sys.exit(0)"])
def test_spans_that_run_when_a_guest_closes(connect, path, ending):
    owner = connect()
    run_python(GUEST + f"    start('running')\n    {ending}", env={"OPLOG_PATH": str(path)})
    # The guest has recorded them itself.
    assert not any("spans" in name for name in spools(path))
    wait_until_taken_in(path)
    assert list(spans_in_log(owner).values()) == [("running", "interrupted")]
    assert status(owner, "interrupted_operations") == "0"


def test_a_finished_span_whose_end_is_not_in_the_file_is_recorded_once(connect, path):
    # As if the guest had died between its spool and its file of spans: the file is put back as it was before.
    owner = connect()
    finished, running = guest(
        path,
        """
    finished, running = start("finished"), start("running")
    before = spans_file.read_bytes()
    finish(finished)
    spans_file.write_bytes(before)
    print(finished, running)
    die()""",
    )
    wait_until_taken_in(path)
    assert spans_in_log(owner) == {finished: ("finished", "success"), running: ("running", "interrupted")}


def test_an_owner_that_died_before_it_deleted_the_file_takes_nothing_in_twice(connect, path):
    first = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    first.wait_for("ready")
    id, file = guest(path, "    print(start('running'), spans_file)\n    die()")
    first.kill()
    with open(file, "rb") as left:
        content = left.read()
    for _ in range(2):
        owner = connect()
        wait_until_taken_in(path)
        assert spans_in_log(owner) == {id: ("running", "interrupted")}
        owner.close()
        with open(file, "wb") as put_back:
            put_back.write(content)


def test_a_damaged_file_is_set_aside_beside_the_log(connect, path):
    first = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    first.wait_for("ready")
    (file,) = guest(path, "    start('lost')\n    print(spans_file)\n    die()")
    first.kill()
    with open(file, "wb") as damaged:
        damaged.write(b"x" * 100)
    owner = connect()
    wait_until_taken_in(path)
    assert "was damaged and will be" in status(owner, "notes")
    assert [aside.read_bytes() for aside in path.parent.glob(path.name + ".journal.spans.damaged-*")] == [b"x" * 100]
    assert spans_in_log(owner) == {}


# Several threads of a guest start and finish spans, and say each thing when it is acknowledged.
BUSY = (
    GUEST
    + """
    import random, threading
    def work(number):
        own, running = session.cursor(), []
        while True:
            if len(running) < 5 or random.random() < 0.5:
                id = own.execute("SELECT oplog_start({command: 'job'})").fetchall()[0][0]
                running.append(id)
                sys.stdout.write(f"started {id}\\n")
            else:
                id = running.pop(random.randrange(len(running)))
                sys.stdout.write(f"finishing {id}\\n")
                own.execute("SELECT oplog_finish(?)", [id]).fetchall()
                sys.stdout.write(f"finished {id}\\n")
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""
)

KILLS = int(os.environ.get("OPLOG_KILLS", "6"))


def test_random_kills_of_guests_and_owners(connect, path):
    expected: dict[str, str] = {}
    owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
    owner.wait_for("ready")
    for number in range(KILLS):
        with start_python(BUSY, env={"OPLOG_PATH": str(path)}) as busy:
            said = [busy.process.stdout.readline() for _ in range(random.randrange(2, 300))]
            busy.process.kill()
            said += busy.process.stdout.read().splitlines(keepends=True)
        # The last line may be torn.
        for line in (line.split() for line in said if line.endswith("\n")):
            what, id = line
            expected[id] = what
        if number % 2:
            # At some moment while it takes in.
            time.sleep(random.uniform(0, 2))
            owner.kill()
            owner = start_python(OWNER, env={"OPLOG_PATH": str(path)})
            owner.wait_for("ready")
    owner.kill()
    last = connect()
    wait_until_taken_in(path)
    spans = spans_in_log(last)
    for id, what in expected.items():
        # Who was finishing may have come to record it, or not.
        state = spans[id][1]
        assert what == "finishing" or state == {"started": "interrupted", "finished": "success"}[what]
    # Besides those there are only spans that were started and not said.
    assert len(spans) - len(expected) <= 3 * KILLS
    (row,) = last.execute("SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM operation_log").fetchall()
    assert row == (row[0], row[0], 1, row[0])
