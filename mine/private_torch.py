"""The private functions of torch that `mine` calls, all in this one module.

A later torch may rename or drop any of them. The name here is then a function that raises a
sentence when it is called, so that everything else goes on working. A test fails with the same
sentence (`missing`).
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NoReturn

import torch

USERS = {
    "_foreach_copy_": "mine/training/optimizers.py",
    "_fused_adam_": "mine/training/optimizers.py",
    "_fused_adamw_": "mine/training/optimizers.py",
    "_standard_gamma": "mine/tasks/student.py",
    "ops.aten.elu_backward.grad_input": "mine/critics/activations.py",
    "ops.aten.silu.out": "mine/critics/activations.py",
    "ops.aten.silu_backward.grad_input": "mine/critics/activations.py",
    "ops.aten.threshold_backward.grad_input": "mine/critics/activations.py",
}
"""Name within torch -> the file that calls it."""


def missing(name: str, module: Any = torch) -> str:
    """What to do about a private function that `module` lacks; "" where it is there."""
    try:
        attrgetter(name)(module)
    except AttributeError:
        return f"torch {module.__version__} has no `{name}`: {USERS[name]} must find another way"
    return ""


def _find(name: str, module: Any = torch) -> Any:
    """The function itself, or one that raises what `missing` says."""
    complaint = missing(name, module)
    if not complaint:
        return attrgetter(name)(module)

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(complaint)

    return refuse


foreach_copy_ = _find("_foreach_copy_")
fused_adam_ = _find("_fused_adam_")
fused_adamw_ = _find("_fused_adamw_")
standard_gamma = _find("_standard_gamma")
elu_backward = _find("ops.aten.elu_backward.grad_input")
silu_out = _find("ops.aten.silu.out")
silu_backward = _find("ops.aten.silu_backward.grad_input")
threshold_backward = _find("ops.aten.threshold_backward.grad_input")
