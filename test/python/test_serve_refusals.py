"""What oplog_serve does not answer: it says why, and nothing is served without the token."""

from __future__ import annotations

import json
import re

import duckdb
import pytest

from harness import connect
from harness.web import Client, serve

SECRET = "3f0e9a7c-5b1d-4e6f"

PATHS = [
    "/metrics",
    "/health",
    "/operations",
    "/operations?command=secret",
    "/operations/stats",
    "/operations/{id}",
    "/projects/default/operations",
    "/projects/default/operations/stats",
    "/projects/default/operations/{id}",
    "/",
    "/nowhere",
    "/%2e%2e/metrics",
    "/operations?max_rows=x",
    "http://127.0.0.1/metrics",
]


@pytest.fixture(scope="module")
def session():
    with connect() as session:
        session.execute("SELECT oplog_record({command: 'secret', duration_ms: 1})").fetchall()
        yield session


@pytest.fixture(scope="module")
def client():
    """Of a session that no other test stops serving."""
    with connect() as session:
        yield serve(session)


@pytest.fixture(scope="module")
def guarded(session):
    return serve(session, token=SECRET)


def figure(session, name: str) -> int:
    return int(session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchone()[0])


WRONG_TOKENS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    f"Bearer {SECRET[:-1]}",
    f"Bearer {SECRET}x",
    f"Bearer {SECRET}{SECRET}",
    f"Bearer {SECRET.upper()}",
    f"Bearer {SECRET} {SECRET}",
    f"Basic {SECRET}",
    f"Token {SECRET}",
    SECRET,
    "Bearer null",
    f"Bearer {'x' * 8000}",
    f"Bearer {SECRET}, Bearer {SECRET}",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_the_token(session, guarded, path):
    client = guarded
    rejected = figure(session, "serve_rejected")
    (identifier,) = session.execute("SELECT id::VARCHAR FROM operation_log").fetchone()
    path = path.format(id=identifier)
    stranger = Client(client.address, client.port)
    for method in ("GET", "HEAD", "POST", "OPTIONS", "TRACE"):
        for token in WRONG_TOKENS:
            headers = {} if token is None else {"Authorization": token}
            answer = stranger.ask(path, method, headers)
            assert answer.status == 401, (method, token)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert b"secret" not in answer.body
            if method == "GET":
                assert "token" in answer.error
    assert figure(session, "serve_rejected") - rejected == len(WRONG_TOKENS) * 5
    # A cookie and a parameter are no places for a token.
    assert stranger.ask(path, headers={"Cookie": f"token={SECRET}"}).status == 401
    assert stranger.ask(path + ("&" if "?" in path else "?") + f"token={SECRET}").status == 401
    assert client.ask(path).status in (200, 400, 404)


def test_the_token_is_never_shown(host):
    session = connect(host)
    client = serve(session, token=SECRET)
    shown = repr(session.execute("FROM oplog_status()").fetchall()) + repr(session.execute("FROM oplog_settings()").fetchall())
    with pytest.raises(duckdb.Error) as error:
        serve(session, token="0ther-t0ken")
    shown += str(error.value) + client.ask("/metrics").body.decode() + client.ask("/health").body.decode()
    assert SECRET not in shown and "0ther-t0ken" not in shown
    session.close()
    for file in host.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_with_a_token_any_host_may_be_named(guarded):
    for headers in ({"Host": "metrics.example.com"}, {"Origin": "https://dashboards.example.com"}):
        assert guarded.ask("/metrics", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.com"},
        {"Host": "localhost.example.com:9464"},
        {"Host": "10.0.0.1"},
        {"Host": ""},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Host": "localhost", "Origin": "http://localhost.example.com"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", PATHS)
def test_pages_of_other_hosts_are_not_answered(client, path, headers):
    answer = client.ask(path, headers=headers)
    assert answer.status == 403
    assert "call oplog_serve with a token" in answer.error


@pytest.mark.parametrize("headers", [{"Host": "localhost:1"}, {"Host": "127.0.0.1"}, {"Host": "[::1]:9464"}, {"Origin": "http://localhost:3000"}], ids=str)
def test_this_machine_is_answered_under_its_names(client, headers):
    assert client.ask("/metrics", headers=headers).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"])
@pytest.mark.parametrize("path", ["/metrics", "/health", "/operations", "/operations/stats", "/projects/p/operations/x"])
def test_everything_is_only_read(client, method, path):
    answer = client.ask(path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert method in answer.error


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "//metrics", "/metrics/", "/METRICS", "/metrics;x=1", "/metrics%00", "/metrics%20", "/./metrics", "/x/../metrics",
        "/%2e/metrics", "/%2e%2e/metrics", "/%252e/metrics", "/..%2fmetrics", "/operations//", "/operations/", "/operations/stats/",
        "/operations/x/y", "/projects", "/projects/p", "/projects/p/", "/projects//operations", "/projects/p/metrics", "/projects/p/health",
        "/projects/p/operations/stats/x", "/projects/p/projects/q/operations", "/etc/passwd", "/../../../../etc/passwd", "/favicon.ico",
        "/index.html", "/debug/pprof", "/api/v1/query?query=up", "/operations%2fstats", "/\\metrics",
    ],
)
def test_other_paths_lead_nowhere(client, path):
    answer = client.ask(path)
    assert answer.status == 404
    assert "/operations/stats" in answer.error


