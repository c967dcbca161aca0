"""A choice of a setting never reads the truth."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.suite.sweeps.choices import CRITERIA, Choice, choices, choose
from experiments.suite.sweeps.sweep import Sweep

RATES = [1e-4, 1e-3, 1e-2]


def chosen(found: Sweep, rows: pd.DataFrame, criterion: Any = "value") -> Choice:
    # KSG is the same in every setting: nothing to choose
    (choice,) = [c for c in choices(found, rows) if c.criterion == criterion]
    assert choice.method == "mine"
    return choice


def test_the_value_chooses_the_highest_bound(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    choice = chosen(found, rows)
    assert choice.setting == (1,)
    assert choice.nearest == (1,)
    assert choice.error == choice.least == pytest.approx(0.02 / 3)
    truths = rows["truth"].unique()
    assert choice.score == pytest.approx(truths.mean())


def test_stability_chooses_the_least_spread_even_where_it_is_wrong(made: ModuleType) -> None:
    def error(row: Any, setting: Any) -> float:
        learned = setting["learning_rate"] > 1e-4
        return 0.1 * (int(row["seed"]) - 1) if learned else -float(row["truth"])

    found, rows = made.one_sweep({"learning_rate": RATES}, error)
    choice = chosen(found, rows, "stability")
    assert (choice.setting, choice.score) == ((0,), 0.0)
    assert choice.nearest != (0,)
    assert choice.error > choice.least


@settings(max_examples=15)
@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4), st.data())
def test_no_choice_depends_on_the_truth(values: list[float], data: Any) -> None:
    """Whatever the truths are said to be, the same setting is chosen, for the same score."""
    base = {"role": "r", "task": "t", "method": "mine", "n_test": 100, "seconds": 1.0}
    rows = pd.DataFrame(
        [
            {**base, "params": "p", "seed": s, "status": "ok", "k": k, "nats": values[2 * k + s]}
            for k in range(2)
            for s in range(2)
        ]
    )
    truths = st.lists(st.floats(-100, 100), min_size=4, max_size=4)
    for criterion in CRITERIA:
        one, other = (
            choose(rows.assign(truth=data.draw(truths)), ["k"], criterion) for _ in range(2)
        )
        assert (one.setting, one.score) == (other.setting, other.score)


def test_a_setting_with_a_lost_cell_is_not_chosen(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    best = next(run for run, at in found.settings.items() if at == (1,))
    cell = (rows["run_id"] == best) & (rows["method"] == "mine") & (rows["seed"] == 2)
    for status in ("diverged", "failed"):
        choice = chosen(found, example.edited(rows, cell, status=status, nats=math.nan))
        assert choice.setting in ((0,), (2,))
        assert choice.candidates == 2
    everywhere = example.edited(rows, rows["method"] == "mine", status="diverged")
    choice = chosen(found, everywhere)
    assert choice.setting is None and "every setting lost a cell" in choice.reason


def test_an_unfinished_setting_is_not_chosen(made: ModuleType) -> None:
    """The cells that are done may be the easy ones."""
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    best = next(run for run, at in found.settings.items() if at == (1,))
    easy = (rows["run_id"] == best) & (rows["truth"] > 0.5)
    assert chosen(found, rows[~easy]).setting != (1,)


def test_settings_without_common_cells_are_not_compared(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    number = {run: float(i) for i, run in enumerate(found.settings)}
    apart = rows.assign(
        params=[f"{number[run]}{p}" for run, p in zip(rows["run_id"], rows["params"], strict=True)]
    )
    (choice, *_) = choices(found, apart[apart["method"] == "mine"])
    assert choice.setting is None and "no common set of cells" in choice.reason


def test_a_value_beyond_what_can_be_certified_gains_nothing(made: ModuleType) -> None:
    """An exploding critic reports thousands of nats; ln n_test is 9.2. Agreement at a higher
    level on the other task wins."""

    def error(row: Any, setting: Any) -> float:
        exploding = setting["learning_rate"] == 1e-2
        hard = float(row["truth"]) > 0.5
        return 9000.0 if exploding and hard else (-0.5 if exploding else 9.0 if hard else 0.0)

    found, rows = made.one_sweep({"learning_rate": RATES}, error)
    assert chosen(found, rows).setting == (0,)
