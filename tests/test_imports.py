"""Who may import whom, and who may do what: rules about the source, read without running it.

Each rule maps the source to complaints, one line each. It is applied to the repository, where it
must find nothing, and to small sources that break it, where it must find that.
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

FOREIGN_TO_MINE = ("experiments", "benchmarks", "tests", "hydra", "omegaconf")
TABLES_AND_FIGURES = ("pandas", "pyarrow", "matplotlib", "seaborn")
CLI = ("mine.command.main", "mine.command.output", "mine.command.tables")
"""The command, and what it alone uses."""
TABLES_WHERE_USED = (*CLI, "mine.estimators.pairwise")
"""May import what reads tables and draws, in the function that does."""

RUNNER = (
    "experiments.images.tasks",
    "experiments.probes",
    "experiments.suite.run.command",
    "experiments.suite.run.tally",
    "experiments.__main__",
)
"""Turns cells into tasks and estimators; the rest of experiments/ works from plain data."""

CLOCK_READERS = (
    *RUNNER,
    "experiments.suite.store.runs",
    "experiments.suite.store.lock",
    "experiments.images.data",
)
"""What these have that reads the clock, git and the environment is the runner's to call."""

TARGETS = ("mine.", "experiments.", "torch.optim.")
NUMPY_GENERATORS = ("Generator", "SeedSequence", "default_rng", "PCG64", "PCG64DXSM", "Philox")
TORCH_STATE = ("manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state")
TORCH_DRAWS = (
    *("bernoulli", "multinomial", "normal", "poisson", "rand", "randint", "randn", "randperm"),
    *("rand_like", "randint_like", "randn_like"),
)
IN_PLACE_DRAWS = ("uniform_", "normal_", "bernoulli_", "random_", "exponential_", "cauchy_")
UNSAFE_READERS = ("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")


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


def enclosing(target: str, modules: Modules) -> list[str]:
    """The modules that run when `target` is imported: the packages around it, then itself."""
    parts = target.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return [name for name in names if name in modules]


def loads(name: str, modules: Modules) -> list[str]:
    """What importing `name` may run, in the repository and just outside of it."""
    targets = [item.target for item in modules[name].imports if not item.typing]
    return [loaded for target in targets for loaded in (*enclosing(target, modules), target)]


def reach(
    start: str, modules: Modules, step: Callable[[str, Modules], list[str]]
) -> dict[str, str]:
    """What can be reached from `start` in one step or more -> the way there."""
    found: dict[str, str] = {}
    queue = [(start, start)]
    while queue:
        name, way = queue.pop()
        for target in step(name, modules):
            if target not in found:
                found[target] = f"{way} -> {target}"
                if target in modules:
                    queue.append((target, found[target]))
    return found


def package(name: str, modules: Modules) -> Modules:
    return {key: module for key, module in modules.items() if under(key, [name])}


# Rules


def mine_knows_nothing_of_the_experiments(modules: Modules) -> list[str]:
    def wrong(module: Module, item: Import) -> bool:
        if under(item.target, FOREIGN_TO_MINE):
            return True
        where_used = under(module.name, TABLES_WHERE_USED) and not item.top
        return under(item.target, TABLES_AND_FIGURES) and not (where_used or item.typing)

    return [
        module.at(item, f"imports {item.target}")
        for module in package("mine", modules).values()
        for item in module.imports
        if wrong(module, item)
    ]


def drawing_and_reporting_never_reach_torch(modules: Modules) -> list[str]:
    return [
        f"{name} must not reach {goal}: {way}"
        for name in package("experiments", modules)
        if not under(name, RUNNER)
        for goal, way in reach(name, modules, loads).items()
        if under(goal, ["torch"]) or _at_the_front_door(goal, modules)
    ] + [
        module.at(node, f"{name} loads torch when it is first asked for")
        for module in package("experiments", modules).values()
        if not under(module.name, RUNNER)
        for node, name in module.uses()
        if _at_the_front_door(name, modules)
    ]


def _at_the_front_door(name: str, modules: Modules) -> bool:
    """Whether `name` is one of mine's lazy names, which load torch when first asked for."""
    if not name.startswith("mine.") or name == "mine.__version__":
        return False
    return enclosing(name, modules) == ["mine"]


def only_the_runner_is_a_hydra_program(modules: Modules) -> list[str]:
    return [
        module.at(node, f"uses {name}")
        for module in modules.values()
        if module.name != "experiments.suite.run.command"
        for node, name in module.uses()
        if name in ("hydra.main", "hydra.main.main")
    ]


