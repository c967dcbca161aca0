"""Numbers in words: values in nats with their bits, intervals, counts, durations, lost cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from experiments.suite.claims.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

BITS_PER_NAT = 1.0 / math.log(2.0)


def nats(value: float, signed: bool = False) -> str:
    """'0.831 nats (1.199 bits)'."""
    return f"{number(value, signed)} nats ({number(value * BITS_PER_NAT, signed)} bits)"


def number(value: float, signed: bool = False) -> str:
    """Three decimals with a true minus sign; '∞' for infinity and 'n/a' for nan."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 and not signed else ("+∞" if value > 0 else "−∞")
    rounded = round(value, 3) or 0.0
    text = f"{rounded:+.3f}" if signed and rounded else f"{rounded:.3f}"
    return text.replace("-", "−")


def between(interval: Interval, signed: bool = False) -> str:
    """'[0.012, 0.034]'."""
    return f"[{number(interval[0], signed)}, {number(interval[1], signed)}]"


def span(interval: Interval, signed: bool = False) -> str:
    """'[0.012, 0.034] nats ([0.017, 0.049] bits)'."""
    bits = (interval[0] * BITS_PER_NAT, interval[1] * BITS_PER_NAT)
    return f"{between(interval, signed)} nats ({between(bits, signed)} bits)"


def interval_words(interval: Interval, seeds: int, signed: bool = False, unit: bool = True) -> str:
    """'95 % interval [0.012, 0.034] nats ([...] bits)', or 'no interval from 1 seed'."""
    if seeds < 2:
        return f"no interval from {counted(seeds, 'seed')}"
    return f"95 % interval {span(interval, signed) if unit else between(interval, signed)}"


def counted(n: int, noun: str) -> str:
    """'1 seed', '3 seeds'."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def lost(rows: pd.DataFrame) -> str:
    """'; 2 of 33 cells diverged; 1 of 33 cells failed', or '' where nothing was lost."""
    counts = {status: int((rows["status"] == status).sum()) for status in ("diverged", "failed")}
    cells = counted(len(rows), "cell")
    return "".join(f"; {n} of {cells} {status}" for status, n in counts.items() if n)


def duration(seconds: Any, style: Literal["exact", "whole", "coarse"] = "exact") -> str:
    """A time in words, or that it is not known.

    Args:
        seconds: a number; nan and anything else is a time that nobody knows.
        style: "exact" '48.3 s', '6 min 5 s', 'unknown'; "whole" '48 s' (at least 1), '6 min 05 s';
            "coarse" '48 s', '6 min', '3 h 05 min', '–'.
    """
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return "–" if style == "coarse" else "unknown"
    if style == "coarse":
        hours, rest = divmod(round(seconds / 60), 60)
        if seconds < 60:
            return f"{round(seconds)} s"
        return f"{hours} h {rest:02d} min" if hours else f"{rest} min"
    minutes, rest = divmod(round(seconds), 60)
    if style == "whole":
        return f"{minutes} min {rest:02d} s" if minutes else f"{max(1, rest)} s"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
