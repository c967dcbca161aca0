"""`mine matrix`: every pair of columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

import mine
from mine.estimators.pairwise import SMALL
from mine.running.estimates import Estimate

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]
Words = tuple[str, ...]

CHOSEN = ("--columns", "height,weight,age")


class Pairwise:
    """What `mine.pairwise` gives, of made-up numbers."""

    def __init__(self, table: Any, target: str | None = None, **options: Any) -> None:
        self.asked = {"columns": list(table.columns), "target": target, **options}
        names = list(table.columns)
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        self.estimates = {
            pair: Estimate(i + 0.5, 0.1, 0.6, "mine", 48, 16, 3, ("beware",) * (i == 1))
            for i, pair in enumerate(pairs)
            if target is None or target in pair
        }


def test_the_matrix_holds_every_pair_twice(
    read: Read, run: Run, folder: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mine, "pairwise", Pairwise, raising=False)
    found = read(run("matrix", "people.csv", *CHOSEN, "--json"))
    assert found["columns"] == ["height", "weight", "age"]
    assert found["nats"] == [[None, 0.5, 1.5], [0.5, None, 2.5], [1.5, 2.5, None]]
    assert found["pairs"][0]["x"] == "height" and found["pairs"][0]["y"] == "weight"
    shown = run("matrix", "people.csv", *CHOSEN, "--plot", "m.png").stdout
    assert shown.count("2.500") == 2 and "height, age: beware" in shown
    assert (folder / "m.png").stat().st_size > 1000


def test_a_target_is_shown_by_pairs_with_the_largest_first(
    read: Read, run: Run, folder: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mine, "pairwise", Pairwise, raising=False)
    shown = run("matrix", "people.csv", *CHOSEN, "--target", "age", "--plot", "m.png").stdout
    assert shown.index("2.500") < shown.index("1.500") and "0.500" not in shown
    words = "--columns", "height,weight", "--target", "age", "--json"
    assert read(run("matrix", "people.csv", *words))["target"] == "age"


def test_a_matrix_reads_all_columns_and_says_which_are_text(
    complaint: Complaint, run: Run, folder: Path
) -> None:
    assert "numbers in column 'sex'" in complaint(run("matrix", "people.csv"))
    assert "two columns or more" in complaint(run("matrix", "people.csv", "--columns", "age"))
    line = complaint(run("matrix", "people.csv", "--target", "height,age"))
    assert "one column for --target, got 2" in line


def test_a_cell_of_the_matrix_is_the_estimate_of_its_pair(
    read: Read, run: Run, tiny: Words, folder: Path
) -> None:
    """At the network of `mine.estimators.pairwise.SMALL`, which a matrix takes."""
    found = read(run("matrix", "people.csv", *CHOSEN, *tiny, "--json"))
    pair = next(p for p in found["pairs"] if {p["x"], p["y"]} == {"height", "age"})
    small = {"steps": 3, "hidden": (8,), "batch_size": 16, "device": "cpu"}
    rows = pd.read_csv("people.csv")
    alone = mine.estimate(rows[["height"]], rows[["age"]], "mine", **{**SMALL, **small})
    assert pair["nats"] == pytest.approx(alone.nats, abs=1e-4)
    target = read(run("matrix", "people.csv", *CHOSEN, "--target", "age", *tiny, "--json"))
    assert len(target["pairs"]) == 2


def test_a_matrix_takes_categories(read: Read, run: Run, tiny: Words, folder: Path) -> None:
    found = read(run("matrix", "people.csv", "--categorical", "sex", *tiny, "--json"))
    assert len(found["pairs"]) == 6
