"""`python -m benchmarks.time_to_accuracy`: seconds until the error stays within a tolerance.

The stacked core, a careful loop of one network after the other, and the settings of the usual
notebook estimate the same tasks on one thread. Written are the curves (rows.csv), a table
(table.md) and a figure (time_to_accuracy.png). A row is written after each curve, so that a
stopped run goes on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.arguments import check_folder, positive

OUT = Path("outputs/time_to_accuracy")
EXAMPLE = """\
examples:
  python -m benchmarks.time_to_accuracy                            all settings, ten minutes
  python -m benchmarks.time_to_accuracy --scale tiny --out /tmp/t  does it run
  python -m benchmarks.time_to_accuracy --others mist/bin/python   torch-mist, which is there"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_accuracy",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (%(default)s)")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full", help="(%(default)s)")
    parser.add_argument(
        "--minutes", type=positive("minutes", "15"), default=math.inf, help="stop after so many"
    )
    parser.add_argument(
        "--others",
        metavar="PYTHON",
        default="",
        help="a Python that has torch-mist or benchmark-mi: their MINE on the rows of auto, too",
    )
    asked = parser.parse_args(arguments)
    check_folder(parser, asked.out)
    others: dict[str, str] = {}
    if asked.others:
        from benchmarks.time_to_accuracy.others import packages

        try:
            others = dict.fromkeys(packages(asked.others), asked.others)
        except ValueError as error:
            parser.error(str(error))
    return run(asked.out, asked.scale, asked.minutes, others)


def run(out: Path, scale: str, minutes: float, others: Mapping[str, str]) -> int:
    """Measures what lacks, prints each new curve's end, writes rows, table and figure."""
    from benchmarks.time_to_accuracy.drawing import figure
    from benchmarks.time_to_accuracy.measuring import measure
    from benchmarks.time_to_accuracy.page import table
    from benchmarks.time_to_accuracy.settings import SCALES
    from experiments.suite.figures.rendering import render
    from experiments.suite.store.files import write_atomic

    settings = SCALES[scale]
    rows = measure(out / "rows.csv", settings, minutes, _show, others)
    write_atomic(out / "table.md", f"{table(rows, settings)}\n".encode())
    write_atomic(out / "time_to_accuracy.png", render(figure(rows, settings))["png"])
    print(f"written: {out}/rows.csv, table.md, time_to_accuracy.png")
    return 0


def _show(row: dict[str, str]) -> None:
    from benchmarks.time_to_accuracy.measuring import looks_of

    end = looks_of(row)[-1]
    print(
        f"{row['case']}, {row['method']}: {end.steps:,} steps, {end.seconds:.3g} s, "
        f"error {end.error:.3f} nats",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
