"""Which code, and which processors and libraries, the rows of a report come from, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from experiments.suite.report.texts import few
from experiments.suite.store.code import UNKNOWN, by_code, code_hash

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["commit", "code", "arithmetic"]


def mixed(rows: pd.DataFrame) -> list[str]:
    """A line each where these rows come from several codes or several kinds of arithmetic."""
    return [*_codes(rows), *_arithmetic(rows)]


def by_other_code(rows: pd.DataFrame) -> list[str]:
    """A line where code other than that of this checkout made any of these rows."""
    other = other_codes(dict(rows["code"].value_counts()))
    if not other:
        return []
    said = (
        f"Other code than this checkout's ({code_hash()}) made {sum(other.values())} of these "
        f"{len(rows)} rows: {by_code(other)}. The run's command computes them again; with "
        "keep=other_code it keeps them."
    )
    return [said]


def other_codes(codes: Mapping[str, int]) -> dict[str, int]:
    """Of code -> number of rows, those of code that is not this checkout's."""
    return {code or UNKNOWN: int(n) for code, n in codes.items() if code != code_hash()}


def commits(rows: pd.DataFrame, otherwise: str) -> list[str]:
    """The commits that the rows come from, sorted; `otherwise` for rows that do not name one."""
    return sorted({one.rstrip("+") or otherwise for one in rows["commit"].astype(str).unique()})


def _codes(rows: pd.DataFrame) -> Iterator[str]:
    counts = rows.groupby(["code", "commit"], observed=True).size()
    if len({code for code, _ in counts.index}) > 1:
        found = [
            f"{n} by {code or UNKNOWN}{f' (commit {commit[:7]})' if commit else ''}"
            for (code, commit), n in counts.items()
        ]
        yield f"Several versions of the code made these {len(rows)} rows: {few(found)}."


def _arithmetic(rows: pd.DataFrame) -> Iterator[str]:
    counts = rows["arithmetic"].value_counts()
    named = sorted((str(name), int(n)) for name, n in counts.items() if name and n)
    if len(named) > 1:
        found = few([f"{n} by {name}" for name, n in named])
        yield f"Their last digits come from several kinds of arithmetic: {found}."
