"""Hosts of every kind: read-only, in memory, several in one process, several processes on one file."""

from __future__ import annotations

import threading

import duckdb

from harness import commands_in_log, record, start_python

READ_ONLY_SERVICE = """
    import sys
    from harness import commands_in_log, connect, record
    connection = connect(sys.argv[1], read_only=True)
    record(connection, "query")
    print("recorded")
    input()
    print(*commands_in_log(connection))
"""


def make_database(path) -> None:
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE t AS SELECT 1 AS i")


def test_read_only_host_can_record(connect, host):
    make_database(host)
    before = host.read_bytes()
    connection = connect(host, read_only=True)
    record(connection, "query")
    assert commands_in_log(connection) == ["query"]
    connection.close()
    assert host.read_bytes() == before


def test_two_processes_on_one_read_only_host_can_record(host):
    make_database(host)
    with start_python(READ_ONLY_SERVICE, host) as first, start_python(READ_ONLY_SERVICE, host) as second:
        for service in (first, second):
            service.wait_for("recorded")
        for service in (first, second):
            service.go_on()
            # Each sees what it recorded itself; whether it sees the other's is not promised.
            assert "query" in service.process.stdout.readline().split()
            assert service.finish() == 0


def test_in_memory_host_leaves_no_file(connect, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connection = connect()
    record(connection, "query")
    assert commands_in_log(connection) == ["query"]
    connection.close()
    assert list(tmp_path.iterdir()) == []


def test_two_hosts_in_one_process_have_two_logs(connect, tmp_path):
    first, second = connect(tmp_path / "first.duckdb"), connect(tmp_path / "second.duckdb")
    record(first, "import")
    record(second, "export")
    assert commands_in_log(first) == ["import"]
    assert commands_in_log(second) == ["export"]

    # One that goes does not take the other's log along.
    first.close()
    record(second, "query")
    assert commands_in_log(second) == ["export", "query"]
    assert commands_in_log(connect(tmp_path / "first.duckdb")) == ["import"]


def test_two_hosts_in_memory_have_two_logs(connect):
    first, second = connect(), connect()
    record(first, "import")
    assert commands_in_log(first) == ["import"]
    assert commands_in_log(second) == []


THREADS = 8
RECORDS_PER_THREAD = 500


def test_threads_that_record_at_once_lose_nothing(connect, host):
    connection = connect(host)
    start = threading.Barrier(THREADS)
    failures = []

    def work(job: int) -> None:
        cursor = connection.cursor()
        start.wait()
        try:
            for step in range(RECORDS_PER_THREAD):
                record(cursor, "import", connection_job_id=str(job), rows_affected=step)
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(job,)) for job in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []

    total = THREADS * RECORDS_PER_THREAD
    assert connection.execute(
        "SELECT count(*), count(DISTINCT id), count(DISTINCT seq), max(seq) - min(seq) + 1 FROM operation_log"
    ).fetchone() == (total, total, total, total)
    # seq keeps the order in which each thread recorded.
    (out_of_order,) = connection.execute("""
        SELECT count(*) FILTER (rows_affected <> step)
        FROM (
            SELECT rows_affected, row_number() OVER (PARTITION BY connection_job_id ORDER BY seq) - 1 AS step
            FROM operation_log
        )
    """).fetchone()
    assert out_of_order == 0


def test_parallel_threads_of_one_statement_lose_nothing(connect):
    connection = connect()
    connection.execute("SET threads = 4")
    rows = 500_000
    connection.execute(f"CREATE TABLE ids AS SELECT oplog_record({{command: 'import', rows_affected: i}}) AS id FROM range({rows}) t(i)")
    assert connection.execute(
        "SELECT count(*), count(DISTINCT rows_affected), max(seq) - min(seq) + 1 FROM operation_log"
    ).fetchone() == (rows, rows, rows)
    assert connection.execute("SELECT count(*) FROM ids SEMI JOIN operation_log USING (id)").fetchone() == (rows,)
