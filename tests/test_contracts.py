"""The contracts of pyproject.toml find what breaks them: planted imports and calls, by the tools
that `make lint` runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIFTED = {
    "experiments/images/mnist.py",
    "experiments/suite/run/command.py",
    "experiments/suite/run/computing.py",
    "experiments/suite/run/jobs.py",
    "experiments/suite/run/progress.py",
    "experiments/suite/run/provenance.py",
    "experiments/suite/run/running.py",
}
"""The files that may read clock or environment, start programs, or use Hydra's own calls."""


def planted(root: Path, files: Mapping[str, str]) -> None:
    """A copy of the packages in which these files have these lines more."""
    for package in ("benchmarks", "experiments", "mine"):
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, line in files.items():
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """What `make lint` says of the imports of the packages there."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--no-logo"],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


IMPORTS = {
    "a critic imports the training": {
        "mine/critics/densities.py": "import mine.training.loop",
    },
    "a new module imports the command": {
        "mine/data/new.py": "import mine.command.main",
    },
    "a new module has no layer": {"mine/new.py": ""},
    "a task imports data": {"mine/tasks/task.py": "def f():\n    import mine.data.pairs"},
    "an import for types alone counts": {
        "mine/data/pairs.py": "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import mine.critics.mlp",
    },
    "two modules of one folder import each other": {
        "mine/tasks/task.py": "import mine.tasks.normal",
    },
    "mine imports Hydra": {"mine/data/pairs.py": "def f():\n    from omegaconf import OmegaConf"},
    "mine imports the benchmarks": {"mine/data/pairs.py": "import benchmarks.cases"},
    "mine imports the experiments": {"mine/data/pairs.py": "import experiments.suite.store"},
    "the suite imports an experiment": {
        "experiments/suite/report/status.py": "import experiments.gaussian",
    },
    "the store imports the runner": {
        "experiments/suite/store/lock.py": "import experiments.suite.run.signals",
    },
    "a new role has no layer": {"experiments/suite/new.py": ""},
    "the report reaches torch": {
        "experiments/suite/report/status.py": "def f():\n    import torch",
    },
    "an experiment reaches torch by way of mine": {
        "experiments/gaussian.py": "def f():\n    from mine import estimate",
    },
    "a new experiment reaches torch": {"experiments/new.py": "from torch import Tensor"},
}


@pytest.mark.parametrize("files", IMPORTS.values(), ids=IMPORTS)
def test_make_lint_finds_the_planted_import(tmp_path: Path, files: Mapping[str, str]) -> None:
    planted(tmp_path, files)
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_make_lint_finds_nothing_in_a_new_experiment(tmp_path: Path) -> None:
    planted(tmp_path, {"experiments/new.py": "from experiments.suite.grid.cells import Cell"})
    done = lint_imports(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


CALLS = [
    "import time\n\ntime.perf_counter()",
    "from os import environ\n\nenviron['A']",
    "import os\n\nos.getenv('A')",
    "from datetime import datetime\n\ndatetime.now()",
    "import subprocess\n\nsubprocess.run(['git'])",
    "import torch\n\ntorch.manual_seed(0)",
    "from torch import cuda as c\n\nc.manual_seed_all(0)",
    "import numpy as np\n\nnp.random.seed(0)",
    "import numpy as np\n\nx = np.random.randn(3)",
    "from numpy import random\n\nrandom.shuffle([])",
    "from random import shuffle\n\nshuffle([])",
    "eval('1')",
    "exec('1')",
    "def f():\n    import pickle",
    "from joblib import load",
    "import yaml\n\nyaml.load('x', yaml.Loader)",
    "import hydra\n\n\n@hydra.main(config_path=None)\ndef f(c): ...",
    "from hydra.utils import instantiate\n\ninstantiate({})",
]


@pytest.mark.parametrize("code", CALLS)
@pytest.mark.parametrize("folder", ["mine", "experiments/suite/report"])
def test_make_lint_finds_the_planted_call(tmp_path: Path, folder: str, code: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / folder / "new.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"{code}\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251,S,NPY002", path],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_ban_is_lifted_in_these_files_alone() -> None:
    lifted = {
        path.relative_to(ROOT).as_posix()
        for package in ("mine", "experiments")
        for path in (ROOT / package).rglob("*.py")
        if "noqa: TID251" in path.read_text(encoding="utf-8")
    }
    assert not lifted - LIFTED, (
        f"'noqa: TID251' stands in {sorted(lifted - LIFTED)}: take the clock, the environment or "
        "the program's output as an argument; where that cannot be, add the file to LIFTED"
    )
    assert not LIFTED - lifted, (
        f"no 'noqa: TID251' is left in {sorted(LIFTED - lifted)}: take these off LIFTED"
    )
