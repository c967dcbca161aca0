"""Every error is one line, with its exit status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import mine
from mine.command.errors import FAILED, INTERRUPTED
from mine.running.estimates import Estimate

Run = Callable[..., Result]
Complaint = Callable[..., str]

CHOSEN = ("--columns", "height,weight,age")
XY = ("--x", "height", "--y", "age")

BAD = [
    ((), "Missing command"),
    (("estimat",), "No such command 'estimat'"),
    (("estimate",), "Missing argument 'FILE'"),
    (("estimate", "people.csv"), "Missing option '--x'"),
    (
        ("estimate", "people.csv", *XY, "--sed", "1"),
        "No such option: --sed|No such option '--sed'",
    ),
    (("estimate", "nowhere.csv", *XY), "expected a file, got 'nowhere.csv'"),
    (("estimate", "people.csv", "--x", "hieght", "--y", "age"), "did you mean 'height'"),
    (("estimate", "people.csv", "--x", "age,height", "--y", "age"), "got 'age' in both"),
    (("estimate", "people.csv", *XY, "--method", "msg"), "got 'msg': did you mean ksg"),
    (("estimate", "people.csv", *XY, "--method", "smile(tau=-1)"), "tau must be a number > 0"),
    (("compare", "people.csv", *XY, "--method", "ksg,mime"), "got 'mime': did you mean mine"),
    (("estimate", "people.csv", *XY, "--device", "tpu"), "device must be auto, cpu or cuda"),
    (("estimate", "people.csv", *XY, "--seed", "-1"), "whole number >= 0, got '-1'"),
    (("estimate", "people.csv", *XY, "--seed", "x"), "whole number >= 0, got 'x'"),
    (("estimate", "people.csv", *XY, "--null", "-2"), "'--null': expected .* got '-2'"),
    (("estimate", "people.csv", *XY, "--folds", "0"), "'--folds': expected .* got '0'"),
    (("estimate", "people.csv", *XY, "--steps", "0"), "'--steps': expected .* got '0'"),
    (
        ("estimate", "people.csv", *XY, "--set", "stepz"),
        "'--set': expected KEY=VALUE, got 'stepz'",
    ),
    (("estimate", "people.csv", *XY, "--set", "seed=1"), "seed to be given once, by --seed"),
    (("estimate", "people.csv", *XY, "--set", "learning_rate=-1"), "learning_rate must be"),
    (("estimate", "people.csv", *XY, "--set", "optimizer=1"), "expected a name for"),
    (("estimate", "people.csv", *XY, "--set", "optimizer=Sgd"), "optimizer must be one of"),
    (("estimate", "people.csv", *XY, "--set", "k=1.5"), "a whole number for --set k, got 1.5"),
    (("estimate", "people.csv", *XY, "--set", "hidden=8,x"), "whole numbers with commas"),
    (("estimate", "people.csv", *XY, "--set", "betas=0.9,x"), "numbers with commas between for"),
    (("estimate", "people.csv", *XY, "--set", "betas=0.5"), "betas must be two numbers"),
    (("compare", "people.csv", *XY, "--set", "max_grad_norm=x"), "expected a number for"),
    (("matrix", "people.csv", *CHOSEN, "--set", "steps=1"), "once, by --steps"),
    (("matrix", "people.csv", *CHOSEN, "--set", "batch_size=1,2"), "expected a whole number"),
    (
        ("estimate", "people.csv", *XY, "--plot", "no/curve.png"),
        "'--plot': expected a path that can be written",
    ),
    (("estimate", "people.csv", *XY, "--plot", "curve.gif"), "a file name in .png .pdf .svg"),
    (
        ("estimate", "people.csv", *XY, "--save", "no/c.safetensors"),
        "'--save': expected a path that can be written",
    ),
    (("estimate", "people.csv", *XY, "--save", "c.pt"), "a file name in .safetensors"),
    (("estimate", "people.csv", *XY, "--method", "ksg", "--plot", "c.png"), "trains a network"),
    (("estimate", "people.csv", *XY, "--categorical", "hight"), "did you mean 'height'"),
    (
        ("estimate", "people.csv", *XY, "--preprocess", "cleverly"),
        "'--preprocess': 'cleverly' is not one of",
    ),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=lambda v: " ".join(v[1:]) if v else "")
def test_bad_input_is_one_line_and_status_2(
    complaint: Complaint, run: Run, folder: Path, words: Sequence[str], said: str
) -> None:
    line = complaint(run(*words))
    assert pytest.RaisesExc(ValueError, match=said).matches(ValueError(line)), line
    assert sorted(p.name for p in folder.iterdir()) == ["people.csv"]


def test_a_folder_is_no_output(complaint: Complaint, estimate: Run, folder: Path) -> None:
    (folder / "c.png").mkdir()
    assert "got the folder 'c.png'" in complaint(estimate("--plot", "c.png"))


def test_an_estimation_that_fails_midway_is_status_1(
    complaint: Complaint, estimate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Estimate:
        raise RuntimeError("an estimation failed:\nno memory")

    monkeypatch.setattr(mine, "estimate", failing)
    assert "an estimation failed: no memory" in complaint(estimate(), FAILED)


def test_ctrl_c_is_one_line_and_status_130(
    complaint: Complaint, estimate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Estimate:
        raise KeyboardInterrupt

    monkeypatch.setattr(mine, "estimate", interrupted)
    assert complaint(estimate(), INTERRUPTED) == "mine: stopped by Ctrl-C"
