"""What version 0.1.0 has left is taken over whole, and each thing once: logs, journals, spools, files of spans, and all that
a log remembers besides. test/fixtures/0.1.0 says how the samples were made.
"""

from __future__ import annotations

import signal
import time

import duckdb
import pytest

from harness import commands_in_log, faults, record, run_python
from harness.ledger import assert_gapless, assert_whole, status
from harness.upgrades import answers, connect_to, samples, unpack

VERSION = "0.1.0"
SAMPLES = samples(VERSION)


@pytest.fixture(autouse=True)
def restored_path(monkeypatch):
    # connect_to() sets it.
    monkeypatch.setenv("OPLOG_PATH", "")


def comparable(answers: dict) -> dict:
    """Spans that were interrupted come after all else, in no order that was ever promised."""
    operations = []
    for operation in answers["operations"]:
        operations.append({**operation, "seq": None if operation["status"] == "interrupted" else operation["seq"]})
    return {**answers, "operations": sorted(operations, key=lambda operation: operation["id"])}


def assert_taken_over(session, expected: dict) -> None:
    # What a guest has left is looked for after LOAD.
    end = time.monotonic() + 30
    while (found := answers(session))["operations"] == [] or len(found["operations"]) < len(expected["operations"]):
        if time.monotonic() > end or not expected["operations"]:
            break
        time.sleep(0.1)
    for part in expected:
        assert comparable(found)[part] == comparable(expected)[part], part
    assert status(session)["role"] == "owner", status(session)["notes"]
    assert int(status(session)["lost_operations"]) == 0, status(session)["notes"]
    assert_whole(session)
    assert_gapless(session)


def names(directory) -> set[str]:
    return {path.name for path in directory.iterdir() if not path.name.endswith(".journal.lock")}


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_a_process_has_left_is_taken_over(sample, tmp_path):
    expected = unpack(VERSION, sample, tmp_path)
    session = connect_to(tmp_path)
    assert_taken_over(session, expected)
    # It goes on where the old one ended.
    before = len(expected["operations"])
    record(session, "new")
    deleted = sum(part["deleted_operations"] for part in expected["retention"])
    assert session.execute("SELECT max(seq) FROM operation_log").fetchone() == (before + deleted + 1,)
    session.close()
    # Nothing is left beside the log: no journal, no spool, nothing that was set aside.
    kept = {"app.duckdb", "app.duckdb.oplog", "kept.oplog"} if "moved" in sample else {"app.oplog"}
    assert names(tmp_path) == kept
    session = connect_to(tmp_path)
    found = answers(session)
    assert found["operations"].pop()["command"] == "new"
    assert comparable(found)["operations"] == comparable(expected)["operations"]
    assert found["settings"] == expected["settings"] and found["rules"] == expected["rules"]
    session.close()


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.startswith("settings")])
def test_settings_mean_what_they_meant(sample, tmp_path):
    unpack(VERSION, sample, tmp_path)
    session = connect_to(tmp_path)
    for command, status_, days in [("kept", "success", 13), ("old", "success", 15), ("kept error", "error", 80), ("old error", "error", 100)]:
        session.execute(f"SELECT oplog_record({{command: '{command}', status: '{status_}', timestamp: now() - to_days({days})}})").fetchall()
    session.execute("CALL oplog_purge()").fetchall()
    assert commands_in_log(session) == ["kept", "kept error"]
    session.close()


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.startswith("closed")])
def test_metadata_that_no_function_of_json_reads_is_repaired(sample, tmp_path):
    """Version 0.1.0 took lone surrogates. A function of JSON that meets one ends the query, in DuckDB 2 the process."""
    unpack(VERSION, sample, tmp_path)
    metadata = {
        "half": r'{"x": "a\ud800b"}',
        "pair": r'{"x": "\ud83d\ude00"}',
        "no escape": r'{"x": "\\ud800"}',
    }
    with duckdb.connect(str(tmp_path / "app.oplog")) as log:
        seqs = [seq for (seq,) in log.execute("SELECT seq FROM operation_log ORDER BY seq LIMIT 3").fetchall()]
        for seq, text in zip(seqs, metadata.values()):
            log.execute("UPDATE operation_log SET metadata = ? WHERE seq = ?", [text, seq])
    session = connect_to(tmp_path)
    found = session.execute(
        "SELECT metadata ->> '$.x' FROM operation_log WHERE seq <= ? ORDER BY seq LIMIT 3", [seqs[-1]]
    ).fetchall()
    assert found == [("a\ufffdb",), ("\U0001f600",), ("\\ud800",)]
    session.close()


def test_there_are_samples_of_both_engines():
    made = {sample.rsplit("-", 1)[1] for sample in SAMPLES}
    assert made == {"1.5.6", "2.0.0"}
    assert len(SAMPLES) == 14


TAKE_OVER = """
    import os, sys, time
    from harness import faults
    from harness.upgrades import connect_to
    session = connect_to(sys.argv[1])
    session.execute("CALL oplog_flush()")
    # For the spools.
    end = time.monotonic() + (10 if any(".spool-" in name for name in os.listdir(sys.argv[1])) else 0)
    while time.monotonic() < end and any(".spool-" in name and "lock" not in name for name in os.listdir(sys.argv[1])):
        time.sleep(0.05)
    print(faults.control().hits(0), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("sample", ["killed-duckdb-1.5.6", "spans-duckdb-1.5.6", "spool-duckdb-1.5.6"])
def test_a_kill_while_it_is_taken_over_changes_nothing(sample, tmp_path):
    """At some of the operations on files that taking it over consists of."""
    counted = tmp_path / "counted"
    counted.mkdir()
    expected = unpack(VERSION, sample, counted)
    every = faults.Rule(faults.CHANGES, "*/app.oplog*", faults.COUNT)
    operations = int(run_python(TAKE_OVER, counted, env=faults.environment(every), exit_code=-signal.SIGKILL))
    assert operations > 10
    for part in (1, 3, 5):
        directory = tmp_path / str(part)
        directory.mkdir()
        unpack(VERSION, sample, directory)
        kill = faults.Rule(faults.CHANGES, "*/app.oplog*", faults.KILL, skip=operations * part // 6)
        run_python(TAKE_OVER, directory, env=faults.environment(kill), exit_code=-signal.SIGKILL)
        session = connect_to(directory)
        try:
            assert_taken_over(session, expected)
        finally:
            session.close()
