r"""The constant of a critic: log E_q[e^T], which is C at T = log dP/dQ + C (nats).

The bound of Donsker and Varadhan is the same at T and at T + c, so that training may let C drift
(Choi and Lee, "Regularized Mutual Information Neural Estimation", 2020,
https://arxiv.org/abs/2011.07932). It is no estimate of I.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mine.method.bound import log_mean_exp
from mine.method.donsker_varadhan import mine
from mine.method.held_out import HeldOutValues
from mine.method.method import NEITHER, Method


def log_partition(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """log E_q[e^T], in nats. Shapes as in `donsker_varadhan`."""
    return log_mean_exp(t_marginal)


def held_out_log_partition(values: HeldOutValues) -> tuple[Tensor, Tensor]:
    """The value and its standard error, (K,) each."""
    log_mean = log_mean_exp(values.flat)
    weights = (values.marginal - log_mean[:, None, None]).exp()
    return log_mean, values.error(torch.zeros_like(values.joint), weights)


def constant() -> Method:
    """The value of a pair alone: what training does to the constant that its bound leaves free."""
    return replace(
        mine(),
        name="constant",
        reports="log E_q[e^T], the constant of T",
        kind=NEITHER,
        source="Choi and Lee 2020",
        good_at="",
        bound=log_partition,
        test=held_out_log_partition,
    )
