"""However a process ends, and however its connections go: what was acknowledged is in the log, and the host's file is free."""

from __future__ import annotations

import re
import signal
import threading
import time

import duckdb
import pytest

import harness
from harness import connect, run_python, start_python
from harness.ledger import Ledger, assert_gapless, hold_back, ids_in_log, recording, segments_of, status
from harness.processes import TIMEOUT_SECONDS

# Records on two connections and prints what it was told, then ends in one way or another.
SETUP = """
import os, signal, sys, threading, time
import duckdb
from harness import connect
from harness.ledger import hold_back, recording
connection = connect(sys.argv[1])
hold_back(connection)
other = connection.cursor()
other.execute("BEGIN")
other.execute("CREATE TABLE in_a_transaction_that_never_ends (i INTEGER)")

def record(session, name, rows=1):
    for identifier, in session.execute(recording(name, rows)).fetchall():
        print(identifier, flush=True)

record(connection, "one")
record(other, "two", 3000)
record(connection, "three")
"""


def assert_complete(host, acknowledged: list[str]) -> None:
    """The file can be opened to write, and the log has everything."""
    ledger = Ledger()
    ledger.acknowledged = acknowledged
    with connect(host) as session:
        assert status(session)["role"] == "owner"
        ledger.check(session)
        assert len(ids_in_log(session)) == len(acknowledged)
        session.execute("CREATE TABLE written_by_the_next AS SELECT 1")
        assert session.execute("SHOW TABLES").fetchall() == [("written_by_the_next",)]


