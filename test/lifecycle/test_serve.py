"""The server of oplog_serve from its start to its end: however the process or the database goes, it goes too, and soon."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from contextlib import ExitStack

import duckdb
import pytest

import harness
from harness import connect, run_python, start_python
from harness.ledger import status
from harness.processes import TIMEOUT_SECONDS
from harness.web import Client, assert_no_threads, can_connect, read_to_end, serve, threads

# How long a close may wait for clients, and what else a close does on a busy machine.
GRACE_SECONDS = 0.5
CLOSE_SECONDS = 2.0

HALF = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def fill(session: duckdb.DuckDBPyConnection, rows: int) -> None:
    session.execute(f"SELECT count(oplog_record({{command: 'c' || i % 50, duration_ms: i}})) FROM range({rows}) t(i)").fetchall()
    session.execute("CALL oplog_flush()")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_it_is_off_until_it_is_called_for(connect):
    session = connect()
    assert_no_threads()
    assert status(session)["serve"] is None
    # To bind a call is not to make it.
    session.execute("DESCRIBE FROM oplog_serve(port := 0)").fetchall()
    session.execute("PREPARE serving AS FROM oplog_serve(port := 0)")
    assert_no_threads()
    [(address, port, _)] = session.execute("EXECUTE serving").fetchall()
    # The thread gives itself its name, which it has when it answers.
    assert Client(address, port).ask("/nowhere").status == 404
    assert threads() == ["oplog-serve"]


def test_status_shows_it(connect):
    session = connect()
    client = serve(session)
    client.ask("/health")
    client.ask("/nowhere")
    with client.connect():
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (shown := status(session))["serve_connections"] != "1":
            assert time.monotonic() < deadline
        assert shown["serve"] == f"http://127.0.0.1:{client.port}"
        assert (shown["serve_requests"], shown["serve_rejected"], shown["serve_failed"]) == ("2", "1", "0")
        assert (shown["serve_connections_max"], shown["serve_reads"], shown["serve_reads_max"]) == ("64", "0", "2")


def test_the_same_call_again_changes_nothing(connect):
    session = connect()
    port = free_port()
    for options in ({"port": port}, {"port": port, "token": "t"}, {"port": port, "address": "localhost"}):
        client = serve(session, **options)
        with client.connect() as kept:
            assert serve(session, **options).port == port
            assert serve(session.cursor(), **options).port == port
            kept.sendall(HALF + (b"Authorization: Bearer t\r\n" if "token" in options else b"") + b"\r\n")
            assert kept.recv(15) == b"HTTP/1.1 200 OK"
        for other in ({"port": port, "token": "other"}, {"port": free_port()}, {"port": port, "address": "::1"}):
            message = f"oplog_serve: a server listens on 127.0.0.1:{port} already, with other parameters: CALL oplog_serve_stop() first"
            with pytest.raises(duckdb.Error, match=re.escape(message)):
                serve(session, **other)
        assert client.ask("/health").status == 200
        assert session.execute("CALL oplog_serve_stop()").fetchall() == [(True, f"http://127.0.0.1:{port}")]
        assert session.execute("CALL oplog_serve_stop()").fetchall() == [(False, None)]


def test_a_free_port_is_kept_by_calls_that_ask_for_any(connect):
    session = connect()
    client = serve(session)
    assert serve(session).port == client.port
    assert serve(session, port=client.port).port == client.port


def test_it_starts_and_stops_again_and_again(connect, host):
    session = connect(host)
    port = free_port()
    for number in range(50):
        client = serve(session, port=port if number % 2 else 0)
        assert client.ask("/health").status == 200
        with client.connect(), client.connect() as half:
            half.sendall(HALF)
            started = time.monotonic()
            session.execute("CALL oplog_serve_stop()")
            assert time.monotonic() - started < GRACE_SECONDS, "nobody was to be waited for"
        assert not can_connect(client)
        assert_no_threads()
    assert status(session)["serve_requests"] == "50"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::"])
def test_every_address_is_listened_on(connect, address):
    if ":" in address and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    session = connect()
    try:
        client = serve(session, address=address, token="t")
    except duckdb.Error as error:
        assert "Cannot assign requested address" in str(error) or "Address family not supported" in str(error)
        pytest.skip("no IPv6 here")
    assert client.address == address
    assert client.ask("/health").status == 200


def test_a_port_that_is_taken_is_an_error_that_says_so(connect):
    session, other = connect(), connect()
    client = serve(session)
    message = rf"oplog_serve: cannot listen on 127\.0\.0\.1:{client.port} \(Address already in use.*\): give another address or port, or port := 0"
    with pytest.raises(duckdb.Error, match=message):
        serve(other, port=client.port)
    assert status(other)["serve"] is None
    assert serve(other).ask("/health").status == 200


def test_two_databases_serve_their_own_logs(connect, tmp_path):
    sessions = [connect(tmp_path / f"{name}.duckdb") for name in "ab"]
    for name, session in zip("ab", sessions):
        session.execute(f"SELECT oplog_record({{command: 'of {name}'}})").fetchall()
    clients = [serve(session) for session in sessions]
    for name, client in zip("ab", clients):
        assert [row["command"] for row in client.ask("/operations").json["operations"]] == [f"of {name}"]
    sessions[0].close()
    assert not can_connect(clients[0])
    assert clients[1].ask("/operations").status == 200
    sessions[1].close()
    assert_no_threads()


def test_two_databases_of_one_log_have_one_server(tmp_path, monkeypatch):
    monkeypatch.setenv("OPLOG_PATH", str(tmp_path / "shared.oplog"))
    first, second = (connect(tmp_path / f"{name}.duckdb") for name in "ab")
    client = serve(first)
    assert serve(second).port == client.port
    first.close()
    second.execute("SELECT oplog_record({command: 'second'})").fetchall()
    assert [row["command"] for row in client.ask("/operations").json["operations"]] == ["second"]
    second.close()
    assert not can_connect(client)


def test_it_follows_a_log_that_moves(connect, tmp_path):
    session = connect()
    client = serve(session)
    session.execute("SELECT oplog_record({command: 'before'})").fetchall()
    session.execute(f"CALL oplog_open('{tmp_path / 'moved.oplog'}')")
    session.execute("SELECT oplog_record({command: 'after'})").fetchall()
    assert [row["command"] for row in client.ask("/operations").json["operations"]] == ["after", "before"]


def close_in_time(session: duckdb.DuckDBPyConnection, seconds: float = CLOSE_SECONDS) -> float:
    started = time.monotonic()
    session.close()
    took = time.monotonic() - started
    assert took < seconds
    return took


def assert_free(host) -> None:
    """Another process can open the host and its log at once: nothing keeps their files."""
    seen = run_python(
        """
        import sys
        from harness import connect
        from harness.ledger import status
        with connect(sys.argv[1]) as session:
            session.execute("CREATE TABLE written (i INTEGER)")
            print(status(session)["role"])
        """,
        host,
    )
    assert seen.split() == ["owner"]


def test_clients_that_do_nothing_do_not_hold_up_a_close(host):
    session = connect(host)
    client = serve(session)
    with ExitStack() as stack:
        for number in range(30):
            connection = stack.enter_context(client.connect())
            if number % 3 == 1:
                connection.sendall(HALF)
            if number % 3 == 2:
                connection.sendall(HALF + b"\r\n")
                assert connection.recv(65536)
        close_in_time(session)
        assert not can_connect(client)
        assert read_to_end(connection) == b""
    assert_free(host)


def test_a_client_that_does_not_read_does_not_hold_up_a_close(host):
    session = connect(host)
    session.execute("SELECT count(oplog_record({command: 'x', error_message: repeat('x', 60000)})) FROM range(300)").fetchall()
    client = serve(session)
    with ExitStack() as stack:
        for _ in range(3):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((client.address, client.port))
            deaf.sendall(b"GET /operations?max_rows=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1)
        assert close_in_time(session) > GRACE_SECONDS - 0.1, "it was to be in the middle of answers"
    assert_free(host)


@pytest.mark.parametrize("ending", ["close", "stop"])
def test_questions_under_way_are_interrupted(host, ending):
    session = connect(host)
    fill(session, 2_000_000)
    client = serve(session)
    statuses: list = []

    def ask() -> None:
        try:
            statuses.append(client.ask("/operations/stats", period="30d").status)
        except (OSError, EOFError) as error:
            statuses.append(type(error).__name__)

    for _ in range(3):
        client = serve(session)
        askers = [threading.Thread(target=ask) for _ in range(8)]
        for asker in askers:
            asker.start()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while status(session)["serve_reads"] != "2":
            assert time.monotonic() < deadline
        started = time.monotonic()
        session.execute("CALL oplog_serve_stop()")
        assert time.monotonic() - started < CLOSE_SECONDS
        for asker in askers:
            asker.join(TIMEOUT_SECONDS)
            assert not asker.is_alive()
    assert len(statuses) == 24
    assert 200 not in statuses[:2] or statuses.count(503) > 0
    assert set(statuses) & {503, "RemoteDisconnected", "ConnectionResetError"}, "it was to interrupt some"
    if ending == "close":
        client = serve(session)
        asker = threading.Thread(target=ask)
        asker.start()
        while status(session)["serve_reads"] == "0":
            pass
        # Most of it is DuckDB's, which writes two million rows to their place.
        close_in_time(session, 10)
        asker.join(TIMEOUT_SECONDS)
        assert_free(host)
    else:
        session.close()


def test_a_database_that_is_closed_under_load(host):
    for _ in range(5):
        session = connect(host)
        fill(session, 2000)
        client = serve(session)
        stop = threading.Event()
        failures: list = []

        def ask(path: str) -> None:
            while not stop.is_set():
                try:
                    answer = client.ask(path)
                    if answer.status not in (200, 503):
                        failures.append(answer)
                except OSError:
                    pass

        askers = [threading.Thread(target=ask, args=(path,)) for path in ["/metrics", "/operations", "/operations/stats", "/health"] * 3]
        for asker in askers:
            asker.start()
        time.sleep(0.2)
        close_in_time(session)
        stop.set()
        for asker in askers:
            asker.join(TIMEOUT_SECONDS)
        assert failures == []
        assert_no_threads()
    assert_free(host)


SERVING = """
    import os, signal, sys, threading, time
    from harness import connect
    from harness.web import serve
    session = connect(sys.argv[1])
    session.execute("SELECT oplog_record({command: 'served'})").fetchall()
    client = serve(session, port=sys.argv[2])
    print("serving", flush=True)
