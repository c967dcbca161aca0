"""`python -m benchmarks.growth`: cost against work, measured and drawn.

Rows, columns, networks and pairs of columns grow; each point runs in a process of its own on one
thread. Written are seconds of a core and peak memory (rows.csv), tables (tables.md) and a figure
(growth.png). A point that is predicted to take longer than the limit is left out, and so are
larger ones of its line. A row is written after each point, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import check_folder, positive

OUT = Path("outputs/growth")
LIMIT = 240.0
EXAMPLE = """\
examples:
  python -m benchmarks.growth                            all lines, half an hour
  python -m benchmarks.growth --limit 20                 a first look, some minutes
  python -m benchmarks.growth --scale tiny --out /tmp/g  does it run: the numbers mean nothing"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    seconds, minutes = positive("seconds", "60"), positive("minutes", "15")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (%(default)s)")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full", help="(%(default)s)")
    parser.add_argument(
        "--limit", type=seconds, default=LIMIT, help="seconds of a core a point (%(default)s)"
    )
    parser.add_argument("--minutes", type=minutes, default=math.inf, help="stop after so many")
    asked = parser.parse_args(arguments)
    check_folder(parser, asked.out)
    return run(asked.out, asked.scale, asked.limit, asked.minutes)


def run(out: Path, scale: str, limit: float, minutes: float) -> int:
    """Measures what lacks, prints each new row, writes rows, tables and figure."""
    from benchmarks.growth.drawing import figure
    from benchmarks.growth.measuring import measure
    from benchmarks.growth.page import tables
    from benchmarks.growth.points import SCALES
    from experiments.suite.figures.rendering import render
    from experiments.suite.store.files import write_atomic

    rows = measure(out / "rows.csv", SCALES[scale], limit, minutes, _show)
    write_atomic(out / "tables.md", f"{tables(rows)}\n".encode())
    write_atomic(out / "growth.png", render(figure(rows))["png"])
    print(f"written: {out}/rows.csv, tables.md, growth.png")
    return 0


def _show(row: dict[str, str]) -> None:
    print(
        f"{row['kind']:>8} {row['method']:>9} {int(row['size']):>9,}: "
        f"{row['cpu']} s of a core, {row['mib']} MiB",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
