"""Which of many pairs are more than nothing: p-values, and q-values by Benjamini and Hochberg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mine.running.estimates import Estimate

Pair = tuple[str, str]


def p_values_of(estimates: Mapping[Pair, Estimate]) -> dict[Pair, float]:
    """The p-value of each pair that has copies."""
    found = {pair: e.p_value for pair, e in estimates.items()}
    return {pair: p for pair, p in found.items() if p is not None}


def q_values_of(estimates: Mapping[Pair, Estimate]) -> dict[Pair, float]:
    """The least false discovery rate at which each pair is found, of pairs that have copies.

    Benjamini and Hochberg, 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x. It is for
    p-values that are independent, or depend on each other positively.
    """
    from scipy.stats import false_discovery_control

    p_values = p_values_of(estimates)
    if not p_values:
        return {}
    adjusted = false_discovery_control(list(p_values.values()))
    return {pair: float(q) for pair, q in zip(p_values, adjusted, strict=True)}
