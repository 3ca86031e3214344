"""Arrow brings bytes into a VARCHAR that are no UTF-8: they are refused with an error, or counted, and harm nothing."""

import duckdb
import pyarrow
import pytest

from harness import connect

LATIN_1 = b"caf\xe9, in latin-1"
LONG = LATIN_1 + b"x" * 100_000
SHOWN = r"no UTF-8 \('caf\\xE9, in latin-1'\): decode the text before it gets to DuckDB"


def texts(*values: bytes) -> pyarrow.Table:
    """A table `s` whose bytes nobody has checked, as a careless producer writes them."""
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value))
    packed = b"".join(offset.to_bytes(4, "little") for offset in offsets)
    column = pyarrow.Array.from_buffers(
        pyarrow.utf8(), len(values), [None, pyarrow.py_buffer(packed), pyarrow.py_buffer(b"".join(values))]
    )
    return pyarrow.table({"s": column})


@pytest.fixture
def session():
    with connect() as session:
        session.register("bad", texts(LATIN_1))
        yield session


def value(session, sql):
    ((value,),) = session.execute(sql).fetchall()
    return value


RECORDS = [
    ("oplog_record({command: s})", "command is"),
    ("oplog_record({command: 'x', error_message: s})", "error_message is"),
    ("oplog_record({command: 'x', status: s})", "status is"),
    ("oplog_record({command: 'x', duration_ms: s})", "duration_ms is"),
    ("oplog_record({command: 'x', rows_affected: s})", "rows_affected is"),
    ("oplog_record({command: 'x', timestamp: s})", "timestamp is"),
    ("oplog_record({command: 'x', traceparent: s})", "traceparent is"),
    ("oplog_record({command: 'x', metadata: s})", "metadata is"),
    ("oplog_record({command: 'x', metadata: {a: [s]}})", "metadata has a value that is"),
    ("oplog_record(s)", "the operation is"),
    ("oplog_record(s, 'success', 1)", "command is"),
    ("oplog_start({command: 'x', table_name: s})", "table_name is"),
    ("oplog_finish(s)", "id is"),
]

METRICS = [
    ("oplog_counter('a_total', {l: s})", "label 'l' is"),
    ("oplog_counter('a_total', MAP {'l': s})", "label 'l' is"),
    ("oplog_gauge(s, 1)", "metric name is"),
    ("oplog_describe(s, 'gauge', 'help')", "metric name is"),
    ("oplog_describe('a', s, 'help')", "type is"),
    ("oplog_describe('a', 'gauge', s)", "help is"),
]

SAMPLES = [
    ("prometheus_text([{name: s, value: 1}])", "the name of a sample is"),
    ("prometheus_text([{name: 'a', value: 1, help: s}])", "the help of a sample is"),
    ("openmetrics_text([{name: 'a', value: 1, type: s}])", "the type of a sample is"),
    ("openmetrics_text([{name: 'a', value: 1, labels: {l: s}}])", "label 'l' is"),
]


@pytest.mark.parametrize(("call", "what"), RECORDS + METRICS + SAMPLES)
def test_the_error_names_what_it_is_and_the_remedy(session, call, what):
    with pytest.raises(duckdb.InvalidInputException, match=f"{what} {SHOWN}"):
        session.execute(f"SELECT {call} FROM bad").fetchall()
    # Nothing was kept, and all goes on.
    session.execute("SELECT oplog_record({command: 'after'}), oplog_counter('after_total')").fetchall()
    session.execute("CALL oplog_flush()").fetchall()
    assert session.execute("SELECT command FROM operation_log").fetchall() == [("after",)]
    assert value(session, "SELECT count(*) FROM oplog_active()") == 0
    assert value(session, "SELECT length(prometheus_text()) > 1000 AND length(openmetrics_text()) > 1000")


@pytest.mark.parametrize(("call", "what"), RECORDS)
def test_not_strict_it_is_null_and_counted(session, call, what):
    session.execute("SET oplog_strict = false")
    assert value(session, f"SELECT {call} FROM bad") is None
    assert value(session, "SELECT value FROM oplog_status() WHERE name = 'rejected_operations'") == "1"
    assert value(session, "SELECT count(*) FROM operation_log") == 0


@pytest.mark.parametrize(("call", "what"), METRICS)
def test_not_strict_an_update_of_a_metric_is_null(session, call, what):
    session.execute("SET oplog_strict = false")
    assert value(session, f"SELECT {call} FROM bad") is None


def test_healthy_rows_of_the_same_chunk_are_recorded_when_not_strict(session):
    session.execute("SET oplog_strict = false")
    healthy = ["ascii", "größe", "€uro and more than twelve bytes", "", "tiny é"]
    session.register("mixed", texts(*(text.encode() for text in healthy[:2]), LATIN_1, LONG, *(text.encode() for text in healthy[2:])))
    assert value(session, "SELECT count(oplog_record({command: 'x', table_name: s})) FROM mixed") == len(healthy)
    kept = session.execute("SELECT table_name FROM operation_log ORDER BY seq").fetchall()
    assert [text for (text,) in kept] == healthy


@pytest.mark.parametrize("cut", [b"\xc3", b"twelve bytes\xc3", b"more than twelve byte\xe2\x82", b"\xf0\x9f\x98 in the middle of it"])
def test_a_character_that_was_cut_is_no_text(session, cut):
    session.register("half", texts(cut))
    with pytest.raises(duckdb.InvalidInputException, match="table_name is no UTF-8"):
        session.execute("SELECT oplog_record({command: 'x', table_name: s}) FROM half").fetchall()


def test_a_long_one_is_cut_in_the_error(session):
    session.register("long", texts(LONG))
    with pytest.raises(duckdb.InvalidInputException) as caught:
        session.execute("SELECT oplog_record({command: s}) FROM long").fetchall()
    assert len(str(caught.value)) < 300


def test_the_log_is_whole_after_a_restart(tmp_path):
    with connect(tmp_path / "app.duckdb") as session:
        session.register("bad", texts(LATIN_1))
        for sql in ("oplog_record({command: 'x', error_message: s})", "oplog_start({command: 'x', table_name: s})"):
            with pytest.raises(duckdb.InvalidInputException):
                session.execute(f"SELECT {sql} FROM bad").fetchall()
        session.execute("SELECT oplog_record({command: 'healthy'})").fetchall()
    with connect(tmp_path / "app.duckdb") as session:
        assert session.execute("SELECT command FROM operation_log").fetchall() == [("healthy",)]
        assert session.execute("SELECT component FROM oplog_health() WHERE status <> 'pass'").fetchall() == []
