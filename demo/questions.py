"""What one comes to an operation log for: each question, and the SQL that answers it."""

FUNCTIONS = [
    ("How is the service doing?", "FROM oplog_summary(period := '1h')"),
    (
        "What do the commands cost?",
        "SELECT command, operations, errors, success_rate, avg_ms, p50_ms, p95_ms, max_ms, rows_affected FROM oplog_stats()",
    ),
    (
        "Which tables is the time spent on?",
        """SELECT project_id, table_name, operations, errors, total_ms, p95_ms, bytes_in, bytes_out
FROM oplog_stats(by := 'project_id,table_name') ORDER BY total_ms DESC""",
    ),
    (
        "Which operations took longest?",
        "SELECT command, status, duration_ms, project_id, table_name, rows_affected FROM oplog_slowest(n := 5)",
    ),
    ("What failed, and what did it say?", "SELECT error_code, command, count, last_message FROM oplog_errors()"),
    ("When? (Seconds without an operation left out)", "FROM oplog_timeline(period := '5m', bucket := '1s') WHERE operations > 0"),
]

RELATION = [
    (
        "The slowest imports of the last hour",
        """SELECT project_id, table_name, duration_ms, rows_affected, bytes_in
FROM operation_log
WHERE command = 'import' AND timestamp > NOW() - INTERVAL '1 hour'
ORDER BY duration_ms DESC
LIMIT 10""",
    ),
    (
        "The error rate by command over 24 hours",
        """SELECT command, COUNT(*) AS operations,
       SUM(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS errors,
       SUM(CASE WHEN status = 'error' THEN 1 ELSE 0 END) * 100.0 / COUNT(*) AS error_percent
FROM operation_log
WHERE timestamp > NOW() - INTERVAL '24 hours'
GROUP BY command
ORDER BY error_percent DESC""",
    ),
    (
        "All that one job did, in time order: it was rolled back, its records were not",
        """SELECT timestamp, command, table_name, status, duration_ms, rows_affected, error_code
FROM operation_log
WHERE connection_job_id = 'load-fleet-again'
ORDER BY timestamp""",
    ),
    (
        "P95 by table over 7 days",
        """SELECT table_name, COUNT(*) AS operations,
       PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms
FROM operation_log
WHERE timestamp > NOW() - INTERVAL '7 days'
GROUP BY table_name
HAVING COUNT(*) > 10
ORDER BY p95_ms DESC""",
    ),
]

ANALYSES = [
    (
        "Is the target met, and what is left of the error budget?",
        """SELECT command, operations, bad, success_rate, met, budget_remaining, burns_fast
FROM oplog_slo(target := 0.99, max_duration_ms := 500, period := '1h', by := 'command')""",
    ),
    ("Who uses how much?", "SELECT project_id, operations, share, total_ms, bytes_out FROM oplog_usage(by := 'project_id')"),
    ("When is it full?", "SELECT resource, used, capacity, used_share, full_at, reason FROM oplog_capacity()"),
]

ITSELF = [
    (
        "What is kept, and for how long?",
        "SELECT setting, applies_to, keep, operations, expired_operations, deleted_operations FROM oplog_retention()",
    ),
    (
        "Does anything need attention? Alerts are rows that one can change",
        "SELECT name, state, severity, value, comparison, threshold, unit FROM oplog_alerts()",
    ),
    ("Is oplog itself well?", "FROM oplog_health()"),
    ("Where does it stand?", "SELECT name, value, unit FROM oplog_status() WHERE value IS NOT NULL"),
]

# What a service publishes of its own: sizes of its tables, as they are when it is asked.
PUBLISH = """SELECT oplog_gauge('service_table_rows', {'project': schema_name, 'table': table_name}, estimated_size)
FROM duckdb_tables()"""

# What the excerpt of the metrics shows: these, of all that a scrape gets.
METRICS = [
    "duckdb_operations_total",
    "duckdb_operation_duration_seconds_count",
    "duckdb_operation_duration_seconds_sum",
    "process_resident_memory_bytes",
    "service_table_rows",
]
