"""The claims of the main experiments, Sec. 4.1 and 4.2, on rows whose answer is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments import equitability, gaussian
from experiments.suite.claims.claim import Claim, judge

Row = Mapping[str, Any]


def spread(row: Row, size: float) -> float:
    """+-size or 0 by the seed: three seeds that straddle whatever lies at their mean."""
    return size * (row["seed"] % 3 - 1)


def only(method: str, bias: Callable[[Row], float]) -> Callable[[Row], float]:
    """That bias for one method's rows, none for the others."""
    return lambda row: bias(row) if row["method"] == method else 0.0


def at_20d(**biases: Callable[[Row], float]) -> Callable[[Row], float]:
    """A bias for each method's 20-D rows, none elsewhere."""
    return lambda row: (
        biases[row["method"]](row) if row["dim"] == 20 and row["method"] in biases else 0.0
    )


def exact(row: Row) -> float:
    return 0.0


def constant(value: float) -> Callable[[Row], float]:
    return lambda row: value


def straddling(size: float) -> Callable[[Row], float]:
    return lambda row: spread(row, size)


GAUSSIAN: list[tuple[str, Callable[[Row], float], str]] = [
    ("gaussian-low-mine", exact, "reproduced"),
    ("gaussian-low-mine", only("mine", constant(0.029)), "reproduced"),
    ("gaussian-low-mine", only("mine", constant(-0.031)), "not reproduced"),
    ("gaussian-low-mine", only("mine", straddling(0.05)), "inconclusive"),
    ("gaussian-low-ksg", exact, "reproduced"),
    ("gaussian-low-ksg", only("ksg", constant(0.07)), "not reproduced"),
    ("gaussian-low-ksg", only("ksg", straddling(0.05)), "inconclusive"),
    (
        "gaussian-high-improvement",
        at_20d(mine=constant(-1.0), ksg=constant(-3.5)),
        "reproduced",
    ),
    (
        "gaussian-high-improvement",
        at_20d(mine=constant(-1.0), ksg=constant(-2.5)),
        "not reproduced",
    ),
    (
        "gaussian-high-improvement",
        at_20d(mine=lambda row: -1.0 + spread(row, 0.6), ksg=constant(-3.3)),
        "inconclusive",
    ),
    ("gaussian-tighter-low", only("mine_f", constant(-0.01)), "reproduced"),
    ("gaussian-tighter-low", only("mine", constant(0.01)), "not reproduced"),
    ("gaussian-tighter-low", exact, "not reproduced"),
    ("gaussian-tighter-low", only("mine_f", straddling(0.01)), "reproduced"),
    (
        "gaussian-tighter-low",
        lambda row: 0.01 if (row["method"] == "mine") == (row["seed"] == 1) else 0.0,
        "inconclusive",
    ),
    ("gaussian-tighter-high", at_20d(mine_f=constant(-2.0)), "reproduced"),
    ("gaussian-tighter-high", at_20d(mine=constant(-2.0)), "not reproduced"),
    (
        "gaussian-tighter-high",
        at_20d(mine=constant(-1.0), mine_f=lambda row: -1.0 + spread(row, 0.5)),
        "inconclusive",
    ),
    ("gaussian-ema", at_20d(mine=constant(-0.5), dv=constant(2.0)), "reproduced"),
    ("gaussian-ema", at_20d(mine=constant(-2.0), dv=constant(0.5)), "not reproduced"),
    (
        "gaussian-ema",
        at_20d(mine=lambda row: -1 + spread(row, 0.5), dv=lambda row: -1.1 + spread(row, 0.5)),
        "inconclusive",
    ),
    ("gaussian-high-target", exact, "reproduced"),
    ("gaussian-high-target", at_20d(mine=lambda row: -0.049 * row["truth"]), "reproduced"),
    ("gaussian-high-target", at_20d(mine=lambda row: -0.13 * row["truth"]), "not reproduced"),
    ("gaussian-high-target", at_20d(mine=straddling(0.2)), "inconclusive"),
]


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


def claim_of(module: ModuleType, rows: pd.DataFrame, name: str) -> Claim:
    return {claim.id: claim for claim in judge(module, rows, rows[:0])}[name]


def small_gaussian(example: ModuleType, seeds: int = 3) -> dict[str, Any]:
    panels = {
        "scalar": {"dim": 1, "steps": 1.0, "seeds": 1.0},
        "high": {"dim": 20, "steps": 4.0, "seeds": 1.0},
    }
    config: dict[str, Any] = example.gaussian_config(seeds, rho=[-0.9, 0.0, 0.5, 0.7, 0.99])
    config["experiment"]["panels"] = panels
    return config


def small_equitability(example: ModuleType, seeds: int = 3) -> dict[str, Any]:
    config: dict[str, Any] = example.equitability_config(seeds, sigma=[0.0, 0.1, 0.2, 0.4])
    return config


