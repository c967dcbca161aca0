r"""The surrogate that the objectives of the paper share: gradients normalised by e^c.

    mean T - mean e^(T - c)     with the gradient     E[grad T] - E[grad T e^T] / e^c,

where the log-normaliser c is a constant of the differentiation. The objectives differ in c alone:
the batch's log-mean-exp (plain DV), 1 (the f-divergence form), the log of a moving average (MINE,
Eq. 12 of Belghazi et al. 2018, https://arxiv.org/abs/1801.04062).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mine.method.bound import log_mean_exp
from mine.method.objective import Init, Objective, State, stateless


def normalised_surrogate(t_joint: Tensor, t_marginal: Tensor, log_normaliser: Tensor) -> Tensor:
    r"""mean T - mean exp(T - c); c is detached here.

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).
        log_normaliser: c, shape (...).
    """
    c = log_normaliser.detach().unsqueeze(-1)
    return t_joint.mean(-1) - torch.exp(t_marginal - c).mean(-1)


def normalised(
    log_normaliser: Callable[[Tensor, State, Tensor], tuple[Tensor, State]], init: Init = stateless
) -> Objective:
    """The objective of `normalised_surrogate` with this log-normaliser c.

    Args:
        log_normaliser: (log of the batch's mean of exp T (K,), state, rate (K,)) ->
            (c (K,), next state).
        init: the state to start from.
    """

    def surrogate(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, State]:
        c, state = log_normaliser(log_mean_exp(t_marginal.detach()), state, rate)
        return normalised_surrogate(t_joint, t_marginal, c), state

    def closed_form(
        t_joint: Tensor, t_marginal: Tensor, state: State, rate: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        n, m = t_joint.shape[-1], t_marginal.shape[-1]
        # exp(t - c) / m, from the exponentials that the log-mean-exp needs anyway.
        top = t_marginal.amax(-1, keepdim=True)
        exponentials = torch.sub(t_marginal, top).exp_()
        log_scale = top.squeeze(-1) - math.log(m)
        log_mean = exponentials.sum(-1).log_().add_(log_scale)
        c, state = log_normaliser(log_mean, state, rate)
        g_marginal = exponentials.mul_(log_scale.sub_(c).exp_().unsqueeze(-1))
        return torch.full_like(t_joint, -1.0 / n), g_marginal, state

    return Objective(surrogate, closed_form, init)
