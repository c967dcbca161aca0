r"""What is measured: shapes of a network's step, how many networks at once, and the targets.

The work of one network-step is counted as the matrix products of the plain network with two hidden
layers of H on the concatenated pair (dx = dy = d), for R = (1 + m) B rows:

    forward             R (2d H + H H + H)
    weights' gradients  R (2d H + H H + H)
    inputs' gradients   R (H H + H)             (the first layer's inputs need none)

multiplications and as many additions, hence twice as many flops. Biases, activations, the loss,
the optimizer and the drawing of samples are not counted: they are what keeps a program from the
machine's peak. Every contender is credited with the same flops, however it computes the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One network's step: H hidden units in each of two layers, B joint pairs of dx = dy = d,
    m marginal samples per joint one."""

    hidden: int
    batch: int
    dim: int
    marginal_samples: int = 1

    def flops(self) -> int:
        """Of one network-step, as counted above."""
        rows = (1 + self.marginal_samples) * self.batch
        inner = self.hidden * self.hidden + self.hidden
        forward = 2 * self.dim * self.hidden + inner
        return 2 * rows * (2 * forward + inner)

    def __str__(self) -> str:
        return f"H={self.hidden} B={self.batch} d={self.dim}"


SMALL, LARGE = Shape(100, 100, 1), Shape(256, 256, 20)
TINY = Shape(8, 16, 1)

FULL: Mapping[Shape, tuple[int, ...]] = {SMALL: (1, 8, 64, 256), LARGE: (8, 32)}
QUICK: Mapping[Shape, tuple[int, ...]] = {TINY: (1, 3)}
"""Shape -> how many networks are stacked."""


@dataclass(frozen=True)
class Target:
    """What the stacked core must reach on 2 cores.

    Attributes:
        shape: the network's step.
        k: networks stacked.
        measure: a ratio of `benchmarks.results.Row`: "vs_careful" and "vs_notebook" (times as
            fast as these), "of_peak" (share of the matrix products' peak), "vs_k64" (network-steps
            a second, relative to those at K = 64).
        least: the least value that reaches the target.
    """

    shape: Shape
    k: int
    measure: str
    least: float


TARGETS = (
    Target(SMALL, 64, "vs_careful", 4.0),
    Target(SMALL, 64, "vs_notebook", 12.0),
    Target(SMALL, 64, "of_peak", 0.4),
    Target(SMALL, 256, "vs_k64", 0.9),
    *(Target(LARGE, k, "vs_careful", 1.0) for k in FULL[LARGE]),
    *(Target(LARGE, k, "of_peak", 2 / 3) for k in FULL[LARGE]),
)
