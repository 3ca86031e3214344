"""Retention rules: what is deleted is what they say, exactly, and they stay with the log, whatever becomes of it."""

from __future__ import annotations

import datetime
import os
import random
import time

import duckdb
import pytest

from harness import connect, faults, run_python, start_python
from harness.ledger import sidecar_of, status

SEED = int(os.environ.get("OPLOG_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

COMMANDS = ["audit.login", "audit.delete", "health_check", "import", "imports", "sync [1]"]
PROJECTS = ["default", "tenant_1", "tenant_2", "other"]
STATUSES = ["success", "error", "timeout", "cancelled"]
PATTERNS = {
    "command": ["audit*", "health_check", "import?", "import*", "*", "*e*", "sync [[]1]", "[!a]*", "none"],
    "project_id": ["tenant_?", "tenant_[2-9]", "default", "*"],
}


def set_rule(session, name: str, **given: str) -> None:
    arguments = "".join(f", {field} := '{value}'" for field, value in given.items())
    session.execute(f"CALL oplog_retention_set('{name}'{arguments})").fetchall()


def rules(session) -> list[tuple]:
    return session.execute("SELECT rule, applies_to, keep FROM oplog_retention() WHERE rule IS NOT NULL").fetchall()


def record_old(session, command: str, days: float, operations: int = 1) -> None:
    session.execute(
        f"""SELECT count(oplog_record({{command: '{command}', timestamp: now() - to_seconds({days * 86400})}}))
            FROM range({operations})"""
    ).fetchall()


def commands(session) -> list[str]:
    return [command for (command,) in session.execute("SELECT command FROM operation_log ORDER BY command").fetchall()]


def random_rules(chance: random.Random) -> dict[str, dict[str, str]]:
    made = {}
    for number in range(chance.randrange(0, 9)):
        given = {field: chance.choice(patterns) for field, patterns in PATTERNS.items() if chance.random() < 0.5}
        if chance.random() < 0.4 or not given:
            given["status"] = ",".join(chance.sample(STATUSES, chance.randrange(1, 3)))
        given["keep"] = chance.choice([f"{chance.randrange(0, 60)} days", f"{chance.randrange(1, 500)} hours", "forever"])
        made[f"rule {number}"] = given
    return made


def kept_seconds(made: dict, operation: tuple) -> float:
    """How long an operation is kept: the longest of the rules that match, by DuckDB's own GLOB, or the setting."""
    _, command, project_id, status_, globs = operation
    longest = None
    for name, given in made.items():
        values = {"command": command, "project_id": project_id}
        if any(not globs[field, given[field], values[field]] for field in PATTERNS if field in given):
            continue
        if "status" in given and status_ not in given["status"].split(","):
            continue
        number, _, unit = given["keep"].partition(" ")
        keep = float("inf") if number == "forever" else int(number) * (86_400 if unit == "days" else 3_600)
        longest = keep if longest is None else max(longest, keep)
    return longest if longest is not None else (7 if status_ == "success" else 30) * 86_400


@pytest.mark.parametrize("place", ["file", "memory"])
def test_what_goes_is_what_the_rules_say(tmp_path, place):
    chance = random.Random(SEED)
    plain = duckdb.connect()
    globs = {
        (field, pattern, value): plain.execute("SELECT ? GLOB ?", [value, pattern]).fetchone()[0]
        for field, values in (("command", COMMANDS), ("project_id", PROJECTS))
        for pattern in PATTERNS[field]
        for value in values
    }
    for round_ in range(6):
        session = connect(tmp_path / f"{round_}.duckdb" if place == "file" else ":memory:")
        now = session.execute("SELECT epoch(now())").fetchone()[0]
        made = random_rules(chance)
        for name, given in made.items():
            set_rule(session, name, **given)
        expected = set()
        # None at a border: what a purge sees as now is a moment later.
        for number in range(400):
            age = chance.randrange(0, 60 * 24) * 3_600 + 1_800
            operation = (number, chance.choice(COMMANDS), chance.choice(PROJECTS), chance.choice(STATUSES), globs)
            session.execute(
                "SELECT oplog_record({command: ?, project_id: ?, status: ?, rows_affected: ?, timestamp: to_timestamp(?)})",
                [*operation[1:4], number, now - age],
            ).fetchall()
            if age < kept_seconds(made, operation):
                expected.add(number)
        due = session.execute("SELECT sum(expired_operations) FROM oplog_retention()").fetchone()[0]
        (deleted, by_age, _) = session.execute("CALL oplog_purge()").fetchone()
        found = {number for (number,) in session.execute("SELECT rows_affected FROM operation_log").fetchall()}
        what = (SEED, round_, made)
        assert found == expected, what
        assert due == deleted == by_age == 400 - len(expected), what
        operations, expired, gone = session.execute(
            """SELECT sum(operations), sum(expired_operations), sum(deleted_operations) FROM oplog_retention()
               WHERE setting IS DISTINCT FROM 'oplog_max_size'"""
        ).fetchone()
        assert (operations, expired, gone) == (len(expected), 0, deleted), what
        session.close()


def test_an_answer_never_lacks_what_a_rule_has_deleted(tmp_path):
    """Counts come from rollups where rows of one command are gone and others are there, and what needs rows says so."""
    session = connect(tmp_path / "app.duckdb")
    set_rule(session, "health", command="health*", keep="1 hour")
    set_rule(session, "audit", command="audit*", keep="1 year")
    for command in ("health_check", "audit", "import"):
        for hours in range(1, 60 * 24, 7):
            record_old(session, command, (hours + 0.5) / 24)
    total = session.execute("SELECT count(*) FROM operation_log").fetchone()[0]
    asked = "SELECT command, operations, complete_since FROM oplog_stats(period := '{}') ORDER BY command"
    before = session.execute(asked.format("70 days")).fetchall()
    session.execute("CALL oplog_purge()")
    assert session.execute("SELECT count(*) FROM operation_log").fetchone()[0] < total / 2
    assert session.execute(asked.format("70 days")).fetchall() == before
    (day,) = {operations for _, operations, _ in session.execute(asked.format("1 day")).fetchall()}
    assert day >= 3
    # Tables are known from rows only. All are there of the last hour.
    by_table = "SELECT min(complete_since) FROM oplog_stats(period := '{}', by := 'table_name')"
    for period, is_complete in (("50 minutes", True), ("2 hours", False), ("20 days", False)):
        (complete_since,) = session.execute(by_table.format(period)).fetchone()
        assert (complete_since is None) == is_complete, (period, complete_since)
        if not is_complete:
            ago = datetime.datetime.now(datetime.timezone.utc) - complete_since
            assert datetime.timedelta(minutes=55) < ago < datetime.timedelta(minutes=65)
    # A rule that keeps longer from now on brings nothing back.
    set_rule(session, "health", keep="1 year")
    assert session.execute(by_table.format("2 hours")).fetchone()[0] is not None
    session.close()


def test_rules_have_a_limit():
    session = connect()
    for number in range(100):
        set_rule(session, f"rule {number}", command=f"c{number}", keep="1 day")
    with pytest.raises(duckdb.Error, match="there are 100 rules, and 100 are the limit: drop one first"):
        set_rule(session, "one more", command="x", keep="1 day")
    # What is there can be changed, and makes room.
    set_rule(session, "rule 50", keep="2 days")
    session.execute("CALL oplog_retention_drop('rule 50')").fetchall()
    set_rule(session, "one more", command="x", keep="1 day")
    session.close()


def test_rules_survive_a_restart_and_a_kill(tmp_path):
    path = tmp_path / "app.duckdb"
    run_python(
        """
        import os, sys
        from harness import connect
        session = connect(sys.argv[1])
        session.execute("CALL oplog_retention_set('audit', command := 'audit*', keep := '1 year')").fetchall()
        session.execute("SELECT oplog_record({command: 'audit', timestamp: now() - INTERVAL 300 DAYS})").fetchall()
        os.kill(os.getpid(), 9)
        """,
        path,
        exit_code=-9,
    )
    for _ in range(2):
        session = connect(path)
        assert rules(session) == [("audit", "command audit*", "1 year")]
        assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
        assert commands(session) == ["audit"]
        session.close()


CHANGING = """
    import sys
    from harness import connect
    session = connect(sys.argv[1])
    print("loaded", flush=True)
    number = 0
    while True:
        number += 1
        session.execute(f"CALL oplog_retention_set('audit', command := 'audit*', keep := '{100 + number} days')").fetchall()
        session.execute("SELECT oplog_record({command: 'audit', timestamp: now() - INTERVAL 99 DAYS})").fetchall()
        print(100 + number, flush=True)
        session.execute("CALL oplog_purge()").fetchall()
"""


def test_a_kill_at_any_moment_leaves_the_rule_that_was_set_last(tmp_path):
    chance = random.Random(SEED)
    path = tmp_path / "app.duckdb"
    recorded = 0
    for _ in range(6):
        with start_python(CHANGING, str(path)) as victim:
            victim.wait_for("loaded")
            said = [int(victim.process.stdout.readline()) for _ in range(chance.randrange(1, 4))]
            time.sleep(chance.random() * 0.1)
            victim.kill()
            said += [int(line) for line in victim.process.stdout]
        recorded += len(said)
        session = connect(path)
        ((name, _, keep),) = rules(session)
        assert name == "audit" and keep in (f"{said[-1]} days", f"{said[-1] + 1} days"), (SEED, said, keep)
        session.execute("CALL oplog_purge()")
        count = len(commands(session))
        assert count in (recorded, recorded + 1), (SEED, count, recorded)
        recorded = count
        session.close()


def test_logs_that_become_one_keep_what_the_rules_of_both_say(tmp_path):
    there = tmp_path / "there.duckdb"
    with connect(there) as session:
        set_rule(session, "audit", command="audit*", keep="2 years")
        set_rule(session, "mine", command="import", keep="1 year")
        for command in ("audit", "import"):
            record_old(session, command, 400 if command == "audit" else 300)
    session = connect(tmp_path / "app.duckdb")
    set_rule(session, "audit", command="audit*", keep="forever")
    set_rule(session, "health", command="health*", keep="1 day")
    record_old(session, "health", 3)
    session.execute(f"CALL oplog_open('{sidecar_of(there)}')").fetchall()
    # Of two with one name, that of the log that moved is in force.
    assert rules(session) == [
        ("audit", "command audit*", "forever"),
        ("mine", "command import", "1 year"),
        ("health", "command health*", "1 day"),
    ]
    session.execute("CALL oplog_purge()")
    assert commands(session) == ["audit", "import"]
    session.close()


def test_a_log_in_memory_takes_on_the_rules_of_the_file_that_it_moves_into(tmp_path):
    """As a service does at each start."""
    for _ in range(2):
        session = connect()
        session.execute(f"CALL oplog_open('{tmp_path / 'kept.oplog'}')").fetchall()
        if not rules(session):
            set_rule(session, "audit", command="audit*", keep="1 year")
        record_old(session, "audit", 100)
        session.execute("CALL oplog_purge()")
        session.close()
    session = connect()
    session.execute(f"CALL oplog_open('{tmp_path / 'kept.oplog'}')").fetchall()
    assert rules(session) == [("audit", "command audit*", "1 year")]
    assert commands(session) == ["audit", "audit"]
    session.close()


def test_a_rule_that_was_dropped_does_not_come_back_with_the_log(tmp_path):
    session = connect(tmp_path / "app.duckdb")
    set_rule(session, "audit", command="audit*", keep="1 year")
    set_rule(session, "other", command="other", keep="1 day")
    session.execute(f"CALL oplog_open('{tmp_path / 'elsewhere.oplog'}')").fetchall()
    session.execute("CALL oplog_retention_drop('audit')").fetchall()
    session.execute(f"CALL oplog_open('{sidecar_of(tmp_path / 'app.duckdb')}')").fetchall()
    assert [name for name, *_ in rules(session)] == ["other"]
    session.close()


def test_the_rules_of_a_damaged_log_are_saved(tmp_path):
    path = tmp_path / "app.duckdb"
    with connect(path) as session:
        set_rule(session, "audit", command="audit*", keep="1 year")
        session.execute("SET oplog_retention = '300 days'")
        session.execute(
            """SELECT count(oplog_record({command: 'audit', error_message: concat(uuid(), uuid()), timestamp: now() - INTERVAL 200 DAYS}))
               FROM range(20000)"""
        ).fetchall()
    log = sidecar_of(path)
    whole = log.read_bytes()
    saved = lost = 0
    for block in range((len(whole) - 12_288) // 262_144):
        for file in tmp_path.iterdir():
            file.unlink()
        at = 12_288 + block * 262_144 + 1_000
        log.write_bytes(whole[:at] + bytes(16) + whole[at + 16 :])
        session = connect(path)
        session.execute("SELECT count(error_message) FROM operation_log").fetchall()
        if rules(session):
            saved += 1
            session.execute("CALL oplog_purge()")
            assert session.execute("SELECT last_deleted_operations FROM oplog_retention() WHERE rule = 'audit'").fetchall() == [(None,)]
        elif session.execute("SELECT count(*) FROM operation_log").fetchone() != (0,):
            # Nobody finds out by what is missing.
            lost += 1
            assert "its retention rules cannot be read" in status(session)["notes"]
        session.close()
    assert saved > lost, (saved, lost)


def test_a_log_of_version_7_goes_on_with_what_was_deleted(tmp_path):
    path = tmp_path / "app.duckdb"
    with connect(path) as session:
        record_old(session, "old", 10, 5)
        session.execute("CALL oplog_purge()")
    with duckdb.connect(str(sidecar_of(path))) as plain:
        plain.execute("DROP TABLE retention_rules")
        for table in ("history_1m", "history_1h", "history_metrics", "archive", "archive_runs", "archive_files"):
            plain.execute(f"DROP TABLE {table}")
        plain.execute("ALTER TABLE retention_runs DROP COLUMN rule")
        plain.execute("UPDATE meta SET value = '7' WHERE key = 'schema_version'")
    session = connect(path)
    assert session.execute("SELECT deleted_operations FROM oplog_retention()").fetchall() == [(5,), (0,), (0,)]
    set_rule(session, "old", command="old", keep="1 month")
    record_old(session, "old", 10, 5)
    assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
    session.close()


def test_a_rule_that_cannot_be_read_deletes_nothing(tmp_path):
    path = tmp_path / "app.duckdb"
    with connect(path) as session:
        set_rule(session, "audit", command="audit*", keep="1 year")
        record_old(session, "audit", 100)
    with duckdb.connect(str(sidecar_of(path))) as plain:
        plain.execute("UPDATE retention_rules SET keep = 'a while'")
    session = connect(path)
    problem = "the retention rule 'audit' cannot be read, and nothing is deleted by age: drop it or set it anew \\(keep is 'a while'"
    for call in ("CALL oplog_purge()", "FROM oplog_retention()"):
        with pytest.raises(duckdb.Error, match=problem):
            session.execute(call).fetchall()
    assert commands(session) == ["audit"]
    (found,) = session.execute("SELECT status FROM oplog_health() WHERE component = 'retention'").fetchone()
    assert found == "warn"
    session.execute("CALL oplog_retention_drop('audit')").fetchall()
    assert session.execute("CALL oplog_purge()").fetchall() == [(1, 1, 0)]
    session.close()


def test_what_was_deleted_is_remembered_whole_however_often(tmp_path):
    """More runs than are remembered one by one."""
    path = tmp_path / "app.duckdb"
    with connect(path) as session:
        set_rule(session, "audit", command="audit*", keep="1 day")
        record_old(session, "audit", 3, 7)
        record_old(session, "other", 10, 3)
        session.execute("CALL oplog_purge()")
    with duckdb.connect(str(sidecar_of(path))) as plain:
        plain.execute("SET TimeZone = 'UTC'")
        plain.execute(
            """INSERT INTO retention_runs (started_at, reason, deleted, rule)
               SELECT now() - to_minutes(i), CASE WHEN i % 2 = 0 THEN 'rule age' ELSE 'success age' END, 2,
                   CASE WHEN i % 2 = 0 THEN 'audit' END
               FROM range(2, 5002) t(i)"""
        )
    session = connect(path)
    record_old(session, "audit", 3)
    session.execute("CALL oplog_purge()")
    asked = "SELECT deleted_operations, last_deleted_operations FROM oplog_retention()"
    assert session.execute(asked).fetchall() == [(5008, 1), (5003, 3), (0, None), (0, None)]
    session.close()
    with duckdb.connect(str(sidecar_of(path))) as plain:
        assert plain.execute("SELECT count(*) FROM retention_runs").fetchone() == (4,)


def test_a_purge_that_fails_deletes_nothing(tmp_path):
    run_python(
        """
        import errno, sys
        import duckdb
        from harness import connect, faults
        control = faults.control()
        session = connect(sys.argv[1])
        session.execute("CALL oplog_retention_set('audit', command := 'audit*', keep := '1 day')").fetchall()
        session.execute("SELECT count(oplog_record({command: 'audit', timestamp: now() - INTERVAL 3 DAYS})) FROM range(100)").fetchall()
        session.execute("CALL oplog_flush()")
        control.fail(faults.WRITE | faults.SYNC, "*.oplog.wal", errno.EIO, times=1)
        try:
            session.execute("CALL oplog_purge()").fetchall()
            raise SystemExit("it did not fail")
        except duckdb.Error:
            pass
        control.clear()
        left = session.execute("SELECT count(*) FROM operation_log").fetchone()[0]
        deleted = session.execute("SELECT sum(deleted_operations) FROM oplog_retention()").fetchone()[0]
        assert (left, deleted) == (100, 0), (left, deleted)
        assert session.execute("SELECT sum(operations) FROM oplog_stats(period := '10 days')").fetchone() == (100,)
        assert session.execute("CALL oplog_purge()").fetchall() == [(100, 100, 0)]
        assert session.execute("SELECT sum(operations) FROM oplog_stats(period := '10 days')").fetchone() == (100,)
        """,
        tmp_path / "app.duckdb",
        env=faults.environment(),
    )
