"""From a user's rows and options to a job.

Names are resolved here and, for what is no job, in `mine.estimators.term`; nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from types import MappingProxyType
from typing import Any

from torch import Tensor

from mine.critics.mlp import MLP
from mine.critics.protocol import CriticConfig
from mine.data.batches import Samples
from mine.data.columns import Layout
from mine.data.dependence import Dependence
from mine.data.levels import check_labels
from mine.data.own_rows import Given, OwnRows
from mine.data.preprocessing import KINDS, check_standard
from mine.data.sources import Fixed
from mine.data.split import Split
from mine.estimators.rows import Rows
from mine.estimators.suited import carried, discrete_sides, suited
from mine.estimators.unused import OF_NETWORK, OF_TRAINING, OPTIONS, check_used
from mine.method.method import Method
from mine.method.names import METHODS
from mine.running.jobs import Job, fitting
from mine.spelling import did_you_mean
from mine.training.settings import Training

EMPTY: Mapping[str, Any] = MappingProxyType({})


def own_job(
    x: Rows | Tensor,
    y: Rows | Tensor,
    method: str,
    seed: int,
    critic: CriticConfig | None = None,
    preprocess: str | None = None,
    folds: int | None = None,
    key: str = "",
    keeps_influences: bool = False,
    defaults: Mapping[str, Any] | None = None,
    trains: bool = False,
    refuses_unused: bool = True,
    dependence: Dependence | None = None,
    **overrides: Any,
) -> Job:
    """The job for a user's rows.

    Args:
        x: columns; a tensor's are numbers.
        y: likewise.
        method: a name.
        seed: names the random numbers, with the key.
        critic: the user's own; None for the built-in network.
        preprocess: one of `mine.data.preprocessing.KINDS`; None for the method's own choice.
        folds: None for the method's own number. A method that trains nothing has one.
        key: what the split is derived from; "" for the shapes of x and y.
        keeps_influences: whether the estimate brings what each row adds to its error.
        defaults: options that go before the method's own, and behind the overrides.
        trains: whether `auto` trains networks on labels, too, instead of `plugin` and `mixed`.
        refuses_unused: whether an option that the method does not use is an error.
        dependence: how the rows hang together; None where they do not.
        overrides: fields of `Training` and `MLP`, and ``k``.
    """
    if preprocess is not None and preprocess not in KINDS:
        raise ValueError(f"preprocess must be one of {list(KINDS)}, got {preprocess!r}: take one")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"seed must be a whole number >= 0, got {seed!r}: give one, such as 0")
    x, y = (v if isinstance(v, Rows) else Rows(v, Layout.numbers(v.shape[1])) for v in (x, y))
    table, n = Given(x.values, y.values), len(x.values)
    discrete = discrete_sides(x, y)
    found = METHODS.resolve(method)
    if not critic and not trains and dependence is None:
        found = suited(found, x, y, discrete)
        if not (folds or (OF_TRAINING | OF_NETWORK) & set(overrides)):
            found = carried(found, n, discrete)
    if needed := found.discrete_sides:
        check_labels(found.taken or found.name, (x.values.numpy(), y.values.numpy()), needed)
    split = _split(found, folds, n, dependence)
    if refuses_unused:
        check_used(
            found, {**overrides, "preprocess": preprocess, "folds": folds, "critic": critic}
        )
    units = preprocess or found.units or None
    if found.is_direct and units == "standardise":
        check_standard(x.values, x.layout.coded)
        check_standard(y.values, y.layout.coded)
    source = OwnRows(table, (x.layout, y.layout), units, split, discrete=discrete)
    training, network = _configured(found, split, n, critic, defaults or {}, overrides)
    shapes = x.values.shape, y.values.shape
    return Job(
        source,
        found,
        seed,
        key or hashlib.sha256(repr(shapes).encode()).hexdigest(),
        training,
        network,
        k=overrides.get("k", Job.k),
        keeps_critic=True,
        keeps_influences=keeps_influences,
    )


def task_job(
    task: Samples, n: int, method: Method, seed: int, key: str, most_steps: int = 0
) -> Job:
    """What `estimate` does with its defaults, for n rows that are drawn from a task.

    Args:
        task: what the rows are drawn from.
        n: rows.
        method: the method.
        seed: names the random numbers, with the key.
        key: what the rows and their split are derived from.
        most_steps: the most steps of a training; 0 for as many as `estimate` takes.
    """
    split = _split(method, None, n, None)
    training, network = _configured(method, split, n, None, {}, {})
    if most_steps:
        training = replace(training, steps=min(training.steps, most_steps))
    layouts = Layout.numbers(task.dim_x), Layout.numbers(task.dim_y)
    return Job(OwnRows(Fixed(task, n), layouts, split=split), method, seed, key, training, network)


def _split(method: Method, folds: int | None, n: int, dependence: Dependence | None) -> Split:
    """A split into as many folds as are asked for, or as the method takes by default."""
    if folds is None:
        folds = method.folds
    if type(folds) is not int or folds < 1:
        raise ValueError(
            f"folds must be a whole number >= 1, got {folds!r}: 1 for one split, or 5"
        )
    if method.is_direct and dependence is not None and method.dependent is None:
        raise ValueError(
            f"expected no groups, order or blocks for {method.name}, which takes every row as "
            "independent, got some: leave them out, or take auto, gaussian or ksg"
        )
    if method.is_direct:
        return Split(dependence=dependence)
    if folds > 1 and n // folds < 2:
        raise ValueError(
            f"expected at least 2 rows a fold, got folds={folds} for {n} rows: take fewer"
        )
    if dependence is not None:
        dependence.check(n, folds)
    return Split(folds, dependence=dependence)


def _configured(
    method: Method,
    split: Split,
    n: int,
    critic: CriticConfig | None,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> tuple[Training, CriticConfig]:
    """How n rows are trained on; where no batch_size is given, the default shrinks to fit."""
    unknown = sorted(set(overrides) - OPTIONS)
    if unknown:
        remedy = did_you_mean(unknown[0], OPTIONS) or f"take one of {', '.join(sorted(OPTIONS))}"
        raise ValueError(f"expected a known option, got unknown option {unknown[0]!r}: {remedy}")
    training, network = configured(critic, overrides, {**method.defaults, **defaults})
    if "batch_size" not in overrides:
        training = fitting(training, split.training_rows(n))
    return training, network


def configured(
    critic: CriticConfig | None, overrides: Mapping[str, Any], defaults: Mapping[str, Any] = EMPTY
) -> tuple[Training, CriticConfig]:
    """The training and the network that options describe.

    Args:
        critic: the user's own; None for the built-in network.
        overrides: fields of `Training` and `MLP` that the user gave; others are left alone.
        defaults: what holds where they say nothing.
    """
    of_network = sorted(OF_NETWORK & set(overrides))
    if critic is not None and of_network:
        raise ValueError(
            f"{of_network} describe the built-in network, got a critic of your own beside them: "
            "leave one out"
        )
    chosen = {**defaults, **overrides}
    training = Training(**{k: v for k, v in chosen.items() if k in OF_TRAINING})
    return training, critic or MLP(**{k: v for k, v in chosen.items() if k in OF_NETWORK})
