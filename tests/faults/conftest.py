"""The table that `make faults` ends with: fault, times tried, results lost, wrong results."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# What each fault cost: times tried, results lost, wrong results.
_LEDGER: dict[str, list[int]] = {}


@pytest.fixture(scope="session")
def note() -> Callable[..., None]:
    """Notes what a fault did, and fails the test where that is anything."""

    def note(fault: str, lost: int, wrong: int, tried: int = 1) -> None:
        entry = _LEDGER.setdefault(fault, [0, 0, 0])
        for i, count in enumerate((tried, lost, wrong)):
            entry[i] += count
        assert (lost, wrong) == (0, 0), f"{fault}: {lost} results lost, {wrong} wrong"

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _LEDGER:
        return
    width = max(len(fault) for fault in _LEDGER)
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':<{width}}  tried  results lost  wrong results")
    for fault, (tried, lost, wrong) in _LEDGER.items():
        terminalreporter.line(f"{fault:<{width}}  {tried:5d}  {lost:12d}  {wrong:13d}")
