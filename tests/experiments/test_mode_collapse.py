"""mode_collapse: verdicts and figures on made-up rows, bad input, and a short run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from applications_example import Row, application_rows, config_of
from tiny_run import say_command

from experiments import mode_collapse
from experiments.generative.shapes import Shape
from experiments.suite.claims.claim import Claim, judge
from experiments.suite.run.jobs import prepare
from experiments.suite.run.targets import ConfigError
from experiments.suite.store.measures import measures_text

NAME = "mode_collapse"
Change = Callable[[Row], Mapping[str, float]]
WORTH: Mapping[str, Mapping[str, float]] = {
    "gan": {"modes": 1, "quality": 0.3, "kl": 1.9, "ksg": 0.1},
    "penalty": {"modes": 7, "quality": 0.6, "kl": 0.2, "ksg": 0.1},
    "mine(clip=0)": {"modes": 2, "quality": 0.1, "kl": 0.4, "ksg": 4.5},
}
"""Measures of arms in rows on which all claims hold; the others have those of `BEST`."""
BEST: Mapping[str, float] = {"modes": 8, "quality": 0.6, "kl": 0.05, "ksg": 3.5}


def made_up(row: Row, change: Change = lambda _: {}) -> dict[str, Any]:
    """All claims hold, but for what is changed; the seeds differ a little."""
    values = {"touched": 8.0, **BEST, **WORTH.get(row["method"], {}), **change(row)}
    values["quality"] += 0.001 * (row["seed"] % 3)
    task, rng = row["task"], np.random.default_rng(row["seed"])
    shape = Shape(*(task[name] for name in ("kind", "modes", "size", "sigma")))
    steps = [str(round(row["steps"] * i / 10)) for i in range(1, 11)]
    entry = [values[name] for name in ("modes", "touched", "quality", "kl")]
    points = {step: shape.sample(100, rng).round(2) for step in (steps[0], steps[3], steps[9])}
    return {**values, "path": dict.fromkeys(steps, entry), "points": points}


@cache
def blank() -> tuple[pd.DataFrame, list[Row]]:
    """A row for each cell, without measures, and the cells' fields."""
    cells: list[Row] = []

    def measures(row: Row) -> dict[str, Any]:
        cells.append(dict(row))
        return {}

    return application_rows(NAME, measures), cells


def rows_with(change: Change = lambda _: {}) -> pd.DataFrame:
    rows, cells = blank()
    measures = [measures_text(made_up(cell, change)) for cell in cells]
    nats = np.where(rows["method"].str.startswith("mine"), 2.5, 0.1)
    return rows.assign(measures=measures, nats=nats)


def claim_of(rows: pd.DataFrame, name: str) -> Claim:
    found = {one.id: one for one in judge(mode_collapse, rows, rows[:0])}
    return found[f"{NAME}-{name}"]


CLAIMS = [one.id.partition("-")[2] for one in mode_collapse.claims]


@pytest.mark.parametrize("name", CLAIMS)
def test_rows_of_a_good_term_reproduce_each_claim(name: str) -> None:
    found = claim_of(rows_with(), name)
    assert found.verdict == "reproduced", found.measured
    assert "5 seeds" in found.measured


def arm(method: str, role: str | None = None, **values: float) -> Change:
    def change(row: Row) -> Mapping[str, float]:
        return values if row["method"] == method and role in (None, row["role"]) else {}

    return change


FAILS: list[tuple[str, Change]] = [
    ("prevents", arm("mine", "weak", modes=4)),
    ("equal", arm("gan", "equal", modes=8)),
    ("equal", arm("mine", "equal", modes=0)),
    ("quality", arm("mine", "equal", quality=0.2)),
    ("quality", arm("gan", "weak", quality=0.66)),
    ("clipping", arm("mine(clip=0)", "weak", kl=0.01)),
    ("code", arm("mine", "weak", ksg=0.9)),
    ("coverage", arm("mine", "spiral", modes=0)),
    ("coverage", arm("mine", "grid", modes=1)),
    ("penalty", arm("penalty", "weak", modes=4)),
]


@pytest.mark.parametrize(("name", "change"), FAILS)
def test_rows_that_contradict_a_claim_do_not_reproduce_it(name: str, change: Change) -> None:
    found = claim_of(rows_with(change), name)
    assert found.verdict == "not reproduced", found.measured


def test_the_code_is_used_only_where_both_estimators_say_so() -> None:
    rows = rows_with()
    found = claim_of(rows.assign(nats=0.1 - 0.05 * (rows["method"] == "mine")), "code")
    assert found.verdict == "not reproduced"
    assert "nats by T" in found.measured


