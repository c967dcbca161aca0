"""What the benchmarks share of their command lines."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


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


def whole(example: str) -> Callable[[str], int]:
    """The type of an argument that is a whole number of at least 1."""

    def number(text: str) -> int:
        if not (text.isdecimal() and int(text) > 0):
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least 1, such as {example}, got {text!r}"
            )
        return int(text)

    return number


def check_folder(
    parser: argparse.ArgumentParser, folder: Path, option: str = "--out <folder>"
) -> None:
    """Ends with status 2, before the work, where the folder cannot be written.

    Args:
        parser: of the command.
        folder: what is written to.
        option: how the user names it.
    """
    from experiments.suite.store.files import OutputError, check_outputs

    try:
        check_outputs(folder)
    except OutputError as error:
        parser.error(str(error).replace("outputs=<folder>", option))