def one_place_calls_instantiate(modules: Modules) -> list[str]:
    places = [
        module.at(node, f"calls {name}")
        for module in modules.values()
        for node, name in module.calls()
        if name in ("hydra.utils.instantiate", "hydra.utils.call")
    ]
    return places[1:]


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
    if head == "numpy.random":
        return last not in NUMPY_GENERATORS
    if head == "random":
        return last != "Random"
    if under(head, ["torch"]) and last in TORCH_STATE:
        return True
    if head == "torch" and last in TORCH_DRAWS:
        return not given
    return last.endswith(IN_PLACE_DRAWS) and not given


def nothing_runs_what_it_reads(modules: Modules) -> list[str]:
    return [
        module.at(node, f"{name} can run what it reads")
        for module in modules.values()
        for node, name in module.calls()
        if _can_run_what_it_reads(node, name)
    ] + [
        module.at(item, f"imports {item.target}")
        for module in modules.values()
        for item in module.imports
        if under(item.target, UNSAFE_READERS)
    ]


def _can_run_what_it_reads(node: ast.Call, name: str) -> bool:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name == "torch.load":
        return given.get("weights_only") != "True"
    if given.get("allow_pickle", "False") != "False":
        return True
    unsafe_yaml = ("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load")
    return name in ("eval", "exec", *unsafe_yaml) or name.endswith(".read_pickle")


def only_the_runner_reads_clock_git_and_environment(modules: Modules) -> list[str]:
    clocks = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    return [
        module.at(node, f"uses {name}")
        for module in modules.values()
        if not under(module.name, CLOCK_READERS)
        for node, name in module.uses()
        if name.startswith(("time.", "subprocess.", "os.environ", "os.getenv"))
        or name.endswith(clocks)
    ]


