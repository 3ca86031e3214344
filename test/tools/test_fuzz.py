"""The oracle of the acceptance fuzz: what it must object to, it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import connect, fuzz
from harness.fuzz import REFUSED, Case, Mismatch, Type

GOOD = Case(
    {"command": Type("VARCHAR"), "rows_affected": Type("BIGINT"), "metadata": Type("LIST", (("", Type("DOUBLE")),))},
    [["'import'", "42::BIGINT", "[1.5]::DOUBLE[]"], ["'export'", "NULL::BIGINT", "NULL::DOUBLE[]"]],
)
BAD = replace(GOOD, values=[["'import'", "-1::BIGINT", "[]::DOUBLE[]"]])


@pytest.fixture
def session():
    with connect() as session:
        yield session


def test_what_is_right_is_left_alone(session):
    ledger = {}
    for case in (GOOD, BAD, replace(GOOD, strict=False, copies=7), replace(BAD, strict=False)):
        fuzz.run(session, case, acknowledge=ledger.update)
    assert len(ledger) == 16
    assert fuzz.compare(session, ledger) == set()
    assert fuzz.recorded(session) == 16


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_recorded_and_should_not_be_is_seen(session, monkeypatch, strict):
    monkeypatch.setattr(Case, "expected", lambda *_: [REFUSED, REFUSED])
    with pytest.raises(Mismatch, match="should be refused"):
        fuzz.run(session, replace(GOOD, strict=strict))


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_refused_and_should_not_be_is_seen(session, monkeypatch, strict):
    monkeypatch.setattr(Case, "expected", lambda *_: [[("is", None)] * len(fuzz.KINDS)])
    with pytest.raises(Mismatch, match="should be recorded"):
        fuzz.run(session, replace(BAD, strict=strict))


@pytest.mark.parametrize("field", ["command", "rows_affected", "metadata", "project_id", "timestamp"])
def test_a_field_that_is_another_is_seen(session, field):
    ledger = {}
    fuzz.run(session, GOOD, acknowledge=ledger.update)
    identifier, expected = next(iter(ledger.items()))
    at = list(fuzz.KINDS).index(field)
    ledger[identifier] = [*expected[:at], ("is", "another"), *expected[at + 1 :]]
    with pytest.raises(Mismatch, match=f"{field} is .*and should be .*another") as caught:
        fuzz.compare(session, ledger)
    assert caught.value.identifier == identifier


def test_a_row_that_nobody_was_told_of_is_seen(session):
    fuzz.run(session, GOOD)
    assert len(fuzz.compare(session, {})) == 2


def test_a_failure_is_shown_as_its_smallest_statement():
    wide = replace(GOOD, values=[*GOOD.values, *BAD.values], copies=9)
    smallest = fuzz.shrunk(wide, lambda case: any("-1::BIGINT" in row for row in case.values))
    assert (list(smallest.types), smallest.values, smallest.copies) == (["command", "rows_affected"], [["'import'", "-1::BIGINT"]], 1)
    assert "rows_affected" in smallest.text() and "export" not in smallest.text()


def test_the_cases_of_a_seed_are_the_same_and_have_every_type(session):
    def cases():
        dice = fuzz.Dice("seed")
        return [fuzz.case(dice) for _ in range(400)]

    drawn = cases()
    assert drawn == cases()
    named = {of.name for case in drawn for of in case.types.values()}
    assert named >= {*fuzz.SCALARS, *fuzz.NESTED}, {*fuzz.SCALARS, *fuzz.NESTED} - named
    assert {case.form for case in drawn} == {"fields", "struct", "constant", "json", "positional", "arrow"}
