"""How critics are trained: the fields of a training config, and the checks on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mine.data import pairs

SCHEDULES = ("cosine", "constant")
OPTIMIZERS = ("Adam", "AdamW", "RMSprop", "SGD")
DEFAULT_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class Training:
    """How critics are trained; the fields are the config's keys.

    Attributes:
        steps: optimizer steps.
        batch_size: joint pairs a step.
        learning_rate: the optimizer's, at its highest. Per cell.
        schedule: "cosine" (down to 0 at the last step) or "constant".
        warmup: steps over which the learning rate rises from 0.
        optimizer: a class of torch.optim: "Adam", "AdamW", "RMSprop" or "SGD".
        betas: how slowly Adam's and AdamW's two moments decay, each in [0, 1).
        ema_rate: weight of the newest batch in MINE's moving average (Sec. 3.2). Per cell.
        marginal: "derangement", "shuffle" or "independent": how marginal pairs are made.
        marginal_samples: marginal pairs per joint pair.
        max_grad_norm: clips each cell's gradient to this norm; 0 for no clipping.
        validate_every: steps between two evaluations on the validation rows (a user's rows only).
        patience: evaluations without a better validation value after which a cell stops (a user's
            rows only).
    """

    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup: int = 0
    optimizer: str = "Adam"
    betas: tuple[float, float] = DEFAULT_BETAS
    ema_rate: float = 0.02
    marginal: str = "derangement"
    marginal_samples: int = 2
    max_grad_norm: float = 0.0
    validate_every: int = 50
    patience: int = 10

    def __post_init__(self) -> None:
        _positive_int("steps", self.steps)
        _positive_int("batch_size", self.batch_size, least=2)
        _positive_int("marginal_samples", self.marginal_samples)
        _positive_int("validate_every", self.validate_every)
        _positive_int("patience", self.patience)
        _positive_int("warmup", self.warmup, least=0)
        _within("learning_rate", self.learning_rate, 0.0, math.inf)
        _within("ema_rate", self.ema_rate, 0.0, 1.0)
        if not (math.isfinite(self.max_grad_norm) and self.max_grad_norm >= 0):
            raise ValueError(
                f"max_grad_norm must be a number >= 0 (0: no clipping), got {self.max_grad_norm}"
            )
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        object.__setattr__(self, "betas", _betas(self.betas, self.optimizer))
        _one_of("marginal", self.marginal, pairs.KINDS)
        if self.marginal == "derangement" and self.marginal_samples >= self.batch_size:
            raise ValueError(
                "a batch of B rows has B - 1 cyclic derangements, got "
                f"marginal_samples={self.marginal_samples} for batch_size={self.batch_size}: "
                "lower the one or raise the other"
            )

    def rate(self, step: int) -> float:
        """The factor on the learning rate at a step, in [0, 1]."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "constant":
            return rise
        return rise * 0.5 * (1.0 + math.cos(math.pi * step / self.steps))


def _positive_int(name: str, value: object, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name} must be a whole number >= {least}, got {value!r}: give one, such as {least}"
        )


def _within(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low < value <= high and math.isfinite(value)):  # type: ignore[operator,arg-type]
        span = f"in ({low:g}, {high:g}]" if math.isfinite(high) else f"a finite number > {low:g}"
        raise ValueError(f"{name} must be {span}, got {value!r}: give one, such as 0.001")


def _betas(betas: object, optimizer: str) -> tuple[float, float]:
    """As a tuple: a config gives a list."""
    found = tuple(betas) if isinstance(betas, Iterable) else ()
    numbers = [isinstance(b, int | float) and 0.0 <= b < 1.0 for b in found]
    if len(found) != 2 or not all(numbers):
        raise ValueError(
            f"betas must be two numbers in [0, 1), got {betas!r}: give them, such as (0.9, 0.999)"
        )
    if found != DEFAULT_BETAS and not optimizer.startswith("Adam"):
        raise ValueError(
            f"betas are Adam's and AdamW's, got {found} for {optimizer}: leave them out, or take "
            "another optimizer"
        )
    return found


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {list(known)}, got {value!r}")