def test_coverage_without_quality_has_no_verdict() -> None:
    """A uniform cloud covers as much: 13 of the spiral's 50 pieces at a quality of .16."""
    found = claim_of(
        rows_with(
            lambda row: (
                {"quality": 0.25, "modes": 30 if row["method"] == "mine" else 1}
                if row["role"] == "spiral"
                else {}
            )
        ),
        "coverage",
    )
    assert found.verdict == "inconclusive"
    assert "a uniform cloud's 0.16: no verdict" in found.measured


def test_a_diverged_cell_counts_with_the_worst_values() -> None:
    rows = rows_with()
    lost = (rows["role"] == "weak") & (rows["method"] == "mine")
    rows.loc[lost, ["status", "nats", "measures"]] = ["diverged", np.nan, ""]
    for name in ("prevents", "quality", "clipping", "code"):
        found = claim_of(rows, name)
        assert found.verdict == "not reproduced", found.measured
        assert "5 of" in found.measured and "diverged" in found.measured


def test_the_worst_of_a_lost_cell_is_no_mode_and_log_m() -> None:
    rows = rows_with().assign(measures="", status="diverged")
    table = mode_collapse.table(rows)
    assert not table[["modes", "touched", "quality", "ksg"]].to_numpy().any()
    expected = [np.log(shape.modes) for shape in table["shape"]]
    np.testing.assert_allclose(table["kl"], expected)


def test_the_arms_of_a_seed_are_cells_of_one_task() -> None:
    cells, jobs = prepare(config_of(NAME))
    for role in ("weak", "equal"):
        own = [job for cell, job in zip(cells, jobs, strict=True) if cell.role == role]
        assert len({job.key for job in own}) == len({job.shape for job in own}) == 1  # type: ignore[union-attr]
        assert min(job.seed for job in own) == 100


def test_the_papers_scale_has_the_papers_networks() -> None:
    cells, jobs = prepare(config_of(NAME, "scale=paper"))
    found = jobs[0].application  # type: ignore[union-attr]
    assert (found.generator, found.discriminator) == ((500, 500), (400, 400, 400))
    assert found.batch_norm and found.rate == 1e-4
    equal = next(job for cell, job in zip(cells, jobs, strict=True) if cell.role == "equal")
    assert equal.application.discriminator_rate == found.rate  # type: ignore[union-attr]
    assert (equal.training.batch_size, equal.training.steps) == (100, 5000)
    assert equal.training.learning_rate == found.rate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("experiment.methods=['mine(beta=-1)']", "beta of an arm must be a number >= 0, got -1"),
        ("experiment.methods=[wgan]", "expected an arm among"),
        ("experiment.panels.weak.modes=3000", "at least as many samples as modes, got 2500"),
        ("experiment.panels.grid.modes=24", "square number, got 24"),
        ("experiment.panels.weak.slow=0", "discriminator_rate must be a finite number above 0"),
    ],
)
def test_bad_input_is_one_line(change: str, message: str) -> None:
    with pytest.raises(ConfigError if "methods" not in change else ValueError, match=message):
        prepare(config_of(NAME, change))


def test_bad_input_has_exit_status_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    given = ["experiment=mode_collapse", "scale=smoke", f"outputs={tmp_path}"]
    assert say_command(monkeypatch, *given, "experiment.methods=['mine(beta=-1)']") == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and "got -1" in said, said


FIGURES = (
    *("mode_collapse", "mode_collapse_training"),
    *("mode_collapse_tradeoff", "mode_collapse_shapes"),
)


def test_figures_show_data_and_cloud_beside_the_arms() -> None:
    drawn = mode_collapse.figures(rows_with())
    assert tuple(drawn) == FIGURES
    samples = [ax.get_title("left") for ax in drawn["mode_collapse"].axes]
    assert {"data", "uniform cloud", "GAN + MINE, 5,000 steps"} <= set(samples)
    below = [ax.get_xlabel() for ax in drawn["mode_collapse_shapes"].axes]
    assert "0 (23) of 25 modes, 2 %" in below
    for name in FIGURES[1:3]:
        texts = {text.get_text() for text in drawn[name].legends[0].get_texts()}
        assert {"data", "uniform cloud", "GAN", "GAN + MINE"} <= texts


def test_the_circles_on_the_path_grow_with_beta_in_both_settings() -> None:
    drawn = mode_collapse.figures(rows_with())["mode_collapse_tradeoff"]
    assert "β = 0 (GAN), .1, .3 and 1 (GAN + MINE)" in drawn.get_supxlabel()
    path = ["β = .1", "β = .3", "GAN + MINE"]
    assert {*path, "GAN"} <= {text.get_text() for text in drawn.legends[0].get_texts()}
    for ax in drawn.axes:
        marks = {line.get_label(): line for line in ax.lines}
        sizes = [marks[label].get_markersize() for label in path]
        assert sizes == sorted(set(sizes))
        above = [marks[label].get_zorder() for label in path]
        assert above == sorted(above, reverse=True), "the smaller one is on top"
