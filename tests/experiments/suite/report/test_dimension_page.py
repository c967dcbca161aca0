"""The page on more and more columns: its laws' truths, its printed figures, its own numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from experiments import dimension
from experiments.suite.report import dimension_page
from experiments.suite.report.comparison_page import Source
from experiments.suite.run.jobs import build

ROOT = Path(__file__).parents[4]
ABOUT = {"git_commit": "abcdef0123", "cores": 2, "platform": "Linux"}
SETTINGS = {
    "rho": 0.7,
    "dof": 1.0,
    "shifts": [-0.2, -0.1, 0.0, 0.3, 0.4],
    "rhos": [-0.3, 0.5, 0.2, 0.4, 0.9],
}
TRUTHS = {"wrapped": 10.77, "flow": 10.77, "mixture": 6.9, "student": 12.46, "spiral": 10.77}
"""Of the source at d = 64, in nats, as printed there."""


def law(name: str, d: int = 64) -> Any:
    return build(dimension.task(name, d, SETTINGS))


@pytest.mark.parametrize("name", dimension.NAMES)
def test_a_law_has_the_printed_truth_and_as_many_columns_a_side(name: str) -> None:
    task = law(name)
    assert task.mi == pytest.approx(TRUTHS[name], abs=0.01)
    assert (task.dim_x, task.dim_y) == (32, 32)


@pytest.mark.parametrize("d", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("name", ["wrapped", "flow", "spiral"])
def test_an_injective_map_leaves_the_normal_truth(name: str, d: int) -> None:
    assert law(name, d).mi == pytest.approx(-(d / 4) * math.log(1 - 0.7**2))


@pytest.mark.parametrize("name", dimension.NAMES)
def test_a_laws_truth_is_the_mean_of_its_log_ratio(name: str) -> None:
    task = law(name, 16)
    t = task.log_ratio(*task.sample(20_000, torch.Generator().manual_seed(1)))
    assert abs(float(t.mean()) - task.mi) <= 4 * float(t.std()) / math.sqrt(len(t)) + 1e-3


def test_an_unknown_law_is_named() -> None:
    with pytest.raises(ValueError, match="expected laws among wrapped, flow.*got 'torus'"):
        dimension.task("torus", 8, SETTINGS)


def row(
    name: str, error: float, seed: int = 700, warnings: str = "", **other: Any
) -> dict[str, Any]:
    of, d = name.rsplit("-", 1)
    truth = law(of, int(d)).mi
    return {
        "role": "printed",
        "params": json.dumps({"experiment": {"task": name, "n": 10000}}),
        "dim": int(d) // 2,
        "method": "auto",
        "seed": seed,
        "truth": truth,
        "nats": truth + error,
        "stderr": 0.1,
        "status": "ok",
        "reason": "",
        "warnings": warnings,
        "seconds": 1.0,
        "steps": 10,
        "task": "Warped",
        **other,
    }


def page(rows: list[dict[str, Any]]) -> str:
    methods = tuple(dict.fromkeys(one["method"] for one in rows))
    return dimension_page.page([Source(methods, pd.DataFrame(rows), ABOUT)])


def test_own_errors_stand_beside_the_printed_runs_of_the_same_law() -> None:
    errors = {700: 0.5, 701: 0.5, 702: 0.5}
    text = page([row("flow-64", error, seed) for seed, error in errors.items()])
    assert (
        "| wrapped normal, flow | 10.77 | 11.27 (+0.50) [+0.500, +0.500] | 4.00 (−6.77) |"
        " 4.01 (−6.76) | 8.82 (−1.95) | 7.59 (−3.18) |" in text
    )
    assert "commit abcdef0" in text and "`auto` at d = 8, 16, 32, 128" in text


def test_a_lost_cell_and_a_warning_are_told_from_a_silent_estimate() -> None:
    rows = [
        row("spiral-8", -0.1),
        row("spiral-16", -0.2, warnings="near log n: few rows"),
        row("spiral-8", math.nan, method="mine", status="diverged"),
    ]
    text = page(rows)
    assert "| spiral | 8 | 1.35 | lost \\* | −0.10 |" in text
    assert "| spiral | 16 | 2.69 | – | −0.20 \\* |" in text


def test_estimates_beyond_ln_n_are_counted_with_their_warnings() -> None:
    far = [row("spiral-64", -3.0, 700 + s, "near log n: far" * (s > 0)) for s in range(3)]
    text = page([*far, row("spiral-8", 0.0), row("spiral-32", 4.5, warnings="gap: one")])
    assert "3 of 4 cells of `auto` whose truth or estimate is above ln n" in text
    assert "`near log n`, `gap`" in text


def test_a_silent_miss_is_named_and_a_warned_one_is_not() -> None:
    said = row("flow-64", -5.0, warnings="near log n: far")
    text = page([row("mixture-64", -4.0), said, row("student-8", 0.01)])
    assert "- mixture of five, d = 64: 1 cell, mean error −4.00 nats" in text
    assert "- wrapped normal, flow, d = 64: 1 cell" not in text
    assert "None: no silent estimate" in page([said, row("student-8", 0.01)])


def test_the_committed_page_prints_the_figures_of_the_source() -> None:
    text = (ROOT / "docs" / "dimension.md").read_text(encoding="utf-8")
    for name in dimension.NAMES:
        line = next(
            of for of in text.splitlines() if of.startswith(f"| {dimension.NAMES[name]} |")
        )
        cells = [cell.strip().split(" ")[0].replace("−", "-") for cell in line.split("|")[1:-1]]
        assert float(cells[1]) == pytest.approx(TRUTHS[name], abs=0.015)
        assert [float(one) for one in cells[3:]] == list(dimension.PRINTED[dimension.theirs(name)])


def test_the_page_of_no_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dimension_page.main(["--outputs", str(tmp_path)]) == 2
    assert "run `make dimension` first" in capsys.readouterr().err
