"""The page beside other estimators: its means, its intervals and what it says of the others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments import comparison
from experiments.suite.report import comparison_page
from experiments.suite.task_tables import tables

ABOUT = {"git_commit": "abcdef0123", "cores": 2, "platform": "Linux"}


def row(name: str, method: str, seed: int, error: float, n: int = 1000) -> dict[str, Any]:
    return {
        "role": "thousand",
        "params": json.dumps({"experiment": {"task": name, "n": n}}),
        "dim": 1,
        "method": method,
        "seed": seed,
        "truth": 1.0,
        "nats": 1.0 + error,
        "stderr": 0.1,
        "status": "ok" if math.isfinite(error) else "diverged",
        "reason": "",
        "warnings": "",
        "seconds": 1.0,
        "steps": 10,
        "task": "CorrelatedGaussian",
    }


def page(rows: list[dict[str, Any]]) -> str:
    return comparison_page.page(pd.DataFrame(rows), ABOUT)


def test_errors_of_both_signs_count_in_the_mean_error_and_cancel_in_the_mean() -> None:
    rows = [row("normal-1", "auto", s, 0.1 * (-1) ** s) for s in range(4)]
    assert "| auto | 0.100 [0.100, 0.100] (0.000) | 0 |" in page(rows)
    assert comparison.of_means(tables.table(pd.DataFrame(rows))) == pytest.approx(0.0)


def test_a_method_that_is_nearer_in_a_family_is_named_and_no_other() -> None:
    rows = [
        *(row("normal-1", "auto", s, 0.05) for s in range(3)),
        *(row("normal-1", "ksg", s, 0.02) for s in range(3)),
        *(row("spiral-sparse-3", "auto", s, 0.2) for s in range(3)),
        *(row("spiral-sparse-3", "ksg", s, 0.3) for s in range(3)),
    ]
    text = page(rows)
    assert "- normal, 1,000 rows: KSG 0.020; auto 0.050" in text
    assert "- spiral" not in text
    assert "| normal | 1 | 0.050 | **0.020** |" in text


def test_a_lost_cell_makes_the_mean_infinite_and_is_counted() -> None:
    rows = [row("normal-1", "mine", s, math.nan if s else 0.1) for s in range(3)]
    assert "| MINE | infinite: a cell was lost | 2 |" in page(rows)


def test_printed_figures_stand_beside_the_numbers_of_rows_that_were_run() -> None:
    rows = [row("normal-1", "auto", s, 0.1, n) for s in range(3) for n in (1000, 5000)]
    text = page(rows)
    assert "| estimator | 1,000 rows | 5,000 rows |" in text
    assert "| NWJ | > 10 | 1.261 |" in text
    assert "commit abcdef0" in text


def test_the_page_of_no_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert comparison_page.main(["--outputs", str(tmp_path)]) == 2
    assert "expected a run of comparison" in capsys.readouterr().err
