"""The disk under the log is full: recording says so, the host's own work goes on, and so does recording once there is space.

Twice: on a small file system of its own, which a process may mount in a namespace of its own, and under a limit on the
size of files, which works anywhere.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from harness.mounts import MOUNTED, can_mount
from harness.processes import TIMEOUT_SECONDS, environment

# `fill()` takes all space of the log, and `free()` gives it back.
SMALL_FILE_SYSTEM = """
    import errno
    BALLAST = os.path.join(os.path.dirname(LOG), "ballast")

    def fill():
        with open(BALLAST, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error

    def free():
        os.remove(BALLAST)
"""

# A limit on the size of files is one on the host's file too: the host is in memory.
SMALL_FILES = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free():
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""

SETUP = """
    import os, sys, time
    import duckdb
    from harness import connect
    from harness.ledger import Ledger, assert_gapless, hold_back, ids_in_log, recording, status
    HOST, LOG = sys.argv[1:]
    os.environ["OPLOG_PATH"] = LOG
    acknowledged = []
    count = 0
    # How an error names what could not be written.
    JOURNAL = LOG + ".journal.0"

    def record(session, rows=1):
        global count
        count += 1
        ids = [identifier for identifier, in session.execute(recording(f"statement {count}", rows)).fetchall()]
        acknowledged.extend(identifier for identifier in ids if identifier is not None)
        return ids

    def refused(session, rows=1):
        try:
            record(session, rows)
        except duckdb.Error as error:
            return str(error)
        return ""

    def until_refused(session):
        # What is left of a block may hold a few more.
        for _ in range(1000):
            if error := refused(session):
                return error
        raise AssertionError("a full disk takes everything")

    def eventually(holds):
        end = time.monotonic() + 10
        while not holds_now(holds):
            assert time.monotonic() < end
            time.sleep(0.05)

    def holds_now(holds):
        try:
            return holds()
        except duckdb.Error:
            # A question that cannot be answered completely yet.
            return False

    def answered(session):
        try:
            return ids_in_log(session)
        except duckdb.Error:
            return []

    def goes_on(session):
        eventually(lambda: not refused(session))

    def assert_complete(session):
        ledger = Ledger()
        ledger.acknowledged = acknowledged
        ledger.check(session)
"""


class Disk:
    def __init__(self, kind: str, directory):
        self.kind = kind
        self.directory = directory / "small"
        self.directory.mkdir()
        self.host = directory / "app.duckdb" if kind == "file-system" else ":memory:"
        self.log = self.directory / "app.oplog"

    def run(self, code: str) -> str:
        parts = [SETUP, SMALL_FILE_SYSTEM if self.kind == "file-system" else SMALL_FILES, code]
        snippet = "".join(map(textwrap.dedent, parts))
        line = [sys.executable, "-c", snippet, str(self.host), str(self.log)]
        if self.kind == "file-system":
            line = ["unshare", "-rm", "sh", "-c", MOUNTED, str(self.directory), *line]
        finished = subprocess.run(line, env=environment(None), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert finished.returncode == 0, f"exit code {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
        return finished.stdout


@pytest.fixture(params=["file-system", "file-size"])
def disk(request, tmp_path) -> Disk:
    if request.param == "file-system" and not can_mount():
        pytest.skip("a process may not mount a file system here, not even in a namespace of its own")
    return Disk(request.param, tmp_path)


def test_strict_recording_fails_and_says_what_cannot_be_written(disk):
    disk.run(
        """
        session = connect(HOST)
        record(session)
        session.execute("CREATE TABLE t (i INTEGER)")
        fill()
        error = until_refused(session)
        assert error.startswith("Invalid Input Error: oplog_record: cannot write " + JOURNAL), error
        # A chunk that does not fit is refused as a whole.
        assert refused(session, 2000).startswith("Invalid Input Error: oplog_record: cannot write " + JOURNAL)
        assert refused(session)
        free()
        goes_on(session)
        record(session, 5000)
        assert_complete(session)
        session.close()
        assert_complete(connect(HOST))
        """
    )


def test_lenient_recording_gives_null_and_counts(disk):
    disk.run(
        """
        session = connect(HOST)
        session.execute("SET oplog_strict = false")
        record(session)
        fill()
        for _ in range(1000):
            ids = record(session, 10)
            if ids == [None] * 10:
                break
        assert ids == [None] * 10, ids
        before = int(status(session)["rejected_operations"])
        assert before >= 10
        assert record(session, 500) == [None] * 500
        assert int(status(session)["rejected_operations"]) == before + 500
        assert JOURNAL in status(session)["notes"], status(session)["notes"]
        free()
        eventually(lambda: record(session) != [None])
        assert_complete(session)
        session.close()
        assert_complete(connect(HOST))
        """
    )


def test_the_hosts_own_transactions_go_on(disk):
    disk.run(
        """
        session = connect(HOST)
        record(session)
        session.execute("CREATE TABLE t (i INTEGER)")
        fill()
        until_refused(session)
        for step in range(20):
            session.execute("BEGIN")
            session.execute(f"INSERT INTO t VALUES ({step})")
            session.execute("COMMIT")
            session.execute(f"INSERT INTO t VALUES ({step})")
        session.execute("SET oplog_strict = false")
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (100)")
        assert record(session) == [None]
        session.execute("COMMIT")
        assert session.execute("SELECT count(*), max(i) FROM t").fetchone() == (41, 100)
        if HOST != ":memory:":
            session.execute("CHECKPOINT")
        free()
        """
    )


def test_a_commit_that_finds_the_disk_full_is_made_up_for(disk):
    # The journal took the records, and then the store finds no space for them.
    disk.run(
        """
        session = connect(HOST)
        hold_back(session)
        for _ in range(3):
            record(session, 2048)
        fill()
        try:
            session.execute("CALL oplog_flush()")
            raise AssertionError("a full disk takes everything")
        except duckdb.Error as error:
            assert "what was recorded last cannot be committed" in str(error), error
        assert int(status(session)["commit_errors"]) > 0
        assert int(status(session)["pending_operations"]) == 3 * 2048
        assert "a commit failed" in status(session)["notes"]
        # Whoever asks is told that the answer would be incomplete, and from when on.
        try:
            ids_in_log(session)
            raise AssertionError("an answer without what was acknowledged")
        except duckdb.Error as error:
            assert "operations from 20" in str(error) and "are missing" in str(error), error
        # What had ended before is complete.
        before = "SELECT count(*) FROM oplog_operations(until := TIMESTAMPTZ '2020-01-01 00:00:00+00')"
        assert session.execute(before).fetchall() == [(0,)]
        free()
        record(session)
        session.execute("CALL oplog_flush()")
        assert_complete(session)
        assert status(session)["pending_operations"] == "0"
        session.close()
        assert_complete(connect(HOST))
        """
    )


def test_it_fills_and_empties_again_and_again(disk):
    disk.run(
        """
        session = connect(HOST)
        session.execute("SET oplog_flush_interval = '1 ms'")
        for round in range(8):
            record(session, 300)
            if round % 2:
                time.sleep(0.01)
            fill()
            until_refused(session)
            time.sleep(0.02 * round)
            free()
            goes_on(session)
            # A commit that began before may fail yet, and the question is answered without it.
            eventually(lambda: set(acknowledged) <= set(ids_in_log(session)))
        assert_complete(session)
        session.close()
        assert_complete(connect(HOST))
        """
    )


def test_a_close_while_the_disk_is_full_leaves_the_rest_to_the_journal(disk):
    disk.run(
        """
        session = connect(HOST)
        hold_back(session)
        for _ in range(3):
            record(session, 2048)
        fill()
        session.close()
        free()
        session = connect(HOST)
        assert status(session)["role"] == "owner", status(session)["notes"]
        goes_on(session)
        assert_complete(session)
        """
    )


def test_load_on_a_full_disk_succeeds(disk):
    disk.run(
        """
        fill()
        session = connect(HOST)
        session.execute("SELECT 42")
        assert status(session)["role"] == "fallback"
        assert "No space left" in status(session)["notes"] or "File too large" in status(session)["notes"], status(session)["notes"]
        assert record(session)
        assert len(ids_in_log(session)) == 1
        session.close()
        free()
        """
    )


def test_load_after_a_kill_on_a_full_disk_succeeds(disk):
    disk.run(
        """
        pid = os.fork()
        if pid == 0:
            session = connect(HOST)
            hold_back(session)
            for _ in range(3):
                record(session, 500)
            os.kill(os.getpid(), 9)
        assert os.waitpid(pid, 0)[1] == 9
        fill()
        session = connect(HOST)
        session.execute("SELECT 42")
        # What the log answers on a full disk is its own affair: no error, and no record that goes missing by it.
        figures = status(session)
        print(figures["role"], figures["notes"])
        session.close()
        free()
        session = connect(HOST)
        assert status(session)["role"] == "owner", status(session)["notes"]
        assert len(ids_in_log(session)) == 1500
        assert_gapless(session)
        """
    )


def test_health_says_that_nothing_gets_into_the_log(tmp_path):
    # Not on the small file system: that one is always too full to be well.
    Disk("file-size", tmp_path).run(
        """
        from harness.web import serve
        session = connect(HOST)
        record(session)
        client = serve(session)
        assert client.ask("/health").status == 200
        fill()
        until_refused(session)

        def is_unwell():
            answer = client.ask("/health")
            return answer.status == 503 and answer.json["status"] == "fail"

        eventually(is_unwell)
        assert client.ask("/metrics").status == 200
        free()
        goes_on(session)
        eventually(lambda: client.ask("/health").status == 200)
        session.close()
        """
    )
