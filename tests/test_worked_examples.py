"""The examples of CONTRIBUTING.md: their files alone add a task, a method and an experiment.

They are written into a copy of the repository. There they keep its style, types and arrows, the
tests of their families find them, and they run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TASK, METHOD = "mine/tasks/pareto.py", "mine/method/brier.py"
EXPERIMENT, CONFIG = "experiments/rates.py", "configs/experiment/rates.yaml"
PYTHON = (TASK, METHOD, EXPERIMENT)


def examples() -> dict[str, str]:
    """The code blocks of CONTRIBUTING.md that name their file in a comment."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|yaml)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    named = [(re.search(r"^# (\S+/\S+)$", block, re.MULTILINE), block) for block in blocks]
    return {name[1]: block for name, block in named if name}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's packages, configs and tests, and the files of the examples."""
    root = tmp_path_factory.mktemp("worked")
    for folder in ("mine", "experiments", "configs", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in examples().items():
        assert not (root / name).exists(), f"{name} is there already: rename the example"
        (root / name).write_text(text, encoding="utf-8")
    return root


def run(root: Path, *command: str) -> str:
    """What Python prints for these arguments, with the packages of the copy."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"mend the example in CONTRIBUTING.md, or what it uses:\n{said}"
    return done.stdout


def test_the_page_has_a_task_a_method_and_an_experiment() -> None:
    assert set(examples()) == {TASK, METHOD, EXPERIMENT, CONFIG}, (
        "name the file of each code block of CONTRIBUTING.md in a comment: '# folder/file.py'"
    )


def test_make_lint_passes(copy: Path) -> None:
    run(copy, "-m", "ruff", "check", "--no-cache", *PYTHON)
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", *PYTHON)
    run(copy, "-m", "mypy", "--follow-imports=silent", *PYTHON)
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run(copy, "-c", program, "--no-cache", "--no-logo")


FAMILIES = {
    "tests/mine/tasks/test_tasks.py": (
        "TestEveryTask::test_mean_log_ratio_on_the_joint_is_mi[Pareto(shape=1.0)]",
        "TestEveryTask::test_plain_data_give_the_task_again[Pareto(shape=1.0)]",
    ),
    "tests/mine/method/test_bound.py": (
        "test_a_bound_gives_one_value_a_stacked_critic[curve of brier]",
    ),
    "tests/mine/method/test_method.py": (
        "test_every_method_finds_a_gaussians_information[brier]",
        "test_a_method_says_what_its_value_is[brier]",
    ),
    "tests/mine/method/test_objective.py": (
        "test_the_descent_is_minus_the_surrogates_gradient[brier]",
    ),
    "tests/experiments/test_claims.py": (
        "test_without_rows_a_claim_is_inconclusive_and_names_no_figure[rates-equal]",
        "test_rows_that_all_failed_decide_nothing[rates-equal]",
        "test_lost_cells_are_drawn[rates]",
    ),
    "tests/experiments/test_configs.py": (
        "test_every_experiment_composes_with_every_scale_into_jobs[rates-paper]",
        "test_every_experiment_runs_to_its_end[rates]",
    ),
}
"""Files that list a family, and some of the tests that they make of a new member."""


def test_the_tests_of_the_families_find_and_pass_them(copy: Path) -> None:
    quiet = ("-p", "no:cacheprovider", "-n", "0", "-v", "--color=no")
    said = run(copy, "-m", "pytest", *quiet, "-k", "Pareto or brier or rates", *FAMILIES)
    passed = {line.partition(" PASSED")[0] for line in said.splitlines() if " PASSED" in line}
    assert passed >= {f"{file}::{test}" for file, tests in FAMILIES.items() for test in tests}


USE_OF_THE_TASK = """
import mine
import torch
from mine.tasks.pareto import Pareto

task = Pareto()
x, y = task.sample(3000, torch.Generator().manual_seed(0))
found = mine.estimate(x, y, method="ksg")
assert abs(found.nats - task.mi) < 4 * found.stderr, found
"""

USE_OF_THE_METHOD = """
import math

import mine
import torch

assert list(mine.methods())[-2:] == ["mixed", "brier"], list(mine.methods())
assert "| `brier` | Brier score | E_p[T] - E_q[e^T] + 1 | lower bound |" in str(mine.methods())
x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
y = x + torch.randn(2000, 1, generator=torch.Generator().manual_seed(1))
for method in ("brier", "brier/infonce"):
    found = mine.estimate(x, y, method=method, steps=500, hidden=(16,), learning_rate=5e-3)
    assert found.method == method
    assert abs(found.nats - 0.5 * math.log(2.0)) < 0.1, found
"""


@pytest.mark.parametrize("use", [USE_OF_THE_TASK, USE_OF_THE_METHOD], ids=["task", "method"])
def test_the_library_has_it(copy: Path, use: str) -> None:
    run(copy, "-c", use)


def test_the_experiment_runs_and_is_in_the_report(copy: Path) -> None:
    small = ("scale=smoke", "scale.seeds=3", "device=cpu")
    run(copy, "-m", "experiments", "experiment=rates", *small)
    run(copy, "-m", "experiments.suite.report", "--outputs", "outputs", "--scale", "smoke")
    outputs = copy / "outputs"
    (claim,) = json.loads((outputs / "claims.json").read_text())
    assert claim["id"] == "rates-equal" and "3 seeds" in claim["measured"]
    assert (outputs / "figures" / "rates.svg").exists()
    rows = (outputs / "results.csv").read_text()
    assert '""learning_rate"": 0.001' in rows and '""learning_rate"": 0.01' in rows
    assert "learning_rate" in (outputs / "report.html").read_text()
