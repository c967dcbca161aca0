"""docs/time-to-accuracy.md: its table, made of the rows.

python -m benchmarks.time_to_accuracy.page ROWS PAGE, which are
docs/results/time_to_accuracy.csv and docs/time-to-accuracy.md, makes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from benchmarks.page import rewrite, with_parts
from benchmarks.page import table as markdown
from benchmarks.resuming import Row
from benchmarks.time_to_accuracy.curves import within
from benchmarks.time_to_accuracy.drawing import NAMES
from benchmarks.time_to_accuracy.measuring import FIELDS, looks_of
from benchmarks.time_to_accuracy.settings import FULL, Setting

HEAD = (
    *("setting", "truth", "tolerance", "trained by", "seconds", "network-steps"),
    *("beside the stack", "seconds in all", "error at the end", "mean error"),
)


def table(rows: Sequence[Row], settings: Sequence[Setting]) -> str:
    """A row for each setting and contender: when its error is, and stays, within the tolerance."""
    return markdown(HEAD, [line for setting in settings for line in _lines(rows, setting)])


def _lines(rows: Sequence[Row], setting: Setting) -> Iterator[list[str]]:
    mine = [row for row in rows if row["case"] == setting.name]
    first: float | None = None
    for row in mine:
        looks = looks_of(row)
        end, near = looks[-1], within(looks, setting.tolerance)
        if row is mine[0]:
            first = near.seconds if near else None
        yield [
            setting.name,
            f"{setting.task.mi:.3f}",
            f"{setting.tolerance:.3f}",
            NAMES[row["method"]],
            f"{near.seconds:.2g}" if near else "not reached",
            f"{near.steps:,}" if near and near.steps else "",
            f"{near.seconds / first:.1f} times" if near and first else "",
            f"{end.seconds:.2g}",
            f"{end.error:.3f}",
            f"{end.signed:+.3f}",
        ]


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with its table made anew."""
    return with_parts(text, {"time to accuracy": table(rows, FULL)})


if __name__ == "__main__":
    rewrite(sys.argv[1:], FIELDS, page)
