"""Numbers written as text."""

from __future__ import annotations

import numpy as np

from mine.command.tables.source import Values


def as_numbers(name: str, texts: Values) -> Values:
    """Texts, or None, as float64. What Python reads as a number is one; nan where none is written.

    Raises:
        ValueError: a text of this column is no number; the first such row is named.
    """
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        try:
            values[i] = _number(text)
        except ValueError:
            raise ValueError(
                f"expected numbers in column {name!r}, got {_short(text)} in row {i + 1}: "
                f"correct it, or give --categorical {name} if it holds categories"
            ) from None
    return values


def _number(text: str) -> float:
    if "_" in text:  # 1_000 is a number in Python's source, and a name in a table
        raise ValueError(text)
    return float(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
