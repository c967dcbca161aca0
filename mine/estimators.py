"""Estimates for one's own data: `estimate`, `estimate_many`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from mine.critics import MLP
from mine.evaluation import Estimate
from mine.jobs import SPLIT, CriticConfig, Job, Modules
from mine.running import Done, Failure, run
from mine.training import Training

LEAST_ROWS = 20


def estimate(
    x: Any,
    y: Any,
    method: str = "mine",
    seed: int = 0,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    **overrides: Any,
) -> Estimate:
    """The mutual information of paired rows, in nats.

    >>> e = mine.estimate(x, y)
    >>> print(e.nats, e.interval(0.95), e.warnings)

    Rows are dealt at random to training (60 %), validation (20 %) and test (20 %); columns are
    standardised in the training rows' units; the critic kept is the best one on the validation
    rows; the value is the bound on the test rows.

    Args:
        x: (n, dx) numbers, numpy, torch or nested lists; 1-D is one column.
        y: (n, dy), likewise.
        method: one of `methods()`.
        seed: equal calls with equal seeds give equal bits on a CPU.
        device: "auto", "cpu" or "cuda".
        critic: a function (dx, dy) -> torch.nn.Module of one's own, forward (x, y) -> (B,).
        overrides: fields of `Training` and `MLP`, among them steps, batch_size, learning_rate,
            hidden; and ``k``, KSG's neighbours.

    Raises:
        ValueError: for data or options that cannot be right; it says what to do.
    """
    return estimate_many([(x, y)], method, [seed], device, critic, **overrides)[0]


def estimate_many(
    pairs: Sequence[tuple[Any, Any]],
    method: str = "mine",
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    **overrides: Any,
) -> list[Estimate]:
    """`estimate` for many pairs of arrays, as stacks. Pairs of equal shapes are trained together.

    Args:
        pairs: [(x0, y0), (x1, y1), ...], each as for `estimate`.
        seeds: one a pair; 0 for all where left out.

    Other arguments and errors as for `estimate`.
    """
    seeds = [0] * len(pairs) if seeds is None else list(seeds)
    if len(seeds) != len(pairs):
        raise ValueError(
            f"expected one seed a pair, got {len(seeds)} seeds for {len(pairs)} pairs: "
            "leave seeds out for 0, or give as many"
        )
    make = None if critic is None else Modules(critic)
    jobs = [
        own_job(*as_pair(x, y), method, seed, make, **overrides)
        for (x, y), seed in zip(pairs, seeds, strict=True)
    ]
    found: dict[int, Estimate | Failure] = {}
    for news in run(jobs, device):
        if isinstance(news, Done):
            found[news.job] = news.outcome
    for outcome in found.values():
        if isinstance(outcome, Failure):
            raise RuntimeError(f"an estimation failed: {outcome.reason}")
    return [cast(Estimate, found[i]) for i in range(len(jobs))]


def own_job(
    x: Tensor,
    y: Tensor,
    method: str,
    seed: int,
    critic: CriticConfig | None = None,
    **overrides: Any,
) -> Job:
    """The job for own data; where no batch_size is given, the default shrinks to fit the rows."""
    known = {f.name for f in fields(Training)}, {f.name for f in fields(MLP)}
    unknown = sorted(set(overrides) - known[0] - known[1] - {"k"})
    if unknown:
        raise ValueError(
            f"unknown option {unknown[0]!r}; known are {sorted(known[0] | known[1] | {'k'})}"
        )
    if critic is not None and known[1] & set(overrides):
        raise ValueError(
            f"{sorted(known[1] & set(overrides))} describe the built-in network, got a critic of "
            "your own beside them: leave one out"
        )
    training = Training(**{k: v for k, v in overrides.items() if k in known[0]})
    if "batch_size" not in overrides:
        fitting = max(2, math.floor(len(x) * SPLIT[0]) // 2)
        training = replace(training, batch_size=min(training.batch_size, fitting))
    network = critic or MLP(**{k: v for k, v in overrides.items() if k in known[1]})
    key = hashlib.sha256(repr((x.shape, y.shape)).encode()).hexdigest()
    options = {"k": overrides["k"]} if "k" in overrides else {}
    return Job((x, y), method, seed, key, training, network, **options)


def as_pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """x and y as tensors (n, dx), (n, dy) on the CPU, checked."""
    x, y = _as_columns("x", x), _as_columns("y", y)
    if len(x) != len(y):
        raise ValueError(
            f"x and y must pair up row by row, got {len(x)} and {len(y)} rows: "
            "drop the rows that one of them lacks"
        )
    if len(x) < LEAST_ROWS:
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows to train and test on, got {len(x)}: bring more"
        )
    for name, v in (("x", x), ("y", y)):
        constant = (v == v[0]).all(0).nonzero().flatten().tolist()
        if constant:
            raise ValueError(
                f"every column must vary, got column {constant[0]} of {name} constant: drop it, "
                "a constant tells nothing"
            )
    return x, y


def _as_columns(name: str, v: Any) -> Tensor:
    try:
        t = torch.as_tensor(v).detach().cpu().to(torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be an array of numbers, got {type(v).__name__}: {error}"
        ) from None
    if t.dim() == 1:
        t = t.unsqueeze(1)
    if t.dim() != 2 or t.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n,) or (n, columns), got {tuple(t.shape)}: flatten the rest"
        )
    bad = int((~torch.isfinite(t)).any(1).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite, got nan or inf in {bad} of {len(t)} rows: drop or impute them"
        )
    return t
