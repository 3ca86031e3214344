"""Right after close() another process has the host's file to itself, and finds the log complete: a hundred times."""

from __future__ import annotations

import os

from harness import connect, start_python
from harness.ledger import segments_of, sidecar_of

ROUNDS = int(os.environ.get("OPLOG_TEST_LOCKS", "100"))

# For every line that it reads it opens the host to write, as another service would, and then its log as a plain file.
OTHER_SERVICE = """
    import sys, duckdb
    host = sys.argv[1]
    print("ready")
    for line in sys.stdin:
        with duckdb.connect(host) as service:
            service.execute("CREATE TABLE IF NOT EXISTS visits (i INTEGER)")
            service.execute("INSERT INTO visits VALUES (1)")
            visits = service.execute("SELECT count(*) FROM visits").fetchone()[0]
        with duckdb.connect(host + ".oplog", read_only=True) as log:
            print(visits, *log.execute("SELECT count(*), count(DISTINCT id), max(seq) FROM operation_log").fetchone())
"""


def test_another_process_has_the_file_right_after_close(host):
    recorded = 0
    with start_python(OTHER_SERVICE, host) as other:
        other.wait_for("ready")
        for visit in range(1, ROUNDS + 1):
            connection = connect(host)
            second = connection.cursor()
            rows = [1, 10, 300][visit % 3]
            second.execute(f"SELECT oplog_record({{command: 'import', rows_affected: i}}) FROM range({rows}) t(i)").fetchall()
            if visit % 2:
                second.execute("SELECT count(*) FROM operation_log").fetchall()
            recorded += rows
            second.close()
            connection.close()
            other.go_on()
            other.wait_for(f"{visit} {recorded} {recorded} {recorded}")
        assert other.finish() == 0


def test_only_the_log_is_left_behind(host):
    with connect(host) as connection:
        connection.execute("SELECT oplog_record({command: 'import'})").fetchall()
        assert segments_of(host)
    left = {file.name for file in host.parent.iterdir()}
    assert left == {host.name, sidecar_of(host).name}
