"""An application from its cells to its rows: measures, divergence, a kill, and its pairs."""

from __future__ import annotations

import importlib.util
import json
import math
import multiprocessing
import sys
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tiny_run import FORECAST, assert_same_bits, config_of, curves_in, rows_in, the_run

from experiments.suite.claims.measures import by_seed, measure, measured
from experiments.suite.claims.rows import shared_seeds
from experiments.suite.grid.cells import panel_cells
from experiments.suite.report.writing import write_report
from experiments.suite.run.exits import OK
from experiments.suite.run.jobs import prepare
from experiments.suite.run.outlook import outlook_of
from experiments.suite.run.running import run_experiment
from experiments.suite.run.targets import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread", "toy_ring")
TOY = Path(__file__).parents[3] / "mine" / "running" / "toy_gan.py"
NAME = "experiments.toy_ring"
ARMS = ["gan", "mine", "mine(clip=0)"]


@cache
def toy_module() -> Any:
    """toy_gan.py as if it were an experiment's own module, and the experiment too."""
    spec = importlib.util.spec_from_file_location(NAME, TOY)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    task = {"_target_": f"{NAME}.Ring", "radius": 2.0}
    del sys.modules[NAME]
    module.cells = lambda config: panel_cells("ring", [task], config)
    return module


@pytest.fixture(name="toy_ring")
def _toy_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, toy_module())


def config_in(outputs: Path, steps: int = 12, **changes: Any) -> dict[str, Any]:
    config = config_of()
    panels = {"ring": {"steps": 1.0, "seeds": 2.0}}
    experiment = {"name": "toy_ring", "methods": ARMS, "panels": panels}
    train = {**config["train"], "steps": steps, "batch_size": 16}
    return {
        **config, "experiment": experiment, "train": train, "outputs": str(outputs), **changes
    }  # fmt: skip


def run_in(outputs: Path, **changes: Any) -> int:
    return run_experiment(config_in(outputs, **changes), "the command")


def test_a_row_has_its_measures_and_its_estimate(tmp_path: Path) -> None:
    assert run_in(tmp_path) == OK
    rows = rows_in(tmp_path)
    assert list(zip(rows["method"], rows["seed"], strict=True)) == [
        (arm, seed) for arm in ARMS for seed in (0, 1)
    ]
    assert set(rows["task"]) == {"Ring"} and set(rows["dim"]) == {2}
    assert set(rows["status"]) == {"ok"} and set(rows["n_train"]) == {12 * 16}
    assert set(rows["steps"]) == {12} and set(rows["n_test"]) == {200}
    assert rows["truth"].isna().all() and rows["nats"].notna().all()
    assert all(json.loads(text) == {"radius": 2.0} for text in rows["params"])
    first = json.loads(rows["measures"].iloc[0])
    assert list(first["radius"]) == ["0", "6", "12"] and len(first["points"]) == 3
    curves = the_run(tmp_path).read_curves()
    assert set(curves["key"]) == set(rows["key"]) and curves["step"].max() == 12


def test_arms_of_one_seed_begin_with_equal_samples(tmp_path: Path) -> None:
    assert run_in(tmp_path) == OK
    rows = rows_in(tmp_path)
    first = [one["0"] for one in measured(rows, "radius")]
    of_seeds = pd.Series(first).groupby(rows["seed"]).nunique()
    assert set(of_seeds) == {1} and len(set(first)) == 2
    assert len({str(one) for one in measured(rows, "radius")}) >= 4


