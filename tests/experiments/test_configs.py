"""Every config composes into jobs, and every experiment runs to its end.

The files are listed, not named: a new experiment, scale, critic or training is tested by being
there.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from experiments.probes.names import METHODS
from experiments.suite.grid.cells import UNTRAINED, Cell, merged
from experiments.suite.report.discovery import MAIN
from experiments.suite.run.command import CONFIGS, command
from experiments.suite.run.config_check import check
from experiments.suite.run.exits import OK
from experiments.suite.run.jobs import build, prepare
from experiments.suite.run.running import run_experiment
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import ROW_COLUMNS, without_empty
from mine.critics.mlp import MLP
from mine.running.applications import ApplicationJob
from mine.running.jobs import Job
from mine.training.settings import Training

ROOT = CONFIGS.parent
GROUPS = {
    folder.name: sorted(path.stem for path in folder.glob("*.yaml"))
    for folder in CONFIGS.iterdir()
    if folder.is_dir() and folder.name != "hydra"
}
EXPERIMENTS, SCALES = GROUPS["experiment"], GROUPS["scale"]
OTHERS = [(group, option) for group, options in GROUPS.items() for option in options
          if group not in ("experiment", "scale", "tasks", "data")]  # fmt: skip
ON_IMAGES = ("self_consistency",)
"""The experiments that take data=..., and the critics that need it."""
OWN_SETTINGS = ("equitability", "gaussian", "bias", "sample_size")
"""Some that set `train` or `critic` themselves: in their config, for a panel, cell by cell."""


def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        plain = OmegaConf.to_container(
            compose("config", list(overrides)), resolve=True, throw_on_missing=True
        )
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


SHOWN = [
    (page.stem, line)
    for page in sorted((ROOT / "docs" / "experiments").glob("*.md"))
    for line in page.read_text(encoding="utf-8").splitlines()
    if line.startswith("make reproduce ") and "ARGS=" in line
]
"""The commands with overrides that the pages of experiments show."""


@pytest.mark.parametrize(("name", "line"), SHOWN, ids=[line[15:] for _, line in SHOWN])
def test_the_overrides_that_a_page_shows_are_those_of_its_experiment(name: str, line: str) -> None:
    said = dict(word.split("=", 1) for word in shlex.split(line)[2:])
    assert said["EXPERIMENTS"] == name
    scale = said.get("SCALE", "default")
    check(config_of(f"experiment={name}", f"scale={scale}", *shlex.split(said["ARGS"])))


def cut(name: str) -> list[str]:
    """Overrides that leave the ends of each list, all methods, and next to no training."""
    lists = {key: v for key, v in config_of(f"experiment={name}")["experiment"].items()
             if isinstance(v, list) and key != "methods"}  # fmt: skip
    ends = [f"experiment.{key}=[{values[0]},{values[-1]}]" for key, values in lists.items()]
    tiny = ["train.steps=5", "train.batch_size=32", "critic.hidden=[8]"]
    return [
        *(f"experiment={name}", "scale=smoke", "device=cpu", *ends, *tiny),
        *("scale.n_test=200", "scale.ksg_n=100"),
    ]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_with_every_scale_into_jobs(experiment: str, scale: str) -> None:
    config = config_of(f"experiment={experiment}", f"scale={scale}")
    assert (config["experiment"]["name"], config["scale"]["name"]) == (experiment, scale)
    cells, jobs = prepare(config)
    panels = config["experiment"]["panels"]
    assert {cell.role for cell in cells} == set(panels), "a role is a panel of the config"
    methods = {plain(method) for method in config["experiment"]["methods"]}
    assert {plain(cell.method) for cell in cells} == methods, (
        "the cells have other methods than experiment.methods of the config"
    )
    assert len({cell.key for cell in cells}) == len(cells) == len(jobs), (
        "two cells ask for the same: give them roles of their own, or leave one out"
    )
    for cell, job in zip(cells, jobs, strict=True):
        own = merged(config, cell.overrides)
        if isinstance(job, ApplicationJob):
            assert (job.arm, job.seed) == (cell.method, cell.seed)
            assert_trained_as_asked(job, cell, own, panels)
            continue
        assert job.method == METHODS.resolve(cell.method)
        assert (job.seed, job.source.sizes[0]) == (cell.seed, cell.n)
        assert job.k == own["estimator"]["k"]
        assert (job.source.split is not None) == own["estimator"]["split"]
        if job.source.split:  # test_task_tables.py has the rest
            continue
        if cell.method not in UNTRAINED:
            assert_trained_as_asked(job, cell, own, panels)


def assert_trained_as_asked(
    job: Job | ApplicationJob, cell: Cell, own: Mapping[str, Any], panels: Mapping[str, Any]
) -> None:
    """The job's test rows, training and critic are those of the cell's config."""
    assert job.n_test == own["scale"]["n_test"]
    steps = own["train"]["steps"] * panels[cell.role]["steps"]
    assert job.training.steps == cell.steps == round(steps)
    train = {**without_target(own["train"]), "steps": cell.steps}
    for group, made in ((train, job.training), (without_target(own["critic"]), job.critic)):
        for key, value in group.items():
            found = getattr(made, key)
            assert (list(found) if isinstance(found, tuple) else found) == (
                list(value) if isinstance(value, tuple) else value
            )
    assert own["critic"]["_target_"].endswith(f".{type(job.critic).__name__}")


def plain(method: str) -> str:
    """Without parameters, which a cell may have from its grid."""
    return re.sub(r"\(.*?\)", "", method)


def without_target(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "_target_"}


@pytest.mark.parametrize(("group", "option"), OTHERS)
def test_every_other_option_makes_jobs(group: str, option: str) -> None:
    for experiment in ON_IMAGES if option == "convolutional" else OWN_SETTINGS:
        config = config_of(f"experiment={experiment}", "scale=smoke", f"{group}={option}")
        assert prepare(config)[1]


@pytest.mark.parametrize("option", GROUPS["data"])
@pytest.mark.parametrize("experiment", ON_IMAGES)
def test_every_data_set_makes_jobs_and_is_not_fetched_for_that(
    experiment: str, option: str, tmp_path: Path
) -> None:
    config = config_of(f"experiment={experiment}", f"data={option}", "scale=smoke")
    cells, jobs = prepare({**config, "outputs": str(tmp_path / "outputs")})
    assert {cell.task["data"] for cell in cells} == {option}
    side = config["data"]["side"]
    assert {job.source.sizes[1] for job in jobs} == {side**2, 2 * side**2}
    assert {job.critic.side for job in jobs} == {side}  # type: ignore[attr-defined]
    assert not (tmp_path / "outputs").exists()


def test_where_images_are_cached_does_not_change_the_cells(tmp_path: Path) -> None:
    config = config_of("experiment=self_consistency", "scale=smoke")
    one, two = (prepare({**config, "outputs": str(tmp_path / name)}) for name in "ab")
    assert [cell.key for cell in one[0]] == [cell.key for cell in two[0]]
    assert {job.source.task.data.cache for job in one[1]} == {str(tmp_path / "a" / "cache")}  # type: ignore[union-attr]


def test_a_critic_for_images_without_images_is_refused() -> None:
    with pytest.raises(InterpolationKeyError, match=r"data\.side"):
        config_of("experiment=gaussian", "critic=convolutional")


def test_jobs_of_one_task_and_seed_see_the_same_samples_whatever_the_method() -> None:
    cells, jobs = prepare(config_of("experiment=gaussian"))
    keys: dict[tuple[str, str], set[str]] = {}
    for cell, job in zip(cells, jobs, strict=True):
        keys.setdefault((cell.role, str(cell.task)), set()).add(job.key)
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == len(keys)


def test_the_later_choice_overrules_the_earlier() -> None:
    """`_self_` first; a scale sets the steps whatever the training; the command line all."""
    smoke = config_of("scale=smoke")["train"]["steps"]
    assert config_of("train=notes", "scale=smoke")["train"]["steps"] == smoke
    assert config_of("scale=smoke", "train.steps=7")["train"]["steps"] == 7
    assert config_of("device=cpu")["device"] == "cpu"
    assert config_of()["scale"]["name"] == "default"
    assert config_of()["experiment"]["name"] == "gaussian"


def test_the_papers_grid_is_there_at_the_default_scale() -> None:
    gaussian = config_of("experiment=gaussian")
    positive = [0.1, 0.3, 0.5, 0.7, 0.9, 0.99]
    assert sorted(gaussian["experiment"]["rho"]) == sorted(
        [0.0, *positive, *(-rho for rho in positive)]
    )
    assert gaussian["experiment"]["methods"] == ["mine", "mine_f", "dv", "ksg"]
    assert {p["dim"] for p in gaussian["experiment"]["panels"].values()} == {1, 20}
    channel = config_of("experiment=equitability")
    assert channel["experiment"]["sigma"] == [round(0.1 * i, 1) for i in range(10)]
    assert channel["experiment"]["functions"] == ["identity", "cube", "sin"]
    assert channel["experiment"]["dim"] == 2
    least = {"scalar": 5, "high": 3, "map": 3, "self": 3}
    for config in (gaussian, channel):
        cells, _ = prepare(config)
        for role in config["experiment"]["panels"]:
            assert len({cell.seed for cell in cells if cell.role == role}) >= least[role]


def test_the_presets_of_the_notes_are_what_the_notes_say() -> None:
    config = config_of("critic=notes", "train=notes", "experiment=gaussian", "scale=smoke")
    critic, training = build(config["critic"]), build(config["train"])
    assert critic == MLP((100, 100), "elu", "normal")
    assert (training.batch_size, training.optimizer, training.schedule) == (
        100,
        "Adam",
        "constant",
    )
    assert (training.marginal, training.marginal_samples) == ("independent", 1)


def test_the_default_configs_spell_the_librarys_fields() -> None:
    for group, kind in (("critic", MLP), ("train", Training)):
        given = OmegaConf.load(CONFIGS / group / "default.yaml")
        assert set(map(str, given)) - {"_target_"} <= set(kind.__dataclass_fields__)


@pytest.mark.usefixtures("no_forecast")  # which would take longer than the run
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_to_its_end(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Cut short; as they are, experiments run in a slow test and in `make smoke`."""
    kinds = ["svg", "pdf", "png"]
    if name not in MAIN:
        request.getfixturevalue("svg_alone")
        kinds = ["svg"]
    config = {**config_of(*cut(name)), "outputs": str(tmp_path)}
    assert run_experiment(config, f"python -m experiments experiment={name}") == OK
    cells, jobs = prepare(config)
    assert f"{len(cells)} ok, 0 diverged, 0 failed" in capsys.readouterr().out
    ((found,), problems) = load_runs(tmp_path)
    assert problems == []
    assert_complete(found, config, kinds)

    rows, curves = found.read_rows(), found.read_curves()
    assert list(rows["key"]) == [cell.key for cell in cells]
    if not any(isinstance(job, ApplicationJob) for job in jobs):  # whose models make the truth
        truths = [job.truth for job in jobs]
        np.testing.assert_array_equal(rows["truth"], truths)  # nan where nobody knows it
        assert rows["truth"].isna().all() == (name in ON_IMAGES)
    assert set(rows["role"]) == set(config["experiment"]["panels"])
    trained = [cell for cell in cells if cell.method not in UNTRAINED]
    assert list(dict.fromkeys(curves["key"])) == [cell.key for cell in trained]
    last = curves.groupby("key")["step"].max()
    assert dict(last) == {cell.key: cell.steps for cell in trained}
    assert curves["train_nats"].notna().all()


