"""A disk that fails while a log moves, at any step: the host lives on, and every operation is in one log once."""

import duckdb
import pytest

from harness import faults, run_python

# One fault each time, one step later than the time before, until a move has no more steps.
SCRIPT = """
import errno, sys
from harness import connect, faults, record
from harness.ledger import patiently
directory, operations, error, times = sys.argv[1], int(sys.argv[2]), getattr(errno, sys.argv[3]), int(sys.argv[4])
control = faults.control()
session = connect(directory + "/kept.duckdb")
ids, jobs = [], 0

def value(sql):
    return session.execute(sql).fetchone()[0]

def log():
    return value("SELECT value FROM oplog_status() WHERE name = 'log'")

def check(what):
    patiently(session, "CALL oplog_flush()")
    recorded = [str(id) for (id,) in session.execute("SELECT id FROM operation_log ORDER BY seq").fetchall()]
    assert sorted(recorded) == sorted(ids), (what, len(recorded), len(set(recorded)), len(ids))
    numbers = session.execute("SELECT min(seq), count(DISTINCT seq), max(seq) FROM operation_log").fetchone()
    assert numbers == (1, len(ids), len(ids)), (what, numbers)
    totals = dict(session.execute(
        "SELECT name, sum(value) FROM oplog_metrics() WHERE name IN ('duckdb_operations_total', 'jobs_total') GROUP BY name"
    ).fetchall())
    assert totals == {"duckdb_operations_total": len(ids), "jobs_total": jobs}, (what, totals, len(ids), jobs)
    assert value("SELECT count(*) FROM oplog_settings() WHERE is_set") == 1, what
    assert value("SELECT count(*) - count(DISTINCT name) FROM oplog_alert_rules()") == 0, what
    assert value("SELECT threshold FROM oplog_alert_rules() WHERE name = 'disk_full'") == 85, what

session.execute("SET oplog_retention = '3 days'")
session.execute("CALL oplog_alert_set('disk_full', threshold := 85)").fetchall()
places = [directory + "/kept.duckdb.oplog", directory + "/other.oplog"]
skip, failed = 0, 0
while True:
    # Both ways, since what a log is told when it comes back has to take the place of what it knew.
    tried, reached = [], False
    for _ in range(2):
        ids.append(record(session, "import"))
        session.execute("SELECT oplog_counter('jobs_total')").fetchall()
        jobs += 1
        target = next(place for place in places if place != log())
        rule = control.fail(operations, "*.oplog.wal", error, skip=skip, times=times)
        try:
            session.execute("CALL oplog_open(?)", [target]).fetchall()
        except Exception:
            failed += 1
        reached |= control.hits(rule) > skip
        control.clear()
        ids.append(record(session, "behind it"))
        check(("to", target, "skipping", skip))
        if log() != target:
            session.execute("CALL oplog_open(?)", [target]).fetchall()
            check(("again to", target, "skipping", skip))
    if not reached:
        break
    skip += 1
assert failed >= 4, "a move has more steps that can fail than that"
session.close()
session = connect(directory + "/kept.duckdb")
check("in the end")
print("done")
"""


@pytest.mark.parametrize("operations, error, times", [
    (faults.SYNC, "EIO", 1),
    (faults.SYNC, "EIO", 3),
    (faults.WRITE, "ENOSPC", 1),
    (faults.WRITE | faults.SYNC, "EIO", 4),
    # What cannot be cut off again is in the file: a commit that has failed is there all the same.
    (faults.SYNC | faults.TRUNCATE, "EIO", 2),
    (faults.WRITE | faults.SYNC | faults.TRUNCATE, "EIO", 3),
])
def test_a_disk_that_fails_at_any_step_of_a_move(tmp_path, operations, error, times):
    if operations & faults.TRUNCATE and duckdb.__version__ < "2":
        pytest.skip("DuckDB 1.5.6 ends the process when it cannot cut off what a commit that failed has written")
    assert run_python(SCRIPT, tmp_path, operations, error, times, env=faults.environment()).split()[-1] == "done"


CHANGES = """
import errno, sys
from harness import connect, faults
from harness.ledger import patiently
control = faults.control()
session = connect(sys.argv[1])
operations = int(sys.argv[2])
expected = {}

def value(sql):
    return session.execute(sql).fetchone()[0]

statements = [
    "SET oplog_retention = '{n} days'", "RESET oplog_retention", "SET oplog_retention = '{n} hours'",
    "CALL oplog_alert_set('disk_full', threshold := {n})", "CALL oplog_alert_drop('disk_full')",
    "CALL oplog_alert_set('disk_full', metric := 'disk_percent', comparison := '>', threshold := {n})",
    "CALL oplog_purge()",
]
count = 0
for number, statement in enumerate(statements * 2, 2):
    session.execute("SELECT oplog_record({command: 'import'}), oplog_counter('jobs_total')").fetchall()
    count += 1
    control.fail(operations, "*.oplog.wal", errno.EIO, times=1)
    try:
        session.execute(statement.format(n=number)).fetchall()
        session.execute("CALL oplog_flush()").fetchall()
    except Exception:
        pass
    control.clear()
    patiently(session, statement.format(n=number) if "drop" not in statement else "CALL oplog_flush()")
    patiently(session, "CALL oplog_flush()")
    assert value("SELECT count(*) FROM operation_log") == count, statement
    assert value("SELECT count(*) - count(DISTINCT name) FROM oplog_alert_rules()") == 0, statement
    if "SET oplog" in statement:
        assert value("SELECT count(*) FROM oplog_settings() WHERE is_set") == (statement[0] == "S"), statement
    if "threshold" in statement:
        assert value("SELECT threshold FROM oplog_alert_rules() WHERE name = 'disk_full'") == number, statement
print("done")
"""


@pytest.mark.parametrize("operations", [faults.SYNC, faults.WRITE])
def test_a_disk_that_fails_under_settings_and_rules(host, operations):
    assert run_python(CHANGES, host, operations, env=faults.environment()).split()[-1] == "done"


@pytest.mark.parametrize("operations", [faults.SYNC, faults.WRITE])
def test_a_disk_that_fails_while_a_log_is_made(connect, tmp_path, operations):
    """Migrations among them: a log has the tables of all earlier versions first."""
    script = """
        import sys
        from harness import connect, faults, record
        session = connect(sys.argv[1])
        record(session, "import")
        print(faults.control().hits(0))
    """
    skip = 0
    while True:
        host = tmp_path / f"{skip}.duckdb"
        rule = faults.Rule(operations, "*.oplog.wal", faults.FAIL, errno=5, skip=skip, times=1)
        hits = int(run_python(script, host, env=faults.environment(rule)))
        with connect(host) as session:
            assert session.execute("SELECT count(*) FROM operation_log").fetchall() in ([(1,)], [(0,)])
        if hits <= skip:
            break
        skip += 1
    assert skip >= 6, "there are more migrations than that"
