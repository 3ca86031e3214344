"""What oplog_serve answers is what the SQL functions answer."""

from __future__ import annotations

import http.client
import json
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.web import read, serve

FILL = """
    SELECT count(oplog_record({
        command: ['import', 'query', 'a/b "c" é', ''][1 + i % 3],
        status: ['success', 'success', 'error', 'timeout'][1 + i % 4],
        duration_ms: CASE WHEN i % 7 > 0 THEN i / 3 END,
        timestamp: now() - INTERVAL (i) SECOND,
        project_id: ['alpha', 'beta/gamma', 'δ'][1 + i % 3],
        branch_id: 'b' || i % 2, bucket_name: 'in.c-' || i % 5, table_name: 't' || i % 4,
        queue_wait_ms: i / 11, rows_affected: i * 1000003, bytes_in: i, bytes_out: 9223372036854775807 - i,
        error_code: CASE WHEN i % 4 >= 2 THEN ['duplicate_key', NULL, '"'][1 + i % 3] END,
        error_message: CASE WHEN i % 4 = 2 THEN E'line\\nbreak \\t "quoted" \\\\ \\x01 é 🦆' END,
        request_id: 'r' || i // 10, connection_job_id: 'j' || i % 6, connection_run_id: 'run' || i % 8,
        trace_id: md5((i // 4)::VARCHAR), span_id: left(md5(i::VARCHAR), 16),
        metadata: CASE i % 4
            WHEN 0 THEN NULL WHEN 1 THEN '{"n": 1e400, "list": [1, {"deep": null}]}'::VARCHAR
            WHEN 2 THEN '"text"' ELSE '[true, 1.50]' END
    })) FROM range(300) t(i)
"""


@pytest.fixture
def session(connect, host):
    session = connect(host)
    session.execute("SET TimeZone = 'UTC'")
    session.execute(FILL).fetchall()
    return session


@pytest.fixture
def client(session):
    return serve(session)


