"""Shards partition the grid in balance, whatever its order, and the report joins what they did."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.grid import shards
from experiments.suite.grid.cells import Cell
from experiments.suite.report.command import main
from experiments.suite.report.records import Record, joined
from experiments.suite.store.identity import run_id
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run

CONFIG: dict[str, Any] = {
    "train": {"batch_size": 256, "marginal_samples": 2},
    "critic": {"hidden": [128, 128]},
    "scale": {"n_test": 3000},
    "estimator": {"partners": 10},
}


def cell(seed: int, dim: int = 1, method: str = "mine", steps: int = 100, n: int = 0) -> Cell:
    return Cell({"_target_": "mine.tasks.CorrelatedGaussian", "dim": dim}, method, seed, steps, n)


grids = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60).map(
    lambda costs: list(zip(map(cell, range(len(costs))), costs, strict=True))
)


def dealt(grid: Sequence[tuple[Cell, float]], count: int) -> list[list[Cell]]:
    cells, costs = zip(*grid, strict=True)
    return [shards.deal(cells, costs, count, shard) for shard in range(count)]


# --------------------------------------------------------------------- dealing


@given(grids, st.integers(1, 20))
def test_shards_partition_the_cells_and_keep_their_order(
    grid: list[tuple[Cell, float]], count: int
) -> None:
    parts = dealt(grid, count)
    assert sorted(one.seed for part in parts for one in part) == list(range(len(grid)))
    assert all([one.seed for one in part] == sorted(one.seed for one in part) for part in parts)


@given(grids, st.integers(1, 20))
def test_two_shards_differ_by_at_most_the_largest_cell(
    grid: list[tuple[Cell, float]], count: int
) -> None:
    cost_of = {one.key: cost for one, cost in grid}
    loads = [sum(cost_of[one.key] for one in part) for part in dealt(grid, count)]
    assert max(loads) - min(loads) <= max(cost_of.values()) * (1 + 1e-9)


@given(grids.flatmap(lambda grid: st.tuples(st.just(grid), st.permutations(grid))))
def test_the_order_of_the_cells_changes_no_shard(
    grids: tuple[list[tuple[Cell, float]], list[tuple[Cell, float]]],
) -> None:
    one, other = (dealt(grid, 3) for grid in grids)
    keys = [[{c.key for c in part} for part in parts] for parts in (one, other)]
    assert keys[0] == keys[1]


def test_one_shard_is_the_whole_grid() -> None:
    cells = [cell(seed) for seed in range(5)]
    assert shards.share(cells, CONFIG) == shards.share(cells, {**CONFIG, "shards": 1}) == cells


@pytest.mark.parametrize(
    ("count", "shard", "message"),
    [
        (0, 0, "shards must be a whole number >= 1, got 0: give both"),
        (True, 0, "shards must be a whole number >= 1, got True"),
        (2.0, 0, "shards must be a whole number >= 1, got 2.0"),
        (2, -1, "shard must be a whole number >= 0, got -1"),
        (2, "1", "shard must be a whole number >= 0, got '1'"),
        (2, 2, "shard must be below shards=2, got 2: the last of 2 is shard=1"),
        (9, 0, r"shards must be at most the number of cells \(5\), got 9"),
    ],
)
def test_a_shard_that_cannot_be_is_refused(count: Any, shard: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shards.share(
            [cell(seed) for seed in range(5)], {**CONFIG, "shards": count, "shard": shard}
        )


# ------------------------------------------------------------------------ cost


def test_a_networks_cost_is_its_rows_times_its_parameters() -> None:
    parameters = (2 * 20 + 1) * 128 + 129 * 128 + 129
    rows = 100 * 256 * 3 + 3000 * 11 / 3
    assert shards.cost(cell(0, dim=20), CONFIG) == parameters * rows


def test_parameters_are_those_of_the_network() -> None:
    import torch

    from mine.critics.mlp import MLP

    for d, hidden in ((1, (8,)), (20, (128, 128)), (3, (5, 6, 7))):
        critic = MLP(hidden).stack(d, d, [torch.Generator()], "cpu")
        assert shards.parameters(2 * d, {"hidden": list(hidden)}) == critic.theta.shape[-1]


@pytest.mark.parametrize(("dim", "least", "most"), [(1, 2.0, 2.3), (20, 3.9, 4.1)])
def test_ksg_grows_by_n_log_n_in_a_tree_and_by_n_squared_for_all_pairs(
    dim: int, least: float, most: float
) -> None:
    one, two = (shards.cost(cell(0, dim, "ksg", 0, n), CONFIG) for n in (2000, 4000))
    assert least < two / one < most


def test_the_dimension_of_a_warped_task_is_its_bases() -> None:
    base = {"_target_": "mine.tasks.NoiseChannel", "dim": 2, "function": {"dim": 1}}
    assert shards.dimension({"_target_": "mine.tasks.Warped", "base": base}) == 2
    assert shards.dimension({"rho": 0.5}) == 1


# --------------------------------------------------------------------- joining


@pytest.fixture
def parts(example: ModuleType, tmp_path: Path) -> list[Path]:
    """The run folders of a grid dealt to three shards."""
    config = example.gaussian_config(2, rho=[0.0, 0.5, 0.9])
    rows = example.realistic_gaussian(config)
    folders = []
    for shard in range(3):
        own = {**config, "shards": 3, "shard": shard}
        command = f"python -m experiments experiment=gaussian shards=3 shard={shard}"
        part = rows[shard::3].reset_index(drop=True)
        halved = [{"cells": 8, "reason": f"of shard {shard}"}]
        folders.append(example.write_run(tmp_path, own, part, command=command, halved=halved))
    return folders


def records(outputs: Path) -> list[Record]:
    return [Record(run) for run in load_runs(outputs)[0]]


def test_shards_are_runs_of_their_own_and_one_record(parts: list[Path], tmp_path: Path) -> None:
    assert len(set(parts)) == 3
    (one,) = joined(records(tmp_path))
    keys = pd.concat([Run(part).read_rows() for part in parts])["key"]
    assert list(one.rows["key"]) == list(keys)
    assert one.status["state"] == "finished" and one.missing == [] and one.problems == []
    assert one.status["seconds"] == 3 * 412.0
    assert [stack["reason"][-1] for stack in one.status["halved"]] == ["0", "1", "2"]
    assert one.status["command"] == (
        "python -m experiments -m experiment=gaussian shards=3 shard=0,1,2"
    )


@pytest.mark.usefixtures("svg_alone")
def test_a_missing_shard_is_named_with_its_command(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(parts[1].rglob("*"), reverse=True):
        path.unlink()
    parts[1].rmdir()
    assert main(["--outputs", str(tmp_path)]) == 1
    said = "of 3 shards, 1 is missing: run `python -m experiments -m experiment=gaussian shards=3 "
    assert said + "shard=1`" in capsys.readouterr().err
    assert "of 3 shards, 1 is missing" in (tmp_path / "report.html").read_text()
    assert joined(records(tmp_path))[0].status["state"] == "running"
    assert {one.status["state"] for one in records(tmp_path)} == {"finished"}


@pytest.mark.usefixtures("svg_alone")
def test_the_report_claims_from_all_shards_and_results_have_each_row_once(
    parts: list[Path], tmp_path: Path
) -> None:
    assert main(["--outputs", str(tmp_path)]) == 0
    results = pd.read_csv(tmp_path / "results.csv")
    assert len(results) == sum(len(Run(part).read_rows()) for part in parts)
    assert not results["key"].duplicated().any()
    assert results["run_id"].nunique() == 3


def test_grids_that_differ_otherwise_are_not_joined(example: ModuleType, tmp_path: Path) -> None:
    for seeds in (1, 2):
        config = {**example.gaussian_config(seeds, rho=[0.5]), "shards": 2, "shard": seeds - 1}
        rows = example.example_rows(config, example.realistic_bias)
        example.write_run(tmp_path, config, rows)
    assert sorted(one.missing for one in joined(records(tmp_path))) == [[0], [1]]


@pytest.mark.parametrize("said", [{}, {"shards": "8; rm"}, {"shards": 2, "shard": 5}])
def test_a_config_from_elsewhere_is_a_run_alone(said: dict[str, Any]) -> None:
    assert shards.place(said) == (1, 0)


def test_one_shard_leaves_the_run_id_as_it_is() -> None:
    whole = run_id({"a": 1})
    assert run_id({"a": 1, "shards": 1, "shard": 0, "threads": 2, "sinks": ["x"]}) == whole
    assert len({whole, *(run_id({"a": 1, "shards": 2, "shard": i}) for i in (0, 1))}) == 3


def test_the_command_of_shards_is_one_that_a_shell_takes() -> None:
    said = shards.sweep_command(
        "python -m experiments -m 'experiment.rho=[0.5]' shard=0,1", [4, 7]
    )
    assert shlex.split(said) == [
        *("python", "-m", "experiments", "-m", "experiment.rho=[0.5]", "shard=4,7"),
    ]
