"""What each setting of a sweep gave."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from experiments.suite.sweeps.measures import error_interval, measures

RATES = [1e-4, 1e-3, 1e-2]


def test_measures_are_those_of_the_definition(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    table = found.table(rows)
    table = table[table["method"] == "mine"]
    lines = measures(table, found.keys)
    for line in lines.to_dict("records"):
        decades = abs(line["train.learning_rate"] - 1)
        errors = np.array([-0.1 * decades + 0.01 * (1 + decades) * (s - 1) for s in range(3)])
        assert line["error"] == pytest.approx(np.abs(errors).mean())
        assert line["bias"] == pytest.approx(errors.mean(), abs=1e-12)
        assert line["rmse"] == pytest.approx(math.sqrt((errors**2).mean()))
        assert line["spread"] == pytest.approx(0.01 * (1 + decades))
        assert (line["cells"], line["ok"], line["diverged"], line["failed"]) == (6, 6, 0, 0)
        assert (line["seconds"], line["total"]) == (1.5, 9.0)


def test_lost_cells_are_counted_and_leave_the_means(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, lambda row, _: -0.5)
    mine = (rows["method"] == "mine") & (rows["seed"] == 0)
    first = rows["run_id"] == next(iter(found.settings))
    rows = example.edited(rows, mine & first, status="diverged", nats=1e9)
    rows = example.edited(rows, mine & ~first & (rows["truth"] > 0.5), status="failed", nats=9.0)
    lines = measures(found.table(rows), [*found.keys, "method"])
    lines = lines[lines["method"] == "mine"]
    assert lines["error"].tolist() == pytest.approx([0.5] * 3)
    assert (lines["diverged"].tolist(), lines["failed"].tolist()) == ([2, 0, 0], [0, 1, 1])
    assert lines["spread"].tolist() == pytest.approx([0.0] * 3, abs=1e-12)


def test_one_seed_has_no_spread_and_an_infinite_truth_no_error(
    made: ModuleType, example: ModuleType
) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, lambda row, _: -0.5, seeds=1)
    rows = example.edited(rows, rows["truth"] > 0.5, truth=math.inf)
    lines = measures(found.table(rows), [*found.keys, "method"])
    assert lines["spread"].isna().all()
    assert lines[lines["method"] == "mine"]["error"].tolist() == pytest.approx([0.5] * 3)
    nothing = measures(
        found.table(example.edited(rows, rows["seed"] == 0, status="failed", nats=math.nan)),
        found.keys,
    )
    assert nothing["error"].isna().all() and nothing["spread"].isna().all()


def test_the_interval_holds_the_mean_and_tightens_with_agreement(made: ModuleType) -> None:
    def width(noise: float) -> float:
        def error(row: Any, setting: Any) -> float:
            return -1.0 + noise * (int(row["seed"]) - 1)

        found, rows = made.one_sweep({"learning_rate": RATES}, error)
        table = found.table(rows)
        part = table[(table["method"] == "mine") & (table[found.keys[0]] == 0)]
        low, high = error_interval(part, found.keys)
        assert low <= 1.0 <= high
        return high - low

    assert width(0.0) == pytest.approx(0.0, abs=1e-12)
    assert 0 < width(0.1) < width(0.3)
    found, rows = made.one_sweep({"learning_rate": RATES}, seeds=1)
    assert all(map(math.isnan, error_interval(found.table(rows)[:2], found.keys)))
