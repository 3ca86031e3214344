"""Writes the Grafana dashboards: python3 monitoring/grafana/generate.py. What is in dashboards/ is its output.

A dashboard is a list of rows, a row a list of panels; each panel says which question it answers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

DASHBOARDS = Path(__file__).with_name("dashboards")
SELECTOR = 'job=~"$job", instance=~"$instance"'
WIDTH = 24


def query(expression: str, legend: str = "{{instance}}") -> dict:
    """`$s` in an expression stands for the selected services."""
    return {"expr": re.sub(r"\$s\b", lambda _: SELECTOR, expression), "legendFormat": legend}


def panel(title: str, description: str, *queries: dict, unit: str = "short", kind: str = "timeseries", thresholds=()) -> dict:
    steps = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": value} for value, color in thresholds]
    custom = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} if kind == "timeseries" else {}
    if thresholds and kind == "timeseries":
        custom["thresholdsStyle"] = {"mode": "line"}
    result = {
        "title": title,
        "description": description,
        "type": kind,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {
            "defaults": {"unit": unit, "custom": custom, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"tooltip": {"mode": "multi", "sort": "desc"}, "legend": {"displayMode": "list", "placement": "bottom"}}
        if kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"},
        "targets": [
            {**one, "refId": chr(ord("A") + index), "datasource": {"type": "prometheus", "uid": "${datasource}"}, "range": True}
            for index, one in enumerate(queries)
        ],
    }
    if kind == "table":
        result["options"] = {"showHeader": True}
        for target in result["targets"]:
            target.update({"instant": True, "range": False, "format": "table"})
    return result


def stat(title: str, description: str, *queries: dict, **options) -> dict:
    return panel(title, description, *queries, kind="stat", **options)


def variable(name: str, label: str, metric: str, selector: str = "") -> dict:
    definition = f"label_values({metric}{{{selector}}}, {name})" if selector else f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "definition": definition,
        "query": {"query": definition, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }


COMMAND = variable("command", "Command", "duckdb_operations_total", 'job=~"$job"')
PROJECT = variable("project_id", "Project", "duckdb_project_operations_total", 'job=~"$job"')


def dashboard(uid: str, title: str, description: str, rows: list[list[dict]], variables: tuple[dict, ...] = ()) -> dict:
    panels = []
    top = 0
    for row in rows:
        height = 4 if all(one["type"] == "stat" for one in row) else 8
        width = WIDTH // len(row)
        for index, one in enumerate(row):
            position = {"h": height, "w": width, "x": index * width, "y": top}
            panels.append({"id": len(panels) + 1, "gridPos": position, **one})
        top += height
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["duckdb", "oplog"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}},
                variable("job", "Job", "oplog_build_info"),
                variable("instance", "Instance", "oplog_build_info", 'job=~"$job"'),
                *variables,
            ]
        },
        "links": [{"type": "dashboards", "tags": ["oplog"], "title": "oplog", "asDropdown": True}],
        "annotations": {"list": []},
        "panels": panels,
    }


def quantile(share: float, by: str = "", where: str = "$s") -> str:
    labels = f"le, {by}" if by else "le"
    rates = f"sum by ({labels}) (rate(duckdb_operation_duration_seconds_bucket{{{where}}}[$__rate_interval]))"
    return f"histogram_quantile({share}, {rates})"


FAILED = 'status!="success"'
RATE = "$__rate_interval"
COMMANDS = '$s, command=~"$command"'


def overview() -> dict:
    operations = "sum(increase(duckdb_operations_total{$s}[1h]))"
    return dashboard("oplog-overview", "DuckDB: overview", "How is the service? Traffic, errors, durations, saturation.", [
        [
            stat("Operations in the last hour", "How much was done.", query(operations)),
            stat("Success rate in the last hour", "The share of operations that succeeded.",
                 query("1 - sum(increase(instance:duckdb_operation_errors:total{$s}[1h])) / sum(increase(instance:duckdb_operations:total{$s}[1h]))"),
                 unit="percentunit", thresholds=[(0, "red"), (0.95, "orange"), (0.99, "green")]),
            stat("p95 in the last hour", "19 of 20 operations were faster than this.",
                 query("histogram_quantile(0.95, sum by (le) (increase(duckdb_operation_duration_seconds_bucket{$s}[1h])))"),
                 unit="s", thresholds=[(2.5, "orange")]),
            stat("Running spans", "Operations that have started and not ended.", query("sum(oplog_active_spans{$s})")),
            stat("Alerts that fire", "Of the rules in monitoring/prometheus.",
                 query('count(ALERTS{$s, alertstate="firing"}) or vector(0)'), thresholds=[(1, "red")]),
        ],
        [
            panel("Operations", "How many operations end each second, by status?",
                  query(f"sum by (status) (rate(duckdb_operations_total{{$s}}[{RATE}]))", "{{status}}"), unit="ops"),
            panel("Durations", "How long do operations take?",
                  query(quantile(0.5), "p50"), query(quantile(0.95), "p95"), query(quantile(0.99), "p99"), unit="s"),
        ],
        [
            panel("Errors by code", "What fails?",
                  query(f"sum by (error_code) (rate(duckdb_operation_errors_total{{$s}}[{RATE}]))", "{{error_code}}"), unit="ops"),
            panel("CPU and memory", "How much of what the process may have does it use?",
                  query(f"rate(process_cpu_seconds_total{{$s}}[{RATE}]) / oplog_machine_cpus", "{{instance}} CPU"),
                  query("process_resident_memory_bytes{$s} / oplog_machine_memory_bytes", "{{instance}} memory"),
                  unit="percentunit", thresholds=[(0.8, "orange"), (0.9, "red")]),
        ],
    ])


def by_command() -> dict:
    return dashboard("oplog-commands", "DuckDB: by command", "Which command is busy, slow or failing?", [
        [
            panel("Operations", "How often does each command run?",
                  query(f"sum by (command) (rate(duckdb_operations_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="ops"),
            panel("Share of failures", "Which command fails?",
                  query(f"sum by (command) (rate(duckdb_operations_total{{{COMMANDS}, {FAILED}}}[{RATE}])) / sum by (command) (rate(duckdb_operations_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"),
                  unit="percentunit", thresholds=[(0.01, "orange"), (0.05, "red")]),
        ],
        [
            panel("Median duration", "How long does a command usually take?", query(quantile(0.5, "command", COMMANDS), "{{command}}"), unit="s"),
            panel("p95 of the duration", "How long do the slowest take?", query(quantile(0.95, "command", COMMANDS), "{{command}}"), unit="s"),
        ],
        [
            panel("Time spent", "Seconds of work a second: what keeps the service busy?",
                  query(f"sum by (command) (rate(duckdb_operation_duration_seconds_sum{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="short"),
            panel("Slow operations", "Operations above oplog_slow_threshold.",
                  query(f"sum by (command) (rate(duckdb_slow_operations_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="ops"),
        ],
        [
            panel("Rows", "Rows that operations read or wrote.",
                  query(f"sum by (command) (rate(duckdb_operation_rows_affected_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="rowsps"),
            panel("Bytes in", "What operations took in.",
                  query(f"sum by (command) (rate(duckdb_operation_bytes_in_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="Bps"),
            panel("Bytes out", "What operations gave out.",
                  query(f"sum by (command) (rate(duckdb_operation_bytes_out_total{{{COMMANDS}}}[{RATE}]))", "{{command}}"), unit="Bps"),
        ],
    ], (COMMAND,))


def by_project() -> dict:
    where = '$s, project_id=~"$project_id"'
    return dashboard("oplog-projects", "DuckDB: by project and table",
                     "Who uses the service, and how large are the tables? Operations have no table label, since tables are many: "
                     "FROM oplog_stats(by := 'table_name') tells them apart. The tables here are those of oplog.engine.", [
        [
            panel("Operations by project", "Who keeps the service busy?",
                  query(f"sum by (project_id) (rate(duckdb_project_operations_total{{{where}}}[{RATE}]))", "{{project_id}}"), unit="ops"),
            panel("Failures by project", "Whose operations fail?",
                  query(f"sum by (project_id) (rate(duckdb_project_operations_total{{{where}, {FAILED}}}[{RATE}]))", "{{project_id}}"), unit="ops"),
        ],
        [
            panel("Projects in the last hour", "What did each project do?",
                  query(f"sum by (project_id, command, status) (increase(duckdb_project_operations_total{{{where}}}[1h]))"), kind="table"),
        ],
        [
            panel("Rows by table", "How large is each table? DuckDB's own estimate.",
                  query("max by (database, schema, table) (duckdb_table_estimated_rows{$s})", "{{database}}.{{schema}}.{{table}}")),
            panel("Indexes by table", "How many indexes does each table have?",
                  query("max by (database, schema, table) (duckdb_table_indexes{$s})", "{{database}}.{{schema}}.{{table}}")),
        ],
    ], (PROJECT,))


def errors() -> dict:
    return dashboard("oplog-errors", "DuckDB: errors", "What fails, since when, and how fast is the error budget spent?", [
        [
            panel("Failures by status", "Errors, timeouts, cancellations, interruptions.",
                  query(f"sum by (status) (rate(duckdb_operations_total{{{COMMANDS}, {FAILED}}}[{RATE}]))", "{{status}}"), unit="ops"),
            panel("Failures by code", "What is the reason?",
                  query(f"sum by (command, error_code) (rate(duckdb_operation_errors_total{{{COMMANDS}}}[{RATE}]))", "{{command}} {{error_code}}"), unit="ops"),
        ],
        [
            panel("Failures in a row", "Which command has not succeeded for some time?",
                  query(f"command:duckdb_operation_consecutive_errors:current{{{COMMANDS}}}", "{{command}}"), thresholds=[(5, "red")]),
            panel("Share of failures", "Against a target of 99 %: above 14.4 % for an hour the budget of a month is gone in two days.",
                  query("instance:duckdb_operation_errors:ratio_rate5m{$s}", "{{instance}} 5 m"),
                  query("instance:duckdb_operation_errors:ratio_rate1h{$s}", "{{instance}} 1 h"),
                  query("instance:duckdb_operation_errors:ratio_rate6h{$s}", "{{instance}} 6 h"),
                  unit="percentunit", thresholds=[(0.01, "orange"), (0.144, "red")]),
        ],
        [
            panel("Error codes of the last hour", "How often did what fail?",
                  query(f"sum by (command, error_code) (increase(duckdb_operation_errors_total{{{COMMANDS}}}[1h]))"), kind="table"),
            panel("Alerts", "Which rules are pending or firing?", query("ALERTS{$s}"), kind="table"),
        ],
    ], (COMMAND,))


def sync() -> dict:
    where = '$s, command=~"$sync"'
    name = {"name": "sync", "label": "Commands", "type": "textbox", "query": "(sync|replicat|hint).*",
            "current": {"text": "(sync|replicat|hint).*", "value": "(sync|replicat|hint).*"}}
    return dashboard("oplog-sync", "DuckDB: replication and sync",
                     "Does synchronisation work? By the commands that the regular expression names; what a service publishes "
                     "with oplog_counter and oplog_gauge can be added.", [
        [
            stat("Failures in a row", "More than 5 are an alert.",
                 query(f"max(command:duckdb_operation_consecutive_errors:current{{{where}}})"), thresholds=[(1, "orange"), (6, "red")]),
            stat("Runs in the last hour", "How often did it run?", query(f"sum(increase(duckdb_operations_total{{{where}}}[1h]))")),
            stat("Success rate in the last hour", "The share of runs that succeeded.",
                 query(f'sum(increase(duckdb_operations_total{{{where}, status="success"}}[1h])) / sum(increase(duckdb_operations_total{{{where}}}[1h]))'),
                 unit="percentunit", thresholds=[(0, "red"), (0.95, "orange"), (0.99, "green")]),
        ],
        [
            panel("Runs by status", "When did it run, and how did it end?",
                  query(f"sum by (command, status) (rate(duckdb_operations_total{{{where}}}[{RATE}]))", "{{command}} {{status}}"), unit="ops"),
            panel("p95 of the duration", "How long does it take?", query(quantile(0.95, "command", where), "{{command}}"), unit="s"),
        ],
        [
            panel("Bytes", "How much is moved?",
                  query(f"sum by (command) (rate(duckdb_operation_bytes_in_total{{{where}}}[{RATE}]))", "{{command}} in"),
                  query(f"sum by (command) (rate(duckdb_operation_bytes_out_total{{{where}}}[{RATE}]))", "{{command}} out"), unit="Bps"),
            panel("Rows", "How many rows are moved?",
                  query(f"sum by (command) (rate(duckdb_operation_rows_affected_total{{{where}}}[{RATE}]))", "{{command}}"), unit="rowsps"),
        ],
    ], (name,))


def process() -> dict:
    return dashboard("oplog-process", "DuckDB: process and disk", "What does the process use, and what is left?", [
        [
            panel("CPU", "CPUs in use, against those that the process may use.",
                  query(f"rate(process_cpu_seconds_total{{$s}}[{RATE}])", "{{instance}} used"),
                  query("oplog_machine_cpus{$s}", "{{instance}} available")),
            panel("Memory", "Resident memory, against what the process may have.",
                  query("process_resident_memory_bytes{$s}", "{{instance}} resident"),
                  query("oplog_machine_memory_bytes{$s}", "{{instance}} available"), unit="bytes"),
        ],
        [
            panel("DuckDB's memory", "What does DuckDB use memory for? From oplog.engine.",
                  query("sum by (tag) (duckdb_memory_bytes{$s})", "{{tag}}"),
                  query("max(duckdb_memory_limit_bytes{$s})", "limit"), unit="bytes"),
            panel("Temporary storage", "What has DuckDB written to disk for want of memory? From oplog.engine.",
                  query("sum by (tag) (duckdb_temporary_storage_bytes{$s})", "{{tag}}"), unit="bytes"),
        ],
        [
            panel("Disk use", "How full are the disks of the database and of the log?",
                  query("1 - duckdb_database_disk_available_bytes{$s} / duckdb_database_disk_size_bytes", "{{instance}} {{database}}"),
                  unit="percentunit", thresholds=[(0.9, "red")]),
            panel("Time until a disk is full", "At the rate of the last day; none where it does not fill up. FROM oplog_capacity() says how sure that is.",
                  query("duckdb_database_disk_available_bytes{$s} / -(deriv(duckdb_database_disk_available_bytes{$s}[1d]) < 0)", "{{instance}} {{database}}"),
                  unit="s"),
            panel("Files", "How large are the database, the log, and their write-ahead logs?",
                  query("duckdb_database_file_bytes{$s}", "{{instance}} {{database}}"),
                  query("duckdb_database_wal_bytes{$s}", "{{instance}} {{database}} WAL"), unit="bytes"),
        ],
        [
            panel("Disk traffic", "What the process reads from disk and writes to it.",
                  query(f"rate(process_disk_read_bytes_total{{$s}}[{RATE}])", "{{instance}} read"),
                  query(f"rate(process_disk_written_bytes_total{{$s}}[{RATE}])", "{{instance}} written"), unit="Bps"),
            panel("Threads and files", "Threads, open files and connections.",
                  query("process_threads{$s}", "{{instance}} threads"),
                  query("process_open_fds{$s}", "{{instance}} open files"),
                  query("duckdb_connections{$s}", "{{instance}} connections")),
            panel("Open files", "Share of the files that the process may have open.",
                  query("process_open_fds{$s} / process_max_fds"), unit="percentunit", thresholds=[(0.8, "orange")]),
        ],
    ])


def oplog() -> dict:
    return dashboard("oplog-itself", "DuckDB: oplog itself", "Is the log well? FROM oplog_health() says more.", [
        [
            stat("Version", "What is loaded where.", query("max by (version) (oplog_build_info{$s})", "{{version}}")),
            stat("Since the last operation", "How long has nothing been recorded?",
                 query("time() - max(oplog_last_operation_timestamp_seconds{$s})"), unit="s"),
            stat("Lost operations", "Recorded and not readable any more.", query("sum(oplog_lost_operations_total{$s})"), thresholds=[(1, "red")]),
            stat("Failed commits in the last hour", "They are tried again.",
                 query("sum(increase(oplog_commit_errors_total{$s}[1h]))"), thresholds=[(1, "red")]),
        ],
        [
            panel("Waiting operations", "Accepted, and not yet in the log.", query("oplog_pending_operations{$s}")),
            panel("Waiting bytes", "Memory and journal that they take.",
                  query("oplog_pending_bytes{$s}", "{{instance}} memory"), query("oplog_journal_bytes{$s}", "{{instance}} journal"), unit="bytes"),
        ],
        [
            panel("Commits", "How often is the log written?", query(f"rate(oplog_commits_total{{$s}}[{RATE}])"), unit="ops"),
            panel("Duration of commits", "How long does it take?",
                  query(f"histogram_quantile(0.95, sum by (le) (rate(oplog_commit_duration_seconds_bucket{{$s}}[{RATE}])))", "p95"), unit="s"),
            panel("Lag", "How old is the oldest operation that waits?", query("oplog_commit_lag_seconds{$s}"), unit="s", thresholds=[(60, "orange")]),
        ],
        [
            panel("Refused, folded and interrupted", "Invalid operations, label values beyond the limit, spans that nobody finished.",
                  query(f"rate(oplog_rejected_operations_total{{$s}}[{RATE}])", "{{instance}} rejected"),
                  query(f"rate(oplog_folded_operations_total{{$s}}[{RATE}])", "{{instance}} folded"),
                  query(f"rate(oplog_interrupted_operations_total{{$s}}[{RATE}])", "{{instance}} interrupted"), unit="ops"),
            panel("Retention", "Operations that were deleted as too old, or as too many.",
                  query(f"rate(oplog_purged_operations_total{{$s}}[{RATE}])"), unit="ops"),
        ],
    ])


ALL = {
    "overview": overview, "commands": by_command, "projects": by_project, "errors": errors,
    "sync": sync, "process": process, "oplog": oplog,
}


def rendered() -> dict[str, str]:
    """Each dashboard's file name and text."""
    return {f"{name}.json": json.dumps(make(), indent=2, ensure_ascii=False) + "\n" for name, make in ALL.items()}


if __name__ == "__main__":
    DASHBOARDS.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (DASHBOARDS / name).write_text(text)
