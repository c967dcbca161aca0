r"""A critic that starts from the log-ratio of a fitted copula and learns the rest (nats):

    T(x, y) = log-ratio of a copula fitted to the training rows (`elliptical`) + network(x, y)

The network's output layer starts at 0, so that T starts at the fitted log-ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mine.critics.added import StackedAdded
from mine.critics.elliptical import FARTHEST, EllipticalRatio, fit_ratio
from mine.critics.mlp import StackedMLP
from mine.critics.started import Started
from mine.data.pairs import Pairing
from mine.data.sources import Pairs


class Residual(Started):
    """The critic's config."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedResidual:
        return StackedResidual(self.network.stack(dx, dy, generators, device), dx, dy)


class StackedResidual(StackedAdded):
    """K networks, each added to the log-ratio of a copula: see `Residual` and `Critic`.

    Attributes:
        buffers: the fitted log-ratios, with a leading axis K: ``of_x`` (K, dx + 1, dx), ``of_y``
            (K, dy + 1, dy), ``rho`` (K, 1, min(dx, dy)) and ``tail`` (K, 1, 4); see
            `mine.critics.elliptical.EllipticalRatio`. All are 0 until `fit`, and so is the
            log-ratio.
    """

    def __init__(self, network: StackedMLP, dx: int, dy: int) -> None:
        super().__init__(
            network,
            {
                "of_x": (dx + 1, dx),
                "of_y": (dy + 1, dy),
                "rho": (1, min(dx, dy)),
                "tail": (1, 4),
            },
        )
        self._student = True  # whether any cell may have Student's tails

    def fit(self, rows: Sequence[Pairs]) -> None:
        for k, (x, y) in enumerate(rows):
            found = fit_ratio(x.double().cpu().numpy(), y.double().cpu().numpy())
            for name, buffer in self.buffers.items():
                buffer[k].copy_(torch.from_numpy(getattr(found, name)).view_as(buffer[k]))
        self._student = bool((self.buffers["tail"][..., 0] > 0.0).any())

    def without_tails(self) -> None:
        """Leaves Student's tails out, where all are 0: the same values, sooner."""
        self._student = False

    def log_ratios(self, x: Tensor, y: Tensor, pairing: Pairing) -> list[Tensor]:
        return log_ratios(self.buffers, x, y, pairing, self._student)


def elliptical_buffers(of: EllipticalRatio) -> dict[str, Tensor]:
    """The buffers of one cell with this log-ratio, with a leading axis of 1."""
    found = {name: torch.from_numpy(v)[None] for name, v in vars(of).items()}
    return found | {name: found[name].unsqueeze(1) for name in ("rho", "tail")}


def log_ratios(
    buffers: Mapping[str, Tensor], x: Tensor, y: Tensor, pairing: Pairing, student: bool = True
) -> list[Tensor]:
    """Log-ratios of the joint rows, then of each x with its partners: 1 + m times (K, B).

    Args:
        buffers: those of `StackedResidual`.
        x: (K, B, dx).
        y: (K, rows, dy).
        pairing: which y the marginal pairs take.
        student: whether any cell may have Student's tails.
    """
    of_x, of_y, rho, tail = (buffers[name] for name in ("of_x", "of_y", "rho", "tail"))
    r = rho.shape[-1]
    if student:
        x, y = _scores(x, tail), _scores(y, tail)
    a = torch.baddbmm(of_x[:, -1:], x, of_x[:, :-1])
    b = torch.baddbmm(of_y[:, -1:], y, of_y[:, :-1])
    rest = 1.0 - rho.square()
    square, half_log = 0.5 * rho.square() / rest, 0.5 * rest.log().sum(-1)
    related, of_related = a[..., :r], b[..., :r]
    own_x = (square * related.square()).sum(-1) + half_log
    own_y = (square * of_related.square()).sum(-1, keepdim=True)
    related = related * (rho / rest)
    square_y = [b.square().sum(-1, keepdim=True)] if student else []
    extended = pairing.extend(torch.cat([of_related, own_y, *square_y], -1))
    sides = pairing.pair(extended, x.shape[1])
    normal = [(related * side[..., :r]).sum(-1) - own_x - side[..., r] for side in sides]
    if not student:
        return normal
    squares = a.square().sum(-1), [side[..., -1] for side in sides]
    return _of_student(normal, half_log, *squares, tail[..., 0], (x.shape[-1], y.shape[-1]))


def _scores(v: Tensor, tail: Tensor) -> Tensor:
    """`elliptical.scores` of the rows (K, B, d), in the cells whose tails are Student's."""
    inverse, *c = tail.unsqueeze(-1).unbind(2)
    of = inverse.where(inverse > 0.0, torch.ones_like(inverse))
    z = v.clamp(-FARTHEST, FARTHEST)
    square = z.square()
    u = z * (c[0] + square * (c[1] + square * c[2]))
    return (z.sign() * ((of * u.square()).expm1() / of).sqrt()).where(inverse > 0.0, v)


def _of_student(
    normal: Sequence[Tensor],
    half_log: Tensor,
    square_x: Tensor,
    squares_y: Sequence[Tensor],
    inverse: Tensor,
    shape: tuple[int, int],
) -> list[Tensor]:
    """Turns the normal's log-ratios into Student's, in the cells whose tails are Student's.

    Args:
        normal: the normal's log-ratios of the joint rows and of each partner, 1 + m times (K, B).
        half_log: half the log of the determinants' ratio, (K, 1).
        square_x: squared norms of x's variates, (K, B): the same x for all partners.
        squares_y: squared norms of y's variates, 1 + m times (K, B).
        inverse: 1 / nu of each cell, (K, 1); 0 for the normal.
        shape: (dx, dy).
    """
    of = inverse.where(inverse > 0.0, torch.ones_like(inverse))

    def half(columns: int) -> Tensor:
        return 0.5 * (1.0 / of + columns)

    dx, dy = shape
    constant = half(dx + dy).lgamma() + half(0).lgamma() - half(dx).lgamma() - half(dy).lgamma()
    own_x = half(dx) * (of * square_x).log1p()
    found = []
    for t, square_y in zip(normal, squares_y, strict=True):
        square = (square_x + square_y - 2.0 * (t + half_log)).clamp(min=0.0)
        own = own_x + half(dy) * (of * square_y).log1p()
        student = constant - half_log + own - half(dx + dy) * (of * square).log1p()
        found.append(student.where(inverse > 0.0, t))
    return found
