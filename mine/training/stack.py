"""What is trained together: K cells of equal shapes, and where their batches come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from mine.critics.protocol import Critic
from mine.data.batches import Batches, block_steps
from mine.data.blocks import draw_block
from mine.method.objective import Objective
from mine.training.settings import Training


@dataclass
class Stack:
    """K cells of equal shapes: their critics, the sources of their batches, and their objective.

    Attributes:
        critic: K stacked critics.
        sources: K sources of joint pairs.
        generators: K generators on the sources' device.
        objective: what training ascends.
        bound: the value that the training curve shows, a function of critic values.
        training: settings; the next two replace those of them that are marked "per cell".
        learning_rate: (K,).
        ema_rate: (K,).
    """

    critic: Critic
    sources: Sequence[Batches]
    generators: Sequence[Generator]
    objective: Objective
    bound: Callable[[Tensor, Tensor], Tensor]
    training: Training
    learning_rate: Tensor
    ema_rate: Tensor

    def block_steps(self) -> int:
        """How many steps' batches are drawn at once."""
        t = self.training
        width = self.sources[0].dim_x + self.sources[0].dim_y
        rows = t.batch_size * (1 + t.marginal_samples * (t.marginal == "independent"))
        return block_steps(rows, width)

    def draw(self, step: int, every: int) -> list[Tensor]:
        """The batches of the next block of steps, each tensor with a leading axis of steps.

        Args:
            step: steps done so far.
            every: where not 0, the block ends at the next multiple of this many steps at the
                latest.
        """
        t = self.training
        steps = min(self.block_steps(), t.steps - step)
        if every:
            steps = min(steps, every - step % every)
        return draw_block(
            self.sources, self.generators, steps, t.batch_size, t.marginal, t.marginal_samples
        )
