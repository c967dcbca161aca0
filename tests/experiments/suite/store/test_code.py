"""The hash of the code: it changes with what makes numbers, and with nothing else."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.suite.store.code import ROOT, bare, code_hash, counted_files, counts, hash_of

NUMBERS = (
    "mine/method/donsker_varadhan.py",
    "mine/running/plan.py",
    "mine/tasks/normal.py",
    "experiments/probes/gibbs.py",
    "experiments/images/tasks.py",
    "experiments/suite/run/jobs.py",
)
NO_NUMBERS = (
    "mine/command/matrix.py",
    "experiments/gaussian.py",
    "experiments/suite/claims/checks.py",
    "experiments/suite/figures/series.py",
    "experiments/suite/report/pages.py",
    "experiments/suite/store/lock.py",
    "experiments/suite/task_tables/findings.py",
    "docs/reproduce.md",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, and of a page of the docs."""
    for name in [*counted_files(ROOT), *NO_NUMBERS]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def changed(checkout: Path, name: str, edit: Callable[[str], str]) -> bool:
    path = checkout / name
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    hash_of.cache_clear()
    return hash_of(checkout) != code_hash()


@pytest.mark.parametrize("name", NUMBERS)
def test_a_line_that_makes_numbers_changes_the_hash(checkout: Path, name: str) -> None:
    assert not changed(checkout, name, lambda text: text)
    assert changed(checkout, name, lambda text: f"{text}\nx = 1\n")


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_figures_claims_report_and_docs_do_not(checkout: Path, name: str) -> None:
    assert not changed(checkout, name, lambda text: f"{text}\nx = 1\n")


def test_comments_docstrings_and_empty_lines_do_not(checkout: Path) -> None:
    def reworded(text: str) -> str:
        return text.replace('"""', '"""In other words: ', 1) + "\n\n# why\n"

    assert not changed(checkout, "mine/method/donsker_varadhan.py", reworded)


def test_a_new_file_that_makes_numbers_changes_the_hash(checkout: Path) -> None:
    (checkout / "mine/method/new.py").write_text("x = 1\n")
    assert changed(checkout, "mine/method/new.py", lambda text: text)


def test_the_code_without_comments_is_the_same_program() -> None:
    """By the parser: what `bare` leaves differs from a source in docstrings alone."""
    for name in counted_files(ROOT):
        source = (ROOT / name).read_text(encoding="utf-8")
        left = bare(source.encode()).decode()
        assert "\n\n" not in left
        assert _program(source) == _program(_with_bodies(source, left)), name


def _with_bodies(source: str, left: str) -> str:
    """`left`, with `pass` where a block had a docstring alone."""
    lines = left.split("\n")
    for i in range(len(lines) - 1, -1, -1):
        indent = len(lines[i]) - len(lines[i].lstrip())
        following = lines[i + 1] if i + 1 < len(lines) else ""
        deeper = len(following) - len(following.lstrip()) > indent
        block = lines[i].lstrip().startswith(("def ", "class ")) and lines[i].endswith(":")
        if block and not deeper:
            lines.insert(i + 1, " " * (indent + 4) + "pass")
    return "\n".join(lines)


def _program(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return alone and isinstance(node.value.value, str)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ('x = "#"  # a\n', 'x = "#"'),
        ("x = '''\n# kept\n'''\n", "x = '''\n# kept\n'''"),
        ('f(\n    "kept"\n)\n', 'f(\n    "kept"\n)'),
        ('"""Dropped."""\nx = "kept"\n', 'x = "kept"'),
        ('x = 1; "kept"\n', 'x = 1; "kept"'),
        ("x = \\\n'kept'\n", "x = \\\n'kept'"),
    ],
)
def test_texts_that_are_values_are_kept(source: str, left: str) -> None:
    assert bare(source.encode()).decode() == left


def test_every_folder_of_an_experiment_counts_unless_it_is_listed() -> None:
    assert counts("experiments/anything/measures.py") and counts("mine/anything.py")
    assert not counts("experiments/anything.py") and not counts("experiments/suite/run/logs.py")
