"""Tables that are written, and opened again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # foreign_files.py

from mine.command.tables.columns import Columns, read_columns
from mine.command.tables.opening import open_table
from mine.command.tables.source import Source


def open_file(path: Path | str) -> Source:
    return open_table(str(path), lambda: pytest.fail("stdin is read"))


def read_numbers(path: Path, *names: str, **options: object) -> Columns:
    return read_columns(open_file(path), names, **options)  # type: ignore[arg-type]


def write_text(folder: Path, content: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def small_frame(rows: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=rows), "b, c": range(rows), "d": rng.random(rows)})


def write_frame(folder: Path, ending: str) -> Path:
    path, table = folder / f"t{ending}", small_frame()
    match ending:
        case ".csv" | ".csv.gz":
            table.to_csv(path, index=False)
        case ".tsv":
            table.to_csv(path, index=False, sep="\t")
        case ".parquet":
            table.to_parquet(path)
        case ".npz":
            np.savez(path, **{name: column.to_numpy() for name, column in table.items()})
    return path


@pytest.fixture(scope="session")
def opened() -> Callable[[Path | str], Source]:
    return open_file


@pytest.fixture(scope="session")
def numbers() -> Callable[..., Columns]:
    """The named columns of a file."""
    return read_numbers


@pytest.fixture(scope="session")
def text() -> Callable[..., Path]:
    """Writes text into a folder, as t.csv unless named."""
    return write_text


@pytest.fixture(scope="session")
def frame() -> Callable[..., pd.DataFrame]:
    return small_frame


@pytest.fixture(scope="session")
def written() -> Callable[[Path, str], Path]:
    """Writes the frame into a folder, by the ending."""
    return write_frame
