"""Cells: what each experiment asks for."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import mine
from experiments import equitability, gaussian
from experiments.suite.grid.cells import UNTRAINED, Cell, gaussian_task, panel_cells
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import build, job_of
from experiments.suite.run.rows import params_of


def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        plain = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def test_equal_cells_have_equal_keys_and_each_field_counts() -> None:
    task = {"_target_": "mine.tasks.CorrelatedGaussian", "dim": 1, "rho": 0.5}
    cell = Cell(task, "mine", 0, 100, 0, "scalar")
    assert cell.key == Cell(dict(reversed(task.items())), "mine", 0, 100, 0, "scalar").key
    others = [
        dataclasses.replace(cell, **change)
        for change in (
            {"task": {**task, "rho": 0.6}},
            {"method": "dv"},
            {"seed": 1},
            {"steps": 200},
            {"n": 10},
            {"role": "high"},
        )
    ]
    assert len({one.key for one in [cell, *others]}) == 7
    assert len(cell.key) == 16


def test_the_grid_knows_which_methods_have_no_training() -> None:
    found = {name for name, method in mine.methods().items() if method.direct is not None}
    assert found == UNTRAINED, (
        "the methods of mine without training have changed: write into "
        f"experiments/suite/grid/cells.py UNTRAINED = frozenset({sorted(found)})"
    )


def test_gaussian_cells_are_panels_by_rho_by_methods_by_seeds(example: ModuleType) -> None:
    found = gaussian.cells(example.gaussian_config(seeds=5))
    assert len(found) == 13 * 4 * (5 + 3)
    assert len({cell.key for cell in found}) == len(found)
    networks = {(c.role, c.steps, c.n) for c in found if c.method != "ksg"}
    assert networks == {("scalar", 1000, 0), ("high", 4000, 0)}
    assert {(c.steps, c.n) for c in found if c.method == "ksg"} == {(0, 5000)}
    assert {c.seed for c in found if c.role == "high"} == {0, 1, 2}


def test_a_panel_may_have_a_critic_of_its_own_for_what_is_trained(example: ModuleType) -> None:
    config = example.gaussian_config(seeds=1)
    config["experiment"]["panels"]["high"]["critic"] = {"hidden": [256]}
    found = gaussian.cells(config)
    own = [cell for cell in found if cell.overrides]
    assert own == [cell for cell in found if cell.role == "high" and cell.method != "ksg"]
    assert all(cell.overrides == {"critic": {"hidden": [256]}} for cell in own)


def test_the_first_seed_and_the_dimension_come_from_the_config(example: ModuleType) -> None:
    config = example.gaussian_config(seeds=2, first_seed=100)
    config["experiment"]["panels"] = {"scalar": {"dim": 2, "steps": 0.5, "seeds": 0.5}}
    found = gaussian.cells(config)
    assert {cell.seed for cell in found} == {100}
    assert {cell.task["dim"] for cell in found} == {2}
    assert {cell.steps for cell in found} == {0, 500}


def test_equitability_cells_are_the_map_and_the_same_channels_seen_through_f(
    example: ModuleType,
) -> None:
    found = equitability.cells(example.equitability_config(seeds=3))
    on_map = [cell for cell in found if cell.role == "map"]
    on_self = [cell for cell in found if cell.role == "self"]
    assert len(on_map) == 3 * 10 * 3
    assert len(on_self) == 3 * 9 * 3
    for cell in on_self:
        assert cell.task["map_x"] == cell.task["base"]["function"]
        assert cell.task["base"] in [one.task for one in on_map]
    assert len({cell.key for cell in found}) == len(found)


def test_networks_train_on_a_fixed_data_set_where_the_config_asks(example: ModuleType) -> None:
    config = example.gaussian_config(seeds=1)
    config["experiment"]["n"] = 700
    found = gaussian.cells(config)
    assert {cell.n for cell in found if cell.method != "ksg"} == {700}
    assert {cell.n for cell in found if cell.method == "ksg"} == {5000}


def test_a_cell_without_overrides_keeps_the_key_it_had_before_there_were_any() -> None:
    task = {"_target_": "mine.tasks.CorrelatedGaussian", "dim": 1, "rho": 0.5}
    cell = Cell(task, "mine", 0, 100, 0, "scalar")
    assert cell.key == "66c4d0251361be75"
    keys = {
        dataclasses.replace(cell, overrides=overrides).key
        for overrides in ({}, {"train": {"ema_rate": 0.1}}, {"train": {"ema_rate": 0.2}})
    }
    assert len(keys) == 3 and cell.key in keys


def test_overrides_change_the_job_and_its_row_but_not_its_data() -> None:
    config = config_of("experiment=gaussian")
    overrides = {
        "train": {"ema_rate": 0.1, "marginal_samples": 4},
        "critic": {"hidden": [16]},
        "estimator": {"partners": 3},
    }
    plain = panel_cells("scalar", [gaussian_task(1, 0.5)], config)[0]
    changed = panel_cells("scalar", [gaussian_task(1, 0.5)], config, overrides)[0]
    one, two = (job_of(cell, config) for cell in (plain, changed))
    assert (two.training.ema_rate, two.training.marginal_samples) == (0.1, 4)
    assert (two.critic.hidden, two.partners) == ((16,), 3)
    assert two.training.learning_rate == one.training.learning_rate
    assert (one.key, one.seed, one.source) == (two.key, two.seed, two.source)
    assert params_of(changed) == {"dim": 1, "rho": plain.task["rho"], **overrides}
    assert config == config_of("experiment=gaussian")


def test_rows_that_a_cell_overrides_hold_for_every_method() -> None:
    config = config_of("experiment=gaussian")
    task = gaussian_task(1, 0.5)
    found = panel_cells("scalar", [task], config, {"experiment": {"n": 700}})
    assert {cell.n for cell in found} == {700}
    assert {(cell.method == "ksg", cell.n) for cell in panel_cells("scalar", [task], config)} == {
        (True, config["scale"]["ksg_n"]),
        (False, 0),
    }


def test_a_gaussian_of_so_many_nats_has_them() -> None:
    for dim, nats in ((1, 0.0), (2, 2.0), (20, 40.0)):
        assert build(gaussian_task(dim, nats)).mi == pytest.approx(nats, abs=1e-6)
