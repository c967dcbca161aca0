"""A folder with a table of people, the command run on it, and what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from mine.command.errors import BAD_INPUT, FAILED, OK
from mine.command.main import command


def table_of_people(rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    height = rng.normal(170.0, 10.0, rows)
    weight = 0.8 * height + rng.normal(0.0, 6.0, rows)
    age = 0.5 * weight + rng.normal(0.0, 5.0, rows)
    sex = rng.choice(["f", "m"], rows)
    return pd.DataFrame({"height": height, "weight": weight, "age": age, "sex": sex})


@pytest.fixture(scope="session")
def people() -> Callable[..., pd.DataFrame]:
    """The table of so many rows, eighty unless said."""
    return table_of_people


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds people.csv."""
    table_of_people().to_csv(tmp_path / "people.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Options of next to no training."""
    return "--steps", "3", "--set", "hidden=8", "--set", "batch_size=16", "--device", "cpu"


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    def invoke(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(command, words, input=stdin, prog_name="mine")

    return invoke


@pytest.fixture(scope="session")
def estimate(run: Callable[..., Result], tiny: tuple[str, ...]) -> Callable[..., Result]:
    """`mine estimate` of height and age, with further words."""

    def invoke(*words: str) -> Result:
        return run("estimate", "people.csv", "--x", "height", "--y", "age", *tiny, *words)

    return invoke


@pytest.fixture(scope="session")
def read() -> Callable[[Result], dict[str, Any]]:
    """The one object on stdout, by a strict reader."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    def parse(done: Result) -> dict[str, Any]:
        assert done.exit_code in (OK, FAILED), done.stderr
        return json.loads(done.stdout, parse_constant=refuse)

    return parse


@pytest.fixture(scope="session")
def complaint() -> Callable[..., str]:
    """The one line on stderr, with nothing on stdout."""

    def line_of(done: Result, status: int = BAD_INPUT) -> str:
        assert done.exit_code == status, done.output
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("mine: ") and "Traceback" not in line
        return line

    return line_of
