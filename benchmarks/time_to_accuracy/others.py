"""What other packages find in the rows that `auto` gets, under a Python that has them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.time_to_accuracy.curves import Look
from benchmarks.time_to_accuracy.loops import own_rows
from benchmarks.time_to_accuracy.settings import FIRST_SEED, Setting

SCRIPT = Path(__file__).with_name("other_packages.py")


def packages(python: str) -> list[str]:
    """Names of those that this Python has.

    Raises:
        ValueError: it cannot be run, or has none.
    """
    try:
        found: list[str] = _answer(python)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"expected a Python with numpy and one of the packages, got {python}: {error}"
        ) from None
    if not found:
        raise ValueError(
            f"expected a Python that has torch-mist or benchmark-mi, got {python}, which has "
            "neither: install one there"
        )
    return found


def look(setting: Setting, package: str, python: str) -> Look:
    """A package on the rows of the first seeds: see `curves.Look`."""
    pairs = [own_rows(setting, FIRST_SEED + i) for i in range(setting.single)]
    x, y = (np.stack([np.asarray(side) for side in sides]) for sides in zip(*pairs, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, x=x, y=y)
        found = _answer(python, package, str(file))
    errors = [nats - setting.task.mi for nats, _, _ in found]
    return Look(
        round(mean(steps for _, _, steps in found)),
        mean(seconds for _, seconds, _ in found),
        mean(map(abs, errors)),
        mean(errors),
    )


def _answer(*command: str) -> Any:
    python, *words = command
    run: Sequence[str] = [python, str(SCRIPT), *words]
    out = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(out)
