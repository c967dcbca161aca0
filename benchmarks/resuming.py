"""Rows that are measured one by one and kept as they come, so that a stopped run goes on."""

from __future__ import annotations

import argparse
import csv
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arguments import positive, whole
from experiments.suite.store.files import write_atomic

Row = dict[str, str]


def options(
    name: str,
    about: str | None,
    out: Path,
    methods: Sequence[str],
    draws: int,
    arguments: Sequence[str] | None,
) -> argparse.Namespace:
    """The options out, draws, methods, cases and minutes of a benchmark's command line.

    Args:
        name: of the module.
        about: what `--help` says.
        out: where the rows go by default; `methods` and `draws` are defaults, too.
        arguments: of the command line.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=out, help="rows, a csv (%(default)s)")
    parser.add_argument(
        "--draws", type=whole("100"), default=draws, help="of each case (%(default)s)"
    )
    parser.add_argument("--methods", default=",".join(methods), help="names (%(default)s)")
    parser.add_argument("--cases", default="", help="only those with this text in their names")
    parser.add_argument(
        "--minutes",
        type=positive("minutes", "15"),
        default=math.inf,
        help="stop after so many",
    )
    return parser.parse_args(arguments)


def measured_rows(
    file: Path,
    fields: Sequence[str],
    asked: Iterator[tuple[Any, str, int]],
    measured: Callable[[Any, str, int], Row],
    minutes: float = math.inf,
    cases: str = "",
) -> list[Row]:
    """All rows of the file: those that were there, then those that were asked for and lacked.

    Args:
        file: a csv; the last field of a whole row is not empty.
        fields: its columns, with "case", "method" and "seed".
        asked: (case, method, seed); a case has a name.
        measured: the row of one of them.
        minutes: after which no other is begun.
        cases: a text that the names of the cases must have.
    """
    rows = list(read_rows(file, fields))
    done = {(row["case"], row["method"], row["seed"]) for row in rows}
    begun = time.monotonic()
    write_atomic(file, _csv(rows, fields))  # without a last line that was cut short
    with file.open("a", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, fields, lineterminator="\n")
        for case, method, seed in asked:
            if cases not in case.name or (case.name, method, str(seed)) in done:
                continue
            if time.monotonic() - begun > 60 * minutes:
                break
            row = measured(case, method, seed)
            rows.append(row)
            writer.writerow(row)
            opened.flush()
    return rows


def _csv(rows: Sequence[Row], fields: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_rows(file: Path, fields: Sequence[str]) -> Iterator[Row]:
    """The whole rows of a file: the last line may have been cut short."""
    if file.exists():
        data = file.read_bytes()
        text = io.StringIO(data[: data.rfind(b"\n") + 1].decode())
        yield from (row for row in csv.DictReader(text) if row[fields[-1]])