RULES = [
    mine_knows_nothing_of_the_experiments,
    drawing_and_reporting_never_reach_torch,
    only_the_runner_is_a_hydra_program,
    one_place_calls_instantiate,
    no_module_is_a_drawer_of_leftovers,
    randomness_is_an_argument,
    nothing_runs_what_it_reads,
    only_the_runner_reads_clock_git_and_environment,
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
    assert rule(repository()) == []


def test_the_rules_speak_of_modules_that_exist() -> None:
    modules = repository()
    assert {*RUNNER, *CLOCK_READERS, *TABLES_WHERE_USED} - set(modules) == set()


def test_configs_name_our_own_targets_and_optimizers_only() -> None:
    assert (ROOT / "configs").is_dir()
    assert foreign_targets(ROOT) == []


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
    assert done.returncode == 0, done.stderr


# The rules themselves: each finds the source that breaks it


def write(root: Path, files: Mapping[str, str]) -> Modules:
    for name, source in {"mine/__init__.py": "", "experiments/__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read(root)


KNOWS = mine_knows_nothing_of_the_experiments
TORCH = drawing_and_reporting_never_reach_torch
HYDRA = only_the_runner_is_a_hydra_program
ONCE = one_place_calls_instantiate
NAMES = no_module_is_a_drawer_of_leftovers
RANDOM = randomness_is_an_argument
SAFE = nothing_runs_what_it_reads
CLOCK = only_the_runner_reads_clock_git_and_environment

BREACHES = [
    (KNOWS, {"mine/bounds.py": "import hydra"}),
    (KNOWS, {"mine/bounds.py": "def f():\n    from omegaconf import OmegaConf"}),
    (KNOWS, {"mine/training.py": "from experiments.store import Run"}),
    (KNOWS, {"mine/a/b.py": "import importlib\nimportlib.import_module('experiments')"}),
    (KNOWS, {"mine/estimators/estimate.py": "def f():\n    import pandas"}),
    (KNOWS, {"mine/cli.py": "import matplotlib.pyplot as plt"}),
    (KNOWS, {"mine/cli.py": "if True:\n    import pyarrow"}),
    (TORCH, {"experiments/new.py": "import torch.nn.functional as F"}),
    (TORCH, {"experiments/report.py": "def f():\n    from torch import Tensor"}),
    (TORCH, {"experiments/cells.py": "import importlib\nimportlib.import_module('torch')"}),
    (TORCH, {"experiments/claims.py": "import mine", "mine/__init__.py": "import torch"}),
    (
        TORCH,
        {
            "experiments/claims.py": "import mine.light",
            "mine/light.py": "",
            "mine/__init__.py": "import torch",
        },
    ),
    (
        TORCH,
        {
            "experiments/figures.py": "from experiments import run",
            "experiments/run.py": "import torch",
        },
    ),
    (TORCH, {"experiments/__init__.py": "import torch"}),
    (TORCH, {"experiments/claims.py": "def f():\n    from mine import estimate"}),
    (TORCH, {"experiments/claims.py": "import mine as m\ndef f():\n    m.estimate()"}),
    (
        HYDRA,
        {"experiments/report.py": "import hydra\n@hydra.main(config_path=None)\ndef f(c): ..."},
    ),
    (
        HYDRA,
        {"experiments/report.py": "from hydra import main as program\n@program()\ndef f(c): ..."},
    ),
    (
        ONCE,
        {
            "experiments/run.py": "from hydra.utils import instantiate\ninstantiate({})",
            "experiments/report.py": "import hydra\nhydra.utils.instantiate({})",
        },
    ),
    (
        ONCE,
        {"experiments/run.py": "import hydra.utils as u\nu.instantiate({})\nu.instantiate({})"},
    ),
    (NAMES, {"mine/utils.py": ""}),
    (NAMES, {"experiments/plot_utils.py": ""}),
    (NAMES, {"experiments/utils/__init__.py": ""}),
    (RANDOM, {"mine/a.py": "import torch\ntorch.manual_seed(0)"}),
    (RANDOM, {"mine/a.py": "from torch import cuda as c\nc.manual_seed_all(0)"}),
    (RANDOM, {"mine/a.py": "import torch\nx = torch.randn(3)"}),
    (RANDOM, {"mine/a.py": "import torch\nwith torch.no_grad():\n    torch.manual_seed(1)"}),
    (RANDOM, {"mine/a.py": "def f(x):\n    x.normal_()"}),
    (RANDOM, {"mine/a.py": "from torch import nn\ndef f(x):\n    nn.init.xavier_uniform_(x)"}),
    (RANDOM, {"mine/a.py": "import numpy as np\nnp.random.seed(0)"}),
    (RANDOM, {"mine/a.py": "import numpy as np\nx = np.random.randn(3)"}),
    (RANDOM, {"mine/a.py": "from numpy import random\nrandom.shuffle([])"}),
    (RANDOM, {"mine/a.py": "from random import shuffle\nshuffle([])"}),
    (SAFE, {"mine/a.py": "eval('1')"}),
    (SAFE, {"experiments/a.py": "exec('1')"}),
    (SAFE, {"mine/a.py": "def f():\n    import pickle"}),
    (SAFE, {"mine/a.py": "from joblib import load"}),
    (SAFE, {"mine/a.py": "import torch\ntorch.load('x')"}),
    (SAFE, {"mine/a.py": "from torch import load\nload('x', weights_only=False)"}),
    (SAFE, {"mine/a.py": "import numpy as np\nnp.load('x', allow_pickle=True)"}),
    (SAFE, {"experiments/a.py": "import pandas as pd\npd.read_pickle('x')"}),
    (SAFE, {"experiments/a.py": "import yaml\nyaml.load('x', yaml.Loader)"}),
    (CLOCK, {"mine/a.py": "import time\ntime.perf_counter()"}),
    (CLOCK, {"mine/a.py": "from os import environ\nenviron['A']"}),
    (CLOCK, {"experiments/report.py": "from datetime import datetime\ndatetime.now()"}),
    (CLOCK, {"experiments/cells.py": "import subprocess\nsubprocess.run(['git'])"}),
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
            "mine/__init__.py": "from mine.estimators import estimate",
            "mine/bounds.py": "import torch\n",
            "mine/critics.py": "import torch\nfrom torch import nn\n"
            "def f(net: nn.Module, g):\n"
            "    net.eval()\n"
            "    torch.Generator().manual_seed(1)\n"
            "    with torch.random.fork_rng(devices=[]):\n"
            "        torch.random.set_rng_state(g.get_state())\n"
            "    return torch.randn(3, generator=g), torch.empty(3).normal_(generator=g)\n",
            "mine/training.py": "from mine.bounds import dv\nfrom . import critics\n",
            "mine/estimators.py": "import numpy as np\nfrom mine import training\n"
            "rng = np.random.default_rng(0)\nrng.normal()\n",
            "mine/command/main.py": "from mine import estimators\ndef main():\n    import pandas as pd\n",
            "experiments/cells.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from torch import Tensor\n",
            "experiments/gaussian.py": "from experiments.cells import Cell\n"
            "def figures(rows, time):\n    import seaborn\n    time.sleep\n",
            "experiments/suite/run/command.py": "import time, hydra, torch, mine\n"
            "from experiments import gaussian\n"
            "@hydra.main()\ndef main(c):\n    hydra.utils.instantiate(c)\n    time.time()\n"
            "    torch.load('x', weights_only=True)\n",
        },
    )
    assert {rule.__name__: found for rule in RULES if (found := rule(modules))} == {}


def test_a_foreign_target_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "task"
    folder.mkdir(parents=True)
    (folder / "good.yaml").write_text("optimizer: {_target_: torch.optim.Adam}")
    assert foreign_targets(tmp_path) == []
    (folder / "bad.yaml").write_text("a: [{b: {_target_: os.system}}]")
    assert foreign_targets(tmp_path) == ["bad.yaml: os.system"]
