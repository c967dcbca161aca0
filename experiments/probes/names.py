"""The methods by name, with what experiments measure of a critic on the right of a pair:

    mine/constant                        log E_q[e^T] of the critic (experiments drift, tightness)
    mine/gibbs                           KL(P || G), by quadrature (experiment tightness)
    mine/gradient(batch=16, rate=0.1)    the bias of a minibatch gradient (experiment bias)

The last two need a task whose densities are known, not a user's rows.
"""

from __future__ import annotations

from experiments.probes.constant import constant
from experiments.probes.gibbs import gibbs
from experiments.probes.gradient import gradient
from mine.method.names import METHODS as ESTIMATORS

METHODS = ESTIMATORS.beside(constant, gibbs, gradient)
