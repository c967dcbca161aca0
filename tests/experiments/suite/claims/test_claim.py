"""`@claim`: what it makes of a function, of its docstring and of what it returns."""

from __future__ import annotations

from types import ModuleType

import pandas as pd

from experiments.suite.claims.checks import Finding
from experiments.suite.claims.claim import Claim, claim, judge

ROWS = pd.DataFrame({"status": ["ok", "diverged"], "dim": [3, 3]})
CURVES = pd.DataFrame({"step": [1]})


@claim("a-b", paper="Sec. 1", figure="a", rule="at most 1")
def stated(rows: pd.DataFrame) -> Finding | None:
    """The sentence
    of two lines.

    And what is measured.
    """
    return (
        Finding("three", "reproduced", (0.0, float("inf")), rows, "; after") if len(rows) else None
    )


def test_a_finding_becomes_a_line_of_the_table() -> None:
    found = stated(ROWS, CURVES)
    assert found == Claim(
        "a-b",
        "test_claim",
        "Sec. 1",
        "The sentence of two lines.",
        "three; 1 of 2 cells diverged; after",
        "at most 1",
        "reproduced",
        "a",
        (0.0, float("inf")),
    )
    assert found.as_dict()["interval"] == [0.0, None]


def test_a_function_is_not_asked_where_there_are_no_rows() -> None:
    @claim("a-b", paper="", figure="a", rule="")
    def never(rows: pd.DataFrame) -> Finding | None:
        raise AssertionError

    found = never(ROWS[:0], CURVES)
    assert (found.measured, found.verdict) == ("this run has no rows for it", "inconclusive")


def test_nothing_to_measure_is_inconclusive_in_the_claims_own_words() -> None:
    @claim("a-b", paper="", figure="a", rule="", missing="this run has no pairs")
    def nothing(rows: pd.DataFrame) -> Finding | None:
        return None

    found = nothing(ROWS, CURVES)
    assert (found.measured, found.verdict, found.figure, found.interval) == (
        "this run has no pairs",
        "inconclusive",
        "",
        None,
    )


def test_a_function_that_asks_for_curves_gets_them() -> None:
    @claim("a-b", paper="", figure="a", rule="")
    def steps(rows: pd.DataFrame, curves: pd.DataFrame) -> Finding | None:
        return Finding(f"{len(curves)} point", "reproduced")

    assert steps(ROWS, CURVES).measured == "1 point"


def test_a_statement_and_a_figure_may_depend_on_numbers() -> None:
    @claim(
        "a-b", paper="", figure=lambda rows: f"a_{rows['dim'].iloc[0]}d", rule="", statement="7."
    )
    def of_number(rows: pd.DataFrame) -> Finding | None:
        return Finding("", "reproduced")

    found = of_number(ROWS, CURVES)
    assert (found.statement, found.figure) == ("7.", "a_3d")


def test_the_claims_of_a_module_are_judged_in_their_order_on_its_table() -> None:
    @claim("a-c", paper="", figure="a", rule="")
    def other(rows: pd.DataFrame) -> Finding | None:
        return Finding(str(list(rows["two"])), "inconclusive")

    module = ModuleType("a")
    module.table = lambda rows: rows.assign(two=2)  # type: ignore[attr-defined]
    module.claims = [stated, other]  # type: ignore[attr-defined]
    first, second = judge(module, ROWS, CURVES)
    assert (first.id, second.id, second.measured) == ("a-b", "a-c", "[2, 2]")
    assert [one.verdict for one in judge(module, ROWS[:0], CURVES)] == ["inconclusive"] * 2