@pytest.mark.parametrize(("name", "bias", "verdict"), [*GAUSSIAN, *EQUITABILITY])
def test_a_claim_has_the_verdict_that_its_rows_imply(
    example: ModuleType, name: str, bias: Callable[[Row], float], verdict: str
) -> None:
    module, small = (
        (gaussian, small_gaussian)
        if name.startswith("gaussian")
        else (equitability, small_equitability)
    )
    claim = claim_of(module, example.example_rows(small(example), bias), name)
    assert claim.verdict == verdict, claim.measured
    assert "3 seeds" in claim.measured


def test_fewer_than_three_seeds_reproduce_nothing(example: ModuleType) -> None:
    for seeds in (1, 2):
        rows = example.example_rows(small_gaussian(example, seeds))
        found = judge(gaussian, rows, rows[:0])
        rows = example.example_rows(small_equitability(example, seeds))
        found += judge(equitability, rows, rows[:0])
        assert {claim.verdict for claim in found if claim.id != "equitability-invariance"} == {
            "inconclusive"
        }


def test_invariance_is_refuted_by_the_true_values_with_their_numbers(example: ModuleType) -> None:
    rows = example.example_rows(small_equitability(example, seeds=1))
    claim = claim_of(equitability, rows, "equitability-invariance")
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
    assert claim_of(equitability, rows, "equitability-invariance").verdict == verdict


def test_invariance_needs_two_functions(example: ModuleType) -> None:
    rows = example.example_rows(example.equitability_config(functions=["sin"]))
    assert claim_of(equitability, rows, "equitability-invariance").verdict == "inconclusive"


def test_a_diverged_mine_cell_breaks_the_20d_target(example: ModuleType) -> None:
    rows = example.example_rows(small_gaussian(example))
    lost = (rows["dim"] == 20) & (rows["method"] == "mine") & (rows["truth"] > 30)
    rows = example.edited(rows, lost & (rows["seed"] == 0), status="diverged", nats=1e9)
    claim = claim_of(gaussian, rows, "gaussian-high-target")
    assert claim.verdict == "not reproduced"
    assert "1 of 15 cells diverged" in claim.measured


def test_dv_that_diverges_for_good_shows_that_the_correction_helps(example: ModuleType) -> None:
    rows = example.example_rows(small_gaussian(example), constant(0.01))
    lost = (rows["dim"] == 20) & (rows["method"] == "dv") & rows["truth"].between(10, 20)
    rows = example.edited(rows, lost, status="diverged", nats=math.nan)
    claim = claim_of(gaussian, rows, "gaussian-ema")
    assert claim.verdict == "reproduced"
    assert "diverged: MINE 0 of 12 cells, plain DV 3 of 12 cells" in claim.measured


def test_one_dv_cell_that_diverges_is_not_enough(example: ModuleType) -> None:
    rows = example.example_rows(small_gaussian(example), constant(0.01))
    lost = (rows["dim"] == 20) & (rows["method"] == "dv") & rows["truth"].between(10, 20)
    rows = example.edited(rows, lost & (rows["seed"] == 0), status="diverged", nats=math.nan)
    assert claim_of(gaussian, rows, "gaussian-ema").verdict == "inconclusive"


def test_a_pair_in_which_one_diverged_is_won_by_the_other(example: ModuleType) -> None:
    rows = example.example_rows(small_gaussian(example), constant(0.01))
    rows = rows[rows["role"] == "high"]
    for loser, sign in (("mine_f", 1.0), ("mine", -1.0)):
        lost = (rows["method"] == loser) & (rows["seed"] == 1)
        diverged = gaussian.table(example.edited(rows, lost, status="diverged"))
        pairs = gaussian.paired(diverged, "mine_f", "mine")
        assert all(np.array_equal(p, [0.0, sign * math.inf, 0.0]) for p in pairs.values())


def test_failed_cells_are_missing_and_said_so(example: ModuleType) -> None:
    rows = example.example_rows(small_gaussian(example))
    rows = example.edited(rows, rows["seed"] == 0, status="failed", nats=math.nan)
    for claim in judge(gaussian, rows, rows[:0]):
        assert claim.verdict == "inconclusive"
        assert "2 seeds" in claim.measured


def test_claims_are_strict_json(example: ModuleType) -> None:
    rows = example.realistic_gaussian(example.gaussian_config(2))
    found = [claim.as_dict() for claim in judge(gaussian, rows, rows[:0])]
    back = json.loads(json.dumps(found, allow_nan=False))
    wanted = {"id", "experiment", "paper", "statement", "measured", "tolerance", "verdict"}
    assert all(wanted | {"figure", "interval"} <= set(claim) for claim in back)
