"""Values, parameters and nested facts as the pages print them: plain text, not yet escaped."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.suite.claims.wording import BITS_PER_NAT, number


@dataclass(frozen=True)
class Value:
    """A number in nats with its bits, as text."""

    nats: str
    bits: str

    @classmethod
    def of(cls, value: float, signed: bool = False) -> Value:
        return cls(number(value, signed), number(value * BITS_PER_NAT, signed))

    @classmethod
    def between(cls, low: float, high: float) -> Value:
        """An interval; a dash where there is none."""
        if math.isnan(low) or math.isnan(high):
            return cls("–", "–")
        one, two = cls.of(low), cls.of(high)
        return cls(f"{one.nats} to {two.nats}", f"{one.bits} to {two.bits}")


def flat(params: Mapping[str, Any]) -> dict[str, Any]:
    """Task fields without nesting and targets: {'function': 'cube', 'sigma': .1, ...}."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            found |= flat(value)
        elif key != "_target_":
            found[key] = value
    return found


def params_of(text: str) -> dict[str, Any]:
    """The fields of a row's `params`; the text itself where it is no JSON object."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    return flat(parsed) if isinstance(parsed, Mapping) else {"params": text}


def field_text(value: Any) -> str:
    """A field's value as text."""
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def described(params: str) -> str:
    """'rho 0.5, dim 20'."""
    return ", ".join(f"{key} {field_text(value)}" for key, value in params_of(params).items())


def listed(values: Iterable[Any]) -> str:
    """'0, 1, 2'; '–' without any."""
    return ", ".join(str(value) for value in dict.fromkeys(values)) or "–"


def few(texts: Sequence[str], most: int = 24) -> str:
    """'a, b, c', or 'a, b, ..., z (90 values)' where there are many."""
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[: most - 1])}, …, {texts[-1]} ({len(texts)} values)"


def facts(nested: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted name, text) pairs."""
    found: list[tuple[str, str]] = []
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found += facts(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", "unknown" if value is None else str(value)))
    return found


def in_nats(text: str) -> str:
    """A text without its values in bits."""
    return re.sub(r" \([^()]*bits\)", "", text)


def decided_by(measured: str) -> str:
    """The number that decided a claim, with its interval.

    '5 of 9 within ...; decided by ρ .5: −0.085 nats, 95 % interval [−0.159, −0.047] nats,
    tolerance ±0.174 nats' gives 'ρ .5: −0.085 nats [−0.159, −0.047]'.
    """
    text = in_nats(measured)
    text = text.rpartition("decided by ")[2].partition(", tolerance ")[0]
    text = re.sub(r",? 95 % interval (\[[^]]*\])(?: nats)?", r" \1", text)
    text = re.sub(r",? over \d+ .*", "", text)
    return text.rpartition(". ")[2] if "]" in text.rpartition(". ")[2] else text
