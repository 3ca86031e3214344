"""kill -9 at any moment: what was acknowledged is in the log exactly once, and nothing is there by half.

100 kills in each engine, which is 200 in a run of `make test`; OPLOG_TEST_KILLS sets another number. OPLOG_TEST_SEED repeats a
run's moments.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time

import pytest

from harness import connect, record, run_python
from harness.ledger import Ledger, assert_gapless, assert_totals, assert_whole, ids_in_log, segments_of, sidecar_of, status
from harness.processes import command, environment

KILLS = int(os.environ.get("OPLOG_TEST_KILLS", "100"))
SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

# Prints `loading` before LOAD, then the ids of each statement on a line once they are acknowledged. Half a line was
# acknowledged too, but nobody knows of what.
VICTIM = """
    import os, random, sys, threading, time
    import duckdb
    from harness import connect
    from harness.ledger import recording
    path, run, life, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    EXPIRED = "SELECT oplog_record({command: 'expired', timestamp: TIMESTAMPTZ '2001-01-01 00:00:00Z'})"
    out = threading.Lock()
    # A thread that fails ends the process, which is not what ends it otherwise.
    threading.excepthook = lambda failed: (sys.__excepthook__(*failed[:3]), os._exit(3))

    def say(text):
        with out:
            data = text.encode() + b"\\n"
            while data:
                data = data[os.write(1, data):]

    def record(session, thread, until=lambda: False):
        chance = random.Random(f"{seed}-{thread}")
        statement = 0
        while not until():
            statement += 1
            rows = chance.choice([1] * 20 + [3, 40, 40, 500, 2048, 5000])
            # Most of what a transaction does is undone, or stays open for good; what it recorded is not.
            transaction = chance.choice(["", "", "BEGIN", "ROLLBACK", "COMMIT"])
            if transaction:
                session.execute("BEGIN")
                session.execute("CREATE OR REPLACE TEMP TABLE t AS SELECT 1 AS i")
            name = f"{run}-{thread}-{statement}"
            ids = session.execute(recording(name, rows)).fetchall()
            say(" ".join(identifier for identifier, in ids))
            if transaction == "BEGIN":
                session = session.cursor()
            elif transaction:
                session.execute(transaction)

    def disturbing(session):
        chance = random.Random(f"{seed}-disturbing")
        while True:
            session.execute(EXPIRED)
            statement = chance.choice([
                "CALL oplog_flush()", "CALL oplog_purge()", "CHECKPOINT", "FROM oplog_summary()",
                "CREATE OR REPLACE TABLE written AS SELECT 1 AS i", "SELECT count(*) FROM operation_log",
            ])
            try:
                session.execute(statement).fetchall()
            except duckdb.TransactionException:
                pass  # DuckDB 2.0 does not checkpoint while others write
            time.sleep(chance.random() * 0.02)

    chance = random.Random(seed)
    say("loading")
    if life == "reopens":
        # Short lives, so that the kill comes during LOAD, the last commit or the checkpoint of a close.
        for round in range(1_000_000):
            with connect(path) as session:
                end = time.monotonic() + chance.random() * 0.03
                record(session, round, until=lambda: time.monotonic() > end)
    session = connect(path)
    session.execute(f"SET oplog_flush_interval = '{chance.choice([1, 20, 1000])} ms'")
    session.execute(f"SET oplog_durability = '{chance.choice(['process', 'process', 'os'])}'")
    for thread in range(3):
        threading.Thread(target=record, args=(session.cursor(), thread), daemon=True).start()
    threading.Thread(target=disturbing, args=(session.cursor(),)).start()
"""


class Victim:
    """A process that records. What it says is read all the time: it must not wait for its reader."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(command(VICTIM, arguments), env=environment(None), stdout=subprocess.PIPE)
        self.loading = threading.Event()
        self.said: list[bytes] = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.loading.set()
            if line.endswith(b"\n"):
                self.said.append(line)
        self.loading.set()

    def kill(self) -> list[str]:
        """Kills it, and returns what it had acknowledged."""
        assert self.process.poll() is None, f"it ended by itself: {self.process.returncode}"
        self.process.kill()
        self.process.wait()
        self.reader.join()
        return b" ".join(self.said[1:]).decode().split()


