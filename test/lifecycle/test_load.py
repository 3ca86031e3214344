"""Four processes of eight threads each, all recording at once: the counts agree everywhere, and memory stays bounded.

A minute in the first pinned engine and 5 seconds in the others; OPLOG_TEST_LOAD_SECONDS sets another time. What it measures
it prints; only counts and memory can fail.
"""

from __future__ import annotations

import json
import os

import duckdb
import pytest

import engines
from harness import Child, connect, start_python
from harness.ledger import assert_gapless, status

IS_FIRST_ENGINE = duckdb.__version__ == engines.default_engine().version
SECONDS = float(os.environ.get("OPLOG_TEST_LOAD_SECONDS", 60 if IS_FIRST_ENGINE else 5))
PROCESSES = 4
THREADS = 8

# What waits to be committed may take 64 MiB, the private DuckDB 512 MB at most. The rest is the interpreter, the host's
# DuckDB, and what its statements and threads need.
RSS_BYTES_MAX = 700 * 1024 * 1024
# While millions of rows are counted: the values that quantiles are chosen from, and what malloc keeps for as many threads,
# are beside what DuckDB accounts for.
RSS_COUNTING_BYTES_MAX = 1024 * 1024 * 1024

# Half of the threads record one operation a call, the others a chunk. At the end: counts, the times of the calls, and the
# highest resident memory.
SERVICE = """
    import json, sys, threading, time
    from harness import connect
    from harness.ledger import peak_rss_bytes, status
    path, seconds, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    session = connect(path, threads=2)
    session.execute("CREATE TABLE jobs AS SELECT 'export' AS command, i / 3 AS ms, 'bucket-' || i % 7 AS bucket FROM range(2048) t(i)")
    at_start = peak_rss_bytes()
    ONE = '''SELECT oplog_record({command: 'import', duration_ms: 12.5, project_id: 'p-17', bucket_name: 'in.c-main',
        table_name: 'orders', rows_affected: 1200, bytes_in: 65536, request_id: '7f3c-11'})'''
    MANY = '''SELECT count(id) FROM (SELECT oplog_record({command: command, duration_ms: ms, bucket_name: bucket}) AS id FROM jobs)'''
    times, calls, rows = [], 0, 0
    lock = threading.Lock()
    errors = []

    def work(number, start, end):
        global calls, rows
        cursor = session.cursor()
        own, own_rows = [], 0
        statement, size = (ONE, 1) if number % 2 == 0 else (MANY, 2048)
        start.wait()
        try:
            while time.monotonic() < end[0]:
                began = time.perf_counter()
                cursor.execute(statement).fetchall()
                if size == 1:
                    own.append(time.perf_counter() - began)
                own_rows += size
                if size > 1:
                    time.sleep(0.1)
        except Exception as error:
            errors.append(str(error))
        with lock:
            times.extend(own)
            calls += len(own)
            rows += own_rows

    print("ready", flush=True)
    input()
    end = [time.monotonic() + seconds]
    start = threading.Barrier(threads)
    workers = [threading.Thread(target=work, args=(number, start, end)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    recording = peak_rss_bytes()
    times.sort()
    figures = status(session)
    counted = sum(
        float(line.rsplit(" ", 1)[1])
        for line in session.execute("SELECT prometheus_text()").fetchone()[0].splitlines()
        if line.startswith("duckdb_operations_total{")
    )
    print(json.dumps({
        "errors": errors,
        "rows": rows,
        "calls": calls,
        "in_log": session.execute("SELECT count(*) FROM operation_log").fetchone()[0],
        "in_summary": session.execute("SELECT total_operations FROM oplog_summary()").fetchone()[0],
        "in_status": int(figures["recorded_operations"]),
        "in_metrics": counted,
        "full_waits": int(figures["full_waits"]),
        "p50_us": times[len(times) // 2] * 1e6,
        "p99_us": times[len(times) * 99 // 100] * 1e6,
        "max_us": times[-1] * 1e6,
        "rss_at_start": at_start,
        "rss_recording": recording,
        "rss": peak_rss_bytes(),
    }), flush=True)
    session.close()
"""


def answer_of(service: Child) -> dict:
    # DuckDB draws its progress bar there too.
    return json.loads(next(line for line in service.process.stdout if line.startswith("{")))


