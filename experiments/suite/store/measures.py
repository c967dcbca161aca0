"""The column `measures` of a row: what was measured besides a mutual information, as JSON.

    {"modes": 7, "quality": 0.81, "samples": {"1000": [[0.1, -2.0], ...]}}

A measure is a number, a text, or (nested) lists and objects of them, such as the points of a
figure. What is not finite is null. "" stands for no measures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def measures_text(measures: Mapping[str, Any]) -> str:
    """The measures of one cell as JSON; arrays and tensors become lists.

    Raises:
        TypeError: a value is none of these.
    """
    if not measures:
        return ""
    return json.dumps(_plain(measures), allow_nan=False, separators=(",", ":"))


@lru_cache(maxsize=1024)
def measures_of(text: str) -> Mapping[str, Any]:
    """The measures of one cell from its row's text; read only, as the same object comes again."""
    found = json.loads(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object in the column measures, got {text[:50]!r}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy's and torch's
        return _plain(value.tolist())
    return value
