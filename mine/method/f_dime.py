r"""f-DIME: the mean log-ratio on joint pairs, of a critic trained on an f-divergence.

    E_p[T] - offset,    for a T that estimates offset + log dP/dQ    (nats).

It is neither bound: exact at the optimal critic, and as far off elsewhere as T is. It has no
partition term, so that its variance on N samples is Var(log dP/dQ) / N, however large I is. The
methods differ in the divergence that they train on:

- `dime_kl`: the f-divergence form, offset 1.
- `dime_gan`: Jensen-Shannon, offset 0.
- `dime_hellinger`: 2 - E_p[e^(-T/2)] - E_q[e^(T/2)] <= H^2(P, Q) = int (sqrt dP - sqrt dQ)^2,
  tight at T = log dP/dQ, offset 0 (Nowozin et al. with T = -2 log(1 - v)).

References:
    | f-DIME (Letizia et al., 2024), https://arxiv.org/abs/2305.20025
    | f-GAN (Nowozin et al., 2016), https://arxiv.org/abs/1606.00709
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from mine.method.f_divergence import MINE_F, f_divergence
from mine.method.held_out import HeldOutValues, Influence
from mine.method.jensen_shannon import JS, jensen_shannon
from mine.method.method import NEITHER, RATIO, SHIFTED, Method
from mine.method.objective import ascend


def mean_log_ratio(t_joint: Tensor, t_marginal: Tensor, offset: float = 0.0) -> Tensor:
    r"""E_p[T] - offset.

    Args:
        t_joint: shape (..., N).
        t_marginal: not looked at.
        offset: 0 for critics of `jensen_shannon` and `hellinger`, 1 for those of `f_divergence`.

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - offset


def held_out_mean_log_ratio(values: HeldOutValues, offset: float) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each."""
    n = values.joint.shape[-1]
    rows = (values.joint - values.joint.mean(-1, keepdim=True)) * (n / (n - 1)) ** 0.5
    error = values.spread_of(Influence(rows, torch.zeros_like(values.marginal)))
    return mean_log_ratio(values.joint, values.flat, offset), error


def hellinger(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""2 - E_p[exp(-T / 2)] - E_q[exp(T / 2)] <= H^2(P, Q). (..., N), (..., M) -> (...)."""
    return 2.0 - torch.exp(-t_joint / 2.0).mean(-1) - torch.exp(t_marginal / 2.0).mean(-1)


def _minus_gradient(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.exp(-t_joint / 2.0).mul_(-0.5 / n), torch.exp(t_marginal / 2.0).mul_(0.5 / m)


HELLINGER = ascend(hellinger, _minus_gradient)


def dime_kl() -> Method:
    return Method(
        name="dime_kl",
        trains="f-DIME, KL: the f-divergence form",
        reports="mean log-ratio on joint pairs, E_p[T] - 1",
        kind=NEITHER,
        source="Letizia et al. 2024",
        good_at="beside mine_f: the same critic, a value without a partition term",
        objective=MINE_F,
        bound=partial(mean_log_ratio, offset=1.0),
        test=partial(held_out_mean_log_ratio, offset=1.0),
        criterion=f_divergence,
        optimum=SHIFTED,
        valid_at=(SHIFTED,),
    )


def dime_gan() -> Method:
    return Method(
        name="dime_gan",
        other_names=("f_dime",),
        trains="f-DIME, GAN: Jensen-Shannon",
        reports="mean log-ratio on joint pairs, E_p[T]",
        kind=NEITHER,
        source="Letizia et al. 2024",
        good_at="large I: the variance does not grow with e^I; no guarantee either way",
        objective=JS,
        bound=mean_log_ratio,
        test=partial(held_out_mean_log_ratio, offset=0.0),
        criterion=jensen_shannon,
        optimum=RATIO,
        valid_at=(RATIO,),
    )


def dime_hellinger() -> Method:
    return Method(
        name="dime_hellinger",
        trains="f-DIME, squared Hellinger",
        reports="mean log-ratio on joint pairs, E_p[T]",
        kind=NEITHER,
        source="Letizia et al. 2024",
        good_at="small to middling I: its weights grow as e^(T/2), not as e^T",
        objective=HELLINGER,
        bound=mean_log_ratio,
        test=partial(held_out_mean_log_ratio, offset=0.0),
        criterion=hellinger,
        optimum=RATIO,
        valid_at=(RATIO,),
    )


METHODS = (dime_gan, dime_kl, dime_hellinger)
