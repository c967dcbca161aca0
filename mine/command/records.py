"""Estimates as plain values, for JSON. Values are in nats unless they are called bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mine.running.estimates import Estimate

LEVEL = 0.95
"""Of every interval that the command shows."""
FEW_ROWS = 50


def warnings_of(e: Estimate, rows: int) -> list[str]:
    few = f"only {rows} rows: too few for the network and for the interval; bring more"
    return [*e.warnings, *([few] if rows < FEW_ROWS else [])]


def is_infinite(e: Estimate) -> bool:
    """Whether the value is infinite, rather than a training that went wrong."""
    return e.nats == math.inf and e.diverged_at < 0 and math.isnan(e.train_nats)


def failure(e: Estimate) -> str:
    """Why there is no value; "" where there is one, an infinite one included."""
    if math.isfinite(e.nats) or is_infinite(e):
        return ""
    where = f"turned non-finite at step {e.diverged_at}" if e.diverged_at >= 0 else "diverged"
    return f"the training {where}: lower --set learning_rate, or take --preprocess rank"


def evidence_note(e: Estimate) -> list[str]:
    """What an interval that contains 0 says."""
    low, high = e.interval(LEVEL)
    if not low <= 0.0 <= high:
        return []
    more = "" if e.null else " (--null 19 gives a p-value)"
    return [f"no evidence of a relation: the interval contains 0{more}"]


def normalised_note(e: Estimate) -> str:
    """The value on scales from 0 to 1."""
    if is_infinite(e):
        return "as a correlation: 1"
    share = (
        "" if e.share is None else f"; {max(e.share, 0.0):.0%} of the label's {e.entropy:.3f} nats"
    )
    return f"as a correlation: {e.correlation:.3f}{share}"


def as_record(e: Estimate, rows: int) -> dict[str, Any]:
    """An estimate in plain values; `strict` makes null of nan and infinity."""
    record = {
        "verdict": e.verdict,
        "reasons": list(e.reasons),
        "method": e.method,
        "nats": e.nats,
        **({"infinite": True} if is_infinite(e) else {}),
        "bits": e.bits,
        "correlation": e.correlation,
        "stderr": e.stderr,
        "interval": list(e.interval(LEVEL)),
        "level": LEVEL,
        "p_value": e.p_value,
        "train_nats": e.train_nats,
        "n_train": e.n_train,
        "n_test": e.n_test,
        "steps": e.steps,
        "warnings": warnings_of(e, rows),
    }
    further = {
        "chosen": e.chosen,
        "rise": e.rise,
        "null": list(e.null),
        "entropy": e.entropy,
        "share": e.share,
    }
    return record | {name: value for name, value in further.items() if value not in ("", None, [])}


def strict(value: Any) -> Any:
    """The value with null for nan and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strict(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
