"""The totals of `make test` are only as good as what they read from each tool's output."""

from __future__ import annotations

import sys

import pytest

import counts
from counts import Counts
from run_tests import judge, run_all, run_command
from suites import Suite

SAMPLES = [
    (
        counts.cargo,
        "test a ... ok\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
        "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        Counts(4, 2),
    ),
    (counts.sqllogictest, "ok  a.test\nsqllogictest duckdb-1.5.6: 13 passed, 2 failed\n", Counts(13, 2)),
    (counts.pytest, "tests/a.py .F.\n2 failed, 13 passed, 1 skipped, 1 error in 0.50s\n", Counts(13, 3)),
    (counts.pytest, "== 13 passed in 75.00s (0:01:15) ==\n", Counts(13, 0)),
    (counts.pytest, "== no tests ran in 0.01s ==\n", Counts(0, 0)),
    (counts.node, "ok 1 - a\n# tests 3\n# pass 2\n# fail 1\n", Counts(2, 1)),
]


@pytest.mark.parametrize("count, output, expected", SAMPLES)
def test_counts_are_read(count, output, expected):
    assert count(output) == expected


@pytest.mark.parametrize(
    "code, output, expected",
    [
        (0, "# pass 2\n# fail 0", Counts(2, 0)),
        (1, "# pass 2\n# fail 1", Counts(2, 1)),
        (-11, "# pass 2\n# fail 0", Counts(2, 1)),
        (1, "cannot find module", Counts(0, 1)),
        (0, "# pass 0\n# fail 0", Counts(0, 1)),
    ],
    ids=["passed", "failed", "crash-after-the-tests", "did-not-start", "nothing-run"],
)
def test_suite_that_did_not_do_well_is_never_a_pass(code, output, expected):
    assert judge(Suite("sample", [], counts.node), code, output)[0] == expected


@pytest.mark.parametrize("code, expected", [(0, Counts(1, 0)), (2, Counts(0, 1))])
def test_tool_without_counts_is_one_check(code, expected):
    assert judge(Suite("lint", []), code, "")[0] == expected


def test_output_and_exit_code_come_back(capfd):
    suite = Suite("sample", [sys.executable, "-c", "import sys; print('seen'); sys.exit(3)"])
    for shown in (True, False):
        assert run_command(suite, shown) == (3, "seen\n")
        assert ("seen" in capfd.readouterr().out) == shown


def test_all_suites_count_whether_they_run_alone_or_beside_another_one(capfd):
    def suite(name, code, uses_all_cores):
        # One that counts is a tool here: it is one check.
        command = [sys.executable, "-c", f"print('output of {name}'); raise SystemExit({code})"]
        return Suite(name, command, uses_all_cores=uses_all_cores)

    suites = [suite("alone", 0, True), suite("first", 0, False), suite("second", 1, False), suite("third", 0, False)]
    results = run_all([], suites)
    assert results == {
        "alone": Counts(passed=1),
        "first": Counts(passed=1),
        "second": Counts(failed=1),
        "third": Counts(passed=1),
    }
    out = capfd.readouterr().out
    for name in results:
        # What a suite prints stands together, under its name.
        assert f"=== {name}\noutput of {name}\n--- {name}: " in out
