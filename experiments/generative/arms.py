"""The arms of a comparison of generators: what stands beside the discriminator's gradient.

gan                 nothing
mine                beta I(G([eps, c]); c), clipped adaptively (Sec. 5.1 of the paper)
mine(clip=0)        the same, not clipped
mine(beta=0.3)      less of it
penalty(weight=1)   a zero-centred gradient penalty on real samples, and no information
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mine.training.arms import Arms


@dataclass(frozen=True)
class Arm:
    """What stands beside the discriminator's gradient.

    Attributes:
        beta: the weight of the information.
        clip: whether its gradient is clipped adaptively.
        penalty: the weight of the gradient penalty.
    """

    beta: float = 0.0
    clip: bool = True
    penalty: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("beta", self.beta), ("weight", self.penalty)):
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"{name} of an arm must be a number >= 0, got {value:g}: give one, such as 1"
                )


def gan() -> Arm:
    return Arm()


def mine(beta: float = 1.0, clip: int = 1) -> Arm:
    return Arm(beta=beta, clip=bool(clip))


def penalty(weight: float = 1.0) -> Arm:
    return Arm(penalty=weight)


ARMS = Arms(gan, mine, penalty)
