"""Time to accuracy: when an error stays near, that contenders estimate one thing, and it runs."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.resuming import Row, read_rows
from benchmarks.time_to_accuracy import curves, others, page
from benchmarks.time_to_accuracy.__main__ import main
from benchmarks.time_to_accuracy.curves import Look, within
from benchmarks.time_to_accuracy.drawing import NAMES
from benchmarks.time_to_accuracy.loops import (
    CAREFUL,
    CONTENDERS,
    NOTEBOOK,
    STACKED,
    data_of,
    network,
    own_rows,
    seeds_of,
)
from benchmarks.time_to_accuracy.measuring import FIELDS, contenders, measure
from benchmarks.time_to_accuracy.settings import (
    CUBE,
    FIRST_SEED,
    FULL,
    OWN,
    RHO,
    SCALES,
    SIGMA,
)
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import job_of, load
from mine.data.batches import DataSet
from mine.tasks import CorrelatedGaussian
from mine.training.settings import Training

DOCS = Path(__file__).resolve().parents[1] / "docs"
REMEDY = (
    "run `python -m benchmarks.time_to_accuracy.page docs/results/time_to_accuracy.csv "
    "docs/time-to-accuracy.md`"
)
EASY = replace(
    FULL[0], task=CorrelatedGaussian(1, 0.9), networks=2, single=1, training=Training(steps=400)
)


def looks(*errors: float) -> list[Look]:
    return [Look(10 * i, float(i), error, -error) for i, error in enumerate(errors, 1)]


# ------------------------------------------------------------------------ within


def test_the_error_must_stay_within_the_tolerance_to_the_end() -> None:
    assert within(looks(0.5, 0.1, 0.3, 0.2, 0.1), 0.2) == Look(40, 4.0, 0.2, -0.2)
    assert within(looks(0.1, 0.1), 0.2) == Look(10, 1.0, 0.1, -0.1)


def test_an_error_that_ends_outside_or_is_not_a_number_is_not_reached() -> None:
    assert within(looks(0.1, 0.3), 0.2) is None
    assert within(looks(0.1, float("nan")), 0.2) is None


# ---------------------------------------------------------------------- settings


def jobs_of(experiment: str) -> list[Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        composed = OmegaConf.to_container(
            compose("config", [f"experiment={experiment}"]), resolve=True
        )
    assert isinstance(composed, dict)
    config = {str(key): value for key, value in composed.items()}
    cells = load(experiment).cells(config)
    return [(cell.role, job_of(cell, config)) for cell in cells if cell.method == "mine"]


@pytest.mark.parametrize(
    ("experiment", "role", "places"),
    [
        ("gaussian", "scalar", (0, 1, 2)),
        ("gaussian", "high", (3, 4, 5)),
        ("equitability", "map", (6,)),
    ],
)
def test_critics_and_trainings_are_those_of_the_experiments(
    experiment: str, role: str, places: tuple[int, ...]
) -> None:
    job = next(job for of, job in jobs_of(experiment) if of == role)
    for place in places:
        assert (FULL[place].critic, FULL[place].training) == (job.critic, job.training)
        assert FULL[place].task.dim_x == job.dim


def test_own_rows_are_trained_on_as_the_library_does() -> None:
    from mine.estimators.own_job import own_job
    from mine.estimators.rows import as_pair

    job = own_job(*as_pair(*own_rows(OWN, FIRST_SEED)), "mine", FIRST_SEED)
    assert (job.critic, job.training) == (OWN.critic, OWN.training)


def test_nothing_is_measured_where_something_is_reported() -> None:
    for experiment in ("gaussian", "equitability"):
        tasks = {str(job.source.task) for _, job in jobs_of(experiment)}
        seeds = {job.seed for _, job in jobs_of(experiment)}
        assert not tasks & {str(setting.task) for setting in FULL}
        assert max(seeds) < FIRST_SEED
    assert SIGMA == 0.15 and RHO == (0.4, 0.6, 0.8)


# --------------------------------------------------------------------- contenders


@pytest.mark.parametrize("contender", [STACKED, CAREFUL])
def test_each_contender_finds_the_mutual_information(contender: str) -> None:
    last = curves.curve(EASY, contender)[-1]
    assert last.steps == 400 and last.error < 0.06 < EASY.task.mi


def test_the_notebooks_settings_find_most_of_it() -> None:
    last = curves.curve(replace(EASY, n_test=2_000), NOTEBOOK)[-1]
    assert last.steps == 800 and 0.5 * EASY.task.mi < last.signed + EASY.task.mi


def test_steps_and_seconds_rise_and_looking_takes_none() -> None:
    for contender in CONTENDERS:
        found = curves.curve(SCALES["tiny"][0], contender)
        assert [look.steps for look in found] == [
            (2 if contender == NOTEBOOK else 1) * n for n in (2, 4)
        ]
        assert 0 < found[0].seconds < found[1].seconds


def test_the_seconds_of_a_stack_are_those_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks 8 s a training block: a stack of 2 takes 4 s for each network."""
    ticks = iter(range(0, 800, 8))
    monkeypatch.setattr(
        "benchmarks.time_to_accuracy.curves.time.process_time", lambda: next(ticks)
    )
    assert [look.seconds for look in curves.curve(SCALES["tiny"][0], STACKED)] == [4.0, 8.0]


