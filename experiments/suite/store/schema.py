"""What the files of a run hold, checked as they are read: they may come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from experiments.suite.store.reading import is_count, is_number, parse_json

if TYPE_CHECKING:
    import pyarrow as pa

Check = Callable[[Any], bool]
Schema = Mapping[str, tuple[Check, str]]
"""Key -> what its value must be, where it is there, and that in words."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_stacks(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, Mapping) and is_count(one.get("cells")) and _is_text(one.get("reason"))
        for one in value
    )


def _is_time(value: object) -> bool:
    return is_number(value) and value >= 0  # type: ignore[operator]


def _is_counts(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(is_count, value.values()))


STATUS: Schema = {
    **dict.fromkeys(
        ("cells", "done", "failed", "diverged", "steps", "steps_done"),
        (is_count, "a whole number >= 0"),
    ),
    **dict.fromkeys(("seconds", "sitting_seconds"), (_is_time, "seconds >= 0")),
    **dict.fromkeys(("command", "started", "updated"), (_is_text, "a text")),
    "halved": (_is_stacks, "a list of stacks, each with its cells and a reason"),
    "codes": (_is_counts, "numbers of cells"),
}
PROVENANCE: Schema = {
    **dict.fromkeys(
        ("git_commit", "version", "python", "platform", "device", "time", "code", "arithmetic"),
        (_is_text_or_none, "a text"),
    ),
    "packages": (_is_dict, "packages with versions"),
}
CONFIG: Schema = {
    **dict.fromkeys(("experiment", "scale", "train", "critic", "estimator"), (_is_dict, "keys")),
}


def fault_in(found: Mapping[str, Any], schema: Schema) -> str:
    """What is wrong with the first value that does not fit; "" for nothing."""
    for key, (fits, expected) in schema.items():
        if key in found and not fits(found[key]):
            return f"expected {expected} at {key}, got {str(found[key])[:60]!r}"
    return ""


NEEDED = ("key", "experiment", "task", "method", "params")
COUNTS = ("dim", "n_train", "n_test", "steps")


def fault_in_rows(table: pa.Table) -> str:
    """What is wrong with the rows of a run, which have the right columns; "" for nothing."""
    return next(_faults(table), "")


def _faults(table: pa.Table) -> Iterator[str]:
    import pyarrow.compute as pc

    for name in NEEDED:
        if pc.any(pc.equal(pc.fill_null(table[name], ""), "")).as_py():
            yield f"expected a {name} in each row, got none in some"
    if pc.count_distinct(table["key"]).as_py() < len(table):
        counts = pc.value_counts(table["key"])
        twice = next(one["values"] for one in counts.to_pylist() if one["counts"] > 1)
        yield f"expected one row a cell, got key {twice[:60]!r} twice"
    for name in COUNTS:
        if pc.any(pc.less(table[name], 0)).as_py():
            yield f"expected {name} >= 0 in each row, got {pc.min(table[name])}"
    seconds = table["seconds"]
    odd = pc.or_(pc.is_inf(seconds), pc.less(seconds, 0.0))
    if pc.any(odd).as_py():
        yield "expected seconds >= 0 in each row, got others"
    estimated = pc.and_(pc.equal(table["status"], "ok"), pc.equal(table["measures"], ""))
    estimated = pc.and_(estimated, _finite(table["truth"]))
    if pc.any(pc.and_(estimated, pc.invert(_finite(table["nats"])))).as_py():
        yield "expected finite nats in each row that is ok, got others: such a row is diverged"
    for name in ("params", "measures"):
        yield from _odd_objects(pc.unique(table[name]).to_pylist(), name)


def _finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.is_finite(pc.fill_null(column, math.nan))


def _odd_objects(texts: list[str], name: str) -> Iterator[str]:
    for text in filter(None, texts):
        try:
            found = parse_json(text, infinite=True)
        except ValueError as error:
            yield f"expected JSON in {name}, got {error}"
        else:
            if not isinstance(found, dict):
                yield f"expected an object in {name}, got {text[:60]!r}"
