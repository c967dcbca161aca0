"""The one reader of what is on disk, which may come from elsewhere: bytes, JSON and YAML.

A file is read only where it is a regular file inside the outputs folder and not larger than it can
rightly be: no pipe is waited for, no device is read without end, no link leads out. JSON and YAML
give plain data of bounded depth, with text as keys and no key twice, or a ValueError in one line.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 1 << 22
"""The size that no JSON or YAML file of a run has."""

MOST_DEPTH = 40
"""The depth that no plain data of a run have."""


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file of at most so many bytes.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: it is no regular file, or too large.
    """
    if path.is_symlink() and not inside(path, path.parents[min(2, len(path.parents) - 1)]):
        raise ValueError("a link that leads out of the outputs folder")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("something that is no regular file")
        if about.st_size > most:
            raise ValueError(f"{about.st_size} bytes, and {most} are the most that it may have")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"more than the {most} bytes that it may have")
    return data


def inside(path: Path, folder: Path) -> bool:
    """Whether a path, its links followed, stands in a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def leads_out(path: Path, outputs: Path) -> bool:
    """Whether a link at `path` leads out of `outputs`; what is no link, or not there, does not."""
    return path.is_symlink() and not inside(path, outputs)


def parse_json(data: bytes | str, *, infinite: bool = False) -> Any:
    """Plain data of a JSON text; with `infinite` also NaN and Infinity, as Python writes them.

    Raises:
        ValueError: it is no JSON, nested too deep, has a key twice, or a number that is none.
    """
    try:
        constant = float if infinite else _no_number
        found = json.loads(data, object_pairs_hook=_unique, parse_constant=constant)
    except RecursionError:
        raise ValueError(f"data nested deeper than {MOST_DEPTH} levels") from None
    return plain(found)


def parse_yaml(data: bytes) -> Any:
    """Plain data of a YAML document, by the safe loader (in C where PyYAML has it).

    Raises:
        ValueError: it is no YAML, is nested too deep, or has an alias, a date or another object.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if _may_unfold(data):
            _check_events(yaml.parse(data, Loader=loader))
        return plain(loader(data).get_single_data())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError(f"data nested deeper than {MOST_DEPTH} levels") from None


def _may_unfold(data: bytes) -> bool:
    """Whether a document has an alias, or may be nested so deep that the C loader crashes."""
    if b"*" in data or data.count(b"[") + data.count(b"{") > 500:
        return True
    lines = data.split(b"\n")
    return any(len(line) > 2000 or line.startswith(b" " * 200) for line in lines)


def _check_events(events: Iterable[yaml.Event]) -> None:
    """Raise a ValueError where an alias comes, or a collection nested too deep."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("an alias (*), which may unfold without end")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ValueError(f"data nested deeper than {MOST_DEPTH} levels")


def plain(value: Any) -> Any:
    """`value`, checked: dicts with text as keys, lists, texts, finite or infinite numbers, None.

    Raises:
        ValueError: it holds something else, or is nested deeper than `MOST_DEPTH`.
    """
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for one in level for inner in _parts(one)]
        if not level:
            return value
    raise ValueError(f"data nested deeper than {MOST_DEPTH} levels")


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str | int | float)]:
            raise ValueError(f"the key {odd[0]!r}, which is no text")
        return list(value.values())
    if isinstance(value, list):
        return value
    if isinstance(value, date):
        raise ValueError(f"the date {value}, which is no text: write it in quotes")
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"a {type(value).__name__}, which is no plain data")
    return []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text}, which is no number of JSON")


def is_count(value: object) -> bool:
    """Whether it is a whole number >= 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -(1 << 62) < value < 1 << 62 and math.isfinite(value)