def as_json(name: str, value):
    """A value as it should be in JSON."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    if name == "metadata" and value is not None:
        return json.loads(value)
    if name == "id":
        return str(value)
    return value


def rows(session, query: str) -> list[dict]:
    result = session.execute(query)
    names = [column[0] for column in result.description]
    return [{name: as_json(name, value) for name, value in zip(names, row)} for row in result.fetchall()]


def operation(answered: dict) -> dict:
    """An operation of an answer, with its time read."""
    assert answered["timestamp"].endswith("Z"), answered
    return {**answered, "timestamp": datetime.fromisoformat(answered["timestamp"].replace("Z", "+00:00"))}


def assert_equal(answered: list[dict], expected: list[dict]) -> None:
    assert [operation(row) for row in answered] == expected


FILTERS = [
    {},
    {"command": "import"},
    {"command": 'a/b "c" é'},
    {"status": "error"},
    {"status": "timeout", "command": "query"},
    {"project_id": "beta/gamma"},
    {"branch_id": "b1"},
    {"bucket_name": "in.c-3"},
    {"table_name": "t2"},
    {"request_id": "r7"},
    {"connection_job_id": "j5"},
    {"connection_run_id": "run6"},
    {"trace_id": "c4ca4238a0b923820dcc509a6f75849b"},
    {"min_duration_ms": "55.5"},
    {"min_duration_ms": "1e1", "status": "success", "project_id": "δ"},
    {"max_rows": "5"},
    {"max_rows": "7", "skip_rows": "3", "status": "error"},
    {"skip_rows": "290"},
    {"skip_rows": "1000"},
    {"max_rows": "0"},
    {"command": "nobody"},
    {"command": "' OR 1=1 --"},
    {"command": "%"},
    {"project_id": "$project_id"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_operations_are_those_of_the_function(session, client, filters):
    rows_max = int(filters.get("max_rows", 100))
    skipped = int(filters.get("skip_rows", 0))
    quoted = {name: "'" + value.replace("'", "''") + "'" for name, value in filters.items()}
    given = ", ".join(f"{name} := {value}" for name, value in {**quoted, "max_rows": str(rows_max)}.items())
    expected = rows(session, f"FROM oplog_operations({given})")
    (total,) = session.execute(
        "SELECT count(*) FROM oplog_operations(" + ", ".join(
            f"{name} := {value}" for name, value in quoted.items() if name not in ("max_rows", "skip_rows")
        ) + ")"
    ).fetchone()

    answer = client.ask("/operations", **filters)
    assert answer.status == 200
    page = answer.json
    assert_equal(page["operations"], expected)
    left = total - skipped - len(expected)
    assert {name: value for name, value in page.items() if name != "operations"} == {
        "rows": len(expected),
        "max_rows": rows_max,
        "skip_rows": skipped,
        "next_skip_rows": skipped + len(expected) if expected and left > 0 else None,
    }


def test_times_are_bounds(session, client):
    middle = datetime.now(timezone.utc) - timedelta(seconds=150)
    text = middle.isoformat()
    for query, given in [
        ({"since": text}, f"since := '{text}'"),
        ({"until": text}, f"until := '{text}'"),
        ({"since": text, "until": (middle + timedelta(seconds=30)).isoformat()}, f"since := '{text}', until := '{text}'::TIMESTAMPTZ + INTERVAL 30 SECOND"),
        ({"until": text, "period": "1m"}, f"until := '{text}', period := '1m'"),
        ({"since": middle.strftime("%Y-%m-%d %H:%M:%S")}, f"since := '{middle:%Y-%m-%d %H:%M:%S}+00'"),
    ]:
        expected = rows(session, f"FROM oplog_operations({given})")
        assert expected, "it is to show something"
        assert_equal(client.ask("/operations", max_rows=10000, **query).json["operations"], expected)


def test_a_client_comes_through_all_pages(session, client):
    seen = []
    skip = 0
    while skip is not None:
        page = client.ask("/operations", max_rows=37, skip_rows=skip).json
        seen += [row["seq"] for row in page["operations"]]
        skip = page["next_skip_rows"]
    assert seen == [seq for (seq,) in session.execute("SELECT seq FROM oplog_operations()").fetchall()]
    assert len(seen) == 300


def test_a_large_answer_ends_early_and_says_where_to_go_on(session, client):
    text = "x" * 60_000
    session.execute("SELECT count(oplog_record({command: 'large', error_message: ?})) FROM range(600)", [text]).fetchall()
    page = client.ask("/operations", command="large", max_rows=10000)
    assert 16 * 2**20 <= len(page.body) < 17 * 2**20
    pages = [page.json]
    while pages[-1]["next_skip_rows"] is not None:
        assert pages[-1]["next_skip_rows"] == sum(page["rows"] for page in pages)
        assert pages[-1]["rows"] == len(pages[-1]["operations"]) < 10000
        pages.append(client.ask("/operations", command="large", max_rows=10000, skip_rows=pages[-1]["next_skip_rows"]).json)
    assert len(pages) == 3
    seen = [row["seq"] for page in pages for row in page["operations"]]
    assert seen == [seq for (seq,) in session.execute("SELECT seq FROM oplog_operations(command := 'large')").fetchall()]


def test_one_operation(session, client):
    for identifier, project in session.execute("SELECT id::VARCHAR, project_id FROM operation_log LIMIT 7").fetchall():
        expected = rows(session, f"FROM oplog_operation('{identifier}')")
        for path in (f"/operations/{identifier}", f"/operations/{identifier.replace('-', '').upper()}"):
            assert_equal([client.ask(path).json], expected)
        encoded = quote(project, safe="")
        assert_equal([client.ask(f"/projects/{encoded}/operations/{identifier}").json], expected)
        other = client.ask(f"/projects/other/operations/{identifier}")
        assert (other.status, identifier in other.error) == (404, True)
    unknown = client.ask("/operations/019a5f6e-0000-7000-8000-000000000000")
    assert unknown.status == 404
    assert "019a5f6e-0000-7000-8000-000000000000" in unknown.error


def with_times(summary: dict) -> dict:
    """The JSON of a summary with its times as SQL gives them."""
    times = {name: summary[name] and datetime.fromisoformat(summary[name]) for name in ("since", "until", "complete_since")}
    return {**summary, **times}



@pytest.mark.parametrize(
    "filters", [{}, {"period": "1h"}, {"period": "2m"}, {"command": "import"}, {"status": "error", "period": "7d"}, {"command": "nobody"}], ids=str
)
def test_stats_are_the_summary(session, client, filters):
    # An end that both are told, so that both mean the same hour.
    until = datetime.now(timezone.utc).isoformat()
    given = ", ".join(f"{name} := '{value}'" for name, value in {**filters, "until": until}.items())
    (expected,) = rows(session, f"FROM oplog_summary({given})")
    answered = client.ask("/operations/stats", until=until, **filters).json
    assert list(answered) == list(expected)
    # A MAP is an object in JSON.
    assert with_times(answered) == expected
    assert list(answered["by_command"]) == list(expected["by_command"])


def test_a_project_has_its_own_operations_and_stats(session, client):
    until = datetime.now(timezone.utc).isoformat()
    for project, path in [("alpha", "alpha"), ("beta/gamma", "beta%2Fgamma"), ("δ", "%CE%B4"), ("nobody", "nobody")]:
        expected = rows(session, f"FROM oplog_operations(project_id := '{project}', max_rows := 100)")
        assert len(expected) == (0 if project == "nobody" else 100)
        assert_equal(client.ask(f"/projects/{path}/operations").json["operations"], expected)
        failed = rows(session, f"FROM oplog_operations(project_id := '{project}', status := 'error', max_rows := 3)")
        assert_equal(client.ask(f"/projects/{path}/operations", status="error", max_rows=3).json["operations"], failed)
        (summary,) = rows(session, f"FROM oplog_summary(project_id := '{project}', until := '{until}')")
        assert with_times(client.ask(f"/projects/{path}/operations/stats", until=until).json) == summary


def test_an_answer_has_what_was_recorded_a_moment_before(session, client):
    session.execute("SET oplog_flush_interval = '1 hour'")
    for number in range(20):
        session.execute(f"SELECT oplog_record({{command: 'newest', rows_affected: {number}}})").fetchall()
        (newest,) = client.ask("/operations", command="newest", max_rows=1).json["operations"]
        assert newest["rows_affected"] == number


def test_no_value_makes_bad_json(connect):
    session = connect()
    client = serve(session)
    session.execute("SELECT oplog_record({command: 'nan', metadata: {x: 'nan'::DOUBLE, y: 'infinity'::DOUBLE}})").fetchall()
    session.execute("SELECT oplog_record({command: 'a' || chr(1) || chr(127) || chr(8232) || '</script>'})").fetchall()
    answered = client.ask("/operations").json["operations"]
    assert answered[0]["command"] == "a\x01\x7f\u2028</script>"
    assert answered[1]["metadata"] == {"x": None, "y": None}


def series(text: str) -> dict:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_those_of_prometheus_text(session, client):
    session.execute("CALL oplog_flush()")
    answer = client.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    (expected,) = session.execute("SELECT prometheus_text()").fetchone()
    served, expected = series(answer.body.decode()), series(expected)
    assert set(served) == set(expected)
    # Others are measured anew each time.
    steady = [key for key in expected if key[0].startswith("duckdb_operation")]
    assert len(steady) > 10
    assert {key: served[key] for key in steady} == {key: expected[key] for key in steady}


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.1",
        "*/*",
        "application/json",
        "",
        ";;;,q=,/,\t",
    ],
)
def test_the_content_is_of_the_type_that_it_says(client, accept):
    answer = client.ask("/metrics", headers={"Accept": accept})
    assert answer.status == 200
    kind, _, rest = answer.headers["content-type"].partition(";")
    assert (kind, rest) in [
        ("text/plain", " version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", " version=1.0.0; charset=utf-8"),
    ]
    assert answer.body.endswith(b"# EOF\n") == (kind == "application/openmetrics-text")
    assert (kind == "text/plain") == (not accept.startswith("application/openmetrics-text"))


def test_health_says_how_the_log_does(client, session):
    answer = client.ask("/health")
    assert answer.status == 200
    assert answer.json["status"] == "pass"
    ((told,),) = session.execute(
        "SELECT map_from_entries(list((component, status))) FROM oplog_health() WHERE component NOT IN ('overall', 'alerts')"
    ).fetchall()
    assert {name: check["status"] for name, (check,) in answer.json["checks"].items()} == told


def test_a_log_in_memory_in_place_of_one_that_cannot_be_opened_is_a_warning(connect, tmp_path):
    host = tmp_path / "app.duckdb"
    (tmp_path / "app.duckdb.oplog").mkdir()
    session = connect(host)
    assert session.execute("SELECT value FROM oplog_status() WHERE name = 'role'").fetchone() == ("fallback",)
    answer = serve(session).ask("/health")
    assert (answer.status, answer.json["status"]) == (200, "warn")
    assert "cannot be opened where it should be" in answer.json["checks"]["log"][0]["output"]


PATHS = ["/metrics", "/health", "/operations", "/operations/stats", "/projects/alpha/operations", "/projects/alpha/operations/stats"]


@pytest.mark.parametrize("path", [*PATHS, "/operations/{id}", "/nowhere", "/operations?max_rows=x"])
def test_head_has_the_headers_and_no_body(session, client, path):
    (identifier,) = session.execute("SELECT id::VARCHAR FROM operation_log LIMIT 1").fetchone()
    path = path.format(id=identifier)
    head, get = client.ask(path, "HEAD"), client.ask(path)
    assert (head.status, head.body) == (get.status, b"")
    assert len(get.body) > 0
    # Metrics change, and so does the end of a period that is now.
    differing = {"date", "content-length"} if path == "/metrics" or path.endswith("/stats") else {"date"}
    assert {n: v for n, v in head.headers.items() if n not in differing} == {n: v for n, v in get.headers.items() if n not in differing}
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", [*PATHS, "/nowhere"])
def test_nothing_is_kept_or_taken_for_something_else(client, path):
    headers = client.ask(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_one_connection_takes_many_requests(client):
    connection = http.client.HTTPConnection(client.address, client.port, timeout=20)
    for path in PATHS * 20:
        connection.request("GET", path)
        assert read(connection).status == 200
    first = connection.sock
    connection.request("GET", "/health")
    assert read(connection).status == 200
    assert connection.sock is first, "it was to stay open"
    connection.close()
