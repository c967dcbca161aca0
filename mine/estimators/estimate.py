"""Estimates for one's own data: `estimate`, `estimate_many`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from torch import Tensor, nn

from mine.critics.mlp import MLP, CriticConfig, Modules
from mine.data.columns import Layout, as_columns
from mine.data.sources import Samples
from mine.method.names import METHODS
from mine.running.estimates import Estimate
from mine.running.jobs import Job, Own
from mine.running.workers import Done, Failure, run
from mine.training.loop import Training

LEAST_ROWS = 20
SMALL: Mapping[str, Any] = {
    "hidden": (48, 48), "activation": "relu",
    "steps": 1000, "batch_size": 128, "learning_rate": 5e-3,
}  # fmt: skip
"""What pairs of single columns are trained with, where many are asked for: docs/own-data.md says
what that costs and what it keeps."""


def estimate(
    x: Any,
    y: Any,
    method: str = "auto",
    seed: int = 0,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
    **overrides: Any,
) -> Estimate:
    """The mutual information of paired rows, in nats.

    >>> e = mine.estimate(x, y)
    >>> print(e.nats, e.interval(0.95), e.warnings)

    Rows are dealt at random to training (60 %), validation (20 %) and test (20 %); columns are
    brought into units fitted on the training rows; the critic kept is the best one on the
    validation rows; the value is the bound on the test rows. "auto" does so five times, so that
    every row is tested once, with each of its candidates, and lets validation rows choose.

    Args:
        x: (n, dx), numpy, torch, pandas, polars or nested lists; 1-D is one column. Columns of
            text, categories and booleans become one column a level.
        y: (n, dy), likewise.
        method: one of `methods()`.
        seed: equal calls with equal seeds give equal bits on a CPU.
        device: "auto", "cpu" or "cuda".
        critic: a function (dx, dy) -> torch.nn.Module of one's own, forward (x, y) -> (B,).
        null: copies of the data with y permuted that are estimated in the same stack, such as 20:
            for ``p_value`` and ``null_mean``.
        folds: None for the method's own number, 5 of "auto" and 1 of others; 1 for one split; k
            for cross-fitting: the rows are dealt to k equal parts, each is the test of a critic
            that was trained and stopped on the others (all in one stack), so that every row is
            tested once. The value is the mean of the parts' values by their rows; its error is
            the delta method over all rows, each row's influence on its part's value at its
            part's critic, and so sqrt(sum_f n_f^2 s_f^2) / n for parts of n_f rows and error s_f.
        preprocess: one of `mine.data.preprocessing.KINDS`: "none", "standardise", "rank",
            "copula" or "auto";
            None for the method's own: "auto" tries two, others standardise.
        overrides: fields of `Training` and `MLP`, among them steps, batch_size, learning_rate,
            hidden; and ``k``, KSG's neighbours.

    Raises:
        ValueError: for data or options that cannot be right; it says what to do.
    """
    return estimate_many(
        [(x, y)], method, [seed], device, critic,
        null=null, folds=folds, preprocess=preprocess, **overrides,
    )[0]  # fmt: skip


def estimate_many(
    pairs: Sequence[tuple[Any, Any]],
    method: str = "auto",
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
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
    own = Own(preprocess)
    questions = [
        Question(
            own_job(*as_pair(x, y), method, seed, make, own=own, folds=folds, **overrides), null
        )
        for (x, y), seed in zip(pairs, seeds, strict=True)
    ]
    return answers(questions, device)


# ---------------------------------------------------------- questions and answers


@dataclass(frozen=True)
class Question:
    """An estimate that is asked for: one job, times 1 + null.

    Attributes:
        job: of the rows as they are.
        null: permuted copies.
    """

    job: Job
    null: int = 0

    def __post_init__(self) -> None:
        if type(self.null) is not int or self.null < 0:
            raise ValueError(
                f"null must be a whole number >= 0, got {self.null!r}: 0 for no p-value, or 20"
            )

    def jobs(self) -> list[Job]:
        """Of the rows as they are, then of each copy."""
        bare = replace(self.job.own, keeps_critic=False, keeps_influences=False)
        copies = [replace(self.job, own=replace(bare, copy=c + 1)) for c in range(self.null)]
        return [self.job, *copies]


def answers(questions: Sequence[Question], device: str) -> list[Estimate]:
    """All questions in one run: whatever is of one shape is trained as one stack.

    Raises:
        RuntimeError: one of the jobs raised.
    """
    asked = [question.jobs() for question in questions]
    outcomes = iter(_outcomes([job for jobs in asked for job in jobs], device))
    return [_answer(question, outcomes) for question in questions]


def _outcomes(jobs: Sequence[Job], device: str) -> list[Estimate]:
    found: dict[int, Estimate | Failure] = {}
    for news in run(jobs, device):
        if isinstance(news, Done):
            found[news.job] = news.outcome
    for outcome in found.values():
        if isinstance(outcome, Failure):
            raise RuntimeError(f"an estimation failed: {outcome.reason}")
    return [cast(Estimate, found[i]) for i in range(len(jobs))]


def _answer(question: Question, outcomes: Iterator[Estimate]) -> Estimate:
    real, *copies = (next(outcomes) for _ in range(1 + question.null))
    if real.critic is not None and real.critic.config is None:
        # A module of one's own does not travel between processes.
        real = replace(real, critic=replace(real.critic, config=question.job.critic))
    return replace(real, null=tuple(e.nats for e in copies))


# -------------------------------------------------------------------- a job


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of numbers, (n, d) float64, and what they are."""

    values: Tensor
    layout: Layout


