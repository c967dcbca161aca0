"""What a method is: what turns rows into an estimate.

What training ascends and what is reported are two choices, and a method is a pair of them:

    objective   its gradient trains the critic
    bound       the value on critic values, nats: what the training curve shows
    test        the value and its standard error on held-out rows: what is reported
    criterion   what validation rows choose the best critic by
    optimum     the critic at which the objective is greatest
    valid_at    the critics at which the value is what it says

None of these has a default: a method that leaves one out cannot be made. A method that trains
nothing is made by `direct_method`. A file of this folder is a family of methods: `METHODS` at
its end holds its entries, each a function of the method's parameters. `mine.method.names` finds
them there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from torch import Generator, Tensor

from mine.critics.protocol import Critic
from mine.critics.starts import NOTHING, SAID
from mine.data.dependence import Dependence
from mine.method.bound import Bound
from mine.method.doubts import Doubt
from mine.method.held_out import HeldOutValues
from mine.method.objective import Objective

UNSEEN = 0.03  # of the value, see `Candidate`
LOWER, UPPER, NEITHER = "lower bound", "upper bound", "neither"
KINDS = (LOWER, UPPER, NEITHER)

# The critic at which an objective is greatest; P and Q as in `mine.method.bound`.
RATIO = "log dP/dQ"
SHIFTED = "1 + log dP/dQ"
UP_TO_C = "log dP/dQ + C"
UP_TO_C_OF_X = "log dP/dQ + C(x)"
CONDITIONAL = "log q(y|x)"
DENSITIES = "log q(y|x) and log r(y)"


class Found(Protocol):
    """What a method that trains nothing gives."""

    @property
    def nats(self) -> float: ...
    @property
    def stderr(self) -> float: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


Test = Callable[[HeldOutValues], tuple[Tensor, Tensor]]
"""Critic values on test rows -> the value and its standard error, in nats: (K,) each."""

Direct = Callable[[Any, Any, int, int, str], Found]
"""(x (n, dx), y (n, dy), k, seed, device) -> the estimate, where nothing is trained."""

Dependent = Callable[[Any, Any, int, int, str, Dependence], Found]
"""The same for rows that hang together."""

Doubted = Callable[[float, float, Any, Any, int], Doubt | None]
"""(value, standard error, x, y, k) -> what else the rows tell against the value."""

Probe = Callable[
    [Critic, Sequence[Any], tuple[Tensor, Tensor], Sequence[Generator]], tuple[Tensor, Tensor]
]
"""(K critics, their tasks, their test rows (K, n, dx) and (K, n, dy), generators) -> what is
measured of each critic, and its error: (K,) each."""


def no_ceiling(partners: int) -> float:
    """The ceiling of a value that has none."""
    return math.inf


def sorting_work(n: int, dx: int, dy: int) -> float:
    """Operations, about, where each column of n rows is sorted."""
    return 700.0 * n * (dx + dy) * math.log2(n + 2)


def _unchanged(critic: Any) -> Any:
    return critic


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """An estimator. Looking up one spelling twice gives the same object.

    Attributes:
        name: as the caller spelled it, otherwise as in the table.
        other_names: that it is found by, too.
        trains: what its training ascends, in a few words; "" where nothing is trained.
        reports: what its value is, in a few words.
        kind: "lower bound" of I at any critic, "upper bound", or "neither".
        source: who proposed it.
        good_at: when to take it, or not to.
        objective: what its training ascends; None where nothing is trained.
        bound: its value on critic values, in nats: what the training curve shows.
        test: its value and standard error on test values.
        criterion: what the best critic is chosen by on validation rows: the value where it is a
            lower bound, else what the critic was trained for.
        optimum: the critic at which its objective is greatest.
        valid_at: the optima at which `reports` is true of the value.
        direct: the estimate, where nothing is trained.
        dependent: the same where rows hang together; None where the method cannot take such rows.
        doubted: a second look at the estimate of a method that trains nothing; None for none.
        probe: what is measured of the trained critic on a task, where that is no estimate of I
            and `test` does not give it.
        critic: makes the critic that it needs out of the one configured.
        ceiling: partners of a row -> the largest value there can be, in nats.
        candidates: the ways of training that it chooses from, where its rows are split.
        shares: of the training rows, that each candidate is trained with: all; or all and half
            of them, to see what more rows would teach (`mine.running.extrapolation`).
        folds: of a user's rows, unless another number is asked for.
        defaults: fields of `Training` and `MLP` for a user's rows, where not the classes' own.
        discrete_sides: of X and Y, how many must be labels or counts.
        on_labels: discrete sides of a user's rows -> the method that is taken for such rows in its
            place, where it is one that chooses (`mine.estimators.suited`).
        on_few_rows: the method that is taken for few rows, in the same way; None for itself.
        taken: the name of the method that it stands for on a user's rows; "" for itself.
        uses: of a method that trains nothing, the options of an estimate that change its value.
        work: of a method that trains nothing, (rows, dx, dy) -> floating-point operations, about.
        units: of a method that trains nothing, the preprocessing of a user's columns unless
            another is asked for; "" for as they are.
        parameters: the method's parameters, as it was spelled or by default.
    """

    name: str
    trains: str
    reports: str
    kind: str
    source: str
    good_at: str
    objective: Objective | None
    bound: Bound
    test: Test
    criterion: Bound
    optimum: str
    valid_at: tuple[str, ...]
    other_names: tuple[str, ...] = ()
    direct: Direct | None = None
    dependent: Dependent | None = None
    doubted: Doubted | None = None
    probe: Probe | None = None
    critic: Callable[[Any], Any] = _unchanged
    ceiling: Callable[[int], float] = no_ceiling
    candidates: tuple[Candidate, ...] = ()
    shares: tuple[float, ...] = (1.0,)
    folds: int = 1
    defaults: Mapping[str, Any] = field(default_factory=dict)
    discrete_sides: int = 0
    on_labels: Mapping[int, Method] = field(default_factory=dict)
    on_few_rows: Method | None = None
    taken: str = ""
    uses: frozenset[str] = frozenset()
    units: str = ""
    work: Callable[[int, int, int], float] = sorting_work
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_direct(self) -> bool:
        """Whether it trains nothing and `direct` is its estimate."""
        return self.direct is not None


@dataclass(frozen=True)
class Candidate:
    """One of several ways of training that a method chooses from on validation rows.

    Attributes:
        method: what it is trained and valued by.
        preprocess: the units of its columns, unless the job says others.
        start: what its network starts from, one of `mine.critics.starts`.
        unseen: the share of the value that goes into its error, for what no number of rows
            teaches it.
    """

    method: Method
    preprocess: str
    start: str = NOTHING
    unseen: float = UNSEEN

    def __str__(self) -> str:
        start = f", from {SAID[self.start]}" if self.start else ""
        return f"{self.method.name} on {self.preprocess} units{start}"


def direct_method(
    *,
    name: str,
    reports: str,
    kind: str,
    source: str,
    good_at: str,
    estimate: Direct,
    discrete_sides: int = 0,
    dependent: Dependent | None = None,
    doubted: Doubted | None = None,
    uses: Collection[str] = (),
    units: str = "",
    work: Callable[[int, int, int], float] = sorting_work,
) -> Method:
    """A method that trains nothing: its estimate is a function of the rows."""
    return Method(
        name=name,
        trains="",
        reports=reports,
        kind=kind,
        source=source,
        good_at=good_at,
        objective=None,
        bound=_no_critic,
        test=_no_critic,
        criterion=_no_critic,
        optimum="",
        valid_at=(),
        direct=estimate,
        discrete_sides=discrete_sides,
        dependent=dependent,
        doubted=doubted,
        uses=frozenset(uses),
        units=units,
        work=work,
    )


def _no_critic(*values: Any) -> NoReturn:
    raise TypeError("a method that trains nothing has no critic values, got some: call `direct`")


def check_parameter(name: str, value: float, right: bool, wanted: str) -> None:
    """
    Raises:
        ValueError: the parameter is not right; it says what is wanted.
    """
    if not right:
        raise ValueError(f"{name} must be {wanted}, got {value}")