def test_held_out_rows_are_the_same_for_all_and_of_no_part_in_the_training() -> None:
    one, again, other = (data_of(OWN, seed) for seed in (50, 50, 51))
    assert torch.equal(one.test[0], again.test[0])
    assert not torch.equal(one.test[0], other.test[0])
    assert isinstance(one.batches, DataSet) and one.validation is not None
    assert (len(one.batches.x), len(one.validation[0])) == (3_000, 1_000)
    x, _ = own_rows(OWN, 50)
    held = {float(v) for v in one.test[0][:, 0]}
    assert not held & {float(v) for v in x[:, 0]}
    train, chosen = ({float(v) for v in side[:, 0]} for side in (one.batches.x, one.validation[0]))
    assert not train & chosen and train | chosen < {float(v) for v in x[:, 0]}


def test_the_plain_network_has_the_parameters_of_the_settings_critic() -> None:
    for setting in (FULL[0], FULL[3], CUBE):
        task = setting.task
        critic = setting.critic.stack(task.dim_x, task.dim_y, [torch.Generator()], "cpu")
        assert sum(p.numel() for p in network(setting).parameters()) == critic.theta.numel()


def test_auto_is_beside_the_others_where_there_are_rows() -> None:
    assert contenders(OWN) == [*CONTENDERS, "auto"] and contenders(CUBE) == list(CONTENDERS)
    assert seeds_of(CUBE, STACKED) == [[50 + i for i in range(8)]]
    assert seeds_of(CUBE, CAREFUL) == [[50], [51], [52], [53]]


# ---------------------------------------------------------------- other packages

FAKE = """
def estimate_mi(data, estimator, verbose):
    x, y = data
    assert (x.dtype, estimator, verbose) == ("float32", "mine", False)
    print("[Info]: this goes elsewhere")
    import numpy as np
    return float(x[0, 0]), {"iteration": np.array([3, 7])}
"""


def test_another_package_gets_the_rows_of_auto_under_a_python_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_mist.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    setting = replace(OWN, rows=400, single=2)
    assert others.packages(sys.executable) == ["torch-mist"]
    found = others.look(setting, "torch-mist", sys.executable)
    values = [float(own_rows(setting, seed)[0][0, 0]) for seed in (50, 51)]
    assert found.steps == 7 and found.seconds >= 0.0
    assert found.signed == pytest.approx(sum(values) / 2 - setting.task.mi)
    tiny = SCALES["tiny"][-1:]
    rows = measure(tmp_path / "rows.csv", tiny, others={"torch-mist": sys.executable})
    assert [r["method"] for r in rows] == [*CONTENDERS, "auto", "torch-mist"]
    assert rows[-1]["networks"] == "1" and set(NAMES) > {r["method"] for r in rows}


@pytest.mark.parametrize(
    ("python", "message"),
    [(sys.executable, "which has neither: install one"), ("/no/python", "expected a Python with")],
)
def test_a_python_without_other_packages_is_an_error_with_status_2(
    python: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--scale", "tiny", "--out", str(tmp_path), "--others", python])
    assert message in " ".join(capsys.readouterr().err.split())


# ----------------------------------------------------------------------- command


def test_a_tiny_run_writes_curves_a_table_and_a_figure_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--scale", "tiny", "--out", str(tmp_path)]
    assert main(words) == 0
    shown = capsys.readouterr().out.splitlines()
    text = (tmp_path / "rows.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 3 * 3 + 1 == len(shown) - 1
    assert {len(json.loads(row["curve"])) for row in rows if row["method"] != "auto"} == {2}
    assert (tmp_path / "time_to_accuracy.png").read_bytes()[1:4] == b"PNG"
    assert (tmp_path / "table.md").read_text().count("\n") == len(rows) + 2
    monkeypatch.setattr("benchmarks.time_to_accuracy.measuring.curve", None)  # is not called again
    assert [*map(dict, rows)] == measure(tmp_path / "rows.csv", SCALES["tiny"])


# ------------------------------------------------------------------------- page


def row(method: str, *found: Look) -> Row:
    curve = json.dumps([[x.steps, x.seconds, x.error, x.signed] for x in found])
    return dict(zip(FIELDS, (FULL[0].name, method, "50", "4", curve), strict=True))


def test_the_table_has_the_time_of_each_beside_that_of_the_stack() -> None:
    rows = [
        row(STACKED, *looks(0.5, 0.02, 0.01)),
        row(CAREFUL, *looks(0.5, 0.5, 0.5, 0.5, 0.01)),
        row(NOTEBOOK, *looks(0.5, 0.4)),
    ]
    lines = [line.split(" | ")[4:7] for line in page.table(rows, FULL[:1]).splitlines()[2:]]
    assert lines == [["2", "20", "1.0 times"], ["5", "50", "2.5 times"], ["not reached", "", ""]]


def test_the_table_of_the_page_is_that_of_the_rows() -> None:
    rows = list(read_rows(DOCS / "results" / "time_to_accuracy.csv", FIELDS))
    assert {r["case"] for r in rows} == {setting.name for setting in FULL}
    text = (DOCS / "time-to-accuracy.md").read_text(encoding="utf-8")
    assert page.page(text, rows) == text, REMEDY
