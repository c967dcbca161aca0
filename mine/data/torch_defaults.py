"""The caller's defaults of torch, out of the way: a library's numbers must not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def usual_defaults() -> Iterator[None]:
    """float32 on the CPU, as torch starts with; then again what the caller had set."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        if torch.get_default_device().type == "cpu":
            yield
        else:
            with torch.device("cpu"):
                yield
    finally:
        torch.set_default_dtype(dtype)


def with_usual_defaults(function: Callable[P, R]) -> Callable[P, R]:
    """The function, called under `usual_defaults`."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with usual_defaults():
            return function(*args, **kwargs)

    return called