"""

ENDINGS = {
    "end": ("", 0),
    "close": ("session.close()", 0),
    "exit-code": ("sys.exit(3)", 3),
    "exception": ("raise RuntimeError('nobody catches this')", 1),
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", -signal.SIGTERM),
    "sigint": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -signal.SIGINT),
    "sigterm-handled": ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", 0),
    "os-exit": ("os._exit(5)", 5),
    "exec": ("os.execv(sys.executable, [sys.executable, '-c', ''])", 0),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_as_without_a_server(host, ending):
    code, exit_code = ENDINGS[ending]
    port = free_port()
    client = Client("127.0.0.1", port)
    service = start_python(SERVING + "    input()\n    " + code, host, port)
    with service, ExitStack() as stack:
        service.wait_for("serving")
        for number in range(6):
            connection = stack.enter_context(client.connect())
            connection.sendall(HALF[: number * 10])
        assert client.ask("/operations").json["operations"][0]["command"] == "served"
        started = time.monotonic()
        service.go_on()
        assert service.process.wait(TIMEOUT_SECONDS) == exit_code
        assert time.monotonic() - started < CLOSE_SECONDS
        assert read_to_end(connection) == b""
    assert not can_connect(client)
    assert_free(host)
    # The port is free too.
    with connect(host) as session:
        assert serve(session, port=port).ask("/operations").json["rows"] == 1


def test_a_signal_reaches_the_main_thread(host):
    # A thread of ours that took it would leave the main thread asleep.
    service = start_python(
        SERVING
        + """
    signal.signal(signal.SIGUSR1, lambda *_: (print("handled", flush=True), os._exit(0)))
    print("ready", flush=True)
    time.sleep(30)
