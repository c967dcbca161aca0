"""The experiments, found by listing: a new one is in the report as soon as its module exists."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[2]
MAIN = ("gaussian", "equitability")
"""The experiments that the report begins with."""


@cache
def experiment_names() -> tuple[str, ...]:
    """The modules of experiments/ that define cells, figures and claims; read, not imported."""
    wanted = {"cells", "figures", "claims"}
    return tuple(
        path.stem
        for path in sorted(EXPERIMENTS.glob("*.py"))
        if wanted <= set(defined(ast.parse(path.read_bytes())))
    )


def defined(module: ast.Module) -> Iterator[str]:
    """The names of a module's functions, classes and variables."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def experiments_in_order() -> dict[str, ModuleType]:
    """Name -> module: the main ones, those on the paper's sections, those on the follow-ups."""
    modules = {name: importlib.import_module(f"experiments.{name}") for name in experiment_names()}

    def place(name: str) -> tuple[bool, bool, str]:
        paper = str(getattr(modules[name], "PAPER", "~"))
        return name not in MAIN, not paper.startswith("Sec."), paper

    return {name: modules[name] for name in sorted(modules, key=place)}
