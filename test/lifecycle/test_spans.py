"""Spans and the end of their process: what ran is found as interrupted, once, and what ended is not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from harness import connect, run_python, start_python
from harness.processes import TESTS

START = "SELECT oplog_start(?)"
FINISH = "SELECT oplog_finish(?, ?)"


def spans_in_log(connection) -> dict[str, tuple]:
    """Every span by its id; an id that is there twice is an error."""
    rows = connection.execute("SELECT id, command, status, duration_ms, seq FROM operation_log WHERE source = 'span'").fetchall()
    found = {str(row[0]): row[1:] for row in rows}
    assert len(found) == len(rows)
    return found


def status(connection, name: str) -> str:
    return connection.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchone()[0]


KILLED = """
import os, signal, sys
from harness import connect
connection = connect(sys.argv[1])
connection.execute(f"SET oplog_durability = '{sys.argv[2]}'")
def start(command, **fields):
    return connection.execute("SELECT oplog_start(?)", [{"command": command, **fields}]).fetchone()[0]
ended, first, second = start("ended"), start("first", table_name="orders"), start("second", project_id="p")
connection.execute("SELECT oplog_finish(?)", [ended]).fetchall()
print(first, second)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("durability", ["process", "os"])
def test_spans_of_a_killed_process_are_interrupted_once(host, durability):
    first, second = run_python(KILLED, host, durability, exit_code=-signal.SIGKILL).split()
    for _ in range(2):
        with connect(host) as connection:
            spans = spans_in_log(connection)
            assert {command: (state, ms is None) for command, state, ms, _ in spans.values()} == {
                "ended": ("success", False),
                "first": ("interrupted", True),
                "second": ("interrupted", True),
            }
            (row,) = connection.execute(
                "SELECT table_name, project_id, epoch_us(timestamp) // 1000 - ('0x' || replace(id::VARCHAR, '-', '')[:12])::BIGINT"
                " FROM operation_log WHERE id = ?",
                [first],
            ).fetchall()
            # The id has the millisecond of the start, and so has the operation.
            assert row == ("orders", "default", 0)
            assert second in spans
            assert connection.execute("SELECT count(*) FROM oplog_active()").fetchone() == (0,)
            assert not host.with_name(host.name + ".oplog.journal.spans").exists() or _ == 0
    with connect(host) as connection:
        assert status(connection, "interrupted_operations") == "0"


def test_the_load_that_finds_them_says_how_many(host):
    run_python(KILLED, host, "process", exit_code=-signal.SIGKILL)
    with connect(host) as connection:
        assert status(connection, "interrupted_operations") == "2"
        text = connection.execute("SELECT prometheus_text()").fetchone()[0]
        assert "oplog_interrupted_operations_total 2" in text
        assert 'duckdb_operations_total{command="first",status="interrupted"} 1' in text


def test_with_memory_nothing_of_a_killed_process_is_left(host):
    run_python(KILLED, host, "memory", exit_code=-signal.SIGKILL)
    with connect(host) as connection:
        assert spans_in_log(connection) == {}


def test_a_finished_span_whose_end_is_not_in_the_file_is_recorded_once(host):
    # As if the process had died between the journal and the file of spans: the file is put back as it was before.
    connection = connect(host)
    file = host.with_name(host.name + ".oplog.journal.spans")
    (finished,) = connection.execute(START, [{"command": "finished"}]).fetchone()
    connection.execute(START, [{"command": "running"}])
    before = file.read_bytes()
    connection.execute(FINISH, [finished, {"rows_affected": 5}])
    connection.close()
    file.write_bytes(before)
    with connect(host) as connection:
        spans = spans_in_log(connection)
        assert sorted((command, state) for command, state, *_ in spans.values()) == [
            ("finished", "success"),
            ("running", "interrupted"),
        ]


JOURNAL_ONLY = """
import os, pathlib, signal, sys
from harness import connect
connection = connect(sys.argv[1])
connection.execute("SET oplog_flush_interval = '1 hour'")
id = connection.execute("SELECT oplog_start({command: 'finished'})").fetchone()[0]
file = pathlib.Path(sys.argv[1] + ".oplog.journal.spans")
before = file.read_bytes()
connection.execute("SELECT oplog_finish(?)", [id]).fetchall()
file.write_bytes(before)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_finished_span_that_only_the_journal_has_is_recorded_once(host):
    run_python(JOURNAL_ONLY, host, exit_code=-signal.SIGKILL)
    with connect(host) as connection:
        assert [(command, state) for command, state, *_ in spans_in_log(connection).values()] == [("finished", "success")]


@pytest.mark.parametrize(
    "ending, exit_code",
    [("", 0), ("connection.close()", 0), ("sys.exit(3)", 3), ("raise ValueError('not caught')", 1)],
    ids=["end", "close", "sys-exit", "exception"],
)
def test_spans_that_run_when_a_process_ends(host, ending, exit_code):
    snippet = f"""
