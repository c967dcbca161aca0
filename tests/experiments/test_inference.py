"""The claims and the figure of adversarial inference, on rows whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from applications_example import application_rows, config_of

from experiments import inference
from experiments.images.pictures import to_text
from experiments.inference import ALI, ALICE, MINE
from experiments.suite.claims.claim import Claim, judge
from experiments.suite.figures.rendering import render
from experiments.suite.run.jobs import prepare
from experiments.suite.store.tables import curve_frame

Row = Mapping[str, Any]
Change = Callable[[Row], Mapping[str, Any]]
PICTURES = to_text(np.linspace(0, 1, 10 * 64).reshape(10, 8, 8))
PRINTED = {
    ALI: {"error": 14.24, "correct": 0.4595, "similarity": 0.97},
    MINE: {"error": 9.73, "correct": 0.9610, "similarity": 0.99},
    ALICE: {"error": 5.20, "correct": 0.9817, "similarity": 0.99},
}
"""The paper's table."""
NULL = {"mean_error": 20.0, "mean_correct": 0.1, "mean_similarity": 0.3, "accuracy": 0.97}


def rows_of(change: Change = lambda row: {}) -> pd.DataFrame:
    """A row for each cell of the default grid; `change` gives measures that differ."""

    def measures(row: Row) -> dict[str, Any]:
        wobble = 1 + 0.001 * (row["seed"] % 3 - 1)
        own = {name: value * wobble for name, value in PRINTED[row["method"]].items()}
        return {**own, **NULL, "pictures": PICTURES, "originals": PICTURES, **change(row)}

    return application_rows("inference", measures)


@cache
def as_printed() -> pd.DataFrame:
    return rows_of()


def claim_of(claim: str, rows: pd.DataFrame) -> Claim:
    found = {one.id: one for one in judge(inference, rows, curve_frame([]))}
    return found[f"inference-{claim}"]


@pytest.mark.parametrize("claim", ["mine", "explicit", "accuracy", "similarity"])
def test_on_the_papers_table_every_claim_is_reproduced(claim: str) -> None:
    assert claim_of(claim, as_printed()).verdict == "reproduced"


def of_arm(method: str, **values: float) -> Change:
    return lambda row: values if row["method"] == method else {}


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("mine", of_arm(MINE, error=13.5)),  # lower, and not by a tenth
        ("explicit", of_arm(ALICE, error=10.0)),
        ("accuracy", of_arm(MINE, correct=0.4)),
        ("similarity", of_arm(MINE, similarity=0.96)),
    ],
)
def test_each_claim_can_fail(claim: str, change: Change) -> None:
    assert claim_of(claim, rows_of(change)).verdict == "not reproduced"


def test_ratios_are_of_equal_seeds() -> None:
    """A difficulty that both arms of a seed share does not widen the interval."""

    def change(row: Row) -> Mapping[str, Any]:
        hard = 1.0 + row["seed"] - 100
        return {"error": hard * (0.8 if row["method"] == MINE else 1.0)}

    found = claim_of("mine", rows_of(change))
    assert found.verdict == "reproduced"
    assert found.interval == (pytest.approx(0.8), pytest.approx(0.8))


@pytest.mark.parametrize(("lost", "verdict"), [(MINE, "not reproduced"), (ALI, "inconclusive")])
def test_a_cell_that_diverged_is_worse_than_any_and_no_measure_of_a_gain(
    lost: str, verdict: str
) -> None:
    rows = as_printed().copy()
    rows.loc[rows["method"] == lost, ["status", "measures"]] = "diverged", ""
    found = claim_of("mine", rows)
    assert found.verdict == verdict and "5 of 10 cells diverged" in found.measured


def test_without_one_of_the_arms_nothing_is_judged() -> None:
    rows = as_printed()
    found = claim_of("mine", rows[rows["method"] != ALI])
    assert (found.verdict, found.measured) == ("inconclusive", inference.NO_MEASURES)


@pytest.mark.parametrize("kept", [[ALI, MINE, ALICE], [ALICE]])
def test_the_figure_is_drawn_of_any_part_of_the_rows(kept: list[str]) -> None:
    rows = as_printed()
    figure = inference.figures(rows[rows["method"].isin(kept)])["inference"]
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sum("no images" in text for text in texts) == 3 - len(kept)
    assert texts[0] == "test images"
    assert render(figure)["svg"].startswith(b"<?xml")


def test_arms_of_one_seed_are_pairs() -> None:
    cells, jobs = prepare(config_of("inference"))
    assert len({job.key for job in jobs}) == 1, "all arms see the same data"
    assert {cell.seed for cell in cells} == set(range(100, 105))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("experiment.methods=['mine(beta=-1)']", "beta must be a number >= 0, got -1"),
        ("experiment.methods=['alice(weight=-1)']", "weight must be a number >= 0, got -1"),
        (
            "experiment.cuts.digits.smoke.model.sigma=1.0",
            "sigma must be above 0, where I(x; z) is infinite",
        ),
        ("experiment.train.batch_size=5000", "batch_size must be at most the 1198 images"),
        ("data.labelled=false", "a classifier needs labels"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(
    word: str, said: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    outputs = tmp_path / "outputs"
    assert said in refusal("experiment=inference", "scale=smoke", f"outputs={outputs}", word)
    assert not outputs.exists()
