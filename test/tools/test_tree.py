"""No test on disk is left out of a run, and what stands in two places agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def test_the_short_set_names_tests():
    named = engines.short_tests()
    assert named, "an engine that is tested with nothing at all"
    assert len(named) == len(set(named)), "named twice"
    for name in named:
        path = engines.ROOT / name
        tests = [path] if path.is_file() else sources(path, ".py")
        assert any(test.name.startswith("test_") for test in tests), f"test/short.txt: {name} is no test, nor has it any"


def test_an_engine_with_the_short_set_has_a_later_patch_with_all():
    def patch_of(engine: engines.Client) -> tuple[list[str], int]:
        *line, patch = engine.version.split(".")
        return line, int(patch)

    full = [patch_of(engine) for engine in engines.engines() if not engine.short]
    for engine in engines.engines():
        line, patch = patch_of(engine)
        assert not engine.short or any(other == line and later > patch for other, later in full), engine.label
    assert not engines.default_engine().short


def test_each_suite_of_python_tests_runs_what_its_engine_is_to_run():
    by_name = {suite.name: suite.command for suite in suites.test_suites()}
    for engine in engines.engines():
        assert f"sqllogictest {engine.label}" in by_name
        paths = by_name[f"pytest {engine.label}"][3:]
        assert paths == (engines.short_tests() if engine.short else ["test", "--ignore=test/clients"])


@pytest.mark.parametrize("line", ["python duckdb", "cli duckdb-cli 1.5.6 short", "python duckdb 2.0.0 long", "perl duckdb 2.0.0"])
def test_a_line_of_the_engines_that_cannot_be_meant_is_an_error(tmp_path, line):
    path = tmp_path / "engines.txt"
    path.write_text(f"python duckdb 2.0.0 short # a comment\n{line}\n")
    with pytest.raises(ValueError, match="engines.txt:2: expected"):
        engines.read_clients(path)


def test_c_api_version_is_that_of_the_oldest_engine():
    oldest = min(engines.engines(), key=lambda engine: [int(part) for part in engine.version.split(".")])
    assert append_footer.C_API_VERSION == f"v{oldest.version}"
    # The entry point asks DuckDB for a version by a text of its own; were it newer, LOAD would fail in some engine.
    asked_for = {
        version for path in sources(engines.ROOT / "src", ".rs") for version in re.findall(r'"(v\d+\.\d+\.\d+)"', path.read_text())
    }
    assert append_footer.C_API_VERSION in asked_for
