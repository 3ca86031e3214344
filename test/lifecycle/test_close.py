"""However a process lets go of a host database, the file is free at once and no record is missing."""

from __future__ import annotations

import pytest

from harness import commands_in_log, connect, record, run_python

EXPECTED = ["first", "second", "third"]

# Opens the file as another service would: to write, and without oplog.
WRITE_WITHOUT_OPLOG = """
    import sys, duckdb
    connection = duckdb.connect(sys.argv[1])
    connection.execute("CREATE TABLE written_by_another_process AS SELECT 1")
    connection.close()
"""

READ_LOG = """
    import sys
    from harness import commands_in_log, connect
    print(*commands_in_log(connect(sys.argv[1])))
"""


def assert_free_and_complete(host) -> None:
    run_python(WRITE_WITHOUT_OPLOG, host)
    assert run_python(READ_LOG, host).split() == EXPECTED


def test_close_frees_the_file_at_once(host):
    connection = connect(host)
    for command in EXPECTED:
        record(connection, command)
    connection.close()
    assert_free_and_complete(host)


def test_close_of_the_last_connection_frees_the_file(host):
    # DuckDB's client shares one instance between connections to one path.
    first, second = connect(host), connect(host)
    record(first, "first")
    first.close()
    record(second, "second")
    record(second, "third")
    second.close()
    assert_free_and_complete(host)


def test_close_leaves_no_wal_behind(host):
    # DuckDB checkpoints and removes the WAL only if nothing else holds the instance.
    connection = connect(host)
    connection.execute("CREATE TABLE t AS SELECT 1 AS i")
    record(connection, "first")
    connection.close()
    assert not host.with_name(host.name + ".wal").exists()


@pytest.mark.parametrize(
    "ending, exit_code",
    [
        ("", 0),
        ("connection.close()", 0),
        ("del connection", 0),
        ("sys.exit(3)", 3),
        ("raise SystemExit", 0),
        ("raise ValueError('not caught')", 1),
        ("connection.execute('BEGIN'); connection.execute('CREATE TABLE open_transaction (i INTEGER)')", 0),
        ("connection.execute('FROM range(1000000)')", 0),
    ],
    ids=["end", "close", "del", "sys-exit", "system-exit", "exception", "open-transaction", "pending-result"],
)
def test_process_that_ends(host, ending, exit_code):
    snippet = f"""
import sys
from harness import connect, record
connection = connect(sys.argv[1])
for command in {EXPECTED}:
    record(connection, command)
{ending}
"""
    run_python(snippet, host, exit_code=exit_code)
    assert_free_and_complete(host)


def test_reopening_in_one_process_goes_on_with_the_log(host):
    for command in EXPECTED:
        connection = connect(host)
        record(connection, command)
        connection.close()
    with connect(host) as connection:
        assert commands_in_log(connection) == EXPECTED
        (sequence,) = connection.execute("SELECT list(seq ORDER BY seq) FROM operation_log").fetchone()
        assert sequence == list(range(sequence[0], sequence[0] + len(EXPECTED)))


def test_lock_is_held_while_the_host_is_open(host):
    # The counter-check: were the file never locked, the tests above would show nothing.
    with connect(host) as connection:
        record(connection, "first")
        run_python(WRITE_WITHOUT_OPLOG, host, exit_code=1)
