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


def source(rows: list[dict[str, Any]], **about: Any) -> comparison_page.Source:
    methods = tuple(dict.fromkeys(one["method"] for one in rows))
    return comparison_page.Source(methods, pd.DataFrame(rows), ABOUT | about)


def page(rows: list[dict[str, Any]]) -> str:
    return comparison_page.page([source(rows)])


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


def test_each_method_is_taken_from_the_latest_run_that_has_it() -> None:
    class Ran:
        def __init__(self, when: str, commit: str, rows: list[dict[str, Any]]) -> None:
            self.order, self.rows = (when, commit), pd.DataFrame(rows)
            self.provenance = ABOUT | {"git_commit": commit}

    old = Ran("1", "a" * 40, [row("normal-1", m, s, 0.5) for m in ("auto", "ksg") for s in (1, 2)])
    new = Ran("2", "b" * 40, [row("normal-1", "auto", s, 0.1) for s in (1, 2)])
    sources = comparison_page.latest([old, new])  # type: ignore[list-item]
    assert [of.methods for of in sources] == [("auto",), ("ksg",)]
    text = comparison_page.page(sources)
    assert "those of auto from commit bbbbbbb, 2 cores" in text
    assert "those of KSG from commit aaaaaaa, 2 cores" in text
    assert "| auto | 0.100 [0.100, 0.100] (0.100) | 0 |" in text


def test_a_run_of_changed_sources_names_them() -> None:
    rows = [row("normal-1", "auto", s, 0.1) for s in range(2)]
    made = comparison_page.page([source(rows, git_dirty=True, code="9109192b8d02")])
    assert "from commit abcdef0 with changes (sources 9109192b8d02), 2 cores" in made


def test_the_page_of_no_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert comparison_page.main(["--outputs", str(tmp_path)]) == 2
    assert "expected a run of comparison" in capsys.readouterr().err
