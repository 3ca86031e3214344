"""What is injected is what a failure names, and the check of what it left fails where it should."""

from __future__ import annotations

import pytest

from harness import connect, record, run_python
from harness.injection import ACTIONS, DIRECTORY, FITTING, SCENARIOS, Fault, Said, check, pattern


@pytest.mark.parametrize(
    "name, expected",
    [
        ("app.duckdb.oplog", "*/app.duckdb.oplog"),
        ("app.duckdb.oplog.wal", "*/app.duckdb.oplog.wal"),
        ("app.duckdb.oplog.journal.000012", "*/app.duckdb.oplog.journal.0*"),
        ("app.duckdb.oplog.spool-1795884644600-5147-0.journal.000001", "*/app.duckdb.oplog.spool-*.journal.0*"),
        ("app.duckdb.oplog.spool-1795884644600-5147-0.journal.spans", "*/app.duckdb.oplog.spool-*.journal.spans"),
    ],
)
def test_a_file_is_told_from_the_others_whatever_its_numbers_are(name, expected):
    assert pattern(f"/tmp/case/{DIRECTORY}/{name}") == expected


def test_a_name_stands_for_one_fault():
    fault = Fault("moving", "sync", "*/new.oplog.wal", 3, "eio3", "killed")
    assert Fault.read(str(fault)) == fault
    assert {action for fitting in FITTING.values() for action in fitting} == set(ACTIONS)
    assert "moving" in SCENARIOS


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / DIRECTORY
    directory.mkdir()
    return directory


def test_a_record_that_is_missing_is_seen(directory):
    with connect(directory / "app.duckdb") as session:
        said = Said(0, acknowledged=[record(session, "there") for _ in range(3)])
    check(directory, [said])
    with pytest.raises(AssertionError, match="1 of 4 acknowledged are missing"):
        check(directory, [said, Said(0, acknowledged=["01a22300-0000-7000-8000-000000000000"])])
    with pytest.raises(AssertionError, match="1 of 1 spans are missing"):
        check(directory, [Said(0, spans=["01a22300-0000-7000-8000-000000000000"])])


@pytest.mark.parametrize(
    "change, seen",
    [
        (
            "INSERT INTO operation_log SELECT * REPLACE (uuid() AS id, seq + 2 AS seq) FROM operation_log WHERE seq = 3",
            "4 rows are there and 0 deleted, and the last seq is 5",
        ),
        ("UPDATE metric_values SET value = value + 1 WHERE family = 'duckdb_operations_total' AND part = 'value'", "is 4; 3 operations"),
    ],
)
def test_numbers_that_do_not_agree_are_seen(directory, change, seen):
    with connect(directory / "app.duckdb") as session:
        for _ in range(3):
            record(session, "there")
    # By a process without oplog, as nobody may.
    run_python(
        """
        import sys
        import duckdb
        duckdb.connect(sys.argv[1]).execute(sys.argv[2])
        """,
        directory / "app.duckdb.oplog",
        change,
    )
    with pytest.raises(AssertionError, match=seen):
        check(directory, [])
