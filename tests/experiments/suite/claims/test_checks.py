"""Verdicts, checks and findings, on numbers whose answer is known."""

from __future__ import annotations

import math
import operator

import numpy as np
import pandas as pd
import pytest

from experiments.suite.claims.checks import (
    Check,
    all_hold,
    check,
    compare,
    difference,
    growth,
    intervals_apart,
    less_than,
    measure,
    more_than,
    verdict_within,
)
from experiments.suite.claims.intervals import Interval, pooled_mean

ROWS = pd.DataFrame({"status": ["ok", "diverged", "failed", "ok"]})
LOST = "; 1 of 4 cells diverged; 1 of 4 cells failed"


@pytest.mark.parametrize(
    ("interval", "seeds", "verdict"),
    [
        ((-0.1, 0.1), 3, "reproduced"),
        ((-1.0, 1.0), 3, "reproduced"),
        ((0.5, 1.5), 3, "inconclusive"),
        ((-2.0, 2.0), 3, "inconclusive"),
        ((1.5, math.inf), 3, "not reproduced"),
        ((-3.0, -2.0), 3, "not reproduced"),
        ((-0.1, 0.1), 2, "inconclusive"),
    ],
)
def test_a_verdict_is_where_the_interval_lies(
    interval: Interval, seeds: int, verdict: str
) -> None:
    assert verdict_within(interval, -1.0, 1.0, seeds) == verdict


def test_a_check_of_a_plain_number_has_no_unit() -> None:
    slopes = np.array([0.1, 0.2, 0.3])
    words = check("slope + 1", slopes, 0.25, unit=False).words
    assert words == "slope + 1: +0.200, 95 % interval [+0.100, +0.300], tolerance ±0.25"
    in_nats = check("error", slopes, 0.25)
    assert "nats" in in_nats.words
    assert in_nats.verdict == check("slope", slopes, 0.25, unit=False).verdict == "inconclusive"


def three(value: float) -> np.ndarray:
    return np.full(3, value)


def test_all_checks_must_hold_and_the_most_strained_one_is_told() -> None:
    fine, near, off = check("a", three(0.0), 1.0), check("b", three(0.9), 1.0), three(2.0)
    found = all_hold([fine, near], "cells", ROWS)
    assert found is not None and found.verdict == "reproduced" and found.interval == (0.9, 0.9)
    assert found.measured.startswith("2 of 2 cells within tolerance on the mean over 3 seeds;")
    assert "decided by b: +0.900 nats" in found.measured and found.measured.endswith(LOST)
    found = all_hold([fine, check("c", off, 1.0), near], "cells", ROWS)
    assert found is not None and found.verdict == "not reproduced"
    assert "2 of 3 cells" in found.measured and "decided by c:" in found.measured


def test_without_checks_there_is_no_finding() -> None:
    assert all_hold([], "cells", ROWS) is None


def test_a_check_without_any_seed_is_inconclusive() -> None:
    for one in (check("a", np.empty(0), 1.0), difference("a", np.empty(0), three(1.0), 1.0)):
        assert (one.verdict, one.seeds) == ("inconclusive", 0)
        assert "n/a" in one.words and "no interval from 0 seeds" in one.words


def test_a_difference_is_of_two_means() -> None:
    one = difference("a", three(1.0), np.full(4, 0.25), 1.0)
    assert (one.value, one.interval, one.seeds) == (0.75, (0.75, 0.75), 3)


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        (more_than(0.0), "reproduced"),
        (more_than(1.0), "not reproduced"),
        (less_than(1.0), "not reproduced"),
        (less_than(1.1), "reproduced"),
    ],
)
def test_a_measure_lies_between_its_bounds_and_these_are_strict(
    bounds: Interval, verdict: str
) -> None:
    found = measure([three(1.0)], pooled_mean, bounds, "{value}, {interval}, {seeds}", ROWS)
    assert found is not None and found.verdict == verdict
    words = "+1.000 nats (+1.443 bits), 95 % interval [+1.000, +1.000] nats"
    assert found.measured == f"{words} ([+1.443, +1.443] bits), 3 seeds{LOST}"


def test_a_measure_of_an_empty_group_is_none() -> None:
    for groups in ([], [np.empty(0)], [three(1.0), np.empty(0)]):
        assert measure(groups, pooled_mean, more_than(0.0), "", ROWS) is None


def test_a_number_of_two_sides_is_their_difference_or_ratio() -> None:
    sides = [three(1.0)], [three(4.0)]
    words = "{one}, {two}: {value}"
    for combine, value in ((operator.sub, -3.0), (operator.truediv, 0.25), (growth, 4.0)):
        found = compare(*sides, pooled_mean, combine, more_than(0.0), words, None, unit=False)
        assert found is not None and found.interval == (value, value)
        assert found.measured.startswith("1.000 nats (1.443 bits), 4.000 nats (5.771 bits): ")
    assert compare([], sides[1], pooled_mean, growth, more_than(0.0), words, None) is None


def test_a_ratio_to_zero_is_infinite_and_a_ratio_of_zeros_decides_nothing() -> None:
    for one, verdict in ((1.0, "reproduced"), (0.0, "inconclusive")):
        found = compare(
            [three(one)], [three(0.0)], pooled_mean, operator.truediv, more_than(2.0), "", None
        )
        assert found is not None and found.verdict == verdict


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), "reproduced"),
        ((2.0, 2.1, 2.2), (1.0, 1.1, 1.2), "not reproduced"),
        ((1.0, 1.1, 2.0), (1.2, 1.1, 1.5), "inconclusive"),
        ((1.0, 1.1), (2.0, 2.1), "inconclusive"),
        ((1.0, 1.1, 1.2), (math.inf,) * 3, "reproduced"),
    ],
)
def test_one_side_is_lower_where_the_intervals_are_apart(
    one: tuple[float, ...], two: tuple[float, ...], verdict: str
) -> None:
    sides = [np.array(one)], [np.array(two)]
    found = intervals_apart(*sides, pooled_mean, "{one}, {two}, {seeds}")
    assert found is not None and found.verdict == verdict


def test_a_check_of_bounds_knows_whether_its_number_is_inside() -> None:
    inside = Check("a", 0.5, (0.0, 1.0), (0.0, math.inf), 3, "a", (0.0,))
    assert inside.inside and inside.verdict == "reproduced"
    assert not Check("a", math.nan, (0.0, 1.0), (0.0, 1.0), 3, "a", (0.0,)).inside
