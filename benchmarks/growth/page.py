"""docs/growth.md: its tables, made of the rows.

python -m benchmarks.growth.page docs/results/growth.csv docs/growth.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from benchmarks.growth.measuring import FIELDS, Known, costs
from benchmarks.growth.points import KINDS, PARQUET, SCALES, Line, predicted, slope
from benchmarks.page import rewrite, table, with_parts
from benchmarks.resuming import Row

STEEP = 1.2
"""From this power of the size on, a line has a sentence on the page."""
LIMIT_GIB = 2.0


def tables(rows: Sequence[Row]) -> str:
    """A table for each kind of work: seconds of a core and MiB by size, and the last power."""
    cpu, mib = costs(rows), costs(rows, "mib")
    of_kinds = [
        "\n\n".join([f"**{about[0].upper()}{about[1:]}**", _table(kind, cpu, mib)])
        for kind, about in KINDS.items()
        if any(of == kind for of, _ in cpu)
    ]
    return "\n\n".join(of_kinds)


def _table(kind: str, cpu: Known, mib: Known) -> str:
    methods = [method for of, method in cpu if of == kind]
    missing = {size for line in left_out(cpu) if line.kind == kind for size in line.sizes}
    sizes = sorted(missing.union(*(cpu[kind, method] for method in methods)))
    head = ["", *(f"{size:,}" for size in sizes), "last power"]
    body = []
    for method in methods:
        line = cpu[kind, method]
        seconds = [_seconds(line, size) for size in sizes]
        power = "" if len(line) < 2 else f"{slope(line):.2f}"
        body.append([f"{method}, seconds", *seconds, power])
        memory = mib[kind, method]
        body.append([f"{method}, MiB", *(_number(memory.get(size)) for size in sizes), ""])
    return table(head, body)


def _seconds(line: dict[int, float], size: int) -> str:
    """Measured, or predicted in brackets for a size that was left out."""
    if size in line:
        return _number(line[size])
    return f"({_number(predicted(line, size))})"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def left_out(cpu: Known, scale: str = "full") -> Iterator[Line]:
    """The sizes of the scale's lines that were not measured, of lines that were begun."""
    for line in SCALES[scale]:
        begun = cpu.get((line.kind, line.method), {})
        missing = tuple(size for size in line.sizes if size not in begun)
        if begun and missing:
            yield Line(line.kind, line.method, missing)


def steep(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(kind, method) of each line whose last power is above `STEEP`."""
    return [line for line, of in costs(rows).items() if len(of) > 1 and slope(of) > STEEP]


def within_limit(rows: Sequence[Row]) -> bool:
    """Whether each command on the parquet file stayed within `LIMIT_GIB`."""
    return all(float(row["mib"]) <= 1024 * LIMIT_GIB for row in rows if row["kind"] == PARQUET)


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with its tables made anew."""
    return with_parts(text, {"growth": tables(rows)})


if __name__ == "__main__":
    rewrite(sys.argv[1:], FIELDS, page)
