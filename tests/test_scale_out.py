"""The simulation of many workers: exact where the answer is known, and it runs."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import scale_out
from benchmarks.scale_out import PARTS, Costs, Kind, simulate
from experiments.suite.grid.cells import Cell

KIND: Kind = ("", "mine", 1)


def cells(count: int) -> list[Cell]:
    return [Cell({"dim": 1}, "mine", seed, 100) for seed in range(count)]


def test_without_overheads_workers_that_divide_the_cells_waste_nothing() -> None:
    free = Costs(0.0, 0.0, {KIND: {1: 2.0}})
    for workers in (1, 4, 12):
        point = simulate(cells(24), [1.0] * 24, free, workers)
        assert (point.seconds, point.efficiency) == (2.0 * 24 / workers, 1.0)


def test_five_equal_cells_leave_three_of_four_workers_idle_for_half_the_time() -> None:
    point = simulate(cells(5), [1.0] * 5, Costs(0.0, 0.0, {KIND: {1: 1.0}}), 4)
    assert point.seconds == 2.0
    assert (point.efficiency, point.imbalance) == (5 / 8, 3 / 8)


def test_start_up_and_joining_are_paid_by_all_workers() -> None:
    point = simulate(cells(4), [1.0] * 4, Costs(3.0, 0.5, {KIND: {1: 1.0}}), 2)
    assert point.seconds == 3.0 + 2.0 + 2 * 0.5
    assert (point.start_up, point.joining, point.efficiency) == (3 / 6, 1 / 6, 2 / 6)


def test_cells_dealt_apart_lose_their_stack() -> None:
    costs = Costs(0.0, 0.0, {KIND: {1: 3.0, 4: 1.0}})
    assert simulate(cells(8), [1.0] * 8, costs, 2).smaller_stacks == 0.0
    alone = simulate(cells(8), [1.0] * 8, costs, 8)
    assert alone.efficiency == pytest.approx(1 / 3) and alone.smaller_stacks == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize("workers", [1, 3, 7, 40])
def test_the_shares_add_up_to_one(workers: int) -> None:
    costs = Costs(1.7, 0.01, {KIND: {1: 2.0, 2: 1.5, 8: 0.9}})
    point = simulate(cells(40), [1.0] * 40, costs, workers)
    assert sum(asdict(point)[name] for name in PARTS) == pytest.approx(1.0)


def test_a_larger_stack_is_never_dearer_a_cell() -> None:
    assert scale_out.falling({1: 3.0, 2: 1.0, 4: 2.0}) == {1: 3.0, 2: 1.0, 4: 1.0}


@pytest.mark.slow
def test_the_command_measures_and_writes_a_table_and_a_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scale_out.main(["--quick", "--out", str(tmp_path)]) == 0
    assert "core-hours on one worker" in capsys.readouterr().out
    with (tmp_path / "scale_out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["workers"]) for row in rows][:3] == [1, 2, 3]
    for row in rows:
        assert sum(float(row[name]) for name in PARTS) == pytest.approx(1.0, abs=1e-4)
        assert 0 < float(row["efficiency"]) <= 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"scale_out.{kind}" for kind in ("csv", "svg", "pdf", "png")}
