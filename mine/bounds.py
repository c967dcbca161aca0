r"""Lower bounds of mutual information and the surrogates that training ascends.

The value that is reported and the function whose gradient is followed are two things with two
names: a *bound* maps critic values to nats; an *objective* maps them, and a state of its own, to
a surrogate whose gradient is right and whose value means nothing.

Notation: ``t_joint`` holds T(x, y) for (x, y) ~ p(x, y), ``t_marginal`` holds T(x, y) for
(x, y) ~ p(x) p(y). Leading axes are stacked critics. Unit: nats.

References:
    | Mutual Information Neural Estimation (Belghazi et al., 2018), https://arxiv.org/abs/1801.04062
    | Estimating divergence functionals (Nguyen et al., 2010), https://arxiv.org/abs/0809.0853
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = tuple[Tensor, ...]


def log_mean_exp(t: Tensor) -> Tensor:
    """log of the mean of exp(t) over the last axis, without overflow. (..., N) -> (...)."""
    return torch.logsumexp(t, -1) - math.log(t.shape[-1])


def donsker_varadhan(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - log E_q[exp T] <= I(X; Y) (Sec. 2.2, Theorem 1; Eq. 6 and 10), in nats.

    Tight at T = log dP/dQ + C for any constant C. On a finite sample it may exceed I, since
    the log of a mean of few terms is too small.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).

    Returns:
        Shape (...): one value per stacked critic.
    """
    return t_joint.mean(-1) - log_mean_exp(t_marginal)


def f_divergence(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - E_q[exp(T - 1)] <= I(X; Y) (Sec. 2.2, Eq. 8; "MINE-f", also NWJ), in nats.

    Tight at T = 1 + log dP/dQ only; for one T never above `donsker_varadhan`. Shapes as there.
    """
    return t_joint.mean(-1) - torch.exp(t_marginal - 1.0).mean(-1)


def normalised_surrogate(t_joint: Tensor, t_marginal: Tensor, log_normaliser: Tensor) -> Tensor:
    r"""mean T - mean exp(T - c): its gradient is E[grad T] - E[grad T e^T] / e^c.

    The log-normaliser c is a constant of the differentiation (it is detached here). The three
    objectives of the paper differ in c alone.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).
        log_normaliser: c, shape (...).
    """
    c = log_normaliser.detach().unsqueeze(-1)
    return t_joint.mean(-1) - torch.exp(t_marginal - c).mean(-1)


def ema_init(shape: tuple[int, ...], device: torch.device | str = "cpu") -> State:
    """An empty moving average: (log of the weighted sum, log of what weight is still missing)."""
    return torch.full(shape, -torch.inf, device=device), torch.zeros(shape, device=device)


def ema_update(state: State, log_mean: Tensor, rate: Tensor) -> tuple[Tensor, State]:
    r"""One step of the debiased exponential moving average of exp(log_mean), in log space.

    The average is (1 - rate) old + rate new from 0, divided by the weight 1 - (1 - rate)^t that it
    has gathered, so that it is the first batch's mean at the first step and a mean of positive
    terms ever after. Since the newest batch is part of it, no batch's weights exceed 1 / rate.

    Args:
        state: what `ema_init` or the last call gave, each of shape (...).
        log_mean: log of the batch's mean of exp T, shape (...).
        rate: weight of the newest batch, in (0, 1], shape (...).

    Returns:
        The log of the debiased average, shape (...), and the next state.
    """
    log_sum, log_missing = state
    log_keep = torch.log1p(-rate)
    log_sum = torch.logaddexp(log_keep + log_sum, torch.log(rate) + log_mean)
    log_missing = log_missing + log_keep
    log_weight = torch.log(-torch.expm1(log_missing))
    return log_sum - log_weight, (log_sum, log_missing)


@dataclass(frozen=True)
class Objective:
    """What training ascends. Pure: the state that it needs goes in and comes out.

    Attributes:
        surrogate: (t_joint (K, B), t_marginal (K, M), state, rate (K,)) ->
            (surrogate (K,), next state).
        init: (K, device) -> state, a tuple of tensors whose leading axis is K.
    """

    surrogate: Callable[[Tensor, Tensor, State, Tensor], tuple[Tensor, State]]
    init: Callable[[int, torch.device], State] = lambda k, device: ()


def _dv_surrogate(
    t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
) -> tuple[Tensor, State]:
    return normalised_surrogate(t_joint, t_marginal, log_mean_exp(t_marginal)), state


def _f_surrogate(
    t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
) -> tuple[Tensor, State]:
    return f_divergence(t_joint, t_marginal), state


def _mine_surrogate(
    t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
) -> tuple[Tensor, State]:
    log_average, state = ema_update(state, log_mean_exp(t_marginal.detach()), rate)
    return normalised_surrogate(t_joint, t_marginal, log_average), state


DV = Objective(_dv_surrogate)
"""Plain minibatch gradient of DV: c is the batch's log-mean-exp, which biases it (Sec. 3.2)."""

MINE_F = Objective(_f_surrogate)
"""The f-form is its own surrogate (c = 1): an unbiased gradient of a looser bound."""

MINE = Objective(_mine_surrogate, lambda k, device: ema_init((k,), device))
"""The gradient of Eq. 12: c is the log of a moving average of E_B[exp T] (Sec. 3.2)."""
