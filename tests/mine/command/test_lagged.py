"""`mine lagged`, and the options that say which rows hang together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import mine

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]

SIDES = ("--x", "x", "--y", "y")
CHEAP = ("--method", "gaussian")


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """series.csv: y is x two rows before, with noise; `who` names thirty groups."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    y = 0.8 * np.roll(x, 2) + 0.6 * rng.normal(size=600)
    table = pd.DataFrame({"x": x, "y": y, "who": [f"p{i // 20}" for i in range(600)]})
    monkeypatch.chdir(tmp_path)
    table.to_csv("series.csv", index=False)
    return table


def test_lags_are_those_of_the_library(read: Read, run: Run, series: pd.DataFrame) -> None:
    found = read(run("lagged", "series.csv", *SIDES, "--lags", "-1:3", *CHEAP, "--json"))
    nats = [one["nats"] for one in found["lags"]]
    assert [one["lag"] for one in found["lags"]] == [-1, 0, 1, 2, 3] and nats[3] == max(nats)
    library = mine.lagged(series[["x"]], series[["y"]], range(-1, 4), "gaussian")
    assert nats == pytest.approx(library.nats, abs=1e-9)


def test_lags_are_a_table_and_a_figure(run: Run, series: pd.DataFrame) -> None:
    done = run("lagged", "series.csv", *SIDES, "--lags", "3,0,2", *CHEAP, "--plot", "lags.svg")
    assert done.exit_code == 0 and "95 % interval" in done.stdout
    assert "<svg" in Path("lags.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("lags", ["", "a", "3:1", "1.5", "1,,2"])
def test_lags_that_are_none_are_refused(
    complaint: Complaint, run: Run, series: pd.DataFrame, lags: str
) -> None:
    assert "expected lags such as -5:5" in complaint(
        run("lagged", "series.csv", *SIDES, "--lags", lags)
    )


def test_groups_are_a_column(read: Read, run: Run, series: pd.DataFrame) -> None:
    found = read(run("estimate", "series.csv", *SIDES, *CHEAP, "--groups", "who", "--json"))
    library = mine.estimate(series[["x"]], series[["y"]], "gaussian", groups=series["who"])
    assert (found["nats"], found["stderr"]) == (library.nats, library.stderr)
    matrix = read(run("matrix", "series.csv", *CHEAP, "--groups", "who", "--json"))
    assert matrix["columns"] == ["x", "y"] and matrix["pairs"][0]["nats"] == library.nats


def test_order_and_blocks_reach_the_library(read: Read, run: Run, series: pd.DataFrame) -> None:
    words = ("--order", "time", "--blocks", "10", "--json")
    found = read(run("compare", "series.csv", *SIDES, "--method", "gaussian,ksg", *words))
    library = mine.estimate(series[["x"]], series[["y"]], "gaussian", blocks=10)
    assert found["methods"][0]["stderr"] == library.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("estimate", *SIDES, "--groups", "wo"), "expected a column of the table for --groups"),
        (("estimate", *SIDES, "--groups", "x"), "expected another column for --groups"),
        (("estimate", *SIDES, "--groups", "who", "--order", "time"), "expected groups or order"),
        (("estimate", *SIDES, "--blocks", "100"), "no answer: expected at least 12 blocks"),
        (("estimate", *SIDES, "--set", "groups=who"), "expected groups to be given once"),
        (
            ("lagged", *SIDES, "--lags", "0", "--groups", "who"),
            "expected one series, got --groups",
        ),
    ],
)
def test_what_cannot_be_right_is_one_line(
    complaint: Complaint, run: Run, series: pd.DataFrame, words: tuple[str, ...], message: str
) -> None:
    command, *rest = words
    assert message in complaint(run(command, "series.csv", *rest))


def test_missing_values_leave_rows_and_their_groups_out(
    read: Read, run: Run, series: pd.DataFrame
) -> None:
    holes = series.assign(k=1.0)
    holes.loc[[5, 40], "x"] = -999
    holes.loc[[77], "who"] = None
    holes.to_csv("holes.csv", index=False)
    words = (*CHEAP, "--groups", " who ", "--drop-missing", "--na=-999", "--json")
    rest = series.drop([5, 40, 77])
    library = mine.estimate(rest[["x"]], rest[["y"]], "gaussian", groups=rest["who"])
    found = read(run("estimate", "holes.csv", *SIDES, *words))
    assert (found["nats"], found["stderr"], found["dropped"]) == (library.nats, library.stderr, 3)
    matrix = read(run("matrix", "holes.csv", *words))
    assert matrix["columns"] == ["x", "y", "k"] and matrix["constant"] == ["k"]
    assert [(p["x"], p["y"], p["nats"]) for p in matrix["pairs"]] == [("x", "y", library.nats)]


@pytest.mark.parametrize("words", [("--order", "time"), ("--blocks", "3"), ("--lags", "0:1")])
def test_a_series_with_missing_values_between_others_is_refused(
    complaint: Complaint, run: Run, series: pd.DataFrame, words: tuple[str, ...]
) -> None:
    command = "lagged" if words[0] == "--lags" else "estimate"
    given = (command, "holes.csv", *SIDES, *CHEAP, "--drop-missing", *words)
    series.assign(x=series["x"].where(series.index != 7)).to_csv("holes.csv", index=False)
    assert "expected a series without gaps" in complaint(run(*given))
    series.assign(x=series["x"].where(series.index != 0)).to_csv("holes.csv", index=False)
    assert run(*given).exit_code == 0


def test_a_column_of_groups_without_values_is_refused(
    complaint: Complaint, run: Run, series: pd.DataFrame
) -> None:
    series.assign(who=np.nan).to_csv("none.csv", index=False)
    said = complaint(run("matrix", "none.csv", *CHEAP, "--groups", "who", "--drop-missing"))
    assert "expected values in the column of --groups and in others, got none in 'who'" in said
