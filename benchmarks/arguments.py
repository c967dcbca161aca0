"""Types of command line arguments that the benchmarks share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def positive(unit: str, example: str) -> Callable[[str], float]:
    """The type of an argument that is a finite number above 0 of this unit."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (0 < value < math.inf):
            raise argparse.ArgumentTypeError(
                f"expected {unit} above 0, such as {example}, got {text!r}"
            )
        return value

    return number
