"""A log that moves: it is whole and in one place, whatever becomes of the process, and whoever looks for it finds it."""

import os
import shutil
import signal
import threading
import time

import duckdb
import pytest

from harness import commands_in_log, faults, record, run_python, start_python


def wait_until(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def status(session, name):
    return session.execute("SELECT value FROM oplog_status() WHERE name = ?", [name]).fetchall()[0][0]


def ids_in_log(session):
    return [str(id) for (id,) in session.execute("SELECT id FROM operation_log ORDER BY seq").fetchall()]


def assert_gapless(session):
    (row,) = session.execute("SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM operation_log").fetchall()
    assert row == (row[0], row[0], 1, row[0])


def totals(session):
    names = "'duckdb_operations_total', 'jobs_total', 'wait_seconds_count', 'wait_seconds_sum'"
    return dict(
        session.execute(f"SELECT name, sum(value) FROM oplog_metrics() WHERE name IN ({names}) GROUP BY name").fetchall()
    )


# Records, begins a span, and moves; killed at one of the operations on the log's files.
MOVE = """
import sys
from harness import connect, faults, record
directory, skip = sys.argv[1], int(sys.argv[2])
session = connect(directory + "/app.duckdb")
for _ in range(20):
    print(record(session, "import"), flush=True)
session.execute("SELECT oplog_counter('jobs_total', 7), oplog_start({command: 'ran'})").fetchall()
session.execute("CALL oplog_flush()")
control = faults.control()
rule = control.kill(faults.CHANGES & ~faults.OPEN, "*.oplog*", skip=skip)
session.execute("CALL oplog_open(?)", [directory + "/new.oplog"])
control.clear()
print(record(session, "moved"), flush=True)
print("moved", control.hits(rule), flush=True)
control.kill(faults.WRITE, "*.oplog*")
record(session, "killed")
"""


def killed_at(directory, skip):
    """The ids that were acknowledged, and whether the move came to its end before the kill."""
    child = start_python(MOVE, directory, skip, env=faults.environment())
    said = child.process.stdout.read().split()
    assert child.finish() == -signal.SIGKILL
    if "moved" in said:
        return said[: said.index("moved")], True
    return said, False


def assert_one_whole_log(session, ids):
    recorded = ids_in_log(session)
    assert [id for id in recorded if id in ids] == ids
    assert commands_in_log(session).count("ran") == 1
    assert len(recorded) == len(set(recorded)) == len(ids) + 1
    assert_gapless(session)
    assert totals(session)["jobs_total"] == 7
    assert totals(session)["duckdb_operations_total"] == len(ids) + 1


def test_a_move_that_is_killed_at_any_step_leaves_one_whole_log(connect, tmp_path):
    # With 0 and 1 all steps are tried, which takes a minute.
    skip, every = 3, 6
    while True:
        directory = tmp_path / str(skip)
        directory.mkdir()
        ids, is_over = killed_at(directory, skip)
        session = connect(directory / "app.duckdb")
        assert status(session, "role") == "owner"
        assert_one_whole_log(session, ids)
        # As a service does at each start.
        log = status(session, "log")
        if not log.endswith("/new.oplog"):
            session.execute("CALL oplog_open(?)", [str(directory / "new.oplog")])
            assert_one_whole_log(session, ids)
        session.close()
        session = connect(directory / "app.duckdb")
        assert status(session, "log") == str(directory / "new.oplog")
        assert_one_whole_log(session, ids)
        session.close()
        # A file of spans that was being written anew: the next one that is takes its name.
        left = {path.name for path in directory.iterdir() if not path.name.endswith(".spans.new")}
        assert left == {"app.duckdb", "app.duckdb.oplog", "new.oplog"}, left
        if is_over:
            break
        skip += every
    assert skip > 20, "a move has more steps than that"


@pytest.mark.parametrize("skip", [6, 14])
def test_what_a_move_that_was_cut_short_has_copied_is_not_seen(connect, tmp_path, monkeypatch, skip):
    ids, is_over = killed_at(tmp_path, skip)
    assert not is_over
    monkeypatch.setenv("OPLOG_PATH", str(tmp_path / "new.oplog"))
    session = connect()
    first = commands_in_log(session)
    session.close()
    monkeypatch.delenv("OPLOG_PATH")
    session = connect(tmp_path / "app.duckdb")
    assert_one_whole_log(session, ids)
    # In one of the two, not in both.
    assert first == [] or status(session, "log") == str(tmp_path / "new.oplog")


def test_totals_and_history_move_once_to_and_fro(connect, host, tmp_path):
    session = connect(host)
    session.execute("SELECT oplog_describe('wait_seconds', 'histogram', 'Waits.', [1, 2])").fetchall()
    session.execute("SELECT oplog_counter('jobs_total', 5), oplog_observe('wait_seconds', 1.5)").fetchall()
    session.execute("SET oplog_retention = '1 hour'")
    record(session, "old", timestamp="2001-01-01T00:00:00Z")
    record(session, "new")
    session.execute("CALL oplog_purge()")
    before, history = totals(session), deleted(session)
    assert (before["jobs_total"], before["wait_seconds_sum"]) == (5, 1.5)
    assert [operations for *_, operations in history] == [1, 0, 0]
    numbers = session.execute("SELECT seq FROM operation_log").fetchall()
    assert numbers == [(2,)]
    for name in ("a.oplog", "app.duckdb.oplog", "a.oplog", "b.oplog"):
        session.execute("CALL oplog_open(?)", [str(tmp_path / name)])
        assert totals(session) == before, name
        session.close()
        session = connect(host)
        assert status(session, "log") == str(tmp_path / name)
        assert (totals(session), deleted(session)) == (before, history), name
        assert commands_in_log(session) == ["new"]
        assert session.execute("SELECT seq FROM operation_log").fetchall() == numbers, name


def test_numbers_have_no_gap_after_a_move_to_and_fro(connect, host, tmp_path):
    session = connect(host)
    ids = []
    for name in ("a.oplog", "app.duckdb.oplog", "b.oplog", "a.oplog", "app.duckdb.oplog"):
        ids += [record(session, "import") for _ in range(10)]
        session.execute("CALL oplog_open(?)", [str(tmp_path / name)])
        ids.append(record(session, name))
        assert ids_in_log(session) == ids, name
        assert_gapless(session)
    session.close()
    session = connect(host)
    ids.append(record(session, "later"))
    assert ids_in_log(session) == ids
    assert_gapless(session)


def test_numbers_go_on_behind_what_another_log_has_given_out(connect, tmp_path, monkeypatch):
    shared, elsewhere = tmp_path / "shared.oplog", tmp_path / "elsewhere.oplog"
    with connect(tmp_path / "first.duckdb") as session:
        session.execute("CALL oplog_open(?)", [str(shared)])
        for _ in range(20):
            record(session, "first")
        session.execute("CALL oplog_open(?)", [str(elsewhere)])
    with connect(tmp_path / "second.duckdb") as session:
        for _ in range(5):
            record(session, "second")
        session.execute("CALL oplog_open(?)", [str(shared)])
        record(session, "second")
        seqs = [seq for (seq,) in session.execute("SELECT seq FROM operation_log ORDER BY seq").fetchall()]
        assert seqs == [16, 17, 18, 19, 20, 21]


def deleted(session):
    return session.execute("SELECT setting, last_deleted_at, deleted_operations FROM oplog_retention()").fetchall()


def test_a_setting_that_was_reset_does_not_come_back_with_the_place(connect, host, tmp_path):
    session = connect(host)
    session.execute("SET oplog_retention = '3 days'")
    record(session, "one")
    session.execute("CALL oplog_open(?)", [str(tmp_path / "a.oplog")])
    session.execute("RESET oplog_retention")
    record(session, "two")
    session.execute("CALL oplog_open(?)", [str(host) + ".oplog"])
    session.close()
    session = connect(host)
    setting = "SELECT is_set FROM oplog_settings() WHERE name = 'oplog_retention'"
    assert session.execute(setting).fetchall() == [(False,)]


def test_a_copied_directory_is_a_log_of_its_own(connect, tmp_path):
    original = tmp_path / "original"
    elsewhere = tmp_path / "elsewhere.oplog"
    original.mkdir()
    with connect(original / "app.duckdb") as session:
        record(session, "before")
        session.execute("CALL oplog_open(?)", [str(elsewhere)])
    shutil.copytree(original, tmp_path / "copy")
    before = elsewhere.read_bytes()
    with connect(tmp_path / "copy" / "app.duckdb") as session:
        record(session, "in the copy")
        assert status(session, "log") == str(tmp_path / "copy" / "app.duckdb.oplog")
        assert "this is a copy of a log that has moved" in status(session, "notes")
        assert commands_in_log(session) == ["in the copy"]
    assert elsewhere.read_bytes() == before
    with connect(original / "app.duckdb") as session:
        assert commands_in_log(session) == ["before"]
    with connect(tmp_path / "copy" / "app.duckdb") as session:
        assert commands_in_log(session) == ["in the copy"]
        assert status(session, "notes") is None


def test_a_copied_or_renamed_directory_has_the_target_that_is_in_it(connect, tmp_path):
    original = tmp_path / "original"
    original.mkdir()
    with connect(original / "app.duckdb") as session:
        record(session, "before")
        session.execute("CALL oplog_open(?)", [str(original / "new.oplog")])
    shutil.copytree(original, tmp_path / "copy")
    with connect(tmp_path / "copy" / "app.duckdb") as session:
        record(session, "in the copy")
        assert commands_in_log(session) == ["before", "in the copy"]
        assert status(session, "log") == str(tmp_path / "copy" / "new.oplog")
    original.rename(tmp_path / "renamed")
    with connect(tmp_path / "renamed" / "app.duckdb") as session:
        assert commands_in_log(session) == ["before"]


def test_a_planted_path_is_not_followed(connect, host, tmp_path):
    victim = tmp_path / "victim.oplog"
    with connect() as session:
        session.execute("CALL oplog_open(?)", [str(victim)])
        record(session, "mine")
    text = tmp_path / "authorized_keys"
    text.write_text("precious text\n" * 50)
    new = tmp_path / "cron.entry"
    for target in (victim, text, new):
        with connect(host) as session:
            record(session, "given")
        with duckdb.connect(str(host) + ".oplog") as plain:
            plain.execute("DELETE FROM meta WHERE key = 'moved_to'; INSERT INTO meta VALUES ('moved_to', ?)", [str(target)])
        before = [path.read_bytes() for path in (victim, text)]
        with connect(host) as session:
            assert status(session, "role") == "owner"
            assert status(session, "log") == str(host) + ".oplog"
            assert str(target) in status(session, "notes")
            record(session, "given")
        assert [path.read_bytes() for path in (victim, text)] == before
        assert not new.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "app.duckdb", "app.duckdb.oplog", "authorized_keys", "victim.oplog",
    ]


