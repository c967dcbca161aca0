"""docs/own-data.ipynb: its code runs, in small; its outputs are stored; its options are known.

Nothing here needs Jupyter: a notebook is JSON.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import mine
from mine.sklearn import mutual_info

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTEBOOK, PAGE = DOCS / "own-data.ipynb", DOCS / "own-data.md"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
PROSE = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
SOURCES = ["".join(cell["source"]) for cell in CODE]

OVERRIDES = {f.name for of in (mine.Training, mine.MLP) for f in fields(of)} | {"k"}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mine.estimate": mine.estimate,
    "mine.estimate_many": mine.estimate_many,
    "mine.pairwise": mine.pairwise,
    "mine.conditional": mine.conditional,
    "mutual_info": mutual_info,
}


def parameters(function: Callable[..., Any]) -> set[str]:
    """The names of all but `**overrides`."""
    found = inspect.signature(function).parameters.values()
    return {one.name for one in found if one.kind is not one.VAR_KEYWORD}


def options_given(code: str) -> Iterator[tuple[str, str]]:
    """(function, option) of calls, also of those that `partial` prepares; `**options` are left
    to the run."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "partial":
                called = ast.unparse(node.args[0])
            yield from ((called, option.arg) for option in node.keywords if option.arg)


def images(cell: dict[str, Any]) -> list[bytes]:
    found = [output.get("data", {}).get("image/png") for output in cell["outputs"]]
    return [base64.b64decode("".join(one)) for one in found if one]


# ----------------------------------------------------------------------- tests


def test_all_code_runs_in_small(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    run_in_small: Callable[[str, dict[str, Any]], None],
) -> None:
    import matplotlib
    import matplotlib.pyplot as plt

    drawn = []

    def show() -> None:
        for number in plt.get_fignums():
            drawn.append(number)
            plt.figure(number).canvas.draw()
        plt.close("all")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", show)
    with matplotlib.rc_context():
        names: dict[str, Any] = {}
        for source in SOURCES:
            run_in_small(source, names)
    assert len(drawn) == sum("plt.show()" in source for source in SOURCES) > 4
    assert "the same log-ratios: True" in capsys.readouterr().out
    assert not list(tmp_path.iterdir()), "the notebook leaves files"


def test_outputs_are_stored_in_order_and_without_errors() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell, source in zip(CODE, SOURCES, strict=True):
        kinds = {output["output_type"] for output in cell["outputs"]}
        assert kinds and "error" not in kinds
        assert not [out for out in cell["outputs"] if out.get("name") == "stderr"]
        assert len(images(cell)) == source.count("plt.show()")
        assert all(png.startswith(b"\x89PNG") for png in images(cell))


def test_the_file_is_small_and_names_no_place_of_its_making() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 500_000
    assert str(Path.home()) not in text and str(DOCS.parent) not in text
    assert '"iopub' not in text


def test_every_figure_has_labels_on_its_axes() -> None:
    for source in SOURCES:
        assert source.count("plt.show()") <= source.count("xlabel=")
        assert source.count("xlabel=") == source.count("ylabel=")


def test_every_option_that_is_given_or_named_is_known() -> None:
    given = [pair for source in SOURCES for pair in options_given(source) if pair[0] in FUNCTIONS]
    assert {"null", "folds", "preprocess", "method", "steps"} <= {option for _, option in given}
    for function, option in given:
        allowed = parameters(FUNCTIONS[function]) | OVERRIDES | {"folds"}
        assert option in allowed, f"{function} knows no {option}"
    named = set(re.findall(r"`(\w+)=", PROSE))
    known = set().union(*map(parameters, FUNCTIONS.values())) | OVERRIDES
    assert named and named <= known


def test_every_method_is_known() -> None:
    methods = {
        option.value.value
        for source in SOURCES
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for option in node.keywords
        if option.arg == "method" and isinstance(option.value, ast.Constant)
    }
    assert {"mine", "ksg"} <= methods
    assert methods <= set(mine.methods())


@pytest.mark.parametrize("option", sorted(parameters(mine.estimate) | OVERRIDES))
def test_every_option_of_estimate_is_named(option: str) -> None:
    texts = PAGE.read_text(encoding="utf-8") + PROSE
    assert re.search(rf"`{option}[`=]", texts)


def test_page_and_notebook_lead_to_each_other() -> None:
    assert f"({NOTEBOOK.name})" in PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w.-]+)\)", PROSE)
    assert PAGE.name in links and all((DOCS / link).exists() for link in links)
