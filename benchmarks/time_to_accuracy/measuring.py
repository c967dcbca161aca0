"""Curves measured one by one, and kept as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import cache
from pathlib import Path
from types import MappingProxyType

from benchmarks.resuming import Row, measured_rows
from benchmarks.time_to_accuracy.curves import AUTO, Look, curve
from benchmarks.time_to_accuracy.loops import CONTENDERS, seeds_of
from benchmarks.time_to_accuracy.others import look as look_of_other
from benchmarks.time_to_accuracy.settings import FIRST_SEED, SCALES, Setting

FIELDS = ("case", "method", "seed", "networks", "curve")


def measure(
    file: Path,
    settings: Sequence[Setting],
    minutes: float = math.inf,
    done: Callable[[Row], None] = lambda row: None,
    others: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """All rows of the file: those that were there, and those of the settings that lacked.

    Args:
        file: a csv.
        settings: what is measured.
        minutes: after which no other curve is begun.
        done: called with each new row.
        others: other packages, which are measured where there are rows, and the Python of each.
    """

    def asked() -> Iterator[tuple[Setting, str, int]]:
        for setting in settings:
            for contender in [*contenders(setting), *(others if setting.rows else [])]:
                yield setting, contender, FIRST_SEED

    def measured(setting: Setting, contender: str, seed: int) -> Row:
        if contender in others:
            looks = [look_of_other(setting, contender, others[contender])]
        else:
            first_call()
            looks = curve(setting, contender)
        trained_here = contender in CONTENDERS
        networks = _networks(setting, contender) if trained_here else setting.single
        shown = json.dumps([[_short(v) for v in astuple(look)] for look in looks])
        values = (setting.name, contender, str(seed), str(networks), shown)
        row = dict(zip(FIELDS, values, strict=True))
        done(row)
        return row

    return measured_rows(file, FIELDS, asked(), measured, minutes)


@cache
def first_call() -> None:
    """Trains next to nothing, so that what a process does only once is in no one's seconds."""
    for setting in SCALES["tiny"]:
        for contender in contenders(setting):
            curve(setting, contender)


def contenders(setting: Setting) -> list[str]:
    """All of them; `auto` where there is a set of rows."""
    return [*CONTENDERS, *([AUTO] if setting.rows else [])]


def looks_of(row: Row) -> list[Look]:
    """The curve of a row."""
    return [Look(*look) for look in json.loads(row["curve"])]


def _networks(setting: Setting, contender: str) -> int:
    return sum(map(len, seeds_of(setting, contender)))


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.4g}")