def test_records_wait_at_the_old_place_while_the_new_one_is_gone(connect, host, tmp_path):
    there, away = tmp_path / "disk" / "log.oplog", tmp_path / "unmounted"
    there.parent.mkdir()
    with connect(host) as session:
        record(session, "one")
        session.execute("SELECT oplog_counter('jobs_total', 2)").fetchall()
        session.execute("CALL oplog_open(?)", [str(there)])
    there.parent.rename(away)
    for step in range(2):
        with connect(host) as session:
            record(session, f"meanwhile {step}")
            session.execute("SELECT oplog_counter('jobs_total')").fetchall()
            assert status(session, "role") == "owner"
            assert "which cannot be used now; records are kept here until it can" in status(session, "notes")
    away.rename(there.parent)
    session = connect(host)
    assert commands_in_log(session) == ["one", "meanwhile 0", "meanwhile 1"]
    assert status(session, "log") == str(there)
    assert totals(session) == {"duckdb_operations_total": 3, "jobs_total": 4}
    assert_gapless(session)


def test_a_copy_of_the_log_is_no_target(connect, host, tmp_path):
    with connect(host) as session:
        record(session, "one")
    backup = tmp_path / "backup.oplog"
    shutil.copy(str(host) + ".oplog", backup)
    session = connect(host)
    with pytest.raises(duckdb.Error, match="backup.oplog is a copy of this log: its operations would be there twice"):
        session.execute("CALL oplog_open(?)", [str(backup)])
    record(session, "two")
    assert commands_in_log(session) == ["one", "two"]


