"""Rows of pandas' pair up by their index, not by their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def aligned(values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Sides whose rows pair up, each in the order of the first one that has an index.

    Args:
        values: what a user gave for each side; only those of pandas' have an index.
        names: of the sides, for messages.

    Raises:
        ValueError: two sides have rows of other labels, or labels that repeat in another order.
    """
    indexed = [i for i, v in enumerate(values) if hasattr(v, "iloc") and hasattr(v, "index")]
    found = list(values)
    for i in indexed[1:]:
        first = indexed[0]
        index, other = found[first].index, found[i].index
        if len(index) != len(other) or index.equals(other):
            continue  # another length is refused where rows are counted
        if not (index.is_unique and other.is_unique and len(index.difference(other)) == 0):
            raise ValueError(
                f"expected {names[first]} and {names[i]} with the same index, got rows of other "
                "labels: give .to_numpy() of both where they pair up by place, or join them "
                "before"
            )
        found[i] = found[i].loc[index]
    return found


def aligned_groups(values: Sequence[Any], groups: Any) -> Any:
    """The groups of the rows of `values`, in the order of the first of them that has an index."""
    first = next((v for v in values if hasattr(v, "iloc")), None)
    return aligned((first, groups), ("the rows", "groups"))[1]
