"""The claims of Sec. 4.2 on rows whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from experiments import equitability
from experiments.suite.claims.claim import Claim, judge

Row = Mapping[str, Any]


def spread(row: Row, size: float) -> float:
    """+-size or 0 by the seed: three seeds that straddle whatever lies at their mean."""
    return size * (row["seed"] % 3 - 1)


def exact(row: Row) -> float:
    return 0.0


def constant(value: float) -> Callable[[Row], float]:
    return lambda row: value


def straddling(size: float) -> Callable[[Row], float]:
    return lambda row: spread(row, size)


EQUITABILITY: list[tuple[str, Callable[[Row], float], str]] = [
    ("equitability-map", exact, "reproduced"),
    ("equitability-map", constant(0.049), "reproduced"),
    (
        "equitability-map",
        lambda row: 0.14 if '"sigma": 0.1,' in row["params"] else 0.0,
        "reproduced",
    ),
    (
        "equitability-map",
        lambda row: 0.06 if '"cube", "sigma": 0.4' in row["params"] else 0.0,
        "not reproduced",
    ),
    ("equitability-map", straddling(0.06), "inconclusive"),
    ("equitability-self", exact, "reproduced"),
    (
        "equitability-self",
        lambda row: (0.03 if row["role"] == "map" else -0.03) + 0.0,
        "not reproduced",
    ),
    ("equitability-self", constant(0.06), "not reproduced"),
    (
        "equitability-self",
        lambda row: spread(row, 0.06) if row["role"] == "self" else 0.0,
        "inconclusive",
    ),
]


def claim_of(rows: pd.DataFrame, name: str) -> Claim:
    return {claim.id: claim for claim in judge(equitability, rows, rows[:0])}[name]


@pytest.mark.parametrize(("name", "bias", "verdict"), EQUITABILITY)
def test_an_equitability_claim_has_the_verdict_that_its_rows_imply(
    example: ModuleType, name: str, bias: Callable[[Row], float], verdict: str
) -> None:
    rows = example.example_rows(small_equitability(example), bias)
    claim = claim_of(rows, name)
    assert claim.verdict == verdict, claim.measured
    assert "3 seeds" in claim.measured


def small_equitability(example: ModuleType, seeds: int = 3) -> dict[str, Any]:
    config: dict[str, Any] = example.equitability_config(seeds, sigma=[0.0, 0.1, 0.2, 0.4])
    return config


def test_invariance_is_refuted_by_the_true_values_with_their_numbers(example: ModuleType) -> None:
    rows = example.example_rows(small_equitability(example, seeds=1))
    claim = claim_of(rows, "equitability-invariance")
    assert claim.verdict == "not reproduced"
    assert "x 2.129, sin x 1.930, x³ 1.464 nats: spread 0.664 nats (0.958 bits)" in claim.measured


@pytest.mark.parametrize(
    ("bias", "verdict"),
    [
        (exact, "reproduced"),
        (lambda row: 0.2 if '"cube"' in row["params"] else 0.0, "not reproduced"),
        (
            lambda row: 0.04 + spread(row, 0.03) if '"cube"' in row["params"] else 0.0,
            "inconclusive",
        ),
    ],
)
def test_invariance_would_hold_if_true_values_and_estimates_agreed(
    example: ModuleType, bias: Callable[[Row], float], verdict: str
) -> None:
    rows = example.example_rows(example.equitability_config(sigma=[0.4]), bias)
    rows = rows.assign(nats=rows["nats"] - rows["truth"] + 1.0, truth=1.0)
    assert claim_of(rows, "equitability-invariance").verdict == verdict


def test_invariance_needs_two_functions(example: ModuleType) -> None:
    rows = example.example_rows(example.equitability_config(functions=["sin"]))
    assert claim_of(rows, "equitability-invariance").verdict == "inconclusive"


def test_fewer_than_three_seeds_reproduce_nothing(example: ModuleType) -> None:
    for seeds in (1, 2):
        rows = example.example_rows(small_equitability(example, seeds))
        found = judge(equitability, rows, rows[:0])
        assert {claim.verdict for claim in found if claim.id != "equitability-invariance"} == {
            "inconclusive"
        }
