"""`mine estimate`: its numbers are the library's, however they are shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import mine
from mine.command import records
from mine.command.errors import FAILED
from mine.estimators.rows import LEAST_ROWS
from mine.running.estimates import Estimate

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]
People = Callable[..., pd.DataFrame]
Words = tuple[str, ...]

ROWS = 80


def test_the_json_is_what_the_library_gives(
    people: People, read: Read, run: Run, tiny: Words, folder: Path
) -> None:
    table = people()
    e = mine.estimate(
        table[["height", "weight"]].to_numpy(copy=True),
        table[["age"]].to_numpy(copy=True),
        seed=3,
        device="cpu",
        steps=3,
        hidden=(8,),
        batch_size=16,
    )
    words = "--x", "height,weight", "--y", "age", "--seed", "3", "--json"
    record = read(run("estimate", "people.csv", *words, *tiny))
    assert record["nats"] == e.nats
    assert record["bits"] == e.bits
    assert record["interval"] == list(e.interval(0.95)) and record["level"] == 0.95
    assert (record["n_train"], record["n_test"]) == (e.n_train, e.n_test)
    assert (record["x"], record["y"]) == (["height", "weight"], ["age"])
    assert (record["rows"], record["dropped"], record["p_value"]) == (ROWS, 0, None)


def test_the_table_tells_what_the_json_tells(estimate: Run, read: Read, folder: Path) -> None:
    record, shown = read(estimate("--json")), estimate()
    assert shown.exit_code == 0 and shown.stderr == ""
    low, high = record["interval"]
    for cell in (
        *(f"{record['nats']:.3f}", f"{record['bits']:.3f}", f"{low:.3f} to {high:.3f}"),
        *("nats", "bits", "95 % interval", "p-value", record["method"], str(ROWS)),
    ):
        assert cell in shown.stdout


def test_the_verdict_is_printed_first_and_coloured(
    estimate: Run, read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read(estimate("--json"))
    first = estimate().stdout.splitlines()[0]
    assert first.startswith(f"{record['verdict']}: {record['reasons'][0]}")
    monkeypatch.setenv("FORCE_COLOR", "1")
    colour = {"reliable": 32, "doubtful": 33, "unreliable": 31}[record["verdict"]]
    assert estimate().stdout.startswith(f"\x1b[1;{colour}m{record['verdict']}\x1b[0m")


@pytest.mark.parametrize("ending", [".tsv", ".parquet", ".feather", ".json", ".npy", ".npz"])
def test_every_format_gives_the_same_numbers(
    estimate: Run, people: People, read: Read, run: Run, tiny: Words, folder: Path, ending: str
) -> None:
    table, path, names = people(), f"t{ending}", ("height", "age")
    match ending:
        case ".tsv":
            table.to_csv(path, sep="\t", index=False)
        case ".parquet":
            table.to_parquet(path)
        case ".feather":
            table.to_feather(path)
        case ".json":
            table.to_json(path, orient="records", double_precision=15)
        case ".npy":
            np.save(path, table[["height", "weight", "age"]].to_numpy())
            names = "0", "2"
        case ".npz":
            np.savez(path, all=table[["height", "weight"]].to_numpy(copy=True), age=table["age"])
            names = "all:0", "age"
    found = read(run("estimate", path, "--x", names[0], "--y", names[1], "--json", *tiny))
    assert found["nats"] == read(estimate("--json"))["nats"]


def test_stdin_is_csv(estimate: Run, read: Read, run: Run, tiny: Words, folder: Path) -> None:
    stdin = (folder / "people.csv").read_bytes()
    found = run("estimate", "-", "--x", "height", "--y", "age", "--json", *tiny, stdin=stdin)
    assert read(found)["nats"] == read(estimate("--json"))["nats"]


def test_what_is_not_known_is_null_in_json(run: Run, read: Read, folder: Path) -> None:
    words = "--x", "height", "--y", "age", "--method", "ksg", "--json"
    assert read(run("estimate", "people.csv", *words))["train_nats"] is None


def test_an_option_that_the_method_does_not_use_is_refused(estimate: Run, folder: Path) -> None:
    done = estimate("--method", "ksg")
    assert done.exit_code == 2
    assert "got batch_size and hidden and steps: ksg trains nothing" in done.stderr


def test_dropped_rows_are_counted(
    complaint: Complaint, estimate: Run, people: People, read: Read, folder: Path
) -> None:
    table = people()
    table.loc[[3, 8], "age"] = np.nan
    table.loc[8, "height"] = np.nan
    table.to_csv("people.csv", index=False)
    line = complaint(estimate())
    assert "2 of 80 rows with some (1 in 'height', 2 in 'age'): give --drop-missing" in line
    record = read(estimate("--drop-missing", "--json"))
    assert (record["rows"], record["dropped"]) == (ROWS - 2, 2)
    assert "2 of 80 rows dropped" in estimate("--drop-missing").stdout


def test_few_rows_are_an_error_or_a_warning(
    complaint: Complaint, people: People, run: Run, folder: Path
) -> None:
    people(LEAST_ROWS - 1).to_csv("people.csv", index=False)
    words = "estimate", "people.csv", "--x", "height", "--y", "age", "--steps", "3"
    assert f"at least {LEAST_ROWS} rows" in complaint(run(*words))
    people(records.FEW_ROWS - 1).to_csv("people.csv", index=False)
    assert "warning: only 49 rows" in run(*words).stdout
    people(records.FEW_ROWS).to_csv("people.csv", index=False)
    assert "rows: too few" not in run(*words).stdout


def test_a_plot_is_written_whole(estimate: Run, run: Run, tiny: Words, folder: Path) -> None:
    assert estimate("--plot", "curve.png").exit_code == 0
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    words = "--x", "height", "--y", "age", "--method", "mine,gaussian", "--plot", "all.svg"
    assert run("compare", "people.csv", *words, *tiny).exit_code == 0
    assert "<svg" in (folder / "all.svg").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["all.svg", "curve.png", "people.csv"]


def test_a_critic_is_saved(estimate: Run, folder: Path) -> None:
    from safetensors import safe_open

    assert estimate("--save", "critic.safetensors").exit_code == 0
    with safe_open("critic.safetensors", "numpy") as saved:
        assert list(saved.keys())


def test_what_has_no_critic_saves_none(
    estimate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = Estimate(0.5, 0.1, 0.6, "mine", 48, 16, 3)
    monkeypatch.setattr(mine, "estimate", lambda *_, **__: without)
    done = estimate("--save", "critic.safetensors")
    assert done.exit_code == FAILED and "expected one critic to save" in done.stderr
    assert not (folder / "critic.safetensors").exists()


def test_a_null_gives_a_p_value(estimate: Run, read: Read, folder: Path) -> None:
    record = read(estimate("--null", "3", "--json"))
    assert len(record["null"]) == 3
    assert record["p_value"] in (0.25, 0.5, 0.75, 1.0)
    assert f"{record['p_value']:.3f}" in estimate("--null", "3").stdout


def test_folds_test_every_row(estimate: Run, read: Read, folder: Path) -> None:
    assert read(estimate("--folds", "4", "--json"))["n_test"] == ROWS


def test_text_is_levels_and_is_said_to_be_where_nobody_said_so(
    read: Read, run: Run, tiny: Words, folder: Path
) -> None:
    words = "estimate", "people.csv", "--x", "sex,height", "--y", "age", *tiny, "--json"
    found, asked = run(*words), run(*words, "--categorical", "sex")
    assert found.stderr == "mine: recognised 'sex' as categories (text)\n" and not asked.stderr
    assert math.isfinite(read(found)["nats"]) and read(found) == read(asked)


def test_a_training_that_diverges_is_shown_and_status_1(
    estimate: Run, read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = math.nan
    diverged = Estimate(nan, nan, nan, "dv", 48, 16, 7, diverged_at=7)
    monkeypatch.setattr(mine, "estimate", lambda *_, **__: diverged)
    done = estimate("--json", "--plot", "curve.png")
    assert read(done)["nats"] is None and done.exit_code == FAILED
    assert "non-finite at step 7: lower" in done.stderr
    assert not (folder / "curve.png").exists()
