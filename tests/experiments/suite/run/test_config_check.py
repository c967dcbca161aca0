"""A bad config is refused in one line: expected, got, and what to do."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_run import Patch, config_of

from experiments.suite.run.jobs import prepare
from experiments.suite.run.running import run_experiment
from mine.data.sources import Fixed

pytestmark = pytest.mark.usefixtures("one_thread")
GONE = object()
PANELS = "experiment.panels"
BAD = [
    ("experiment.rho", [], r"experiment.rho must be a list of one or more .* got \[\]: write"),
    ("experiment.rho", 0.5, r"types of configs/, got TypeError.*: compare"),
    ("experiment.rho", ["abc"], r"got ValueError.*'abc'.*: compare"),
    ("experiment.methods", [], r"experiment.methods must be a list .* got \[\]: write"),
    ("experiment.methods", "mine", r"experiment.methods must be a list .* got 'mine': write"),
    ("experiment.name", "foo", r"must be a module of experiments/, got 'foo'"),
    (
        "experiment.name",
        "suite",
        r"'experiments.suite' has no attribute 'cells'.*: compare",
    ),
    ("experiment", GONE, r"got KeyError: 'experiment'.*: compare"),
    ("train.steps", 0, r"steps must be a whole number >= 1, got 0"),
    (f"{PANELS}.high.steps", -1, r"factor above 0, got -1: leave the panel out"),
    (f"{PANELS}.high.steps", 0.01, r"steps must be a whole number >= 1, got 0"),
    (f"{PANELS}.high.steps", GONE, r"got KeyError: 'steps'.*: compare"),
    (f"{PANELS}.high.seeds", math.nan, r"factor above 0, got nan: leave the panel out"),
    (f"{PANELS}.high.dim", 0, r"expected dim to be an integer >= 1, got 0: dim counts"),
    (PANELS, {}, r"experiment.panels must hold at least one panel, got none: name one"),
    (PANELS, GONE, r"got KeyError: 'panels'.*: compare"),
    ("scale.seeds", 0, r"scale.seeds must be a whole number >= 1, got 0: give"),
    ("scale.seeds", 1.5, r"scale.seeds must be a whole number >= 1, got 1.5: give"),
    ("scale.n_test", 1, r"scale.n_test must be a whole number >= 2, got 1: give"),
    ("scale.ksg_n", -5, r"scale.ksg_n must be a whole number >= 2, got -5: give"),
    ("scale", GONE, r"got KeyError: 'scale'.*: compare"),
    ("estimator.k", 0, r"estimator.k must be a whole number >= 1, got 0: give"),
    ("estimator.k", 60, r"more than k rows .* got k=60 and 60 rows: take"),
    ("estimator.partners", 0, r"estimator.partners must be .* >= 1, got 0: give"),
    ("estimator.partners", "ten", r"estimator.partners must be .* >= 1, got 'ten': give"),
    ("train.batch_size", 1, r"batch_size must be a whole number >= 2, got 1"),
    ("train.marginal_samples", 16, r"got marginal_samples=16 for batch_size=16: lower"),
    ("train.learning_rate", -1, r"learning_rate must be .* got -1"),
    ("train.optimizer", "Foo", r"optimizer must be one of .*'Adam'.* got 'Foo'"),
    ("train._target_", GONE, r"train must name its _target_, got none: use train=default"),
    ("critic.activation", "foo", r"activation must be one of .* got 'foo'"),
    ("critic.hidden", [], r"hidden must be widths of .* got \(\)"),
    ("critic._target_", GONE, r"critic must name its _target_, got none: use critic=default"),
    ("critic._target_", "os.system", r"must begin with one of mine.*got 'os.system': put"),
    ("figures", "svg", r"figures must be true or false, got 'svg': true draws"),
    ("device", "cuda:99", r"'cuda:99' is not there: .*use device=auto"),
    ("device", None, r"device must have a value, got none: .*--help"),
    ("outputs", "", r"outputs must have a value, got none: .*--help"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_a_bad_config_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: Patch, key: str, value: Any, message: str
) -> None:
    """A `ValueError` of before the start is what the command makes one line and status 2 of."""
    monkeypatch.chdir(tmp_path)
    config = config_of()
    *groups, last = key.split(".")
    group = config
    for name in groups:
        group = group[name]
    if value is GONE:
        del group[last]
    else:
        group[last] = value
    with pytest.raises(ValueError, match=message) as refused:
        run_experiment(config, "")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir()), "something was written"


def test_a_batch_larger_than_n_is_refused(monkeypatch: Patch) -> None:
    """Fixed data sets are KSG's alone in the configs; the job of one for a network says it."""
    job = prepare(config_of("experiment.methods=[mine]"))[1][0]
    with pytest.raises(ValueError, match="must fit into .* got batch_size=16 for 10 .*: lower"):
        dataclasses.replace(job, source=Fixed(job.source.task, 10))
