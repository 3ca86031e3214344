"""A real Prometheus scrapes a real service: it and the database say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness import connect, record
from harness.prometheus import Endpoint, Prometheus

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
BUCKETS = [0, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

# Names of metrics, recorded ones too, and of no label.
METRIC = re.compile(r"\b(?:duckdb_|oplog_|process_|instance:|command:|ALERTS\b|up\b)[\w:]*")


def configuration(port: int) -> str:
    """What monitoring/ gives out, with every rule in it, at a pace that a test can wait for."""
    text = (MONITORING / "prometheus" / "prometheus.yml").read_text()
    text = re.sub(r"_interval: 15s", "_interval: 1s", text)
    text = text.replace("# - rules/", "- rules/").replace("rules/", f"{MONITORING}/prometheus/rules/")
    text = re.sub(r"alerting:\n(?: .*\n)+", "", text)
    return text.replace("localhost:9464", f"127.0.0.1:{port}")


EVERYTHING = "SELECT openmetrics_text(samples) FROM (SELECT list(sample) AS samples FROM oplog.engine AS sample)"


class Service:
    """A database that records, an endpoint for its metrics, and a Prometheus that scrapes it."""

    def __init__(self, directory: Path) -> None:
        self.session = connect(directory / "app.duckdb")
        self.session.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        scraped = self.session.cursor()
        self.endpoint = Endpoint(lambda: scraped.execute(EVERYTHING).fetchone()[0])
        self.prometheus = Prometheus(configuration(self.endpoint.port), directory)

    def close(self) -> None:
        self.prometheus.close()
        self.endpoint.close()
        self.session.close()

    def firing(self) -> set[str]:
        return {name for (name,) in self.session.execute("SELECT name FROM oplog_alerts() WHERE state = 'firing'").fetchall()}

    def wait_for_scrapes(self, count: int = 3) -> None:
        """Until what is recorded now has been scraped, and rules have been evaluated on it."""
        (operations,) = self.session.execute("SELECT count(*) FROM operation_log").fetchone()
        self.prometheus.wait_until(
            lambda: self.prometheus.query(f"min_over_time(instance:duckdb_operations:total[{count}s]) == {operations}"),
            f"{operations} operations have been scraped",
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.close()


@pytest.fixture(scope="module")
def loaded(service):
    """The service after it has been quiet and scraped, and then has done something of everything."""
    prometheus, session = service.prometheus, service.session
    prometheus.wait_until(lambda: prometheus.query('up{job="duckdb"} == 1'), "it is scraped")
    service.wait_for_scrapes()
    log_rules = {"operations_failing", "sync_failing"}
    assert not prometheus.firing() & log_rules
    assert not service.firing() & log_rules
    for count in range(200):
        record(session, "import", duration_ms=1.7**(count % 18), rows_affected=10, bytes_in=100, bytes_out=20,
               project_id=f"project_{count % 3}", table_name="orders")
    for _ in range(5):
        record(session, "sync_push", status="error", error_code="unreachable", duration_ms=30.0)
    # increase() extrapolates, so that 10 failures might count as more: these are 6.
    record(session, "sync_pull", status="error", error_code="unreachable", duration_ms=30.0)
    record(session, "sync_pull", duration_ms=40.0)
    service.wait_for_scrapes()
    return service


def test_nothing_fires_below_its_threshold(loaded):
    assert not loaded.prometheus.firing() & {"operations_failing", "sync_failing"}
    assert not loaded.firing() & {"operations_failing", "sync_failing"}


def test_totals_agree(loaded):
    stats = loaded.session.execute(
        "SELECT command, operations, errors, total_ms / 1000, rows_affected, bytes_in, bytes_out FROM oplog_stats()"
    ).fetchall()
    assert len(stats) == 3
    for command, operations, errors, seconds, rows, bytes_in, bytes_out in stats:
        def total(expression: str) -> float:
            ((_, value),) = loaded.prometheus.query(expression.replace("$c", f'command="{command}"'))
            return value

        assert total("sum(duckdb_operations_total{$c})") == operations
        assert total('sum(duckdb_operations_total{$c, status!="success"}) or vector(0)') == errors
        assert total("duckdb_operation_duration_seconds_count{$c}") == operations
        assert total("duckdb_operation_duration_seconds_sum{$c}") == pytest.approx(seconds, rel=1e-9)
        assert total("duckdb_operation_rows_affected_total{$c}") == (rows or 0)
        assert total("duckdb_operation_bytes_in_total{$c}") == (bytes_in or 0)
        assert total("duckdb_operation_bytes_out_total{$c}") == (bytes_out or 0)
    projects = loaded.session.execute("SELECT project_id, operations FROM oplog_stats(by := 'project_id')").fetchall()
    scraped = loaded.prometheus.query("sum by (project_id) (duckdb_project_operations_total)")
    assert {labels["project_id"]: value for labels, value in scraped} == dict(projects)


def test_quantiles_agree_as_far_as_buckets_tell(loaded):
    (row,) = loaded.session.execute("SELECT p50_ms, p95_ms, p99_ms FROM oplog_stats(command := 'import')").fetchall()
    for share, milliseconds in zip((0.5, 0.95, 0.99), row):
        expression = f'histogram_quantile({share}, duckdb_operation_duration_seconds_bucket{{command="import"}})'
        ((_, seconds),) = loaded.prometheus.query(expression)
        (lower, upper), = [(low, high) for low, high in zip(BUCKETS, BUCKETS[1:]) if low < milliseconds / 1000 <= high]
        assert lower <= seconds <= upper, (share, milliseconds)


def test_exemplars_lead_from_a_duration_to_its_trace(loaded):
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    record(loaded.session, "import", duration_ms=7.0, trace_id=trace_id)
    expression = 'duckdb_operation_duration_seconds_bucket{command="import"}'

    def exemplars() -> list[dict]:
        found = loaded.prometheus.api("query_exemplars", query=expression, start="0", end="4000000000")
        return [one for series in found for one in series["exemplars"]]

    loaded.prometheus.wait_until(exemplars, "an exemplar has been scraped")
    assert [(one["labels"]["trace_id"], float(one["value"])) for one in exemplars()] == [(trace_id, 0.007)]


def expressions() -> list[tuple[str, str, bool]]:
    """Where each stands, and whether it is an alert's: those give no data unless they fire."""
    found = []
    for file in sorted((MONITORING / "prometheus" / "rules").glob("*.yml")):
        rules = re.findall(r"- (alert|record): (\S+)\n        expr: (?:\|\n((?:          .*\n)+)|(.+)\n)", file.read_text())
        found += [(f"{file.name} {name}", block or line, kind == "alert") for kind, name, block, line in rules]
    for file in sorted((MONITORING / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            found += [(f"{file.name} {panel['title']} {target['refId']}", target["expr"], False) for target in panel["targets"]]
    return found


VALUES = {"__rate_interval": "10s", "job": "duckdb", "instance": ".*", "command": ".*", "project_id": ".*", "sync": "sync.*"}


def test_every_expression_gives_data(failing):
    known = failing.prometheus.metric_names()
    empty = []
    unknown = set()
    for where, expression, is_alert in expressions():
        expression = re.sub(r"\$(\w+)", lambda match: VALUES[match[1]], expression)
        answer = failing.prometheus.query(expression)
        unknown |= set(METRIC.findall(expression)) - known
        if not answer and not is_alert:
            empty.append((where, expression))
    assert unknown == set()
    assert empty == []


@pytest.fixture(scope="module")
def failing(loaded):
    """After more failures than two rules allow."""
    for _ in range(6):
        record(loaded.session, "sync_push", status="error", error_code="unreachable", duration_ms=30.0)
    loaded.wait_for_scrapes()
    prometheus = loaded.prometheus
    prometheus.wait_until(lambda: {"operations_failing", "sync_failing"} <= prometheus.firing(), "both alerts fire")
    return loaded


def test_the_same_alerts_fire_in_both(failing):
    prometheus = failing.prometheus
    assert {"operations_failing", "sync_failing"} <= failing.firing()
    # Whether they fire is this machine's matter, but it is one machine.
    of_the_machine = {"memory_high", "disk_full"}
    assert prometheus.firing() & of_the_machine == failing.firing() & of_the_machine
    ((labels, value),) = prometheus.query('command:duckdb_operation_consecutive_errors:current{command=~"sync.*"} > 5')
    (row,) = failing.session.execute("SELECT value FROM oplog_alerts() WHERE name = 'sync_failing'").fetchall()
    assert (labels["command"], value) == ("sync_push", row[0]) == ("sync_push", 11)


def test_the_process_is_measured_alike(loaded):
    measured = dict(loaded.session.execute("SELECT name, value FROM oplog_alerts()").fetchall())
    for name, expression in [
        ("memory_high", "100 * process_resident_memory_bytes / oplog_machine_memory_bytes"),
        ("disk_full", "max(100 * (1 - duckdb_database_disk_available_bytes / duckdb_database_disk_size_bytes))"),
    ]:
        ((_, value),) = loaded.prometheus.query(expression)
        assert value == pytest.approx(measured[name], abs=2), name


def test_the_same_alert_ends_in_both(failing):
    record(failing.session, "sync_push", duration_ms=30.0)
    prometheus = failing.prometheus
    prometheus.wait_until(lambda: "sync_failing" not in prometheus.firing(), "the alert ends")
    assert "sync_failing" not in failing.firing()


def test_oplog_serve_is_scraped_as_it_is(connect, host, tmp_path):
    session = connect(host)
    ((_, port, _),) = session.execute("CALL oplog_serve(port := 0)").fetchall()
    prometheus = Prometheus(configuration(port), tmp_path)
    try:
        prometheus.wait_until(lambda: prometheus.query('up{job="duckdb"} == 1'), "it is scraped")
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        for _ in range(50):
            record(session, "import", duration_ms=7.0, trace_id=trace_id)
        total = 'duckdb_operations_total{command="import", status="success"} == 50'
        prometheus.wait_until(lambda: prometheus.query(total), "all operations are counted")
        # The server negotiates OpenMetrics with a Prometheus that asks for it, and so exemplars come along.
        expression = 'duckdb_operation_duration_seconds_bucket{command="import"}'
        (series,) = prometheus.api("query_exemplars", query=expression, start="0", end="4000000000")
        assert {one["labels"]["trace_id"] for one in series["exemplars"]} == {trace_id}
    finally:
        prometheus.close()