def own_job(
    x: Rows | Tensor,
    y: Rows | Tensor,
    method: str,
    seed: int,
    critic: CriticConfig | None = None,
    own: Own | None = None,
    folds: int | None = None,
    key: str = "",
    defaults: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Job:
    """The job for own data.

    Args:
        own: how the rows are prepared.
        folds: of a method that trains; None for the method's own number. Any other method looks
            at all rows at once.
        key: what the split is derived from; "" for the shapes.
        defaults: of the overrides, where not the method's own.
    """
    x, y = (v if isinstance(v, Rows) else Rows(v, Layout.numbers(v.shape[1])) for v in (x, y))
    own = replace(own or Own(), layouts=(x.layout, y.layout), keeps_critic=True)
    own = _folded(own, method, folds, len(x.values))
    training, network = _configured(method, own, len(x.values), critic, defaults or {}, overrides)
    shapes = x.values.shape, y.values.shape
    key = key or hashlib.sha256(repr(shapes).encode()).hexdigest()
    options = {"k": overrides["k"]} if "k" in overrides else {}
    data = x.values, y.values
    return Job(data, method, seed, key, training, network, own=own, **options)


def task_job(task: Samples, n: int, method: str, seed: int, key: str, most_steps: int = 0) -> Job:
    """What `estimate` does, with nothing but its defaults, to n rows drawn from a task.

    Args:
        key: what the rows are derived from, with the seed.
        most_steps: where not 0, no more than so many.
    """
    own = _folded(Own(), method, None, n)
    training, network = _configured(method, own, n, None, {}, {})
    if most_steps:
        training = replace(training, steps=min(training.steps, most_steps))
    return Job(task, method, seed, key, training, network, n=n, split=True, own=own)


def _folded(own: Own, method: str, folds: int | None, n: int) -> Own:
    """With as many folds as are asked for, or as the method has of itself."""
    found = METHODS.get(method)
    if folds is None:
        folds = found.folds if found else 1
    own = replace(own, folds=folds)  # refuses what is no number of folds
    if found and found.objective is None:
        return replace(own, folds=1)
    if own.folds > 1 and n // own.folds < 2:
        raise ValueError(
            f"expected at least 2 rows a fold, got folds={folds} for {n} rows: take fewer"
        )
    return own


def _configured(
    method: str,
    own: Own,
    n: int,
    critic: CriticConfig | None,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> tuple[Training, CriticConfig]:
    """How n rows are trained on; where no batch_size is given, the default shrinks to fit."""
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
    of_method = METHODS[method].defaults if method in METHODS else {}
    chosen = {**of_method, **defaults, **overrides}
    training = Training(**{k: v for k, v in chosen.items() if k in known[0]})
    if "batch_size" not in overrides:
        training = own.fitting(training, n)
    return training, critic or MLP(**{k: v for k, v in chosen.items() if k in known[1]})


def as_rows(name: str, v: Any) -> Rows:
    """What one calls x, as columns of numbers on the CPU."""
    return v if isinstance(v, Rows) else Rows(*as_columns(name, v))


def as_pair(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[Rows, Rows]:
    """x and y as columns of numbers on the CPU, checked."""
    a, b = (as_rows(name, v) for name, v in zip(names, (x, y), strict=True))
    check_paired(a, b, names)
    for name, rows in zip(names, (a, b), strict=True):
        check_varying(name, rows)
    return a, b


def split(rows: Rows) -> list[Rows]:
    """The columns of the source, each with its levels."""
    layout = rows.layout
    widths = [len(of) or 1 for of in layout.levels]
    return [
        Rows(part.contiguous(), Layout((name,), (levels,)))
        for name, levels, part in zip(
            layout.names, layout.levels, rows.values.split(widths, 1), strict=True
        )
    ]


def check_paired(x: Rows, y: Rows, names: tuple[str, str] = ("x", "y")) -> None:
    """
    Raises:
        ValueError: they have not as many rows, or too few.
    """
    n, m = len(x.values), len(y.values)
    if n != m:
        raise ValueError(
            f"{names[0]} and {names[1]} must pair up row by row, got {n} and {m} rows: "
            "drop the rows that one of them lacks"
        )
    if n < LEAST_ROWS:
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows to train and test on, got {n}: bring more"
        )


def check_varying(name: str, rows: Rows) -> None:
    """
    Raises:
        ValueError: a column has one value.
    """
    constant = constant_columns(rows)
    if constant:
        raise ValueError(
            f"every column must vary, got column {constant[0]} of {name} constant: drop it, "
            "a constant tells nothing"
        )


def constant_columns(rows: Rows) -> list[str]:
    """The labels of the columns that have one value."""
    same = (rows.values == rows.values[0]).all(0).tolist()
    return [label for label, is_same in zip(rows.layout.labels, same, strict=True) if is_same]
