r"""The bound of Donsker and Varadhan, MINE's, and three ways to train on it.

    DV(T) = E_p[T] - log E_q[e^T] <= I(X; Y)

for every critic T, in nats (Belghazi et al. 2018, Sec. 2.2, Theorem 1; Eq. 6 and 10); tight at
T = log dP/dQ + C for any constant C. On a finite sample the value may exceed I, since the log of a
mean of few terms is too small on average. The methods report this bound and differ in training:

- `mine`: the gradient of Eq. 12, E[grad T] - E[grad T e^T] / (a moving average of E_B[e^T]). The
  gradient of the batch's own log-mean-exp is biased, and this corrects it (Sec. 3.2).
- `dv`: the plain minibatch gradient, where the batch's mean is the normaliser.
- `remine`: DV - alpha (log E_q[e^T] - b)^2. The penalty pins the constant C that DV leaves free,
  so that T cannot drift. Tight at T = b + log dP/dQ.

References:
    | MINE (Belghazi et al., 2018), https://arxiv.org/abs/1801.04062
    | Asymptotic evaluation of certain Markov process expectations (Donsker and Varadhan, 1983),
      https://doi.org/10.1002/cpa.3160360204
    | ReMINE (Choi and Lee, 2020), https://arxiv.org/abs/2011.07932
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mine.method.bound import log_mean_exp
from mine.method.held_out import HeldOutValues
from mine.method.method import LOWER, RATIO, SHIFTED, UP_TO_C, Method, check_parameter
from mine.method.moving_average import ema_init, ema_update
from mine.method.objective import Objective, ascend
from mine.method.surrogate import normalised


def donsker_varadhan(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - log E_q[exp T] <= I(X; Y).

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - log_mean_exp(t_marginal)


def held_out_donsker_varadhan(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each."""
    weights = (values.marginal - log_mean_exp(values.flat)[:, None, None]).exp()
    return donsker_varadhan(values.joint, values.flat), values.error(values.joint, weights)


def regularised(t_joint: Tensor, t_marginal: Tensor, alpha: float = 0.1, b: float = 0.0) -> Tensor:
    r"""DV - alpha (log E_q[exp T] - b)^2 <= I(X; Y). Shapes as in `donsker_varadhan`."""
    log_mean = log_mean_exp(t_marginal)
    return t_joint.mean(-1) - log_mean - alpha * (log_mean - b).square()


DV = normalised(lambda log_mean, state, rate: (log_mean, state))
"""Plain minibatch gradient of DV: c is the batch's log-mean-exp, which biases it (Sec. 3.2)."""

MINE = normalised(
    lambda log_mean, state, rate: ema_update(state, log_mean, rate),
    lambda k, device: ema_init((k,), device),
)
"""The gradient of Eq. 12: c is the log of a moving average of E_B[exp T] (Sec. 3.2).

It is that of `tuba` too, with this average for the baseline (Poole et al.)."""


def remine_objective(alpha: float = 0.1, b: float = 0.0) -> Objective:
    """`regularised`, whose gradient scales DV's softmax by 1 + 2 alpha (log-mean-exp - b)."""

    def minus_gradient(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
        pull = 1.0 + 2.0 * alpha * (log_mean_exp(t_marginal) - b)
        g_joint = torch.full_like(t_joint, -1.0 / t_joint.shape[-1])
        return g_joint, torch.softmax(t_marginal, -1) * pull.unsqueeze(-1)

    def bound(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
        return regularised(t_joint, t_marginal, alpha, b)

    return ascend(bound, minus_gradient)


def mine() -> Method:
    return Method(
        name="mine",
        trains="DV, gradient by a moving average (Eq. 12)",
        reports="DV",
        kind=LOWER,
        source="Belghazi et al. 2018",
        good_at="the paper's own; up to about ln n nats, any dimension",
        objective=MINE,
        bound=donsker_varadhan,
        test=held_out_donsker_varadhan,
        criterion=donsker_varadhan,
        optimum=UP_TO_C,
        valid_at=(RATIO, SHIFTED, UP_TO_C),
    )


def dv() -> Method:
    return Method(
        name="dv",
        trains="DV, plain minibatch gradient",
        reports="DV",
        kind=LOWER,
        source="Donsker and Varadhan 1983; Belghazi et al. 2018",
        good_at="what MINE's correction is compared with",
        objective=DV,
        bound=donsker_varadhan,
        test=held_out_donsker_varadhan,
        criterion=donsker_varadhan,
        optimum=UP_TO_C,
        valid_at=(RATIO, SHIFTED, UP_TO_C),
    )


def remine(alpha: float = 0.1, b: float = 0.0) -> Method:
    check_parameter("alpha", alpha, 0.0 <= alpha < math.inf, "a number >= 0, such as 0.1")
    check_parameter("b", b, math.isfinite(b), "a finite number, such as 0")
    return Method(
        name="remine",
        trains="DV - alpha (log E_q[e^T] - b)^2",
        reports="DV",
        kind=LOWER,
        source="Choi and Lee 2020",
        good_at="long trainings: the critic's constant cannot drift",
        objective=remine_objective(alpha, b),
        bound=donsker_varadhan,
        test=held_out_donsker_varadhan,
        criterion=donsker_varadhan,
        optimum=UP_TO_C,
        valid_at=(RATIO, SHIFTED, UP_TO_C),
    )


METHODS = (mine, dv, remine)