@pytest.mark.parametrize("path", ["/%", "/%z1", "/metrics%f", "/%ff", "/%c0%ae%c0%ae/metrics", "/%ed%a0%80", "/projects/%80/operations"])
def test_a_path_that_is_no_text_is_a_bad_request(client, path):
    answer = client.ask(path)
    assert answer.status == 400
    assert "the path" in answer.error


PARAMETERS = [
    ("/operations?status=banana", "status is 'banana': a status is success, error"),
    ("/operations?max_rows=-1", "max_rows is -1: give 0 or more"),
    ("/operations?max_rows=10001", "max_rows is 10001: give 10000 or less"),
    ("/operations?max_rows=1.5", "max_rows is '1.5': give a whole number"),
    ("/operations?max_rows=99999999999999999999", "max_rows is '99999999999999999999': give a whole number"),
    ("/operations?skip_rows=-5", "skip_rows is -5: give 0 or more"),
    ("/operations?min_duration_ms=slow", "min_duration_ms is 'slow': give a number"),
    ("/operations?min_duration_ms=nan", "min_duration_ms is 'nan': give a number"),
    ("/operations?min_duration_ms=inf", "min_duration_ms is 'inf': give a number"),
    ("/operations?since=yesterday", "since is 'yesterday': give a time such as 2026-01-31T12:00:00Z"),
    ("/operations?since=2026-02-30T00:00:00Z", "since is '2026-02-30T00:00:00Z': give a time"),
    ("/operations?since=2026-02-02&until=2026-02-01", "since is later than until: exchange them"),
    ("/operations?since=2026-02-02&period=1h", "period and since are both given: give one of them"),
    ("/operations?period=soon", "period is 'soon': give a positive interval"),
    ("/operations?period=-1h", "period is '-1h': give a positive interval"),
    ("/operations?command=", "command is '': give a value, or leave it out"),
    ("/operations?command", "command is '': give a value, or leave it out"),
    ("/operations?command=a&command=b", "command is given twice: give it once"),
    ("/operations?comand=a", "comand is no parameter; did you mean command?"),
    ("/operations?COMMAND=a", "COMMAND is no parameter; did you mean command?"),
    ("/operations?x=%", "x has a % that two hexadecimal digits do not follow"),
    ("/operations?command=%FF", "command is no UTF-8 when decoded"),
    ("/operations?by=command", "by is no parameter"),
    ("/operations/stats?period=0s", "period is '0s': give a positive interval"),
    ("/operations/stats?max_rows=5", "max_rows is no parameter"),
    ("/operations/stats?status=banana", "status is 'banana': a status is"),
    ("/operations/x", "id is 'x': give the UUID that oplog_record returned"),
    ("/operations/..", "id is '..': give the UUID"),
    ("/operations/%00", "give the UUID"),
    ("/operations/019a5f6e-0000-7000-8000-000000000000?status=error", "status is no parameter here: leave it out"),
    ("/projects/p/operations?project_id=p", "project_id is 'p', and the path names 'p': leave the parameter out"),
    ("/projects/p/operations/stats?project_id=q", "project_id is 'q', and the path names 'p'"),
]


@pytest.mark.parametrize(("path", "message"), PARAMETERS, ids=[path for path, _ in PARAMETERS])
def test_a_bad_parameter_says_what_is_wrong(client, path, message):
    answer = client.ask(path)
    assert answer.status == 400
    assert message in answer.error
    assert answer.json["error"]["code"] == "bad_parameter"


