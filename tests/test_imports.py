"""Rules about the source that neither import-linter nor ruff can say, read without running it.

Each rule maps the source to complaints, one line each. It is applied to the repository, where it
must find nothing, and to small sources that break it, where it must find that. The contracts of
pyproject.toml are tested in test_contracts.py.
"""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mine", "experiments")

TABLES_AND_FIGURES = ("pandas", "pyarrow", "matplotlib", "seaborn")
TABLES_WHERE_USED = ("mine.command", "mine.estimators.pairwise")
"""May import what reads tables and draws, in the function that does."""

RUNNER = (
    "experiments.__main__",
    "experiments.generative",
    "experiments.images.tasks",
    "experiments.probes",
    "experiments.suite.run",
)
"""Turns cells into tasks and methods; the rest of experiments/ works from plain data."""

PRIVATE_TORCH = "mine.private_torch"

TARGETS = ("mine.", "experiments.", "torch.optim.")
TORCH_DRAWS = (
    *("bernoulli", "multinomial", "normal", "poisson", "rand", "randint", "randn", "randperm"),
    *("rand_like", "randint_like", "randn_like"),
)
IN_PLACE_DRAWS = ("uniform_", "normal_", "bernoulli_", "random_", "exponential_", "cauchy_")


# Reading


@dataclass(frozen=True)
class Import:
    """`target` in full; `top` where it runs with the module; `typing` where it never runs."""

    target: str
    line: int
    top: bool
    typing: bool


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    def at(self, node: ast.expr | Import, complaint: str) -> str:
        line = node.line if isinstance(node, Import) else node.lineno
        return f"{self.name}:{line}: {complaint}"

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports([self.tree], top=True, typing=False))

    def _imports(self, nodes: Iterable[ast.AST], top: bool, typing: bool) -> Iterator[Import]:
        for node in nodes:
            for target in self._targets(node):
                yield Import(target, getattr(node, "lineno", 0), top, typing)
            inner = top and not isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            )
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from self._imports(node.body, inner, True)
                yield from self._imports(node.orelse, inner, typing)
            else:
                yield from self._imports(ast.iter_child_nodes(node), inner, typing)

    def _targets(self, node: ast.AST) -> list[str]:
        match node:
            case ast.Import():
                return [alias.name for alias in node.names]
            case ast.ImportFrom():
                return [f"{self._base(node)}.{alias.name}" for alias in node.names]
            case ast.Call(func=called, args=[ast.Constant(value=str(target)), *_]):
                by_name = ast.unparse(called).endswith(("import_module", "__import__"))
                return [target] if by_name else []
        return []

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        package = parts[: len(parts) - node.level + (self.path.name == "__init__.py")]
        return ".".join([*package, node.module] if node.module else package)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Local name -> what was imported under it, anywhere in the module."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.split(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                found |= {a.asname or a.name: f"{base}.{a.name}" for a in node.names}
        return found

    def full_name(self, node: ast.expr) -> str:
        """The dotted name of something imported or built in; "" for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id if hasattr(builtins, node.id) else "")
        if isinstance(node, ast.Attribute) and (base := self.full_name(node.value)):
            return f"{base}.{node.attr}"
        return ""

    def uses(self) -> Iterator[tuple[ast.expr, str]]:
        """Every name that stands for something imported or built in."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute) and (name := self.full_name(node)):
                yield node, name

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call, with the full name of what is called or else the name of the method."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                method = f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else ""
                yield node, self.full_name(node.func) or method


Modules = Mapping[str, Module]


