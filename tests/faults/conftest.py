"""Fixtures of the fault tests, and the table that `make faults` ends with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests import faulty_run.py from there
sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))  # rows_example.py
sys.path.insert(0, str(Path(__file__).parents[1] / "experiments/suite/report"))
sys.path.insert(0, str(Path(__file__).parents[1] / "mine/command/tables"))

from faulty_run import CELLS, TRAINED, complete, rows

# Fault -> times tried, results lost, wrong results.
_LEDGER: dict[str, list[int]] = {}


@pytest.fixture(scope="session")
def note() -> Callable[..., None]:
    """Notes what a fault cost, and fails the test where it cost a result."""

    def note(fault: str, lost: int, wrong: int, tried: int = 1) -> None:
        entry = _LEDGER.setdefault(fault, [0, 0, 0])
        for i, count in enumerate((tried, lost, wrong)):
            entry[i] += count
        assert (lost, wrong) == (0, 0), f"{fault}: {lost} results lost, {wrong} wrong"

    return note


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows of a run that nothing happened to."""
    outputs = tmp_path_factory.mktemp("whole")
    code, _, err = complete(outputs)
    assert code == 0, err
    found = rows(outputs)
    assert len(found) == CELLS
    assert (found.loc[found["method"] == "mine", "curve"] != "").sum() == TRAINED
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _LEDGER:
        return
    width = max(len(fault) for fault in _LEDGER)
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':<{width}}  tried  results lost  wrong results")
    for fault, (tried, lost, wrong) in _LEDGER.items():
        terminalreporter.line(f"{fault:<{width}}  {tried:5d}  {lost:12d}  {wrong:13d}")
