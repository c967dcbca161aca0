"""The methods by name: what each ascends, what it reports, and what that is worth.

Training objective and reported value are two choices, and a method is a pair of them. `methods()`
maps names to methods; it takes these spellings, and so does every ``method`` argument and config:

    mine                 a name
    smile(tau=1)         with parameters of its own
    mine/infonce         trained as the first, reported as the second: where that makes sense
    mine/constant        reported is log E_q[e^T], the constant C of the critic: no estimate of I
    mine/gibbs           ... KL(P || G), what DV lacks at the critic, by quadrature
    mine/gradient(batch=16, rate=0.1)    ... the bias of such a minibatch gradient at the critic

The last three are values alone; the two `mine.method.probes` need a task, not rows of one's own.

The table of docs/methods.md is ``print(mine.methods())``.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, Protocol

from torch import Generator, Tensor

from mine.critics.densities import shaped_like
from mine.critics.protocol import Critic
from mine.method import bounds
from mine.method.bounds import Bound, Objective
from mine.method.gaussian import gaussian, gaussian_copula
from mine.method.held_out import HeldOutValues
from mine.method.nearest_neighbours import ksg
from mine.method.probes import gibbs_divergence, gradient_errors

LOWER, UPPER, NEITHER = "lower bound", "upper bound", "neither"
KINDS = (LOWER, UPPER, NEITHER)

# The critic at which an objective is greatest, P the joint distribution, Q the marginals' product.
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


Direct = Callable[[Any, Any, int, int, str], Found]
"""(x (n, dx), y (n, dy), k, seed, device) -> the estimate, where nothing is trained."""

Probe = Callable[
    [Critic, Sequence[Any], tuple[Tensor, Tensor], Sequence[Generator]], tuple[Tensor, Tensor]
]
"""(K critics, their tasks, their test rows (K, n, dx) and (K, n, dy), generators) -> the value
and its error, (K,) each: where the value is one of the critic itself."""


def _no_ceiling(partners: int) -> float:
    return math.inf


def _as_it_is(critic: Any) -> Any:
    return critic


@dataclass(frozen=True)
class Candidate:
    """One way of training, among several that a method chooses from by validation.

    Attributes:
        method: what it is trained and valued by.
        preprocess: the units of its columns, unless the job says others.
        residual: whether its network starts from a fitted copula (`mine.critics.residual`).
    """

    method: Method
    preprocess: str
    residual: bool = False

    def __str__(self) -> str:
        start = ", from a fitted copula" if self.residual else ""
        return f"{self.method.name} on {self.preprocess} units{start}"


@dataclass(frozen=True)
class Method:
    """An estimator.

    Attributes:
        trains: what its training ascends, in a few words; "" where nothing is trained.
        reports: what its value is, in a few words.
        kind: "lower bound" of I at any critic, "upper bound", or "neither".
        source: who proposed it.
        good_at: when to take it, or not to.
        objective: what its training ascends; None where nothing is trained.
        bound: its value on critic values, in nats: what the training curve shows.
        test: its value and standard error on test values.
        criterion: what the best critic is chosen by on validation rows: the value itself where it
            is a lower bound, else what the critic was trained for.
        direct: the estimate itself, where nothing is trained.
        probe: its value and error at the trained critic, where `test` does not give them: what
            is measured on a task, and no estimate of I.
        critic: what makes the critic it needs out of the one configured.
        optimum: the critic at which its objective is greatest.
        valid_at: the optima at which its value is what it says.
        ceiling: partners of a row -> the largest value there can be, in nats.
        candidates: what it chooses from, where its rows are split.
        shares: of the training rows, that each is trained with: all, or all and half of them, for
            what more would teach (`mine.running.extrapolation`).
        folds: of one's own data, unless another number is asked for.
        defaults: fields of `Training` and `MLP` for one's own data, where not the classes' own.
        name: as it was spelled.
        parameters: its own parameters.
    """

    trains: str
    reports: str
    kind: str
    source: str
    good_at: str
    objective: Objective | None = None
    bound: Bound = bounds.donsker_varadhan
    test: Callable[[HeldOutValues], tuple[Tensor, Tensor]] = HeldOutValues.donsker_varadhan
    criterion: Bound = bounds.donsker_varadhan
    direct: Direct | None = None
    probe: Probe | None = None
    critic: Callable[[Any], Any] = _as_it_is
    optimum: str = UP_TO_C
    valid_at: tuple[str, ...] = (RATIO, SHIFTED, UP_TO_C)
    ceiling: Callable[[int], float] = _no_ceiling
    candidates: tuple[Candidate, ...] = ()
    shares: tuple[float, ...] = (1.0,)
    folds: int = 1
    defaults: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)


# --------------------------------------------------------------- the methods
#
# Each is a function of its parameters, whose defaults are the usual ones.


def mine() -> Method:
    return Method(
        trains="DV, gradient by a moving average (Eq. 12)",
        reports="DV",
        kind=LOWER,
        source="Belghazi et al. 2018",
        good_at="the paper's own; up to about ln n nats, any dimension",
        objective=bounds.MINE,
    )


def mine_f() -> Method:
    return Method(
        trains="f-divergence form (NWJ)",
        reports="f-divergence form",
        kind=LOWER,
        source="Nguyen et al. 2010; Belghazi et al. 2018",
        good_at="small I: a lower bound on average over samples, but of large variance",
        objective=bounds.MINE_F,
        bound=bounds.f_divergence,
        test=HeldOutValues.f_divergence,
        criterion=bounds.f_divergence,
        optimum=SHIFTED,
        valid_at=(SHIFTED,),
    )


def dv() -> Method:
    return Method(
        trains="DV, plain minibatch gradient",
        reports="DV",
        kind=LOWER,
        source="Donsker and Varadhan 1983; Belghazi et al. 2018",
        good_at="what MINE's correction is compared with",
        objective=bounds.DV,
    )


def remine(alpha: float = 0.1, b: float = 0.0) -> Method:
    _check("alpha", alpha, 0.0 <= alpha < math.inf, "a number >= 0, such as 0.1")
    _check("b", b, math.isfinite(b), "a finite number, such as 0")
    return Method(
        trains="DV - alpha (log E_q[e^T] - b)^2",
        reports="DV",
        kind=LOWER,
        source="Choi and Lee 2020",
        good_at="long trainings: the critic's constant cannot drift",
        objective=bounds.remine(alpha, b),
    )


def js() -> Method:
    return Method(
        trains="Jensen-Shannon",
        reports="DV",
        kind=LOWER,
        source="Nowozin et al. 2016; Hjelm et al. 2019",
        good_at="stable training at large I, with a lower bound for a value",
        objective=bounds.JS,
        optimum=RATIO,
    )


def smile(tau: float = 5.0) -> Method:
    _check("tau", tau, tau > 0.0, "a number > 0, such as 5")
    return Method(
        trains="Jensen-Shannon",
        reports="DV with e^T clipped to [e^-tau, e^tau] under the log",
        kind=NEITHER,
        source="Song and Ermon 2020",
        good_at="large I: little variance, for some bias to either side",
        objective=bounds.JS,
        bound=partial(bounds.smile, tau=tau),
        test=partial(HeldOutValues.smile, tau=tau),
        criterion=bounds.jensen_shannon,
        optimum=RATIO,
        valid_at=(RATIO,),
    )


def infonce() -> Method:
    return Method(
        trains="InfoNCE",
        reports="InfoNCE",
        kind=LOWER,
        source="van den Oord et al. 2018",
        good_at="I well below its ceiling, ln(1 + partners): little variance",
        objective=bounds.INFONCE,
        bound=bounds.infonce,
        test=HeldOutValues.infonce,
        criterion=bounds.infonce,
        optimum=UP_TO_C_OF_X,
        valid_at=(RATIO, SHIFTED, UP_TO_C, UP_TO_C_OF_X),
        ceiling=lambda partners: math.log1p(partners),
    )


def tuba() -> Method:
    return Method(
        trains="TUBA, baseline a moving average (MINE's gradient)",
        reports="TUBA, baseline from the other half of the rows",
        kind=LOWER,
        source="Poole et al. 2019",
        good_at="few test rows: below I on average, where DV's log makes it too large",
        objective=bounds.MINE,
        bound=bounds.cross_fitted_tuba,
        test=HeldOutValues.tuba,
        criterion=bounds.cross_fitted_tuba,
    )


def interpolated(alpha: float = 0.01) -> Method:
    _check("alpha", alpha, 0.0 < alpha <= 1.0, "in (0, 1], such as 0.01 (for 0 take mine_f)")
    bound = partial(bounds.interpolated, alpha=alpha)
    return Method(
        trains="I_alpha",
        reports="I_alpha",
        kind=LOWER,
        source="Poole et al. 2019",
        good_at="trading InfoNCE's ceiling, here 1 + ln(partners / alpha), for NWJ's variance",
        objective=bounds.interpolation(alpha),
        bound=bound,
        test=partial(HeldOutValues.interpolated, alpha=alpha),
        criterion=bound,
        optimum=SHIFTED,
        valid_at=(SHIFTED,),
        ceiling=lambda partners: math.log(partners / alpha) + (alpha < 1.0),
    )


def dime_kl() -> Method:
    return replace(
        mine_f(),
        trains="f-DIME, KL: the f-divergence form",
        reports="mean log-ratio on joint pairs, E_p[T] - 1",
        kind=NEITHER,
        source="Letizia et al. 2024",
        good_at="beside mine_f: the same critic, a value without a partition term",
        bound=partial(bounds.mean_log_ratio, offset=1.0),
        test=partial(HeldOutValues.mean_log_ratio, offset=1.0),
    )


def dime_gan() -> Method:
    return Method(
        trains="f-DIME, GAN: Jensen-Shannon",
        reports="mean log-ratio on joint pairs, E_p[T]",
        kind=NEITHER,
        source="Letizia et al. 2024",
        good_at="large I: the variance does not grow with e^I; no guarantee either way",
        objective=bounds.JS,
        bound=bounds.mean_log_ratio,
        test=partial(HeldOutValues.mean_log_ratio, offset=0.0),
        criterion=bounds.jensen_shannon,
        optimum=RATIO,
        valid_at=(RATIO,),
    )


def dime_hellinger() -> Method:
    return replace(
        dime_gan(),
        trains="f-DIME, squared Hellinger",
        good_at="small to middling I: its weights grow as e^(T/2), not as e^T",
        objective=bounds.HELLINGER,
        criterion=bounds.hellinger,
    )


def club(components: int = 1) -> Method:
    return Method(
        trains="likelihood of q(y|x), a mixture of Gaussians",
        reports="E_p[log q(y|x)] - E_q[log q(y|x)]",
        kind=UPPER,
        source="Cheng et al. 2020",
        good_at="an upper companion; loose, and a bound only as far as q is p(y|x)",
        objective=bounds.LIKELIHOOD,
        bound=bounds.club,
        test=HeldOutValues.difference,
        criterion=bounds.likelihood,
        critic=shaped_like(components),
        optimum=CONDITIONAL,
        valid_at=(CONDITIONAL,),
    )


def doe(components: int = 4) -> Method:
    return Method(
        trains="likelihoods of q(y|x) and r(y), mixtures of Gaussians",
        reports="E_p[log q(y|x)] - E_p[log r(y)]",
        kind=NEITHER,
        source="McAllester and Stratos 2020",
        good_at="I beyond ln n, where y has few columns and a density that mixtures can fit",
        objective=bounds.LIKELIHOODS,
        bound=bounds.difference_of_entropies,
        test=HeldOutValues.difference,
        criterion=bounds.likelihoods,
        critic=shaped_like(components, "own"),
        optimum=DENSITIES,
        valid_at=(DENSITIES,),
    )


def auto() -> Method:
    """What a user gets who does not choose: docs/accuracy.md tells how it was picked."""
    return replace(
        js(),
        trains="several ways, Jensen-Shannon",
        reports="DV of the one that validation rows choose, cross-fitted, extrapolated over rows",
        kind=NEITHER,
        source="this suite",
        good_at="whatever comes: the default for one's own data",
        candidates=(
            Candidate(replace(js(), name="js"), "copula", residual=True),
            Candidate(replace(js(), name="js"), "auto"),
        ),
        shares=(1.0, 0.5),
        folds=5,
        defaults={
            "hidden": (64, 64, 64),
            "activation": "relu",
            "steps": 1500,
            "batch_size": 128,
            "learning_rate": 5e-3,
            "marginal_samples": 1,
            "patience": 6,
        },
    )


def constant() -> Method:
    """The value of a pair alone: what a training does to the constant that its bound leaves free.

    Choi and Lee, "Regularized Mutual Information Neural Estimation", 2020.
    """
    return replace(
        mine(),
        reports="log E_q[e^T], the constant of T",
        kind=NEITHER,
        source="Choi and Lee 2020",
        good_at="",
        bound=bounds.log_partition,
        test=HeldOutValues.log_partition,
    )


def gibbs() -> Method:
    """The value of a pair alone: KL(P || G), which DV lacks at this critic (Sec. 3.1)."""
    return replace(
        mine(),
        reports="KL(P || G), dG = e^T dQ / E_q[e^T], by quadrature",
        kind=NEITHER,
        good_at="",
        probe=lambda critic, tasks, rows, generators: gibbs_divergence(critic, tasks),
    )


def gradient(batch: int = 64, rate: float = 0.02) -> Method:
    """The value of a pair alone: the bias of the minibatch gradient of Eq. 12 (Sec. 3.2).

    Relative to the norm of the full gradient over the test rows; its error is the standard
    deviation of one minibatch gradient, relative too. Rate 1 is plain DV.
    """
    _check("batch", batch, batch >= 2, "a whole number >= 2, such as 64")
    _check("rate", rate, 0.0 < rate <= 1.0, "in (0, 1], such as 0.01 (1: plain DV)")
    return replace(
        mine(),
        reports="bias of a minibatch gradient of Eq. 12 over the full gradient's norm",
        kind=NEITHER,
        good_at="",
        probe=lambda critic, tasks, rows, generators: gradient_errors(
            critic, *rows, batch, rate, generators
        ),
    )


def _ksg() -> Method:
    def direct(x: Any, y: Any, k: int, seed: int, device: str) -> Found:
        return ksg(x, y, k=k, seed=seed, device=device, workers=1)

    return Method(
        trains="",
        reports="k-nearest neighbours, estimator 1",
        kind=NEITHER,
        source="Kraskov et al. 2004",
        good_at="few columns and I up to some 3 nats; falls far short in high dimension",
        direct=direct,
    )


def _gaussian() -> Method:
    return Method(
        trains="",
        reports="canonical correlations, bias taken off",
        kind=NEITHER,
        source="Hotelling 1936; Misra et al. 2005",
        good_at="normal data, where nothing is better; elsewhere, what correlations alone tell",
        direct=lambda x, y, k, seed, device: gaussian(x, y),
    )


def _gaussian_copula() -> Method:
    return Method(
        trains="",
        reports="canonical correlations of the columns' normal scores",
        kind=NEITHER,
        source="Ince et al. 2017",
        good_at="monotone dependence with heavy tails or odd units; blind to the rest",
        direct=lambda x, y, k, seed, device: gaussian_copula(x, y),
    )


def _check(name: str, value: float, right: bool, wanted: str) -> None:
    if not right:
        raise ValueError(f"{name} must be {wanted}, got {value}")


# ------------------------------------------------------------------ the names


class Methods(Mapping[str, Method]):
    """The methods by name, in a fixed order; spelled with parameters or as a pair, too.

    Iterating gives the plain names; printing gives the table.
    """

    def __init__(
        self,
        makers: Mapping[str, Callable[..., Method]],
        aliases: Mapping[str, str],
        values: Mapping[str, Callable[..., Method]],
    ) -> None:
        self._makers, self._aliases, self._values = dict(makers), dict(aliases), dict(values)
        self._find = lru_cache(maxsize=None)(self._resolve)

    def __getitem__(self, spelling: str) -> Method:
        """
        Raises:
            KeyError: no method has this name.
            ValueError: one has, but its parameters or the pair cannot be right.
        """
        return self._find(spelling)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return f"Methods({', '.join(self)})"

    def __str__(self) -> str:
        """The table, in Markdown."""
        head = "name", "trains on", "reports", "kind", "good at", "source"
        body = [
            (_signed(m), m.trains or "(nothing)", m.reports, m.kind, m.good_at, m.source)
            for m in self.values()
        ]
        lines = [head, ["---"] * len(head), *body]
        escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)

    def _resolve(self, spelling: str) -> Method:
        if spelling.split("/")[0].strip() in self._values:
            raise ValueError(
                f"{spelling!r} trains nothing and is no estimate of I: report it of a training, "
                f"as in 'mine/{spelling.partition('/')[0].strip()}'"
            )
        trained, *reported = (self._one(part, spelling) for part in spelling.split("/"))
        if not reported:
            return trained
        if len(reported) > 1:
            raise KeyError(spelling)
        return replace(_pair(trained, reported[0]), name=spelling)

    def _one(self, part: str, spelling: str) -> Method:
        matched = re.fullmatch(r"(\w+)(?:\((.*)\))?", part.strip())
        name = matched and self._aliases.get(matched[1], matched[1])
        makers = self._makers | self._values
        if not matched or name not in makers:
            raise KeyError(spelling)
        maker = makers[name]
        known = {p.name: p.default for p in inspect.signature(maker).parameters.values()}
        given = _assignments(part, matched[2] or "", known)
        return replace(maker(**given), name=part.strip(), parameters={**known, **given})


def _assignments(method: str, text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """'tau=1, alpha=0.5' -> numbers by name, of the types of the defaults."""
    found = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, value = (piece.strip() for piece in item.partition("="))
        if name not in known:
            raise ValueError(
                f"{method!r}: expected parameters among {list(known)}, got {name!r}: spell them "
                "as in 'smile(tau=1)'"
            )
        try:
            found[name] = type(known[name])(value)
        except ValueError:
            kind = "a whole number" if isinstance(known[name], int) else "a number"
            raise ValueError(
                f"{method!r}: expected {kind} for {name}, got {value!r}: the default is "
                f"{known[name]}"
            ) from None
    return found


def _pair(trained: Method, reported: Method) -> Method:
    """Trained as the one, reported as the other."""
    for method in (trained, reported):
        if method.objective is None:
            raise ValueError(f"{method.name} trains nothing: it cannot be half of a pair")
    if trained.optimum not in reported.valid_at:
        raise ValueError(
            f"{trained.name} trains a critic towards {trained.optimum}, got {reported.name} to "
            f"report, which needs {' or '.join(reported.valid_at)}: take another value"
        )
    return replace(
        reported,
        trains=trained.trains,
        source=f"{trained.source}; {reported.source}",
        good_at="",
        objective=trained.objective,
        criterion=reported.criterion if reported.kind == LOWER else trained.criterion,
        critic=trained.critic,
        optimum=trained.optimum,
        parameters={**trained.parameters, **reported.parameters},
    )


def _signed(method: Method) -> str:
    values = ", ".join(f"{name}={value:g}" for name, value in method.parameters.items())
    return f"`{method.name}({values})`" if values else f"`{method.name}`"


METHODS = Methods(
    {
        "auto": auto,
        "mine": mine,
        "mine_f": mine_f,
        "dv": dv,
        "remine": remine,
        "js": js,
        "smile": smile,
        "infonce": infonce,
        "tuba": tuba,
        "interpolated": interpolated,
        "dime_gan": dime_gan,
        "dime_kl": dime_kl,
        "dime_hellinger": dime_hellinger,
        "club": club,
        "doe": doe,
        "ksg": _ksg,
        "gaussian": _gaussian,
        "gaussian_copula": _gaussian_copula,
    },
    aliases={"nwj": "mine_f", "f_dime": "dime_gan"},
    values={"constant": constant, "gibbs": gibbs, "gradient": gradient},
)


def methods() -> Methods:
    """What ``method`` takes: a mapping whose keys are the names.

    >>> "mine" in mine.methods()
    True
    >>> mine.methods()["smile"].kind
    'neither'
    >>> print(mine.methods())       # the table of all of them
    """
    return METHODS
