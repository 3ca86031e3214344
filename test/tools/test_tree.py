"""No test on disk is left out of a run, and what stands in two places agrees."""

from __future__ import annotations

import re
from pathlib import Path

import append_footer
import engines
import suites

TESTS = engines.ROOT / "test"
SUPPORT = {"conftest.py", "__init__.py"}


def sources(folder: Path, suffix: str) -> list[Path]:
    return [path for path in folder.rglob(f"*{suffix}") if "__pycache__" not in path.parts]


def test_python_files_are_tests_or_shared_helpers():
    strays = [
        path
        for path in sources(TESTS, ".py")
        if not path.name.startswith("test_")
        and path.name not in SUPPORT
        and path.relative_to(TESTS).parts[0] not in ("harness", "bench", "fixtures")
    ]
    assert strays == [], "pytest would never run these"


def test_node_files_are_tests():
    named = [argument for suite in suites.test_suites() if suite.command[0] == "node" for argument in suite.command]
    assert set(map(str, sources(TESTS, "js") + sources(TESTS, ".ts"))) == {name for name in named if name.endswith("js")}


def test_c_api_version_is_that_of_the_oldest_engine():
    oldest = min(engines.engines(), key=lambda engine: [int(part) for part in engine.version.split(".")])
    assert append_footer.C_API_VERSION == f"v{oldest.version}"
    # The entry point asks DuckDB for a version by a text of its own; were it newer, LOAD would fail in some engine.
    asked_for = {
        version for path in sources(engines.ROOT / "src", ".rs") for version in re.findall(r'"(v\d+\.\d+\.\d+)"', path.read_text())
    }
    assert append_footer.C_API_VERSION in asked_for
