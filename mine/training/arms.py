"""Arms of a comparison by name: "gan", "mine", "mine(beta=0.3, clip=0)".

An arm is a function whose parameters have numbers as defaults. It returns a frozen dataclass of
plain numbers, from which a model makes tensors with one entry a cell (`per_cell`).

    def gan() -> Arm: ...
    def mine(beta: float = 1.0, clip: int = 1) -> Arm: ...

    ARMS = Arms(gan, mine)
    ARMS.resolve("mine(beta=0.3)")
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from mine.method.names import assignments

A = TypeVar("A")


class Arms(Generic[A]):
    """Arms by the names of their functions."""

    def __init__(self, *makers: Callable[..., A]) -> None:
        self.makers = {maker.__name__: maker for maker in makers}

    def resolve(self, spelling: str) -> A:
        """The arm of this name.

        Raises:
            ValueError: there is none, or its parameters cannot be right.
        """
        matched = re.fullmatch(r"(\w+)(?:\((.*)\))?", spelling.strip())
        if not matched or matched[1] not in self.makers:
            raise ValueError(
                f"expected an arm among {list(self.makers)}, got {spelling!r}: take one of them"
            )
        maker = self.makers[matched[1]]
        known = {p.name: p.default for p in inspect.signature(maker).parameters.values()}
        return maker(**assignments(spelling, matched[2] or "", known))


def per_cell(values: Iterable[float], device: torch.device | str) -> Tensor:
    """One number a cell, (K,)."""
    return torch.tensor([float(value) for value in values], device=device)
