"""The sweeps among the runs of an experiment."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pandas as pd

from experiments.suite.sweeps.measures import CELL
from experiments.suite.sweeps.sweep import SweptRun, split

RATES = [1e-4, 1e-3, 1e-2]


def asked(made: ModuleType, *settings: dict[str, Any], **more: Any) -> list[SweptRun]:
    return [SweptRun(f"{i}{s}", made.config_of(s, **more)) for i, s in enumerate(settings)]


def test_a_whole_grid_is_one_sweep_even_over_scales_and_experiments(made: ModuleType) -> None:
    runs = [
        SweptRun(f"{scale}{rate}", made.config_of({"learning_rate": rate}, scale=scale))
        for scale in ("smoke", "default")
        for rate in RATES
    ]
    (found,) = split("gaussian", runs)
    assert found.complete
    assert found.keys == ["train.learning_rate", "scale.name"]


def test_runs_that_fill_no_grid_are_compared_where_they_ask_for_the_same_cells(
    made: ModuleType,
) -> None:
    runs = asked(made, *({"learning_rate": rate} for rate in RATES))
    other = SweptRun("other", made.config_of({"learning_rate": 5.0}, seeds=9, scale="default"))
    (found,) = split("gaussian", [other, *runs])
    assert found.keys == ["train.learning_rate"]
    assert {run.run_id for run in found.runs} == {run.run_id for run in runs}


def test_one_setting_is_no_sweep_and_shards_of_it_are_one_setting(made: ModuleType) -> None:
    config = made.config_of({})
    shards = [SweptRun(f"{i}", {**config, "shards": 2, "shard": i}) for i in range(2)]
    assert split("gaussian", shards[:1]) == []
    assert split("gaussian", shards) == []
    more = SweptRun("2", made.config_of({"learning_rate": 1.0}))
    (found,) = split("gaussian", [*shards, more])
    assert len(set(found.settings.values())) == 2


def test_a_cell_counts_once_where_a_whole_run_and_its_shards_hold_it(made: ModuleType) -> None:
    runs, rows = made.sweep_rows([{"learning_rate": rate} for rate in RATES], seeds=3)
    part = {**runs[0].config, "shards": 2, "shard": 1}
    (found,) = split("gaussian", [*runs, SweptRun("part", part, version="1")])
    again = rows[rows["run_id"] == runs[0].run_id].iloc[::2].assign(run_id="part")
    table = found.table(pd.concat([rows, again], ignore_index=True))
    assert len(table) == len(rows)
    assert not table.duplicated([*found.keys, *CELL]).any()


def test_versions_that_ran_one_config_are_an_axis(made: ModuleType) -> None:
    config = made.config_of({})
    (found,) = split("g", [SweptRun(v, config, version=v) for v in ("0.1", "0.2")])
    assert found.keys == ["version"]
