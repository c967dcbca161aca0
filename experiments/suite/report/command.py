"""The command `python -m experiments.suite.report`.

python -m experiments.suite.report --outputs outputs --scale default
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.suite.report.writing import write_report
from experiments.suite.store.checked_tables import CorruptRunError

EXAMPLE = "example: python -m experiments.suite.report --outputs outputs --scale smoke"


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report",
        description="Figures, claims, results.csv and the report, from the rows alone.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs (outputs)"
    )
    parser.add_argument(
        "--scale", help="show the latest finished runs of this scale, not of any scale"
    )
    parser.add_argument("--figures-only", action="store_true", help="write the figures alone")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where something could not be read or drawn; 2 where the folder cannot be used."""
    asked = parser().parse_args(arguments)
    try:
        path, problems, notes = write_report(asked.outputs, asked.scale, asked.figures_only)
    except (OSError, CorruptRunError) as error:  # a run that changed while it was read
        print(f"experiments.report: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"experiments.report: {problem}", file=sys.stderr)
    for note in notes:
        print(note)
    print(f"Wrote {path}")
    return 1 if problems else 0
