"""Command lines of runs: what they change, and many of them as one with `-m`."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.suite.sweeps.axes import NOT_SETTINGS, rank

Words = dict[str, str | None]
"""The overrides of a command line: key -> value, None for a word without '='."""
GROUPS = ("experiment", "scale")
"""Overrides that choose what is run: its settings are still those of configs/."""


def merged(commands: Iterable[str]) -> list[str]:
    """One command with `-m` that stands for all of these; they themselves where there is none."""
    several = sorted(set(commands) - {""})
    if len(several) < 2:
        return several
    try:
        words = [_words(command) for command in several]
    except ValueError:  # an unclosed quotation
        return several
    values = _values(words)
    if values is None or math.prod(map(len, values.values())) != len(several):
        return several
    start = shlex.split(several[0])[:3]
    return [shlex.join([*start, "-m", *(_option(key, values[key]) for key in words[0])])]


def changes(command: str) -> list[str]:
    """The overrides that make a run's results others than those of the configs, as given."""
    try:
        words = _words(command)
    except ValueError:  # an unclosed quotation
        return []
    return [
        key if value is None else f"{key}={value}"
        for key, value in words.items()
        if (name := key.lstrip("+~")) not in GROUPS
        and re.split(r"[./]", name)[0] not in NOT_SETTINGS
    ]


def _words(command: str) -> Words:
    """The overrides of `python -m experiments ...`."""
    pairs = (word.partition("=") for word in shlex.split(command)[3:])
    return {key: value if mark else None for key, mark, value in pairs}


def _values(words: Sequence[Words]) -> dict[str, list[str | None]] | None:
    """Each key's values, each once; None where the commands have different keys."""
    keys = words[0].keys()
    if any(one.keys() != keys for one in words):
        return None
    return {key: list(dict.fromkeys(one[key] for one in words)) for key in keys}


def _option(key: str, values: Sequence[str | None]) -> str:
    """'key=1,2,3'; the key alone where the first command has no value for it."""
    if values[0] is None:
        return key
    return f"{key}={','.join(sorted((v for v in values if v is not None), key=_order))}"


def _order(text: str) -> tuple[Any, ...]:
    try:
        return rank(json.loads(text))
    except ValueError:
        return rank(text)
