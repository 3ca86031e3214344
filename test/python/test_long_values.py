"""Errors repeat the beginning of a value, however long it is."""

import duckdb
import pytest

from harness import connect

LONG = "z" * 100_000


@pytest.fixture(scope="module")
def session():
    with connect() as session:
        yield session


@pytest.mark.parametrize(
    "sql",
    [
        f'SELECT oplog_record({{command: \'x\', "{LONG}": 1}})',
        "SELECT oplog_record({command: 'x', status: $1})",
        "SELECT oplog_record({command: 'x', duration_ms: $1})",
        "SELECT oplog_record({command: 'x', rows_affected: $1})",
        "SELECT oplog_record({command: 'x', traceparent: $1})",
        "SELECT oplog_record({command: 'x', metadata: $1})",
        "SELECT oplog_record($1)",
        "SELECT oplog_record('{\"' || $1 || '\": 1}')",
        f"SELECT oplog_record({{command: 'x', metadata: {{\"{LONG}\": 1::BIGNUM}}}})",
        "SELECT oplog_finish($1)",
        "SELECT oplog_gauge($1, 1)",
        "SELECT oplog_gauge('g', MAP {$1: 'x'}, 1)",
        f"SELECT oplog_gauge('g', {{\"{LONG}\": 1}}, 1)",
        "SELECT oplog_describe($1, 'x', 'help')",
        "SELECT oplog_describe('a', $1, 'help')",
        "SELECT oplog_describe('a', 'histogram', 'help', [1e300 - i * 1e290 for i in range(200)])",
        "SELECT prometheus_text([{name: $1, value: 1}])",
        "SELECT prometheus_text([{name: $1, value: 1, type: $1}])",
        "SELECT prometheus_text([{name: 'a', value: $1}])",
        f"SELECT prometheus_text([{{name: 'a', value: 1, \"{LONG}\": 1}}])",
        "FROM oplog_operations(status := $1)",
        "FROM oplog_operations(period := $1)",
        "FROM oplog_stats(by := $1)",
        "FROM oplog_timeline(bucket := $1)",
        "FROM oplog_operation($1)",
        "CALL oplog_open($1 || chr(0))",
        "CALL oplog_serve(address := $1)",
        "CALL oplog_alert_set('a', metric := $1, threshold := 1)",
        "CALL oplog_alert_set('a', metric := 'max_duration_ms', comparison := $1, threshold := 1)",
        "CALL oplog_alert_set('a', metric := 'max_duration_ms', period := $1, threshold := 1)",
        "CALL oplog_alert_drop($1)",
    ],
    ids=lambda sql: sql.replace(LONG, "…"),
)
def test_an_error_is_short(session, sql):
    with pytest.raises(duckdb.Error) as caught:
        session.execute(sql, [LONG] if "$1" in sql else None).fetchall()
    # DuckDB shows a part of the statement behind a binder's error.
    said = str(caught.value).split("\n\nLINE ")[0]
    assert len(said) < 1_000, said[:200]