def test_a_finished_run_is_found_and_a_run_again_has_equal_bytes(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        assert run_in(tmp_path / folder) == OK
    assert_same_bits(rows_in(tmp_path / "one"), rows_in(tmp_path / "other"))
    assert the_run(tmp_path / "one").finished


def killed(outputs: Path, config: dict[str, Any]) -> bool:
    """Runs it in a process, and kills that with SIGKILL when it has written a checkpoint."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=run_experiment, args=(config, "the command"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    while process.is_alive() and not list(outputs.glob("*/*/checkpoints/*-*.json")):
        time.sleep(0.005)
    process.kill()
    process.join()
    return process.exitcode == -9


def test_a_run_killed_in_the_middle_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"steps": 120, "checkpoint_seconds": 0.05}
    config = config_in(tmp_path / "killed", **changes)
    assert killed(tmp_path / "killed", config)
    assert rows_in(tmp_path / "killed").empty
    (kept, *_) = (tmp_path / "killed").glob("*/*/checkpoints/*-*.json")
    assert 0 < json.loads(kept.read_text())["step"] < 120
    assert run_experiment(config, "the command") == OK
    assert "goes on from" in the_run(tmp_path / "killed").log.read_text()
    assert run_in(tmp_path / "whole", **changes) == OK
    assert_same_bits(rows_in(tmp_path / "killed"), rows_in(tmp_path / "whole"))
    assert curves_in(tmp_path / "killed") == curves_in(tmp_path / "whole")


def test_a_cell_that_diverges_is_a_row_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = sys.modules[NAME].RingGan
    original = ring.step

    def step(model: Any, batch: Any, now: int) -> Any:
        losses = original(model, batch, now)
        losses[1, 0] = math.nan if now >= 5 else losses[1, 0]
        return losses

    monkeypatch.setattr(ring, "step", step)
    assert run_in(tmp_path) == OK
    rows = rows_in(tmp_path)
    assert list(rows["status"]) == ["diverged", *["ok"] * 5]
    assert rows["step_diverged"].iloc[0] == 5 and rows["measures"].iloc[0] == ""
    assert "lower the learning rates" in rows["reason"].iloc[0]
    assert math.isnan(rows["nats"].iloc[0])


def test_the_report_reads_them_and_results_csv_keeps_its_columns(tmp_path: Path) -> None:
    assert run_in(tmp_path) == OK
    assert "measures" in pq.read_schema(the_run(tmp_path).folder / "rows.parquet").names
    write_report(tmp_path)
    header = (tmp_path / "results.csv").read_text().splitlines()[0].split(",")
    assert "measures" not in header and {"nats", "truth", "reason"} <= set(header)


def test_a_forecast_knows_the_cells_of_an_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mine.running.forecast.forecast", FORECAST)
    found = outlook_of(config_in(tmp_path))
    assert (found.cells, found.steps) == (6, 72) and found.seconds > 0


def test_measures_stand_by_seed_with_the_worst_for_a_lost_cell_and_none_for_a_failed_one() -> None:
    rows = pd.DataFrame(
        {
            "seed": [3, 1, 2, 0],
            "status": ["ok", "diverged", "failed", "ok"],
            "modes": [7.0, 5.0, 6.0, math.nan],
        }
    )
    found = by_seed(rows, "modes", 0.0)
    assert found.to_dict() == {3: 7.0, 1: 0.0, 0: 0.0}
    one, two = shared_seeds(found, pd.Series([2.0, 4.0], index=[1, 3]))
    assert (one.tolist(), two.tolist()) == ([0.0, 7.0], [2.0, 4.0])


def test_a_measure_is_an_array() -> None:
    texts = ['{"modes":7,"points":[[1,2]]}', '{"modes":null}', ""]
    rows = pd.DataFrame({"measures": texts})
    assert measure(rows, "modes")[0] == 7.0
    assert all(math.isnan(value) for value in measure(rows, "modes")[1:])
    assert measured(rows, "points") == [[[1, 2]], None, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": {"methods": ["wgan"]}}, "expected an arm among .*got 'wgan'"),
        ({"estimator": {"split": True}}, "estimator.split is for tasks.*got Ring"),
    ],
)
def test_a_config_that_cannot_be_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    config = config_in(tmp_path)
    for group, values in change.items():
        config[group] = {**config[group], **values}
    if "estimator" in change:
        config["experiment"]["n"] = 100
    with pytest.raises((ConfigError, ValueError), match=message):
        prepare(config)


def test_arms_have_one_shape_and_cells_of_one_seed_one_key(tmp_path: Path) -> None:
    cells, jobs = prepare(config_in(tmp_path))
    assert len({job.shape for job in jobs}) == 1
    assert len({(job.seed, job.key) for job in jobs}) == 2 and len(cells) == 6