GUEST = """
import sys
from harness import connect, record
session = connect()
assert dict(session.execute("SELECT name, value FROM oplog_status()").fetchall())["role"] == "guest"
print(*[record(session, "guest") for _ in range(10)], flush=True)
input()
"""


def start_guest(env):
    guest = start_python(GUEST, env=env)
    return guest, guest.process.stdout.readline().split()


OWNER = """
import sys
from harness import connect, record
session = connect()
print("ready", flush=True)
input()
session.execute("CALL oplog_open(?)", [sys.argv[1]])
print("moved", flush=True)
input()
session.close()
"""


def test_guests_from_before_and_after_a_move_are_found(connect, tmp_path, monkeypatch):
    path, new = tmp_path / "shared.oplog", tmp_path / "elsewhere" / "new.oplog"
    new.parent.mkdir()
    env = {"OPLOG_PATH": str(path)}
    monkeypatch.setenv("OPLOG_PATH", str(path))
    with start_python(OWNER, new, env=env) as owner:
        owner.wait_for("ready")
        before, ids = start_guest(env)
        with before:
            owner.go_on()
            owner.wait_for("moved")
            after, more = start_guest(env)
            with after:
                # The owner takes some of it in, the next one what it leaves.
                owner.go_on()
                assert owner.finish() == 0
    ids += more
    assert len(ids) == 20
    session = connect()
    assert status(session, "log") == str(new)
    wait_until(lambda: len(ids_in_log(session)) >= 20)
    assert sorted(ids_in_log(session)) == sorted(ids)
    wait_until(lambda: not list(tmp_path.glob("*.spool-*")))


