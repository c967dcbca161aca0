"""The claims and the figure of stacked digits, on rows whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from applications_example import application_rows, config_of

from experiments import stacked_digits
from experiments.images.pictures import to_text
from experiments.stacked_digits import DATA, GAN, MINE, NOISE
from experiments.suite.claims.claim import Claim, judge
from experiments.suite.figures.rendering import render
from experiments.suite.run.jobs import prepare
from experiments.suite.store.tables import curve_frame

Row = Mapping[str, Any]
PICTURES = to_text(np.linspace(0, 1, 8 * 3 * 64).reshape(8, 3, 8, 8))
AS_PRINTED = {
    DATA: {"modes": 1000, "kl": 0.02, "sure": 0.9, "sure_modes": 1000, "sure_kl": 0.02},
    GAN: {"modes": 99, "kl": 3.4, "sure": 0.6, "sure_modes": 80, "sure_kl": 3.6},
    MINE: {"modes": 1000, "kl": 0.05, "sure": 0.6, "sure_modes": 990, "sure_kl": 0.1},
    NOISE: {"modes": 100, "kl": 4.0, "sure": 0.0, "sure_modes": 0, "sure_kl": 6.9},
}
"""The printed values of all images; those of sure images and of noise are made up."""


def rows_of(change: Callable[[Row], Mapping[str, Any]] = lambda row: {}) -> pd.DataFrame:
    """A row for each cell of the default grid, with the printed values and a few of another."""

    def measures(row: Row) -> dict[str, Any]:
        wobble = 1 + 0.001 * (row["seed"] % 3 - 1)
        own = {name: value * wobble for name, value in AS_PRINTED[row["method"]].items()}
        return {**own, "accuracy": 0.97, "pictures": PICTURES, **change(row)}

    return application_rows("stacked_digits", measures)


@cache
def as_printed() -> pd.DataFrame:
    return rows_of()


def claim_of(claim: str, rows: pd.DataFrame) -> Claim:
    found = {one.id: one for one in judge(stacked_digits, rows, curve_frame([]))}
    return found[f"stacked_digits-{claim}"]


CLAIMS = ("modes", "kl", "all", "quality", "count")


@pytest.mark.parametrize("claim", CLAIMS)
def test_on_the_printed_values_every_claim_is_reproduced(claim: str) -> None:
    assert claim_of(claim, as_printed()).verdict == "reproduced"


def of_arm(method: str, **values: float) -> Callable[[Row], Mapping[str, Any]]:
    return lambda row: values if row["method"] == method else {}


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("modes", of_arm(MINE, modes=90)),
        ("modes", of_arm(MINE, sure_modes=70)),  # more of all images is not enough
        ("kl", of_arm(MINE, kl=3.5)),
        ("kl", of_arm(MINE, sure_kl=3.7)),
        ("all", of_arm(MINE, modes=980)),
        ("all", of_arm(MINE, kl=0.3)),
        ("quality", of_arm(MINE, sure=0.5)),
        ("count", of_arm(NOISE, modes=998)),
    ],
)
def test_each_claim_can_fail(claim: str, change: Callable[[Row], Mapping[str, Any]]) -> None:
    assert claim_of(claim, rows_of(change)).verdict == "not reproduced"


def test_a_difference_that_straddles_zero_is_inconclusive() -> None:
    def change(row: Row) -> Mapping[str, Any]:
        return {"modes": 99 + 5 * (row["seed"] % 2) - 2} if row["method"] == MINE else {}

    assert claim_of("modes", rows_of(change)).verdict == "inconclusive"


def test_a_cell_that_diverged_has_captured_nothing() -> None:
    rows = as_printed().copy()
    lost = rows["method"] == MINE
    rows.loc[lost, ["status", "measures"]] = "diverged", ""
    found = claim_of("modes", rows)
    assert found.verdict == "not reproduced" and "5 of 20 cells diverged" in found.measured
    assert claim_of("kl", rows).verdict == "not reproduced"


def test_without_one_of_the_arms_nothing_is_judged() -> None:
    rows = as_printed()
    found = claim_of("modes", rows[rows["method"] != GAN])
    assert (found.verdict, found.measured) == ("inconclusive", stacked_digits.NO_MEASURES)


@pytest.mark.parametrize("kept", [[GAN, MINE, DATA, NOISE], [MINE], [NOISE]])
def test_the_figure_is_drawn_of_any_part_of_the_rows(kept: list[str]) -> None:
    rows = as_printed()
    rows = rows[rows["method"].isin(kept)]
    figure = stacked_digits.figures(rows)["stacked_digits"]
    titles = [ax.get_title(loc="left") for ax in figure.axes[:4]]
    assert sum("no samples" in title for title in titles) == 4 - len(kept)
    assert render(figure)["svg"].startswith(b"<?xml")


def test_the_figure_names_the_scores_beside_the_samples() -> None:
    figure = stacked_digits.figures(as_printed())["stacked_digits"]
    texts = [ax.get_title(loc="left") for ax in figure.axes[:4]]
    by_name = {text.partition("\n")[0]: text for text in texts}
    assert by_name["uniform noise"].endswith("100 modes, KL 4.00\n0 % sure")
    assert list(by_name) == ["data", "GAN", "GAN + MINE", "uniform noise"]


def test_arms_of_one_seed_are_pairs_and_null_lines_apart() -> None:
    cells, jobs = prepare(config_of("stacked_digits"))
    keys = {(cell.role, job.key) for cell, job in zip(cells, jobs, strict=True)}
    assert len(keys) == 2, "all arms of a panel see the same data"
    assert {cell.seed for cell in cells} == set(range(100, 105))
    assert {job.training.learning_rate for job in jobs} == {0.0002}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "experiment.panels.samples.methods=['mine(beta=-1)']",
            "beta must be a number >= 0, got -1",
        ),
        ("experiment.images=999", "experiment.images must be at least the 1000 modes, got 999"),
        ("experiment.train.batch_size=5000", "batch_size must be at most the 1198 images"),
        ("data.labelled=false", "a classifier needs labels"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(
    word: str, said: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    outputs = tmp_path / "outputs"
    assert said in refusal("experiment=stacked_digits", "scale=smoke", f"outputs={outputs}", word)
    assert not outputs.exists()
