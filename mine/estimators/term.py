"""Mutual information as a term of another model's loss: `Term`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from mine.critics.modules import Modules
from mine.data.generators import generator
from mine.data.pairs import Permutations
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.own_job import configured
from mine.estimators.unused import OF_NETWORK, OPTIONS
from mine.method.method import Method
from mine.method.names import METHODS
from mine.method.objective import Objective
from mine.running.devices import resolve_device
from mine.training.ascent import Ascent, make_ascent
from mine.training.state import fits

SETTINGS = OF_NETWORK | {
    *("learning_rate", "optimizer", "betas", "max_grad_norm", "ema_rate", "marginal_samples")
}
"""What a term takes of a training's and a network's settings."""
ANY_ROWS = 1 << 62  # a term learns a batch's size from the batch


class Term:
    """The mutual information of two outputs of your own model, to be maximised or minimised.

    >>> term = mine.Term(dx=2, dy=1)
    >>> for x, y in batches:
    ...     z = encoder(x)
    ...     term.step(z, y)  # the critic follows the encoder: once or more
    ...     loss = task_loss(z) - 0.1 * term(z, y)  # minus keeps information, plus removes it
    ...     loss.backward()

    It holds a critic T(x, y) and an optimizer of its own. `step` trains the critic by the method's
    gradient: MINE's is that of Eq. 12 (Belghazi et al. 2018). Calling the term gives the method's
    value on a batch, in nats, whose gradient goes into x and y and leaves the critic alone. The
    critic goes on from where it is, from call to call.

    Marginal pairs are made within a batch: each x takes the y of other rows, drawn anew at each
    call. Columns are taken as they are: bring them to a scale near 1.

    A value is that of a training batch and of the critic found so far. Where the term is made
    small, the critic must be kept near its best: step several times for each step of the model,
    and judge the end by an independent estimate, such as `estimate` on other rows.

    Args:
        dx: columns of x.
        dy: columns of y.
        method: one of `methods()` that trains a critic, "auto" excepted.
        seed: of the critic's start and of the marginal pairs.
        device: "auto", "cpu" or "cuda". Batches are brought there.
        critic: a function (dx, dy) -> torch.nn.Module, whose forward is (x, y) -> (B,).
        settings: hidden, activation, init, learning_rate, optimizer, betas, max_grad_norm,
            ema_rate, marginal_samples: as of `MLP` and `Training`. With "infonce" the value never
            exceeds log(1 + marginal_samples).

    Raises:
        ValueError: for arguments or batches that cannot be right; it says what to do.
    """

    @with_usual_defaults
    def __init__(
        self,
        dx: int,
        dy: int,
        method: str = "mine",
        seed: int = 0,
        device: str = "auto",
        critic: Callable[[int, int], nn.Module] | None = None,
        **settings: Any,
    ) -> None:
        for name, width in (("dx", dx), ("dy", dy)):
            if type(width) is not int or width < 1:
                raise ValueError(
                    f"{name} must be a whole number >= 1, got {width!r}: give columns"
                )
        found, at = _trainable(method), resolve_device(device)
        _check_settings(settings)
        made = None if critic is None else Modules(critic)
        training, network = configured(made, {"batch_size": ANY_ROWS, **settings})
        self._widths, self._device, self._m = (dx, dy), at, training.marginal_samples
        stack = found.critic(network).stack(dx, dy, [generator(seed, "start", "term")], at)
        self._ascent: Ascent = make_ascent(
            stack,
            cast(Objective, found.objective),
            found.bound,
            training,
            torch.tensor([training.learning_rate]),
            torch.tensor([training.ema_rate]),
        )
        self._generator = generator(seed, "pairs", "term")

    @with_usual_defaults
    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """One step of the critic. Gradients do not go through x and y.

        Args:
            x: (rows, dx); 1-D is one column.
            y: (rows, dy), likewise.

        Returns:
            The value on this batch before the step, in nats, a tensor of no dimension.
        """
        t_joint, t_marginal = self._ascent.ascend(*self._batch(x, y))
        value = self._ascent.reported(t_joint, t_marginal)[0]
        if not torch.isfinite(value):
            raise ValueError(
                f"expected finite values of the critic, got {value.item()}: it has diverged; make "
                "the term anew, with a lower learning_rate, max_grad_norm=1, or columns of a "
                "scale near 1"
            )
        return value

    @with_usual_defaults
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The value on a batch in nats, a tensor of no dimension, differentiable in x and y.

        Call its backward before the next `step`, which changes the critic.

        Args:
            x: (rows, dx); 1-D is one column.
            y: (rows, dy), likewise.
        """
        return self._ascent.bound(*self._batch(x, y))[0]

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of all that the term has learned and of its generator, as tensors by name."""
        named = {name: v.clone() for name, v in self._named().items()}
        return {**named, "generator": self._generator.get_state()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state_dict` of a term with the same arguments returned.

        Raises:
            ValueError: it is another term's.
        """
        fits(self.state_dict(), state)
        try:
            self._generator.set_state(state["generator"].cpu())
        except RuntimeError as error:
            raise ValueError(f"expected a generator's state, got none: {error}") from error
        for name, tensor in self._named().items():
            tensor.copy_(state[name])

    def _named(self) -> dict[str, Tensor]:
        buffers = getattr(self._ascent.critic, "buffers", {})
        return {**self._ascent.named(), **{f"buffer.{n}": b for n, b in buffers.items()}}

    def _batch(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Permutations]:
        """x (1, B, dx), y (1, B, dy) and their marginal pairs."""
        a, b = (self._rows(*of) for of in zip("xy", (x, y), self._widths, strict=True))
        if len(a) != len(b):
            raise ValueError(
                f"x and y must pair up row by row, got {len(a)} and {len(b)} rows: drop the rows "
                "that one of them lacks"
            )
        if len(a) <= self._m:
            raise ValueError(
                f"expected a batch of more rows than marginal_samples={self._m}, got {len(a)}: "
                "each x takes the y of other rows; bring more, or drop the last batch of an epoch"
            )
        index = derangements(len(a), self._m, self._generator).to(self._device)
        return a.unsqueeze(0), b.unsqueeze(0), Permutations.of(index.unsqueeze(0))

    def _rows(self, name: str, v: Tensor, width: int) -> Tensor:
        """A batch's side as float32 (B, width), checked."""
        if not isinstance(v, Tensor) or v.is_complex():
            got = v.dtype if isinstance(v, Tensor) else type(v).__name__
            raise ValueError(
                f"{name} must be a tensor of real numbers, got {got}: torch.as_tensor makes one"
            )
        rows = v.unsqueeze(1) if v.dim() == 1 else v
        if rows.dim() != 2 or rows.shape[1] != width:
            raise ValueError(
                f"{name} must have the shape (rows, {width}), got {tuple(v.shape)}: flatten each "
                f"row, and make the term with as many columns as d{name} says"
            )
        found = rows.to(self._device, torch.float32)
        if not torch.isfinite(found).all():
            raise ValueError(
                f"{name} must be finite as 32-bit numbers, got others among its values: the model "
                "that made them may have diverged"
            )
        return found


def derangements(rows: int, m: int, generator: torch.Generator) -> Tensor:
    """m random partners of each row, all different and never the row itself: (m, rows).

    Cyclic shifts of the rows in random order: a batch may come sorted.
    """
    order = torch.randperm(rows, generator=generator)
    index = torch.empty(m, rows, dtype=torch.int64)
    for shift in range(1, m + 1):
        index[shift - 1, order] = order.roll(-shift)
    return index


def _trainable(name: str) -> Method:
    """The method, whose objective is a term's."""
    method = METHODS.resolve(name)
    if method.objective is None:
        raise ValueError(
            f"expected a method that trains a critic, got {name!r}, which has none to go through: "
            "take mine, infonce or club"
        )
    if method.candidates:
        raise ValueError(
            f"expected a method with one critic, got {name!r}, which chooses between several on "
            "fixed rows: take js, which trains as it does, or mine"
        )
    return method


def _check_settings(settings: Mapping[str, Any]) -> None:
    for name in sorted(set(settings) - SETTINGS):
        known = "a setting of whole trainings" if name in OPTIONS else "unknown"
        raise ValueError(
            f"expected settings among {sorted(SETTINGS)}, got {name!r} ({known}): leave it out"
        )
