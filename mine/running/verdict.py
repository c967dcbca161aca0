"""How far an estimate can be trusted, in one word, by stated rules over what was measured.

The rules are those of docs/warnings.md. An estimate is as good as the worst of what they find:

- unreliable: a value that is not there, or outside [-1, ln n + 5]; a standard error that is none,
  or so large that the 95 % interval reaches farther than half a nat and half the value; a value
  below 0 by more than three standard errors, which no information is; a warning of `KINDS`.
- doubtful: an infinite value, which holds where columns are continuous; an interval that reaches
  farther than .15 nats and 15 %; folds that disagree by more than three of their errors and .15
  nats and 15 %; any other warning, but those of `ASKED`.
- reliable: the rest.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mine.method.doubts import tolerance

RELIABLE, DOUBTFUL, UNRELIABLE = VERDICTS = "reliable", "doubtful", "unreliable"
LEAST_NATS = -1.0
ABOVE_LOG_N = 5.0
"""No value outside [-1, ln n + 5] is trusted: n rows can certify no more than about ln n."""
KINDS = (
    "diverged",
    "nothing learned",
    "far too few rows",
    "one pair tells more",
    "no normal law",
    "neighbours see more",
    "a regression tells more",
    "one row decides",
    "shrunk",
    "dependent rows",
    "repeated values",
    "copies",
    "duplicates",
)
"""Beginnings of the warnings that make an estimate unreliable."""
ASKED = ("missing",)
"""Beginnings of warnings of what the user asked for: they change no verdict."""
WIDE = 0.5  # nats, and share of the value: a wider interval says nothing


class Measured(Protocol):
    """What the rules look at; an `Estimate` has it."""

    @property
    def nats(self) -> float: ...
    @property
    def stderr(self) -> float: ...
    @property
    def n_test(self) -> int: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def fold_nats(self) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class Verdict:
    """
    Attributes:
        word: one of `VERDICTS`.
        reasons: what the rules found, the worst first; () where the word is "reliable".
    """

    word: str
    reasons: tuple[str, ...]


def verdict_of(e: Measured) -> Verdict:
    """The verdict on an estimate: see the module."""
    unreliable = [*_void(e), *_kinds(e.warnings, True)]
    doubtful = [*_unsure(e), *_kinds(e.warnings, False)]
    word = UNRELIABLE if unreliable else DOUBTFUL if doubtful else RELIABLE
    return Verdict(word, (*unreliable, *doubtful))


def _void(e: Measured) -> list[str]:
    if math.isnan(e.nats) or e.nats == -math.inf:
        return ["there is no value"]
    if e.nats == math.inf:
        return []
    found, most = [], math.log(max(e.n_test, 1)) + ABOVE_LOG_N
    if not LEAST_NATS <= e.nats <= most:
        found.append(f"{e.nats:.3g} nats are outside {LEAST_NATS:.0f} to ln n + 5 = {most:.1f}")
    if not 0.0 < e.stderr < math.inf:
        found.append("the value has no standard error")
    elif _half(e) > WIDE * max(1.0, abs(e.nats)):
        found.append(f"the 95 % interval reaches {_half(e):.2g} nats to each side")
    elif e.nats + 3.0 * e.stderr < 0.0:
        found.append("the value is below 0 by more than three standard errors")
    return found


def _unsure(e: Measured) -> list[str]:
    if e.nats == math.inf:
        return ["an infinite value holds where the columns are continuous"]
    found = []
    allowed = tolerance(e.nats)
    if allowed < _half(e) <= WIDE * max(1.0, abs(e.nats)):
        found.append(f"the 95 % interval reaches {_half(e):.2g} nats to each side")
    if len(e.fold_nats) > 1:
        spread = statistics.stdev(e.fold_nats)
        if spread > max(allowed, 3.0 * e.stderr * math.sqrt(len(e.fold_nats))):
            found.append(f"the folds disagree: their values spread by {spread:.2g} nats")
    return found


def _half(e: Measured) -> float:
    return 1.96 * e.stderr


def _kinds(warnings: Sequence[str], unreliable: bool) -> list[str]:
    """The beginnings of those warnings that make an estimate unreliable, or of the others."""
    told = [text for text in warnings if not text.startswith(ASKED)]
    return [text.partition(":")[0] for text in told if text.startswith(KINDS) == unreliable]
