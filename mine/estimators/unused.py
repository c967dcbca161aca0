"""Options of an estimate that its method does not use: they are refused, not ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mine.critics.mlp import MLP
from mine.method.method import Method
from mine.running.jobs import Job
from mine.training.settings import Training

OF_TRAINING = {f.name for f in fields(Training)}
OF_NETWORK = {f.name for f in fields(MLP)}
OPTIONS = OF_TRAINING | OF_NETWORK | {"k"}
_DEFAULTS: Mapping[str, Any] = {
    **{f.name: f.default for kind in (Training, MLP) for f in fields(kind)},
    "k": Job.k,
    "folds": 1,
}
OF_METHODS = {*_DEFAULTS, "preprocess", "critic"}
"""Options that some methods use and others do not."""


def unused(method: Method, options: Mapping[str, Any]) -> list[str]:
    """The names of the options that the method does not use; None and defaults do not count."""
    asked = [
        name
        for name, value in options.items()
        if name in OF_METHODS and value is not None and value != _DEFAULTS.get(name)
    ]
    return sorted(name for name in asked if not _uses(method, name))


def _uses(method: Method, name: str) -> bool:
    if method.is_direct:
        return name in method.uses
    return name != "k" or any(_uses(of, name) for of in method.on_labels.values())


def check_used(method: Method, options: Mapping[str, Any]) -> None:
    """
    Raises:
        ValueError: the method does not use one of the options.
    """
    if not (found := unused(method, options)):
        return
    names = " and ".join(found)
    if method.taken:
        what = (
            f"{method.name} takes {method.taken} for such rows, which trains nothing and uses "
            f"none: leave {names} out, or name a method that trains, such as mine"
        )
    elif method.is_direct:
        change = ", or change the columns first" * ("preprocess" in found)
        what = f"{method.name} trains nothing and uses none: leave {names} out{change}"
    else:
        what = f"{method.name} uses none: leave {names} out, or take ksg"
    raise ValueError(f"expected options that the method uses, got {names}: {what}")
