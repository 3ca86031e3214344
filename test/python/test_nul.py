"""A NUL is a character like any other: stored, filtered and labelled whole. A path has none."""

import json

import duckdb
import pytest

from harness import connect
from harness.web import serve

TEXT = "acme\0eu"


@pytest.fixture
def session():
    with connect() as session:
        session.execute("SELECT oplog_record({command: 'plain', project_id: 'acme'})").fetchall()
        session.execute("SELECT oplog_record({command: $1, project_id: $1, table_name: $1})", [TEXT]).fetchall()
        yield session


def test_it_is_stored_whole(session):
    assert session.execute("SELECT command, project_id, table_name FROM operation_log ORDER BY seq").fetchall()[1] == (TEXT,) * 3


@pytest.mark.parametrize("parameter", ["command", "project_id", "table_name"])
def test_a_filter_matches_the_whole_text(session, parameter):
    sql = f"SELECT command FROM oplog_operations({parameter} := $1)"
    assert session.execute(sql, [TEXT]).fetchall() == [(TEXT,)]
    assert session.execute(sql, ["acme\0other"]).fetchall() == []
    assert session.execute(sql, ["acme"]).fetchall() == ([("plain",)] if parameter == "project_id" else [])


def test_http_filters_by_it_too(session):
    client = serve(session)
    assert [o["command"] for o in client.ask("/operations", project_id=TEXT).json["operations"]] == [TEXT]


def test_a_label_and_an_alert_rule_keep_it(session):
    session.execute("SELECT oplog_counter('x_total', MAP {'l': $1})", [TEXT]).fetchall()
    assert session.execute("SELECT labels FROM oplog_metrics() WHERE name = 'x_total'").fetchall() == [({"l": TEXT},)]
    session.execute(
        "CALL oplog_alert_set('slow', metric := 'max_duration_ms', threshold := 1, command := $1, summary := $1)", [TEXT]
    ).fetchall()
    rule = session.execute("SELECT command, summary FROM oplog_alert_rules() WHERE name = 'slow'").fetchall()
    assert rule == [(TEXT, TEXT)]


def test_metadata_escapes_it(session):
    session.execute("SELECT oplog_record({command: 'meta', metadata: {k: $1}})", [TEXT]).fetchall()
    ((metadata,),) = session.execute("SELECT metadata FROM operation_log WHERE command = 'meta'").fetchall()
    assert json.loads(metadata) == {"k": TEXT}


def test_a_path_has_none(session, tmp_path):
    with pytest.raises(duckdb.Error, match=r"oplog_open: path is '.*': no path has a NUL character"):
        session.execute("CALL oplog_open($1)", [f"{tmp_path}/a\0.oplog"]).fetchall()
    assert list(tmp_path.iterdir()) == []