# What was recorded in a minute takes another one to be committed, read and counted where two cores do it all.
@pytest.mark.timeout(120 + 3 * SECONDS)
def test_processes_and_threads_that_all_record(tmp_path, capsys):
    hosts = [tmp_path / f"service-{number}.duckdb" for number in range(PROCESSES)]
    services = [start_python(SERVICE, host, SECONDS, THREADS) for host in hosts]
    try:
        for service in services:
            service.wait_for("ready")
        for service in services:
            service.go_on()
        answers = [answer_of(service) for service in services]
        assert [service.finish() for service in services] == [0] * PROCESSES
    finally:
        for service in services:
            service.__exit__()

    rows = sum(answer["rows"] for answer in answers)
    calls = sum(answer["calls"] for answer in answers)
    rss = max(answer["rss"] for answer in answers)
    rss_recording = max(answer["rss_recording"] for answer in answers)
    mb = 1024 * 1024
    with capsys.disabled():
        print(
            f"\n{PROCESSES} processes of {THREADS} threads, {SECONDS:g} s, {os.cpu_count()} cores: {rows / SECONDS:,.0f} operations a second,"
            f" {calls / SECONDS:,.0f} of them in calls of their own;"
            f" such a call from Python: p50 {min(a['p50_us'] for a in answers):,.0f} to {max(a['p50_us'] for a in answers):,.0f} us,"
            f" p99 {max(a['p99_us'] for a in answers) / 1000:,.1f} ms, longest {max(a['max_us'] for a in answers) / 1000:,.0f} ms;"
            f" resident {rss_recording // mb} MB at most while recording ({max(a['rss_at_start'] for a in answers) // mb} at the start),"
            f" {rss // mb} while all of it was counted;"
            f" {sum(a['full_waits'] for a in answers)} waits for room"
        )
    for host, answer in zip(hosts, answers):
        assert answer["errors"] == []
        counts = {name: answer[name] for name in ("rows", "in_log", "in_summary", "in_status", "in_metrics")}
        assert set(counts.values()) == {answer["rows"]}, counts
        with connect(host) as session:
            assert session.execute(
                "SELECT count(*), count(DISTINCT id), min(seq), max(seq) FROM operation_log"
            ).fetchone() == (answer["rows"], answer["rows"], 1, answer["rows"])
    assert rss_recording < RSS_BYTES_MAX
    assert rss < RSS_COUNTING_BYTES_MAX


BURST = int(os.environ.get("OPLOG_TEST_LOAD_BURST", "600000"))


def test_a_burst_beyond_the_memory_limit_waits_in_the_journal(tmp_path, capsys):
    # Faster than the writer commits, with long texts: memory reaches its limit, and the journal has the rest.
    host = tmp_path / "burst.duckdb"
    service = start_python(
        """
        import json, sys, time
        from harness import connect
        from harness.ledger import hold_back, peak_rss_bytes, status
        session = connect(sys.argv[1], threads=2)
        hold_back(session)
        rows = int(sys.argv[2])
        before = peak_rss_bytes()
        began = time.monotonic()
        session.execute(f'''
            CREATE TABLE ids AS SELECT oplog_record({{command: 'burst', rows_affected: i, error_message: repeat('long ', 40)}}) AS id
            FROM range({rows}) t(i)''')
        took = time.monotonic() - began
        figures = status(session)
        began = time.monotonic()
        counts = session.execute('''
            SELECT count(*), count(DISTINCT rows_affected), max(seq), (SELECT count(*) FROM ids SEMI JOIN operation_log USING (id))
            FROM operation_log''').fetchone()
        print(json.dumps({
            "took": took, "figures": figures, "counts": counts, "committed": time.monotonic() - began,
            "rss": peak_rss_bytes(), "before": before,
        }), flush=True)
        session.close()
        """,
        host,
        BURST,
    )
    with service:
        answer = answer_of(service)
        assert service.finish() == 0
    figures = answer["figures"]
    mb = 1024 * 1024
    with capsys.disabled():
        print(
            f"\na burst of {BURST:,} operations of 200 bytes: {BURST / answer['took']:,.0f} a second; then {figures['pending_operations']} waited,"
            f" {int(figures['pending_bytes']) // mb} MB of them in memory and {int(figures['journal_bytes']) // mb} MB in the journal"
            f" (journal only: {figures['journal_only']}), committed and read after {answer['committed']:.1f} s;"
            f" resident {answer['rss'] // mb} MB at most ({answer['before'] // mb} before)"
        )
    assert answer["counts"] == [BURST] * 4
    # A chunk that comes while there is a byte of room is taken.
    assert int(figures["pending_bytes"]) <= int(figures["pending_bytes_max"]) + 4 * mb
    assert answer["rss"] < RSS_BYTES_MAX
    with connect(host) as session:
        assert status(session)["recovered_operations"] == "0"
        assert assert_gapless(session) == BURST
