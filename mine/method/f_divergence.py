r"""The f-divergence bound: "MINE-f" of Belghazi et al., NWJ elsewhere.

    F(T) = E_p[T] - E_q[e^(T - 1)] <= I(X; Y)

for every critic T, in nats (Belghazi et al. 2018, Sec. 2.2, Eq. 8); tight at T = 1 + log dP/dQ
only. It is linear in both means: its expectation over finite samples is below I, too, and its
minibatch gradient is unbiased. For one T it is never above the bound of Donsker and Varadhan, by
log a <= a / e; its variance grows with e^I.

References:
    | Estimating divergence functionals (Nguyen et al., 2010), https://arxiv.org/abs/0809.0853
    | MINE (Belghazi et al., 2018), https://arxiv.org/abs/1801.04062
"""

from __future__ import annotations

import torch
from torch import Tensor

from mine.method.held_out import HeldOutValues
from mine.method.method import LOWER, SHIFTED, Method
from mine.method.surrogate import normalised


def f_divergence(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""E_p[T] - E_q[exp(T - 1)] <= I(X; Y).

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return t_joint.mean(-1) - torch.exp(t_marginal - 1.0).mean(-1)


def held_out_f_divergence(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each."""
    weights = (values.marginal - 1.0).exp()
    return f_divergence(values.joint, values.flat), values.error(values.joint, weights)


MINE_F = normalised(lambda log_mean, state, rate: (torch.ones_like(log_mean), state))
"""The f-form is its own surrogate (c = 1): an unbiased gradient of a looser bound."""


def mine_f() -> Method:
    return Method(
        name="mine_f",
        other_names=("nwj",),
        trains="f-divergence form (NWJ)",
        reports="f-divergence form",
        kind=LOWER,
        source="Nguyen et al. 2010; Belghazi et al. 2018",
        good_at="small I: a lower bound on average over samples, but of large variance",
        objective=MINE_F,
        bound=f_divergence,
        test=held_out_f_divergence,
        criterion=f_divergence,
        optimum=SHIFTED,
        valid_at=(SHIFTED,),
    )


METHODS = (mine_f,)
