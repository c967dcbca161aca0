r"""Training as a classifier of joint and marginal pairs: Jensen-Shannon, and SMILE.

    2 log 2 - E_p[softplus(-T)] - E_q[softplus(T)] <= 2 JS(P, Q)

is, up to the constant, the log-likelihood of telling joint from marginal pairs with the logit T.
It is tight at T = log dP/dQ. It never exceeds 2 log 2 and so says little about a large I; its
critic says the more. Two methods train on it and report another value of that critic, in nats:

- `js`: the bound of Donsker and Varadhan, a lower bound (Hjelm et al. 2019).
- `smile`: E_p[T] - log E_q[clip(e^T, e^-tau, e^tau)] (Song and Ermon 2020). The clip takes away
  most of the partition term's variance, and with it the guarantee: it is neither bound. At
  T = log dP/dQ it is I less the log of what the clip left of 1. Infinite tau is `js`.

References:
    | f-GAN (Nowozin et al., 2016), https://arxiv.org/abs/1606.00709
    | Deep InfoMax (Hjelm et al., 2019), https://arxiv.org/abs/1808.06670
    | Limitations of variational MI estimators (Song and Ermon, 2020),
      https://arxiv.org/abs/1910.06222
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mine.method.bound import log_mean_exp
from mine.method.donsker_varadhan import donsker_varadhan, held_out_donsker_varadhan
from mine.method.held_out import HeldOutValues
from mine.method.method import LOWER, NEITHER, RATIO, SHIFTED, UP_TO_C, Method, check_parameter
from mine.method.objective import ascend


def jensen_shannon(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    r"""2 log 2 - E_p[softplus(-T)] - E_q[softplus(T)] <= 2 JS(P, Q).

    Args:
        t_joint: shape (..., N).
        t_marginal: shape (..., M).

    Returns:
        Shape (...): one value per stacked critic, in nats.
    """
    return 2.0 * math.log(2.0) - softplus(-t_joint).mean(-1) - softplus(t_marginal).mean(-1)


def _minus_gradient(t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    n, m = t_joint.shape[-1], t_marginal.shape[-1]
    return torch.sigmoid(-t_joint).mul_(-1.0 / n), torch.sigmoid(t_marginal).mul_(1.0 / m)


JS = ascend(jensen_shannon, _minus_gradient)


def smile(t_joint: Tensor, t_marginal: Tensor, tau: float = 5.0) -> Tensor:
    r"""E_p[T] - log E_q[clip(exp T, exp(-tau), exp(tau))]. Shapes as in `jensen_shannon`."""
    return donsker_varadhan(t_joint, t_marginal.clamp(-tau, tau))


def held_out_smile(values: HeldOutValues, tau: float) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each."""
    clipped = values.marginal.clamp(-tau, tau)
    weights = (clipped - log_mean_exp(clipped.flatten(1))[:, None, None]).exp()
    return smile(values.joint, values.flat, tau), values.error(values.joint, weights)


def js() -> Method:
    return Method(
        name="js",
        trains="Jensen-Shannon",
        reports="DV",
        kind=LOWER,
        source="Nowozin et al. 2016; Hjelm et al. 2019",
        good_at="stable training at large I, with a lower bound for a value",
        objective=JS,
        bound=donsker_varadhan,
        test=held_out_donsker_varadhan,
        criterion=donsker_varadhan,
        optimum=RATIO,
        valid_at=(RATIO, SHIFTED, UP_TO_C),
    )


def smile_method(tau: float = 5.0) -> Method:
    check_parameter("tau", tau, tau > 0.0, "a number > 0, such as 5")
    return Method(
        name="smile",
        trains="Jensen-Shannon",
        reports="DV with e^T clipped to [e^-tau, e^tau] under the log",
        kind=NEITHER,
        source="Song and Ermon 2020",
        good_at="large I: little variance, for some bias to either side",
        objective=JS,
        bound=partial(smile, tau=tau),
        test=partial(held_out_smile, tau=tau),
        criterion=jensen_shannon,
        optimum=RATIO,
        valid_at=(RATIO,),
    )


METHODS = (js, smile_method)
