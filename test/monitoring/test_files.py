"""What monitoring/ gives out is valid, and says the same as the database does."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from harness import connect

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
RULE = re.compile(r"^      - alert: (\w+)\n((?:        .*\n|\n)+)", re.MULTILINE)


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, cwd=PROMETHEUS)
    output = done.stdout + done.stderr
    assert done.returncode == 0 and "FAILED" not in output, output
    return output


def test_the_rules_are_well_formed(promtool):
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted((PROMETHEUS / "rules").glob("*.yml")))


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-token.yml"])
def test_the_scrape_configuration_is_well_formed(promtool, name):
    # Whether the token's file is there is the user's matter.
    run(promtool, "check", "config", *(["--syntax-only"] if "token" in name else []), PROMETHEUS / name)


def test_the_rules_do_what_their_unit_tests_say(promtool):
    run(promtool, "test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml")))


def test_every_alert_has_a_unit_test():
    tests = "".join(file.read_text() for file in (PROMETHEUS / "tests").glob("*.yml"))
    for name in alerts():
        if name not in {"oplog_labels_folded", "success_rate_burning_slowly"}:
            assert f"alertname: {name}" in tests, name


def alerts(*files: str) -> dict[str, str]:
    """Each alert's text by its name."""
    texts = [file.read_text() for file in sorted((PROMETHEUS / "rules").glob("*.yml")) if not files or file.name in files]
    return {name: body for text in texts for name, body in RULE.findall(text)}


def microseconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]] * 1_000_000


def test_alerts_have_the_names_and_thresholds_of_the_database():
    with connect() as session:
        rules = session.execute(
            "SELECT name, enabled, comparison, threshold, hold_for, severity, summary FROM oplog_alert_rules()"
        ).fetchall()
    given = {True: alerts("alerts.yml"), False: alerts("alerts-targets.yml")}
    for name, enabled, comparison, threshold, hold_for, severity, summary in rules:
        body = given[enabled].pop(name)
        assert re.search(rf"{re.escape(comparison)} {threshold:g}\s", body), body
        hold = re.search(r"for: (\w+)", body)
        assert {"1 minute": "1m", "0 seconds": None}[hold_for] == (hold and hold[1]), body
        assert f"severity: {severity}" in body
        assert f"summary: {summary}\n" in body
    assert given == {True: {}, False: {}}


def test_the_dashboards_are_what_the_generator_writes():
    rendered = runpy.run_path(str(MONITORING / "grafana" / "generate.py"))["rendered"]()
    written = {file.name: file.read_text() for file in (MONITORING / "grafana" / "dashboards").glob("*.json")}
    assert rendered == written, "run python3 monitoring/grafana/generate.py"


@pytest.mark.parametrize("file", sorted((MONITORING / "grafana" / "dashboards").glob("*.json")), ids=lambda file: file.stem)
def test_a_dashboard_is_complete(file):
    dashboard = json.loads(file.read_text())
    assert dashboard["uid"] and dashboard["title"] and dashboard["description"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert "datasource" in variables
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells
        assert [target["refId"] for target in panel["targets"]] == [*"ABCDEFG"][: len(panel["targets"])]
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= variables, target["expr"]