def assert_complete(
    found: Run, config: Mapping[str, Any], kinds: Sequence[str] = ("svg", "pdf", "png")
) -> None:
    """All files of a run folder are there, with what they must hold, and nothing else."""
    names = {p.name for p in found.folder.iterdir() if not p.name.startswith(".")}
    assert names == {
        *("config.yaml", "provenance.json", "status.json", "run.log", "figures"),
        *("rows.parquet", "rows.csv", "curves.parquet", "checksums.json"),
        *("rows.previous.parquet", "curves.previous.parquet"),
    }
    assert found.read_config() == config
    status = found.read_status()
    assert status["state"] == "finished"
    assert set(status) == {
        *("state", "cells", "done", "failed", "diverged", "seconds"),
        *("command", "started", "updated", "halved", "steps", "steps_done", "sitting_seconds"),
        "codes",
    }
    assert {"git_commit", "git_dirty", "packages", "device", "seed", "time"} <= set(
        found.read_provenance()
    )
    rows = found.read_rows()
    assert list(rows.columns) == list(ROW_COLUMNS)
    assert status["cells"] == status["done"] == len(rows)
    text = pd.read_csv(found.folder / "rows.csv", keep_default_na=False, na_values=["nan"])
    np.testing.assert_array_equal(text["nats"], rows["nats"])  # nan where nothing was estimated
    assert list(text.columns) == list(without_empty(rows).columns)
    drawn = {path.name: path.read_bytes() for path in found.figures.iterdir()}
    figures = {Path(name).stem for name in drawn}
    assert figures
    signs = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    assert set(drawn) == {f"{figure}.{kind}" for figure in figures for kind in kinds}
    assert all(data.startswith(signs[name.rpartition(".")[2]]) for name, data in drawn.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_at_smoke_as_it_is(name: str, tmp_path: Path) -> None:
    asked = (f"experiment={name}", "scale=smoke", f"outputs={tmp_path}")
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *asked],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    ((found,), _) = load_runs(tmp_path)
    assert_complete(found, config_of(*asked))
    assert found.read_status()["failed"] == 0
    rows = found.read_rows()
    assert set(rows.loc[rows["method"] == "mine", "status"]) == {"ok"}


def test_the_examples_of_the_help_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sweep (which Hydra does not show) the first job."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    text = (CONFIGS / "hydra" / "help" / "experiments.yaml").read_text()
    examples = re.findall(r"^ +python -m experiments (.+)$", text, re.MULTILINE)
    assert len(examples) >= 3
    for example in examples:
        words = [word.partition(",")[0] for word in shlex.split(example) if word != "-m"]
        monkeypatch.setattr(sys, "argv", ["experiments", *words, "--cfg", "job"])
        assert command() == OK
