"""What is estimated, by which training, and how near is near.

Critics and trainings are those of the experiments at scale=default, and so are the tolerances,
which `gaussian` and `equitability` state. Correlations, noise and seeds are others than those that
are reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.equitability import tolerance
from experiments.gaussian import high_tolerance, low_tolerance
from mine.critics.mlp import MLP
from mine.tasks import CorrelatedGaussian, NoiseChannel
from mine.training.settings import Training

RHO = 0.4, 0.6, 0.8
SIGMA = 0.15
ROWS = 5_000
OWN_TOLERANCE = 0.1
FIRST_SEED = 50
SMALL: Any = {"networks": 8, "single": 4, "n_test": 5_000}
"""Of settings whose networks are small; a wide one takes longer, and 20-D needs more test rows."""


@dataclass(frozen=True)
class Setting:
    """One estimation.

    Attributes:
        name: as the table shows it.
        task: where samples come from; it knows the truth.
        training: of the stack and of the careful loop.
        critic: of both, too.
        tolerance: in nats.
        rows: how many there are to train on and to choose by; 0 for fresh samples in every batch.
        networks: seeds that are trained as one stack.
        single: seeds that each single loop trains, one after the other.
        looks: how often the held-out error is measured in a training.
        n_test: held-out samples of each seed.
    """

    name: str
    task: Any
    training: Training
    critic: MLP
    tolerance: float
    rows: int = 0
    networks: int = 4
    single: int = 2
    looks: int = 20
    n_test: int = 10_000

    @property
    def every(self) -> int:
        """Steps between two looks."""
        return max(1, self.training.steps // self.looks)


def _scalar(rho: float) -> Setting:
    return Setting(
        f"scalar, rho {rho}",
        CorrelatedGaussian(1, rho),
        Training(steps=500),
        MLP(),
        low_tolerance(rho),
        **SMALL,
    )


def _high(rho: float) -> Setting:
    task = CorrelatedGaussian(20, rho)
    return Setting(
        f"20-D, rho {rho}",
        task,
        Training(steps=8_000),
        MLP(hidden=(256,)),
        high_tolerance(rho, task.mi),
    )


CUBE = Setting(
    f"x^3, sigma {SIGMA}",
    NoiseChannel("cube", SIGMA, 2),
    Training(steps=3_000, learning_rate=6e-3),
    MLP(hidden=(64, 64), activation="relu"),
    tolerance(SIGMA),
    **SMALL,
)
OWN = Setting(
    f"{ROWS:,} own rows, 5-D, rho 0.6",
    CorrelatedGaussian(5, 0.6),
    Training(),
    MLP(),
    OWN_TOLERANCE,
    rows=ROWS,
    **SMALL,
)
FULL = (*map(_scalar, RHO), *map(_high, RHO), CUBE, OWN)


def _tiny(setting: Setting) -> Setting:
    training = replace(setting.training, steps=4, batch_size=16)
    few = {"networks": 2, "single": 1, "looks": 2, "n_test": 100, "rows": min(setting.rows, 100)}
    return replace(setting, training=training, critic=MLP(hidden=(4,)), **few)


SCALES: Mapping[str, tuple[Setting, ...]] = {
    "full": FULL,
    "tiny": tuple(map(_tiny, (FULL[0], CUBE, OWN))),
}
"""`full` for the page; `tiny` to see whether it runs, in seconds."""