ORDERLY = {
    "end": ("", 0),
    "close": ("other.close(); connection.close()", 0),
    "close-one-of-two": ("connection.close()", 0),
    "close-twice": ("connection.close(); connection.close(); other.close()", 0),
    "system-exit": ("raise SystemExit", 0),
    "system-exit-code": ("raise SystemExit(7)", 7),
    "sys-exit": ("sys.exit('bye')", 1),
    "exception": ("raise RuntimeError('nobody catches this')", 1),
    "keyboard-interrupt": ("raise KeyboardInterrupt", -signal.SIGINT),
    "sigint": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -signal.SIGINT),
    "sigterm-handled": ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", 0),
    "atexit": ("import atexit; atexit.register(lambda: record(connection, 'at exit'))", 0),
    "error-in-a-statement": ("connection.execute('SELECT error($$boom$$)')", 1),
    "exit-in-a-thread": ("threading.Thread(target=lambda: (record(connection.cursor(), 'thread'), sys.exit(3))).start()", 0),
    "exec": ("os.execv(sys.executable, [sys.executable, '-c', ''])", 0),
}
AT_ONCE = {
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "sighup": ("os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP),
    "sigint-default": ("signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "os-exit": ("os._exit(5)", 5),
    "abort": ("os.abort()", -signal.SIGABRT),
    "segmentation-fault": ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
}


@pytest.mark.parametrize("ending", ORDERLY)
def test_an_orderly_end(host, ending):
    code, exit_code = ORDERLY[ending]
    acknowledged = run_python(SETUP + code, host, exit_code=exit_code).split()
    assert ending == "exec" or segments_of(host) == [], "an orderly end leaves no journal"
    assert_complete(host, acknowledged)


@pytest.mark.parametrize("ending", AT_ONCE)
def test_an_end_without_a_close(host, ending):
    code, exit_code = AT_ONCE[ending]
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    acknowledged = run_python(SETUP + limit + code, host, exit_code=exit_code).split()
    assert segments_of(host), "it was to die before a commit"
    assert_complete(host, acknowledged)


def test_sigterm_from_outside_while_threads_record(host):
    service = start_python(
        SETUP
        + """
connection.execute("SET oplog_flush_interval = '5 ms'")
def work(number):
    session = connection.cursor()
    while True:
        record(session, f"{number}-{time.monotonic_ns()}", 20)
for number in range(3):
    threading.Thread(target=work, args=(number,)).start()
""",
        host,
    )
    with service:
        acknowledged = [service.process.stdout.readline().strip() for _ in range(5000)]
        service.process.terminate()
        lines = service.process.stdout.read().splitlines(keepends=True)
        assert service.process.wait(TIMEOUT_SECONDS) == -signal.SIGTERM
    acknowledged += [line.strip() for line in lines if len(line) == 37]
    ledger = Ledger()
    # Threads print at the same time, so that some ids are on one line.
    ledger.acknowledged = [line for line in acknowledged if len(line) == 36]
    with connect(host) as session:
        ledger.check(session)


# What other threads do while the main thread lets go of the database. Each statement is short or long.
INSIDE = {
    "recording": "SELECT oplog_record({command: 'thread'})",
    "recording-many": "SELECT count(id) FROM (SELECT oplog_record({command: 'thread', rows_affected: i}) AS id FROM range(5000) t(i))",
    "reading": "SELECT count(*) FROM operation_log",
    "summing-up": "FROM oplog_summary()",
    "flushing": "CALL oplog_flush()",
    "purging": "CALL oplog_purge()",
    "rendering": "SELECT prometheus_text()",
}

# What the client says to a thread whose connection is closed.
CLOSED = re.compile("No open result set|already closed|unsuccessful or closed pending query result")
# What close() of the client of DuckDB 2.0 says while a cursor is in use.
BUSY = "busy with another call"


@pytest.mark.parametrize("call", INSIDE)
def test_a_database_that_goes_while_threads_are_inside(host, call):
    # The client's close() closes the cursors too, as soon as they are between two calls, or refuses to. The last one lets
    # go of the database, on whatever thread that is.
    for _ in range(3):
        main = connect(host)
        main.execute(recording("main", 1000)).fetchall()
        started = threading.Barrier(4)
        errors: list[str] = []

        def work(session: duckdb.DuckDBPyConnection) -> None:
            started.wait()
            end = time.monotonic() + 0.1
            try:
                while time.monotonic() < end:
                    session.execute(INSIDE[call]).fetchall()
            except duckdb.Error as error:
                errors.append(str(error))
            session.close()

        threads = [threading.Thread(target=work, args=(main.cursor(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        started.wait()
        time.sleep(0.01)
        try:
            main.close()
        except duckdb.Error as error:
            assert BUSY in str(error)
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "a call waits for ever"
        main.close()
        assert [error for error in errors if not CLOSED.search(error)] == []
    with connect(host) as session:
        assert session.execute("SELECT count(*) FROM operation_log WHERE command = 'ledger'").fetchone() == (3000,)
        assert_gapless(session)


@pytest.mark.parametrize("call", INSIDE)
def test_a_process_that_ends_while_threads_are_inside(host, call):
    # The interpreter goes away around daemon threads. How DuckDB's client fares is its own matter; the log is whole.
    service = start_python(
        SETUP
        + f"""
statement = {INSIDE[call]!r}
def work(session):
    while True:
        session.execute(statement).fetchall()
for _ in range(3):
    threading.Thread(target=work, args=(connection.cursor(),), daemon=True).start()
time.sleep(0.1)
try:
    connection.close()
except duckdb.Error:
    pass
print("end", flush=True)
sys.exit(0)
""",
        host,
    )
    with service:
        lines = service.process.stdout.read().split()
        service.process.wait(TIMEOUT_SECONDS)
    assert lines[-1] == "end"
    ledger = Ledger()
    ledger.acknowledged = lines[:-1]
    with connect(host) as session:
        ledger.check(session)


def test_an_interrupted_statement_leaves_whole_chunks(connect, host):
    session = connect(host)
    timer = threading.Timer(0.2, session.interrupt)
    timer.start()
    with pytest.raises(duckdb.Error, match="Interrupted"):
        session.execute(recording("interrupted", 50_000_000)).fetchall()
    timer.join()
    session.execute(recording("later", 5)).fetchall()
    Ledger().check(session)


def test_a_result_that_is_left_unread(connect, host):
    session = connect(host)
    session.execute(recording("unread", 100_000))
    session.close()
    session = connect(host)
    Ledger().check(session)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["first-first", "second-first"])
@pytest.mark.parametrize("shared", [False, True], ids=["two-logs", "one-log"])
def test_two_databases_closed_in_either_order(tmp_path, monkeypatch, order, shared):
    if shared:
        monkeypatch.setenv("OPLOG_PATH", str(tmp_path / "shared.oplog"))
    hosts = [tmp_path / "first.duckdb", tmp_path / "second.duckdb"]
    sessions = [connect(host) for host in hosts]
    acknowledged: list[list[str]] = [[], []]
    for round in range(2):
        for which, session in enumerate(sessions):
            rows = session.execute(recording(f"{which}-{round}", 10)).fetchall()
            acknowledged[which] += [identifier for (identifier,) in rows]
    sessions[order[0]].close()
    rows = sessions[order[1]].execute(recording("alone", 10)).fetchall()
    acknowledged[order[1]] += [identifier for (identifier,) in rows]
    run_python("import sys, duckdb; duckdb.connect(sys.argv[1]).execute('CREATE TABLE t (i INTEGER)')", hosts[order[0]])
    sessions[order[1]].close()
    for which, host in enumerate(hosts):
        with connect(host) as session:
            expected = sum(acknowledged, []) if shared else acknowledged[which]
            assert sorted(ids_in_log(session)) == sorted(expected)
            assert_gapless(session)


def test_two_databases_are_closed_at_once(tmp_path):
    for _ in range(10):
        sessions = [connect(tmp_path / f"{name}.duckdb") for name in "ab"]
        for session in sessions:
            session.execute(recording("once", 100)).fetchall()
        threads = [threading.Thread(target=session.close) for session in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive()
    for name in "ab":
        with connect(tmp_path / f"{name}.duckdb") as session:
            assert assert_gapless(session) == 1000


def test_a_database_that_is_opened_while_it_closes(host):
    # One thread closes, another opens the same file.
    stop = time.monotonic() + 1.5
    done: list[str] = []
    errors: list[str] = []

    def work(number: int) -> None:
        step = 0
        while time.monotonic() < stop:
            step += 1
            try:
                session = connect(host)
                done.extend(i for (i,) in session.execute(recording(f"{number}-{step}", 7)).fetchall())
                session.close()
            except duckdb.Error as error:
                # DuckDB itself refuses to open a file that it is closing.
                if "Unique file handle conflict" not in str(error):
                    errors.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert errors == []
    with connect(host) as session:
        assert sorted(ids_in_log(session)) == sorted(done)
        assert_gapless(session)


def test_load_twice_and_in_every_connection(host):
    main = connect(host)
    hold_back(main)
    for number in range(5):
        cursor = main.cursor()
        cursor.execute(f"LOAD '{harness.EXTENSION}'")
        cursor.execute(recording(f"{number}", 2)).fetchall()
        cursor.close()
    main.close()
    with connect(host) as session:
        assert assert_gapless(session) == 10
