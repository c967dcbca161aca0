"""`mine matrix`: every pair of columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import mine
from mine.estimators.pairwise import SMALL, _matrix
from mine.running.estimates import Estimate

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]
Words = tuple[str, ...]

CHOSEN = ("--columns", "height,weight,age")


class Pairwise:
    """What `mine.pairwise` gives, of made-up numbers."""

    def __init__(self, table: Any, target: str | None = None, **options: Any) -> None:
        self.asked = {"columns": list(table), "target": target, **options}
        names = list(table)
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        self.names, self.constant, self.left_out = tuple(names), (), {}
        self.estimates = {
            pair: Estimate(i + 0.5, 0.1, 0.6, "mine", 48, 16, 3, ("beware",) * (i == 1))
            for i, pair in enumerate(pairs)
            if target is None or target in pair
        }
        self.nats = _matrix(self.names, {pair: e.nats for pair, e in self.estimates.items()})


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


def test_a_matrix_of_too_little_is_refused(complaint: Complaint, run: Run, folder: Path) -> None:
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


def test_a_matrix_takes_text(read: Read, run: Run, tiny: Words, folder: Path) -> None:
    found = run("matrix", "people.csv", *tiny, "--json")
    assert len(read(found)["pairs"]) == 6
    assert found.stderr == "mine: recognised 'sex' as categories (text)\n"


def test_a_matrix_goes_on_without_columns_that_tell_nothing(
    people: Any, read: Read, run: Run, folder: Path
) -> None:
    table = people(300)
    table.insert(0, "", range(len(table)))
    table["id"] = [f"id {i}" for i in range(len(table))]
    table["one"], table["none"] = 1.0, np.nan
    table.to_csv("people.csv", index=False)
    words = "matrix", "people.csv", "--method", "gaussian"
    found = read(run(*words, "--json"))
    assert found["left_out"] == {
        "none": "it has no values",
        "": "it counts the rows",
        "id": "it has 300 levels, more than 200",
    }
    assert found["constant"] == ["one"] and len(found["pairs"]) == 6
    place = found["columns"].index("one")
    assert found["nats"][place][1:4] == [0.0, 0.0, 0.0]
    shown = run(*words).stdout
    assert "column 'id' is left out: it has 300 levels" in shown
    assert "column 'one' is constant: it tells nothing" in shown


def test_a_matrix_names_all_columns_that_it_cannot_take(
    complaint: Complaint, people: Any, run: Run, folder: Path
) -> None:
    people().assign(p=[[1, 2]] * 80, q=[{"a": 1}] * 80).to_parquet("people.parquet")
    line = complaint(run("matrix", "people.parquet"))
    assert "2 columns cannot be taken" in line and "'p', got list" in line and "'q', got" in line


def test_pairs_that_survive_are_marked_in_table_json_and_figure(
    read: Read, run: Run, folder: Path
) -> None:
    words = *CHOSEN, "--method", "gaussian", "--null", "99"
    found = read(run("matrix", "people.csv", *words, "--json"))
    alone = mine.pairwise(pd.read_csv("people.csv")[found["columns"]], method="gaussian", null=99)
    assert [pair["q_value"] for pair in found["pairs"]] == [
        pytest.approx(alone.q_values[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert found["q_values"][0][1] == found["pairs"][0]["q_value"]
    assert found["p_values"][0] == [None, *(p["p_value"] for p in found["pairs"][:2])]
    kept = sum(pair["q_value"] <= 0.05 for pair in found["pairs"])
    shown = run("matrix", "people.csv", *words, "--plot", "m.png").stdout
    assert f"* {kept} of 3 pairs have a q-value of at most 0.05" in shown
    assert shown.count("*") == 1 + 2 * kept
    listed = run("matrix", "people.csv", *words, "--target", "age").stdout
    assert "q-value" in listed
    assert "q_values" not in read(run("matrix", "people.csv", *words[:-2], "--json"))


def test_too_few_copies_for_one_pair_to_be_found_are_said(run: Run, folder: Path) -> None:
    words = *CHOSEN, "--method", "gaussian", "--null", "1"
    assert (
        "are too few for a star among 3 pairs: take --null 59"
        in run("matrix", "people.csv", *words).stdout
    )
