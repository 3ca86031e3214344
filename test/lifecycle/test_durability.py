"""`oplog_durability`: what each value promises, and what a kill leaves of the records of each."""

from __future__ import annotations

import pytest

from harness import record, run_python
from harness.ledger import Ledger, assert_gapless, hold_back, segments_of, status

# Prints what is acknowledged under each durability, as `durability id`, and is killed at the end.
RECORDS = """
    import os, signal, sys
    from harness import connect
    from harness.ledger import hold_back
    session = connect(sys.argv[1])
    hold_back(session)

    def say(word, statement):
        for identifier, in session.execute(statement).fetchall():
            print(word, identifier, flush=True)

    def under(durability, rows=1):
        session.execute(f"SET oplog_durability = '{durability}'")
        say(durability, f"SELECT oplog_record({{command: '{durability}'}})::VARCHAR FROM range({rows})")

    def die():
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def run(host, code: str, *, killed: bool) -> dict[str, list[str]]:
    """Runs a snippet behind RECORDS; the ids that it printed, by durability."""
    output = run_python(RECORDS + code + ("\n    die()" if killed else ""), host, exit_code=-9 if killed else 0)
    ids: dict[str, list[str]] = {"process": [], "os": [], "memory": []}
    for line in output.splitlines():
        word, identifier = line.split()
        ids[word].append(identifier)
    return ids


def ids_by_command(session) -> dict[str, list[str]]:
    rows = session.execute("SELECT command, id::VARCHAR FROM operation_log ORDER BY seq").fetchall()
    return {word: [identifier for command, identifier in rows if command == word] for word in ("process", "os", "memory")}


@pytest.mark.parametrize("durability", ["process", "os", "memory", "OS", " Process "])
def test_a_value_is_accepted_and_kept(connect, host, durability):
    with connect(host) as session:
        session.execute(f"SET oplog_durability = '{durability}'")
        assert record(session, "import")
        assert status(session)["notes"] is None
    session = connect(host)
    assert session.execute(
        "SELECT value, is_set FROM oplog_settings() WHERE name = 'oplog_durability'"
    ).fetchall() == [(durability.strip().lower(), True)]


def test_nonsense_is_noted_and_changes_nothing(connect, host):
    session = connect(host)
    session.execute("SET oplog_durability = 'os'")
    record(session, "one")
    session.execute("SET oplog_durability = 'eternal'")
    record(session, "two")
    notes = status(session)["notes"]
    assert "oplog_durability" in notes and "'eternal'" in notes and "process, os or memory" in notes
    assert session.execute("SELECT value FROM oplog_settings() WHERE name = 'oplog_durability'").fetchall() == [("os",)]
    assert int(status(session)["journal_syncs"]) == 2


def test_os_waits_for_the_disk(connect, host):
    session = connect(host)
    record(session, "process")
    assert status(session)["journal_syncs"] == "0"
    session.execute("SET oplog_durability = 'os'")
    for syncs in range(1, 4):
        record(session, "os")
        assert status(session)["journal_syncs"] == str(syncs)
    session.execute("SET oplog_durability = 'process'")
    record(session, "process")
    assert status(session)["journal_syncs"] == "3"


def test_memory_writes_no_journal(connect, host):
    session = connect(host)
    session.execute("SET oplog_durability = 'memory'")
    hold_back(session)
    record(session, "memory")
    assert segments_of(host) == []
    session.execute("SET oplog_durability = 'process'")
    record(session, "process")
    assert len(segments_of(host)) == 1


@pytest.mark.parametrize("durability", ["process", "os", "memory"])
def test_an_orderly_close_loses_nothing(connect, host, durability):
    ids = run(host, f"    under('{durability}', 5000)\n    under('{durability}')", killed=False)
    assert ids_by_command(connect(host)) == ids


@pytest.mark.parametrize("durability", ["process", "os"])
def test_a_kill_loses_nothing(connect, host, durability):
    ids = run(host, f"    under('{durability}', 5000)\n    under('{durability}')", killed=True)
    assert ids_by_command(connect(host)) == ids


def test_a_kill_loses_only_what_memory_had_not_committed(connect, host):
    ids = run(
        host,
        """
    under("memory", 3000)
    session.execute("CALL oplog_flush()")
    under("memory", 3000)""",
        killed=True,
    )
    session = connect(host)
    kept = ids_by_command(session)["memory"]
    assert kept == ids["memory"][:3000]
    assert status(session)["lost_operations"] == "0", "what was not to be journaled is no loss that anybody reports"
    record(session, "process")
    assert_gapless(session)


SWITCHES = """
    for step in range(12):
        under(["process", "memory", "os", "memory", "memory", "process"][step % 6], 1 + 700 * (step % 3))
"""


def test_switching_loses_nothing_on_an_orderly_close(connect, host):
    ids = run(host, SWITCHES, killed=False)
    session = connect(host)
    assert ids_by_command(session) == ids
    assert assert_gapless(session) == sum(map(len, ids.values()))


def test_a_kill_after_switching_loses_only_what_was_in_memory(connect, host):
    ids = run(host, SWITCHES, killed=True)
    session = connect(host)
    kept = ids_by_command(session)
    assert kept["process"] == ids["process"]
    assert kept["os"] == ids["os"]
    assert set(kept["memory"]) <= set(ids["memory"])
    assert status(session)["lost_operations"] == "0"
    assert status(session)["notes"] is None
    # The numbers of those that memory lost stay unused, or are given anew; those that are there are different.
    record(session, "process")
    assert session.execute("SELECT count(*) = count(DISTINCT seq), count(*) = count(DISTINCT id) FROM operation_log").fetchall() == [
        (True, True)
    ]


def test_switching_with_commits_in_between_and_a_kill(connect, host):
    ids = run(
        host,
        """
    session.execute("SET oplog_flush_interval = '1 ms'")
    import time
    for step in range(60):
        under(["process", "memory", "os"][step % 3], 1 + step)
        if step % 7 == 0:
            time.sleep(0.005)""",
        killed=True,
    )
    session = connect(host)
    kept = ids_by_command(session)
    assert kept["process"] == ids["process"]
    assert kept["os"] == ids["os"]
    # What memory lost is an end of it: commits go in order.
    assert kept["memory"] == ids["memory"][: len(kept["memory"])]
    assert status(session)["lost_operations"] == "0"


def test_a_kill_and_a_kill_again(connect, host):
    ledger = Ledger()
    for _ in range(3):
        ids = run(host, "    under('process', 10)\n    under('os', 10)", killed=True)
        ledger.acknowledged += ids["process"] + ids["os"]
    ledger.check(connect(host))
