"""What all tests share: threads, figures off screen, hypothesis's profile, the `cuda` marker,
pages' code in small."""

from __future__ import annotations

import functools
import gc
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

# Read by torch and numpy when they are first imported, which no plugin has done yet.
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

# What a shell starts in the background ignores Ctrl-C, and so do the processes that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and no deadline: a shared machine may stall.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanting = [item for item in items if item.get_closest_marker("cuda")]
    if not wanting:
        return
    import torch

    if not torch.cuda.is_available():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and torch finds none"))


def pytest_collection_finish() -> None:
    """What is imported by now stays: to walk through all of it again and again for garbage would
    take up to a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture
def browser() -> Iterator[Any]:
    """Headless Chromium, where it is installed."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture
def run_in_small(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], None]:
    """Runs the code of a page in a namespace, with networks and trainings next to nothing.

    What the code itself says of steps and hidden layers is made as small: it goes before.
    """
    import mine

    def in_small(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            own = {} if "critic" in options else {"hidden": (8,)}
            try:
                return function(*args, **{"steps": 10, **own, **options})
            except ValueError as error:
                if "trains nothing" not in str(error):
                    raise
                return function(*args, **options)

        return called

    for name in ("estimate", "estimate_many", "pairwise", "conditional", "lagged"):
        monkeypatch.setattr(mine, name, in_small(getattr(mine, name)))

    def run(code: str, names: dict[str, Any]) -> None:
        exec(re.sub(r"\bsteps=\d+", "steps=10", code), names)

    return run


@pytest.fixture
def assert_prints_about() -> Callable[[str, str], None]:
    """Compares what a page's code printed with what the page shows: equal words, numbers that are
    equal to within .03, since another processor rounds otherwise."""
    number = re.compile(r"-?\d*\.\d+")

    def compare(printed: str, shown: str) -> None:
        assert number.sub("#", printed).split() == number.sub("#", shown).split()
        got, expected = (list(map(float, number.findall(text))) for text in (printed, shown))
        assert got == pytest.approx(expected, abs=0.03)

    return compare