def test_a_planted_place_is_not_looked_at_for_spools(connect, tmp_path, monkeypatch):
    path, given = tmp_path / "shared.oplog", tmp_path / "given.oplog"
    env = {"OPLOG_PATH": str(path)}
    with start_python(OWNER, tmp_path / "unused.oplog", env=env) as owner:
        owner.wait_for("ready")
        guest, _ = start_guest(env)
        with guest:
            owner.kill()
    spools = {file: file.read_bytes() for file in tmp_path.glob("*.spool-*.journal.0*")}
    assert spools
    monkeypatch.setenv("OPLOG_PATH", str(given))
    connect().close()
    with duckdb.connect(str(given)) as plain:
        plain.execute("INSERT INTO meta VALUES ('moved_from:1-x', ?)", [str(path)])
    session = connect()
    session.execute("CALL oplog_flush()")
    run_python("import time; time.sleep(3)")
    assert ids_in_log(session) == []
    assert {file: file.read_bytes() for file in spools} == spools


def test_a_database_has_one_log_whatever_link_leads_to_it(connect, host, tmp_path, monkeypatch):
    connect(host).close()
    (tmp_path / "other").mkdir()
    links = [tmp_path / "other" / "link.duckdb", tmp_path / "app2.duckdb"]
    for link in links:
        link.symlink_to(host)
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate([host, "app.duckdb", "other/../app.duckdb", *links], 1):
        with connect(path) as session:
            record(session, "import")
            assert len(ids_in_log(session)) == number, path
    assert not list(tmp_path.rglob("*link*.oplog*"))


def test_a_link_in_the_logs_place_is_followed_to_a_log_only(connect, host, tmp_path):
    connect(host).close()
    sidecar, elsewhere = tmp_path / "app.duckdb.oplog", tmp_path / "elsewhere.oplog"
    sidecar.rename(elsewhere)
    sidecar.symlink_to(elsewhere)
    with connect(host) as session:
        record(session, "behind a link")
        assert status(session, "log") == str(elsewhere)
    text = tmp_path / "notes.txt"
    text.write_text("precious")
    for target in (text, tmp_path / "nothing", tmp_path):
        sidecar.unlink()
        sidecar.symlink_to(target)
        with connect(host) as session:
            record(session, "in memory")
            assert status(session, "role") == "fallback"
            assert "is a symbolic link, which is followed to a log of oplog's only" in status(session, "notes")
            with pytest.raises(duckdb.Error, match="is a symbolic link, which is followed"):
                session.execute("CALL oplog_open(?)", [str(sidecar)])
    assert text.read_text() == "precious"
    assert sidecar.is_symlink() and not (tmp_path / "nothing").exists()


def test_a_fifo_is_refused_at_once(connect, host, tmp_path, monkeypatch):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    session = connect(host)
    with pytest.raises(duckdb.Error, match="fifo is a FIFO and no log: give the path of a file"):
        session.execute("CALL oplog_open(?)", [str(fifo)])
    record(session, "still here")
    assert commands_in_log(session) == ["still here"]
    session.close()
    monkeypatch.setenv("OPLOG_PATH", str(fifo))
    session = connect(host)
    assert status(session, "role") == "fallback"
    assert "is a FIFO and no log" in status(session, "notes")


def test_questions_are_answered_whole_while_the_log_moves(connect, host, tmp_path):
    session = connect(host)
    session.execute("SELECT count(oplog_record({command: 'c' || i % 5, duration_ms: i})) FROM range(1000) t(i)").fetchall()
    questions = {
        "SELECT count(*) FROM operation_log": [(1000,)],
        "SELECT sum(operations)::BIGINT FROM oplog_stats()": [(1000,)],
        "SELECT count(*) FROM (FROM oplog_operations(max_rows := 5))": [(5,)],
        "SELECT count(*) > 5 FROM oplog_alert_rules()": [(True,)],
        "SELECT count(*) > 0 FROM oplog_alerts()": [(True,)],
    }
    end, wrong, moves = time.monotonic() + 6, set(), 0

    def ask():
        mine = session.cursor()
        while time.monotonic() < end:
            for question, answer in questions.items():
                try:
                    found = mine.execute(question).fetchall()
                except duckdb.Error as error:
                    found = str(error)
                if found != answer:
                    wrong.add((question, str(found)))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        session.execute("CALL oplog_open(?)", [str(tmp_path / f"{moves % 3}.oplog")])
        moves += 1
    for thread in threads:
        thread.join()
    assert moves > 2
    assert wrong == set()
