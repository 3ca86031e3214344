"""The runner of .test files: what it must fail, it fails."""

from __future__ import annotations

import subprocess

import duckdb
import pytest

import engines
from suites import sqllogictest

ENGINE = next(engine for engine in engines.engines() if engine.version == duckdb.__version__)


def run(directory) -> subprocess.CompletedProcess:
    *command, _test_sql = sqllogictest(ENGINE).command
    return subprocess.run([*command, str(directory)], cwd=engines.ROOT, capture_output=True, text=True, timeout=180)


def run_script(tmp_path, script: str, name: str = "sample.test") -> subprocess.CompletedProcess:
    (tmp_path / name).write_text(script)
    return run(tmp_path)


FAILING = {
    "another-value": ("query I\nSELECT 1\n----\n2\n", "query result mismatch"),
    "unexpected-rows": ("query I\nSELECT 1\n", "query result mismatch"),
    "another-type": ("query T\nSELECT 1\n----\n1\n", "columns mismatch"),
    "another-column": ("query I\nSELECT 1, 2\n----\n1\t2\n", "columns mismatch"),
    "unexpected-error": ("statement ok\nSELECT error('boom')\n", "boom"),
    "another-error": ("statement error bang\nSELECT error('boom')\n", "expected to fail with error"),
    "no-error": ("statement error\nSELECT 1\n", "expected to fail"),
    "crash": ("statement ok\nSELECT 1\n\nsystem ok\npkill -SEGV -P $PPID python\n\nstatement ok\nSELECT 1\n", "process ended"),
    "crash-at-the-end": ("statement ok\nSELECT 1\n\nsystem ok\npkill -SEGV -P $PPID python\n", "did not end well"),
    "closed-database": ("statement ok\n.close\n\nstatement ok\nSELECT 1\n", "No database is open"),
    "misspelled-command": ("statement ok\n.restrat\n", "Unknown control command"),
}


@pytest.mark.parametrize("script, reason", FAILING.values(), ids=FAILING.keys())
def test_failing_file_fails(tmp_path, script, reason):
    finished = run_script(tmp_path, script)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert reason in finished.stdout
    assert finished.stdout.endswith(f"sqllogictest {ENGINE.label}: 0 passed, 1 failed\n")


def test_file_that_would_never_run_is_an_error(tmp_path):
    finished = run_script(tmp_path, "statement ok\nSELECT 1\n", name="sample.tset")
    assert finished.returncode == 2
    assert "only .test files" in finished.stderr


PASSING = """\
query TIR?TTT
SELECT 'a b', 1, 0.5::DOUBLE, NULL, '', true, {'a': 1, 'b': ['x']}
----
a b	1	0.5	NULL	(empty)	true	{'a': 1, 'b': [x]}

# DuckDB's own text, in the session's time zone
statement ok
SET TimeZone = 'Europe/Prague'

query T
SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00'
----
2024-01-01 01:00:00+01

# a file, and connections that share it
statement ok
.open $__TEST_DIR__/app.duckdb

statement ok
CREATE TABLE t AS SELECT 1 AS i

statement ok
BEGIN

statement count 2
INSERT INTO t VALUES (2), (3)

connection other
query I
SELECT count(*) FROM t
----
1

statement ok
COMMIT

let n, text
SELECT count(*), 'x' FROM t

query IT
SELECT $n, '$text' || '$1'
----
3	x$1

statement ok
.restart

query I
SELECT sum(i)::INTEGER FROM t
----
6

# without oplog, and not to be written
statement ok
.open $__TEST_DIR__/app.duckdb readonly plain

statement error read-only
INSERT INTO t VALUES (4)

statement error oplog_version does not exist
SELECT oplog_version()

statement ok
LOAD '$__EXTENSION__'

query T
SELECT oplog_version() IS NOT NULL
----
true

# the environment of the process, which system commands do not see
statement ok
.env HOME=$__TEST_DIR__

statement ok
COPY t TO '~/t.csv'

query I
SELECT count(*) FROM '$__TEST_DIR__/t.csv'
----
3
"""


def test_all_that_a_file_can_do(tmp_path):
    finished = run_script(tmp_path, PASSING)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_engine_label_skips_what_is_for_another_engine(tmp_path):
    others = [engine.label for engine in engines.engines() if engine != ENGINE]
    skipped = "".join(f"onlyif {label}\nstatement ok\nSELECT error('not for this engine')\n\n" for label in others)
    finished = run_script(tmp_path, skipped + f"skipif {others[0]}\nstatement ok\nSELECT 1\n")
    assert finished.returncode == 0, finished.stdout
    assert "(1 checks)" in finished.stdout