""",
        host,
        free_port(),
    )
    with service:
        service.wait_for("serving")
        service.wait_for("ready")
        # Python misses one that comes between its own look and its sleep.
        time.sleep(0.5)
        started = time.monotonic()
        os.kill(service.process.pid, signal.SIGUSR1)
        service.wait_for("handled")
        assert time.monotonic() - started < 5


FORKING = (
    SERVING
    + """
    kept = client.connect()
    kept.sendall(b"GET /health HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    kept.recv(65536)
    sockets = lambda: sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))
    before = sockets()
    pid = os.fork()
    if pid == 0:
        try:
            # The listening socket and the connection's other end are the parent's.
            assert sockets() == before - 2, (sockets(), before)
            from harness.web import assert_no_threads
            assert_no_threads()
            for call in ("CALL oplog_serve(port := 0)", "CALL oplog_serve_stop()", "FROM oplog_status()"):
                try:
                    session.execute(call).fetchall()
                    raise SystemExit(f"{call} worked")
                except Exception as error:
                    assert "was forked from process" in str(error), error
            said = "child"
        except BaseException as error:
            said = repr(error)
        # In one piece each, as both print at the same time.
        os.write(1, f"{said}\\n".encode())
        time.sleep(60)
        os._exit(0)
    os.write(1, f"{pid}\\n".encode())
    input()
    assert client.ask("/health").status == 200
    print("answered", flush=True)
