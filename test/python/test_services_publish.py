"""Four services publish all that their operators watch, with the SQL functions alone: promtool has nothing to say to it, and
the official parser reads back what was counted."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from harness.exposition import check

HTTP_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]


class Service:
    """A session in which a service describes its metrics once, and then updates them."""

    def __init__(self, connection, prefix: str):
        self.connection = connection
        self.prefix = prefix

    def describe(self, kind: str, *metrics: tuple[str, str], buckets: list[float] | None = None) -> None:
        for name, help in metrics:
            self.connection.execute("SELECT oplog_describe(?, ?, ?, ?)", [self.prefix + name, kind, help, buckets]).fetchall()

    def update(self, function: str, name: str, value: float, **labels) -> None:
        self.connection.execute(f"SELECT oplog_{function}(?, ?, ?)", [self.prefix + name, labels or None, value]).fetchall()

    def count(self, name: str, delta: float = 1, **labels) -> None:
        self.update("counter", name, delta, **labels)

    def set(self, name: str, value: float, **labels) -> None:
        self.update("gauge", name, value, **labels)

    def observe(self, name: str, value: float, **labels) -> None:
        self.update("observe", name, value, **labels)


@pytest.fixture
def published(connect, promtool):
    """Runs a service; returns what a scraper reads, by sample name and labels."""

    def publish(prefix: str, run) -> dict:
        connection = connect()
        run(Service(connection, prefix))
        text, openmetrics = connection.execute("SELECT prometheus_text(), openmetrics_text()").fetchone()
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
        check(text, "text"), check(openmetrics, "openmetrics")
        samples = [
            {
                (sample.name.removeprefix(prefix), *sorted(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
                if sample.name.startswith(prefix) and not sample.name.endswith("_created")
            }
            for families in [parse_text(text), parse_openmetrics(openmetrics)]
        ]
        assert samples[0] == samples[1]
        return samples[0]

    return publish


def test_a_table_api(published):
    def run(service):
        service.describe("counter", ("requests_total", "Requests."), ("rows_processed_total", "Rows read or written."))
        service.describe("histogram", ("import_duration_seconds", "How long imports take."), buckets=[0.1, 1, 10, 60])
        service.describe("gauge", ("storage_bytes", "What tables take."))
        service.count("requests_total", 3, command="import", status="success")
        service.count("requests_total", command="import", status="error")
        service.observe("import_duration_seconds", 0.5, incremental=True)
        service.observe("import_duration_seconds", 30, incremental=False)
        service.count("rows_processed_total", 12345, command="import")
        service.set("storage_bytes", 2**40, bucket="in.c-main")

    found = published("tableapi_", run)
    assert found["requests_total", ("command", "import"), ("status", "success")] == 3
    assert found["import_duration_seconds_bucket", ("incremental", "true"), ("le", "1.0")] == 1
    assert found["import_duration_seconds_sum", ("incremental", "false")] == 30
    assert found["storage_bytes", ("bucket", "in.c-main")] == 2**40


def test_a_key_value_service(published):
    def run(service):
        service.describe(
            "counter",
            ("http_requests_total", "Requests over HTTP."),
            ("item_operations_total", "Operations on items."),
            ("replication_send_total", "Operations sent to other nodes."),
            ("hint_replay_runs_total", "Replays of hints."),
            ("hint_replay_operations_total", "Operations replayed from hints."),
            ("replication_received_total", "Operations received from other nodes."),
        )
        service.describe(
            "histogram",
            ("http_request_duration_seconds", "How long requests take."),
            ("replication_receive_duration_seconds", "How long it takes to apply what was received."),
            buckets=HTTP_SECONDS,
        )
        service.describe("gauge", ("hinted_handoff_pending", "Hints that wait for their node."))
        request = {"method": "PUT", "operation": "put_item", "status": 200, "table": "users"}
        service.count("http_requests_total", **request)
        service.observe("http_request_duration_seconds", 0.004, **request)
        service.count("item_operations_total", 2, operation="put", result="ok", table="users")
        service.count("replication_send_total", op="put", target_node="n2", result="ok")
        service.count("replication_send_total", 4, op="put", target_node="n3", result="hinted")
        service.set("hinted_handoff_pending", 4, node="n3")
        service.set("hinted_handoff_pending", 0, node="n2")
        service.count("hint_replay_runs_total", node="n3", result="partial")
        service.count("hint_replay_operations_total", 3, node="n3", result="ok")
        service.count("replication_received_total", op="put", source_node="n2", result="ok")
        service.observe("replication_receive_duration_seconds", 7.5, op="put")

    found = published("kv_", run)
    labels = [("method", "PUT"), ("operation", "put_item"), ("status", "200"), ("table", "users")]
    assert found["http_requests_total", *labels] == 1
    bounds = [dict(key[1:])["le"] for key in found if key[0] == "http_request_duration_seconds_bucket"]
    assert [float(bound) for bound in bounds] == HTTP_SECONDS + [float("inf")]
    assert found["hinted_handoff_pending", ("node", "n3")] == 4
    assert found["replication_send_total", ("op", "put"), ("result", "hinted"), ("target_node", "n3")] == 4
    assert found["replication_receive_duration_seconds_sum", ("op", "put")] == 7.5


def test_an_orchestrator(published):
    def run(service):
        service.describe(
            "counter",
            ("asset_starts_total", "Assets that were started."),
            ("asset_stops_total", "Assets that stopped."),
            ("asset_bytes_total", "Bytes that assets wrote."),
            ("checkpoints_total", "Checkpoints, by what became of them."),
            ("errors_total", "Errors."),
        )
        service.describe("histogram", ("asset_duration_seconds", "How long assets run."), buckets=[1, 60, 3600])
        service.describe("histogram", ("checkpoint_approval_seconds", "How long approvals take."), buckets=[1, 60, 3600])
        service.describe("gauge", ("resource_health", "The last check of a resource: 1 is healthy."))
        service.count("asset_starts_total", asset="orders")
        service.count("asset_stops_total", asset="orders", status="success")
        service.observe("asset_duration_seconds", 61, asset="orders")
        service.count("asset_bytes_total", 1e12, asset="orders")
        for state in ["requested", "requested", "approved", "rejected"]:
            service.count("checkpoints_total", state=state)
        service.observe("checkpoint_approval_seconds", 5)
        service.count("errors_total", type="Timeout", retryable=True)
        service.set("resource_health", 1, resource="warehouse")
        service.set("resource_health", 0, resource="warehouse")

    found = published("flow_", run)
    assert found["checkpoints_total", ("state", "requested")] == 2
    assert found["errors_total", ("retryable", "true"), ("type", "Timeout")] == 1
    assert found["resource_health", ("resource", "warehouse")] == 0
    assert found["asset_duration_seconds_bucket", ("asset", "orders"), ("le", "60.0")] == 0
    assert found["checkpoint_approval_seconds_count",] == 1


def test_an_analytics_service(published):
    def run(service):
        service.describe(
            "gauge",
            ("up", "Whether the service is healthy."),
            ("pool_connections", "Connections of the pool by state."),
            ("pool_connections_max", "Connections that the pool may have."),
            ("circuit_breaker_state", "The state of the breaker: its label that is 1."),
            ("sync_success_ratio", "Share of syncs that succeeded."),
            ("sync_last_timestamp_seconds", "When the last sync ended."),
            ("sync_last_duration_seconds", "How long the last sync took."),
        )
        service.describe("counter", ("sync_failures_total", "Syncs that failed."))
        service.set("up", 1)
        for state, connections in [("available", 7), ("in_use", 3)]:
            service.set("pool_connections", connections, state=state)
        service.set("pool_connections_max", 10)
        # A state set: every state is there, one of them is 1. All at once, so that no scrape sees two.
        service.connection.execute(
            """
            SELECT oplog_gauge('analytics_circuit_breaker_state', {circuit_breaker_state: state}, (state = 'open')::INTEGER)
            FROM (VALUES ('closed'), ('half_open'), ('open')) breaker(state)
            """
        ).fetchall()
        service.set("sync_success_ratio", 0.98)
        service.set("sync_last_timestamp_seconds", 1_763_700_000)
        service.set("sync_last_duration_seconds", 12.25)
        service.count("sync_failures_total", 2, source="crm")

    found = published("analytics_", run)
    states = {key[1][1]: value for key, value in found.items() if key[0] == "circuit_breaker_state"}
    assert states == {"closed": 0, "half_open": 0, "open": 1}
    assert found["sync_last_timestamp_seconds",] == 1_763_700_000
    assert found["pool_connections", ("state", "available")] == 7
