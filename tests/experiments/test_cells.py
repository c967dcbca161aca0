"""Cells: what each experiment asks for."""

from __future__ import annotations

import dataclasses
from types import ModuleType

from experiments import equitability, gaussian
from experiments.cells import Cell


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


def test_gaussian_cells_are_panels_by_rho_by_methods_by_seeds(example: ModuleType) -> None:
    found = gaussian.cells(example.gaussian_config(seeds=5))
    assert len(found) == 13 * 4 * (5 + 3)
    assert len({cell.key for cell in found}) == len(found)
    networks = {(c.role, c.steps, c.n) for c in found if c.method != "ksg"}
    assert networks == {("scalar", 1000, 0), ("high", 4000, 0)}
    assert {(c.steps, c.n) for c in found if c.method == "ksg"} == {(0, 5000)}
    assert {c.seed for c in found if c.role == "high"} == {0, 1, 2}


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