"""
)


@pytest.mark.parametrize("ending", ["stop", "close", "kill"])
def test_a_forked_child_keeps_neither_port_nor_connections(host, ending):
    port = free_port()
    client = Client("127.0.0.1", port)
    ends = {"stop": "session.execute('CALL oplog_serve_stop()')", "close": "session.close()", "kill": "os.kill(os.getpid(), 9)"}
    service = start_python(FORKING + f"    input()\n    {ends[ending]}\n    print('ended', flush=True)\n    input()", host, port)
    with service:
        service.wait_for("serving")
        lines = {service.process.stdout.readline().strip() for _ in range(2)}
        assert "child" in lines, lines
        (child,) = (int(line) for line in lines - {"child"})
        try:
            service.go_on()
            service.wait_for("answered")
            with client.connect() as connection:
                connection.sendall(HALF)
                service.go_on()
                if ending == "kill":
                    assert service.process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
                else:
                    service.wait_for("ended")
                # The child lives, and the client is told that nobody is there.
                os.kill(child, 0)
                started = time.monotonic()
                assert read_to_end(connection) == b""
                assert time.monotonic() - started < 5
            assert not can_connect(client)
            with harness.connect(":memory:") as session:
                assert serve(session, port=port).ask("/health").status == 200
        finally:
            os.kill(child, signal.SIGKILL)


def test_sockets_do_not_go_to_programs_that_are_started(host):
    seen = run_python(
        SERVING
        + """
    import subprocess
    kept = client.connect()
    kept.sendall(b"GET /health HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    kept.recv(65536)
    listing = "import os; print([os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')])"
    print(subprocess.run([sys.executable, "-c", listing], close_fds=False, capture_output=True, text=True).stdout)
""",
        host,
        free_port(),
    )
    assert "socket:" not in seen and "eventpoll" not in seen