import sys
from harness import connect
connection = connect(sys.argv[1])
connection.execute("SELECT oplog_start({{command: 'running'}})").fetchall()
{ending}
"""
    run_python(snippet, host, exit_code=exit_code)
    with connect(host) as connection:
        ((command, state, duration_ms, seq),) = spans_in_log(connection).values()
        assert (command, state, duration_ms, seq) == ("running", "interrupted", None, 1)
        # It was recorded by its own process.
        assert status(connection, "interrupted_operations") == "0"
    assert [path.name for path in host.parent.glob("*.oplog.*")] == []


def test_a_forked_child_gets_an_error_and_leaves_the_spans_alone(host):
    snippet = """
import os, sys, duckdb
from harness import connect
connection = connect(sys.argv[1])
# Read to its end: in the child, DuckDB 2.0.0 would wait for worker threads that are not there to close it.
((id,),) = connection.execute("SELECT oplog_start({command: 'parent'})").fetchall()
child = os.fork()
if child == 0:
    refused = 0
    for sql in [f"SELECT oplog_finish('{id}')", "SELECT oplog_start({command: 'child'})", "FROM oplog_active()"]:
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            refused += "forked from process" in str(error)
    os._exit(refused)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
assert connection.execute(f"SELECT oplog_finish('{id}') > 0").fetchone() == (True,)
"""
    run_python(snippet, host)
    with connect(host) as connection:
        assert [(command, state) for command, state, *_ in spans_in_log(connection).values()] == [("parent", "success")]


LEFT_IN_MOVED = """
import os, signal, sys
from harness import connect
connection = connect()
connection.execute("CALL oplog_open(?)", [sys.argv[1]])
connection.execute("SELECT oplog_start({command: 'left'})").fetchall()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_log_that_moves_to_a_killed_process_s_log_finds_its_spans(tmp_path):
    log = tmp_path / "service.oplog"
    run_python(LEFT_IN_MOVED, log, exit_code=-signal.SIGKILL)
    connection = connect()
    (id,) = connection.execute(START, [{"command": "mine"}]).fetchone()
    connection.execute("CALL oplog_open(?)", [str(log)])
    assert [(command, state) for command, state, *_ in spans_in_log(connection).values()] == [("left", "interrupted")]
    connection.execute(FINISH, [id, {"rows_affected": 1}])
    assert sorted((command, state) for command, state, *_ in spans_in_log(connection).values()) == [
        ("left", "interrupted"),
        ("mine", "success"),
    ]
    connection.close()


def test_a_damaged_file_of_spans_is_set_aside_and_load_succeeds(host):
    run_python(KILLED, host, "process", exit_code=-signal.SIGKILL)
    file = host.with_name(host.name + ".oplog.journal.spans")
    file.write_bytes(b"x" * 100)
    with connect(host) as connection:
        assert "was damaged and will be" in status(connection, "notes")
        connection.execute(START, [{"command": "next"}])
    assert [path.read_bytes() for path in host.parent.glob("*.spans.damaged-*")] == [b"x" * 100]
    with connect(host) as connection:
        assert "next" in [command for command, *_ in spans_in_log(connection).values()]


# Several threads start and finish spans, and say each thing when it is acknowledged.
BUSY = """
import random, sys, threading
from harness import connect
connection = connect(sys.argv[1])
def work(number):
    own, running = connection.cursor(), []
    while True:
        if len(running) < 5 or random.random() < 0.5:
            id = own.execute("SELECT oplog_start({command: 'job'})").fetchone()[0]
            running.append(id)
            sys.stdout.write(f"started {id}\\n")
        else:
            id = running.pop(random.randrange(len(running)))
            sys.stdout.write(f"finishing {id}\\n")
            own.execute("SELECT oplog_finish(?)", [id]).fetchone()
            sys.stdout.write(f"finished {id}\\n")
threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(3)]
[thread.start() for thread in threads]
sys.stdout.write("busy\\n")
[thread.join() for thread in threads]
"""

KILLS = int(os.environ.get("OPLOG_KILLS", "12"))


def test_random_kills(host):
    expected: dict[str, str] = {}
    for _ in range(KILLS):
        with start_python(BUSY, host) as child:
            said: list[str] = []
            while "busy\n" not in said or len(said) < random.randrange(2, 300):
                said.append(child.process.stdout.readline())
            child.process.kill()
            said += child.process.stdout.read().splitlines(keepends=True)
        # The last line may be torn.
        for line in (line.split() for line in said if line.endswith("\n") and " " in line):
            what, id = line
            expected[id] = what
        with connect(host) as connection:
            spans = spans_in_log(connection)
            for id, what in expected.items():
                state = spans[id][1]
                # Who was finishing may have come to record it, or not.
                assert what == "finishing" or state == {"started": "interrupted", "finished": "success"}[what]
            seqs = sorted(seq for *_, seq in spans.values())
            assert seqs == list(range(1, len(seqs) + 1))
            # Besides those there are only spans that were started or finished and not said.
            assert len(spans) - len(expected) <= 3 * KILLS
