"""A panic in any callback is an SQL error, and the session goes on."""

import duckdb
import pytest

from harness import run_python
from harness.sessions import EXTENSION

PANICS = EXTENSION.with_name("host_panics.duckdb_extension")


@pytest.fixture
def session():
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as session:
        session.execute(f"LOAD '{PANICS}'")
        yield session


@pytest.mark.parametrize(
    ("query", "callback"),
    [
        ("SELECT scalar_start()", "start"),
        ("SELECT scalar_plan()", "plan"),
        ("SELECT scalar_call()", "call"),
        ("FROM table_bind()", "bind"),
        ("FROM table_start()", "start"),
        ("FROM table_next()", "next"),
        ("FROM replacement", "replacement"),
    ],
)
def test_a_panic_is_an_error_that_says_what_panicked(session, query, callback):
    for _ in range(3):
        with pytest.raises(duckdb.Error, match=f"internal error in oplog.*panicked in {callback}"):
            session.execute(query).fetchall()
        assert session.execute("SELECT 42").fetchall() == [(42,)]


@pytest.mark.parametrize("query", ["SELECT scalar_drop()", "FROM table_drop()"])
def test_a_panic_in_a_destructor_goes_unnoticed(session, query):
    for _ in range(3):
        assert session.execute(query).fetchall() == [(1,)]


def test_a_panic_during_load_is_the_error_of_load_and_nothing_is_left_of_it():
    code = f"""
        import duckdb, os
        os.environ["HOST_PANICS_IN_LOAD"] = "1"
        session = duckdb.connect(config={{"allow_unsigned_extensions": "true"}})
        try:
            session.execute("LOAD '{PANICS}'")
        except duckdb.Error as error:
            print(error)
        left = "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'scalar~_%' ESCAPE '~'"
        print("left", session.execute(left).fetchall())
        del os.environ["HOST_PANICS_IN_LOAD"]
        session.execute("LOAD '{PANICS}'")
        print("then", session.execute(left).fetchall())
    """
    out = run_python(code)
    assert "internal error in oplog" in out and "panicked in load" in out
    assert "left [(0,)]" in out
    assert "then [(4,)]" in out