def read(root: Path) -> Modules:
    """Name -> module of every Python file of the packages under `root`."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


@cache
def repository() -> Modules:
    return read(ROOT)


def under(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def package(name: str, modules: Modules) -> Modules:
    return {key: module for key, module in modules.items() if under(key, [name])}


# Rules


def mine_reads_tables_and_draws_where_it_is_asked_to(modules: Modules) -> list[str]:
    def wrong(module: Module, item: Import) -> bool:
        where_used = under(module.name, TABLES_WHERE_USED) and not item.top
        return under(item.target, TABLES_AND_FIGURES) and not (where_used or item.typing)

    return [
        module.at(item, f"imports {item.target}")
        for module in package("mine", modules).values()
        for item in module.imports
        if wrong(module, item)
    ]


def no_module_is_a_drawer_of_leftovers(modules: Modules) -> list[str]:
    leftovers = ("util", "utils", "helpers", "misc", "common")
    return [f"{name}: name it for what it does" for name in modules if name.endswith(leftovers)]


def randomness_is_an_argument(modules: Modules) -> list[str]:
    return [
        module.at(node, f"{name} without a generator that the caller gave")
        for module in package("mine", modules).values()
        for node, name in module.calls()
        if _draws_from_global_state(node, name) and node not in _in_forked_state(module)
    ]


def _in_forked_state(module: Module) -> set[ast.AST]:
    """What stands in `with torch.random.fork_rng()`, which gives the global state back."""
    return {
        inner
        for node in ast.walk(module.tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call)
        and module.full_name(item.context_expr.func) == "torch.random.fork_rng"
        for inner in ast.walk(node)
    }


def _draws_from_global_state(node: ast.Call, name: str) -> bool:
    head, _, last = name.rpartition(".")
    given = any(keyword.arg == "generator" for keyword in node.keywords)
    if head == "torch" and last in TORCH_DRAWS:
        return not given
    return last.endswith(IN_PLACE_DRAWS) and not given


def nothing_runs_what_it_reads(modules: Modules) -> list[str]:
    return [
        module.at(node, f"{name} can run what it reads")
        for module in modules.values()
        for node, name in module.calls()
        if _can_run_what_it_reads(node, name)
    ]


def _can_run_what_it_reads(node: ast.Call, name: str) -> bool:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name == "torch.load":
        return given.get("weights_only") != "True"
    if given.get("allow_pickle", "False") != "False":
        return True
    return name.endswith(".read_pickle")


def one_module_calls_the_private_functions_of_torch(modules: Modules) -> list[str]:
    def private(name: str) -> bool:
        parts = name.split(".")
        hidden = any(part.startswith("_") and not part.startswith("__") for part in parts[1:])
        return parts[0] == "torch" and (hidden or parts[1:2] == ["ops"])

    return [
        module.at(node, f"uses {name}: call it through {PRIVATE_TORCH}")
        for module in modules.values()
        if module.name != PRIVATE_TORCH
        for node, name in [
            *((item, item.target) for item in module.imports),
            *module.uses(),
        ]
        if private(name)
    ]


RULES = [
    mine_reads_tables_and_draws_where_it_is_asked_to,
    no_module_is_a_drawer_of_leftovers,
    randomness_is_an_argument,
    nothing_runs_what_it_reads,
    one_module_calls_the_private_functions_of_torch,
]


def foreign_targets(root: Path) -> list[str]:
    """`_target_`s in configs/ that name something else than mine, experiments or torch.optim.

    Hydra's own plugins are Hydra's to make: a launcher's preset names one, and nothing else may.
    """

    def targets(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [str(value["_target_"])] if "_target_" in value else []
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from targets(inner)

    return [
        f"{path.name}: {target}"
        for path in sorted((root / "configs").rglob("*.yaml"))
        for target in targets(yaml.safe_load(path.read_text(encoding="utf-8")))
        if not target.startswith("hydra_plugins." if path.parent.name == "launcher" else TARGETS)
    ]


# The repository


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Callable[[Modules], list[str]]) -> None:
    if found := rule(repository()):
        pytest.fail("\n".join([f"{rule.__name__}:", *found]), pytrace=False)


def test_the_rules_speak_of_modules_that_exist() -> None:
    modules = repository()
    gone = {*RUNNER, *TABLES_WHERE_USED, PRIVATE_TORCH} - set(modules)
    assert not gone, f"the lists at the top of this file name what is gone: {sorted(gone)}"


def test_configs_name_our_own_targets_and_optimizers_only() -> None:
    assert (ROOT / "configs").is_dir()
    found = foreign_targets(ROOT)
    assert not found, f"a config may name targets in {TARGETS} alone, got {found}"


def test_reporting_loads_no_torch_when_it_runs() -> None:
    """A second road to the rule: import all of it, and look."""
    names = [name for name in package("experiments", repository()) if not under(name, RUNNER)]
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "sys.exit('torch is loaded' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (
        "a file that works from rows alone imports torch: import it in experiments/suite/run, "
        f"probes, generative or images\n{done.stderr}"
    )


# The rules themselves: each finds the source that breaks it


def write(root: Path, files: Mapping[str, str]) -> Modules:
    for name, source in {"mine/__init__.py": "", "experiments/__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read(root)


TABLES = mine_reads_tables_and_draws_where_it_is_asked_to
NAMES = no_module_is_a_drawer_of_leftovers
RANDOM = randomness_is_an_argument
SAFE = nothing_runs_what_it_reads
PRIVATE = one_module_calls_the_private_functions_of_torch

BREACHES = [
    (TABLES, {"mine/estimate.py": "def f():\n    import pandas"}),
    (TABLES, {"mine/command/main.py": "import matplotlib.pyplot as plt"}),
    (TABLES, {"mine/command/main.py": "if True:\n    import pyarrow"}),
    (NAMES, {"mine/utils.py": ""}),
    (NAMES, {"experiments/plot_utils.py": ""}),
    (NAMES, {"experiments/utils/__init__.py": ""}),
    (RANDOM, {"mine/a.py": "import torch\nx = torch.randn(3)"}),
    (RANDOM, {"mine/a.py": "from torch import rand\nwith torch.no_grad():\n    rand(1)"}),
    (RANDOM, {"mine/a.py": "def f(x):\n    x.normal_()"}),
    (RANDOM, {"mine/a.py": "from torch import nn\ndef f(x):\n    nn.init.xavier_uniform_(x)"}),
    (SAFE, {"mine/a.py": "import torch\ntorch.load('x')"}),
    (SAFE, {"mine/a.py": "from torch import load\nload('x', weights_only=False)"}),
    (SAFE, {"mine/a.py": "import numpy as np\nnp.load('x', allow_pickle=True)"}),
    (SAFE, {"experiments/a.py": "import pandas as pd\npd.read_pickle('x')"}),
    (PRIVATE, {"mine/a.py": "import torch\ntorch._fused_adam_([])"}),
    (PRIVATE, {"mine/a.py": "import torch\naten = torch.ops.aten"}),
    (PRIVATE, {"mine/a.py": "from torch import _foreach_copy_"}),
    (PRIVATE, {"experiments/a.py": "from torch import ops\nops.aten.silu"}),
    (PRIVATE, {"experiments/a.py": "import torch._dynamo"}),
    (PRIVATE, {"mine/a.py": "import torch.nn as n\nn.utils._stateless"}),
]


@pytest.mark.parametrize(
    ("rule", "files"),
    BREACHES,
    ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(BREACHES)],
)
def test_a_breach_is_found(
    tmp_path: Path, rule: Callable[[Modules], list[str]], files: dict[str, str]
) -> None:
    assert rule(write(tmp_path, files)) != []


def test_every_rule_has_a_breach() -> None:
    assert {rule for rule, _ in BREACHES} == set(RULES)


def test_what_is_allowed_passes_every_rule(tmp_path: Path) -> None:
    modules = write(
        tmp_path,
        {
            "mine/critics.py": "import torch\nfrom torch import nn\n"
            "def f(net: nn.Module, g):\n"
            "    net.eval()\n"
            "    torch.Generator().manual_seed(1)\n"
            "    with torch.random.fork_rng(devices=[]):\n"
            "        nn.init.normal_(net.weight)\n"
            "    return torch.randn(3, generator=g), torch.empty(3).normal_(generator=g)\n",
            "mine/command/main.py": "def main():\n    import pandas as pd\n",
            "experiments/suite/run/command.py": "import torch\n"
            "torch.load('x', weights_only=True)\n",
        },
    )
    assert {rule.__name__: found for rule in RULES if (found := rule(modules))} == {}