def test_kills_at_random_moments_lose_nothing(host, capsys):
    chance = random.Random(SEED)
    ledger = Ledger()
    kills = operations = recovered = torn = loading = 0
    started = time.monotonic()
    while kills < KILLS:
        try:
            # A few in a row, so that recovery too is killed, and recovers from that.
            for _ in range(chance.randint(1, 5)):
                life = chance.choice(["serves", "serves", "reopens"])
                victim = Victim(host, kills, life, SEED + kills)
                assert victim.loading.wait(60)
                time.sleep(chance.choice([chance.uniform(0, 0.1), chance.uniform(0.05, 0.3), chance.uniform(0.1, 0.3)]))
                acknowledged = victim.kill()
                loading += not acknowledged
                ledger.acknowledged += acknowledged
                operations += len(acknowledged)
                kills += 1
            with connect(host) as session:
                figures = status(session)
                assert figures["role"] == "owner", figures["notes"]
                assert figures["lost_operations"] == "0", figures["notes"]
                recovered += int(figures["recovered_operations"])
                torn += int(figures["recovered_torn_bytes"]) > 0
                ledger.check(session)
                assert_totals(session)
        except BaseException:
            print(f"kill {kills}; OPLOG_TEST_SEED={SEED} repeats the moments")
            raise
    assert list(host.parent.glob("*.damaged-*")) == []
    with capsys.disabled():
        print(
            f"\n{kills} kills ({loading} before the first answer) in {time.monotonic() - started:.0f} s: {operations} acknowledged,"
            f" {ledger.from_seq - 1} recorded, {recovered} recovered by the checks, {torn} torn ends"
        )


def killed_after(code: str, *arguments) -> None:
    """Runs a snippet up to its end, and kills the process there: no close, no destructor."""
    run_python(code + "\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", *arguments, exit_code=-9)


LEAVES_A_JOURNAL = """
import sys
from harness import connect, record
from harness.ledger import hold_back
session = connect(sys.argv[1])
hold_back(session)
for step in range(5):
    record(session, f"{sys.argv[2]} {step}")
"""


def test_what_was_not_committed_comes_from_the_journal(host):
    killed_after(LEAVES_A_JOURNAL, host, "killed")
    assert segments_of(host), "there is no journal to recover from"
    with connect(host) as session:
        assert status(session)["recovered_operations"] == "5"
        assert session.execute("SELECT seq, command FROM operation_log ORDER BY seq").fetchall() == [
            (step + 1, f"killed {step}") for step in range(5)
        ]
        assert record(session, "goes on")
        assert assert_gapless(session) == 6
    assert segments_of(host) == [], "an orderly close leaves no journal"


def test_a_recovery_that_is_killed_is_done_again(host):
    for kill in range(3):
        killed_after(LEAVES_A_JOURNAL, host, f"run {kill}")
    with connect(host) as session:
        assert assert_gapless(session) == 15
        assert_totals(session)
        commands = session.execute("SELECT command FROM operation_log ORDER BY seq").fetchall()
        assert commands == [(f"run {kill} {step}",) for kill in range(3) for step in range(5)]


def test_a_kill_right_after_a_commit_repeats_nothing(host):
    # The store has the rows and the journal has them still: the position that the store keeps tells.
    killed_after(LEAVES_A_JOURNAL + "session.execute('CALL oplog_flush()')\n", host, "flushed")
    assert segments_of(host)
    with connect(host) as session:
        assert status(session)["recovered_operations"] == "0"
        assert assert_gapless(session) == 5
        assert_totals(session)


def test_a_kill_after_the_log_has_moved(host, tmp_path):
    moved = tmp_path / "moved.oplog"
    move = f"session.execute('CALL oplog_open(?)', ['{moved}'])\nrecord(session, 'moved')\n"
    killed_after(LEAVES_A_JOURNAL + move, host, "before")
    with connect(host) as session:
        assert status(session)["log"] == str(moved)
        assert assert_gapless(session) == 6
        assert len(ids_in_log(session)) == 6
        assert_whole(session)
        assert_totals(session)


def test_a_log_that_is_moved_onto_a_killed_ones_takes_its_records_in(tmp_path, monkeypatch):
    killed, moved_to = tmp_path / "killed.duckdb", sidecar_of(tmp_path / "killed.duckdb")
    killed_after(LEAVES_A_JOURNAL, killed, "killed")
    with connect() as session:
        for step in range(3):
            record(session, f"memory {step}")
        session.execute("CALL oplog_open(?)", [str(moved_to)])
        record(session, "after")
        commands = {command for (command,) in session.execute("SELECT command FROM operation_log").fetchall()}
        assert commands == {f"killed {step}" for step in range(5)} | {f"memory {step}" for step in range(3)} | {"after"}
        assert assert_gapless(session) == 9
        assert_totals(session)


@pytest.mark.parametrize("torn", [b"", b"\x01\x02\x03"], ids=["whole", "torn"])
def test_the_host_itself_is_as_without_oplog(host, torn):
    killed_after(
        """
import sys
from harness import connect, record
session = connect(sys.argv[1])
session.execute("CREATE TABLE t (i INTEGER)")
session.execute("INSERT INTO t VALUES (1)")
session.execute("BEGIN")
session.execute("INSERT INTO t VALUES (2)")
record(session, "in a transaction that never commits")
""",
        host,
    )
    with segments_of(host)[0].open("ab") as file:
        file.write(torn)
    with connect(host) as session:
        assert session.execute("FROM t").fetchall() == [(1,)]
        assert session.execute("SELECT command FROM operation_log").fetchall() == [("in a transaction that never commits",)]