def test_a_body_is_refused(client):
    for headers, body in [({}, b"x"), ({"Content-Length": "99999999999"}, None), ({"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n0\r\n\r\n")]:
        answer = client.ask("/operations", "GET", headers=headers, body=body)
        assert answer.status == 413
        assert "leave it out" in answer.error
    assert client.ask("/operations", headers={"Content-Length": "0"}).status == 200


def test_sizes_are_limited(client):
    def status(data: bytes) -> int:
        return int(client.raw(data).split()[1])

    long = "x" * 7000
    assert client.ask(f"/operations?command={long}").status == 200
    answer = client.ask(f"/operations?command={'x' * 9000}")
    assert answer.status == 414
    assert "8192 are the limit" in answer.error
    # What does not fit the buffer never becomes a request.
    assert status(b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") in (414, 431)
    assert status(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n") == 431
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(500))
    assert status(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n") == 431
    assert client.ask("/metrics").status == 200


def test_a_request_that_does_not_say_for_whom_is_malformed(client):
    def answered(head: str) -> tuple[int, dict]:
        answer = client.raw(head.encode() + b"Connection: close\r\n\r\n")
        return int(answer.split()[1]), json.loads(answer.split(b"\r\n\r\n", 1)[1])

    assert answered("GET /health HTTP/1.1\r\n")[0] == 400
    assert answered("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n")[0] == 400
    assert answered("GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nOrigin: null\r\n")[0] == 400
    assert answered("GET http://example.com/health HTTP/1.1\r\nHost: localhost\r\n")[0] == 403
    assert answered("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n")[0] == 200
    # HTTP/1.0 has no Host.
    assert answered("GET /health HTTP/1.0\r\n")[0] == 200


@pytest.mark.parametrize(
    "value",
    ["'; DROP TABLE operation_log; --", "x' OR '1'='1", "x\"; ATTACH 'y'", "$command", "{filters}", "\\'", "%", "_", "x\x00y", "é\u2028🦆", "x" * 5000],
)
@pytest.mark.parametrize("name", ["command", "project_id", "trace_id"])
def test_a_value_is_only_ever_a_value(name, value):
    with connect() as session:
        session.execute("SELECT oplog_record({command: 'other'})").fetchall()
        check_value(session, serve(session), name, value)


def check_value(session, client, name, value):
    session.execute("SELECT oplog_record(?)", [{"command": "x", name: value} if name != "trace_id" else {"command": "x"}]).fetchall()
    answer = client.ask("/operations", **{name: value})
    assert answer.status == 200
    found = [row[name] for row in answer.json["operations"]]
    expected = session.execute(f"SELECT {name} FROM operation_log WHERE {name} = ?", [value]).fetchall()
    assert found == [row[0] for row in expected]
    assert len(found) == (name != "trace_id")
    assert session.execute("SELECT count(*) FROM operation_log").fetchone() == (2,)


def test_the_host_database_is_out_of_reach(host):
    session = connect(host)
    session.execute("CREATE TABLE private AS SELECT 'private value' AS v")
    client = serve(session)
    for path in ["/private", "/operations?private=1", "/operations?command=private", "/operations?table_name=private", "/metrics"]:
        assert b"private value" not in client.ask(path).body
    session.execute("BEGIN")
    session.execute("INSERT INTO private VALUES ('more')")
    assert client.ask("/operations").status == 200
    session.execute("ROLLBACK")


def test_errors_of_the_call():
    session = connect()
    for call, message in [
        ("oplog_serve(port := 70000)", "oplog_serve: port is 70000: give 0 to 65535, 0 for any free one"),
        ("oplog_serve(port := -1)", "oplog_serve: port is -1: give 0 to 65535"),
        ("oplog_serve(address := 'example.com')", "oplog_serve: address is 'example.com': give an IP address"),
        ("oplog_serve(address := '0.0.0.0')", "oplog_serve: address is '0.0.0.0', which other machines can reach: give a token too"),
        ("oplog_serve(address := '::')", "oplog_serve: address is '::', which other machines can reach: give a token too"),
        ("oplog_serve(token := '')", "oplog_serve: token is '': give visible ASCII"),
        ("oplog_serve(token := 'a b')", "oplog_serve: token is no token that a header can carry: give visible ASCII"),
        ("oplog_serve(address := '192.0.2.1', token := 'x')", "oplog_serve: cannot listen on 192.0.2.1:9464"),
    ]:
        with pytest.raises(duckdb.Error, match=re.escape(message)):
            session.execute(f"CALL {call}")
    assert session.execute("SELECT value FROM oplog_status() WHERE name = 'serve'").fetchone() == (None,)
