"""Every command and snippet of the README and of the pages of docs/ is one that works.

Fenced blocks marked `bash` and `python` are read. A block is left out where the line before it is
`<!-- not run: reason -->`; a command of a form that is not known here fails the test.

- `make ...`: the targets exist, and `make -n` agrees with the variables; `make help` is run.
- `python -m experiments ...`: run, with overrides after its own that leave one value of each of
  the grid's lists and next to no training (`--help`: as it is). Figures are left out.
- `python -m experiments.suite.report ...` and `.status ...`: run over what commands before them
  left.
- `mine ...`: run with next to no training, on a table of people made for it.
- python, of the README and docs/index.md: run in one namespace, with at most a few hundred rows
  and steps; whole when asked for slow tests. docs/own-data.md and docs/tutorial.md have tests of
  their own.
- text: what the code before it prints.
- {toctree} and the like: for Sphinx, which `make docs` runs.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import mine
from experiments.suite.report import command as report
from experiments.suite.report import status
from experiments.suite.run.command import CONFIGS, command
from experiments.suite.run.exits import OK
from experiments.suite.store.joined import load_runs
from mine.command.main import command as mine_command

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("experiments/*.md")])
PAGES = (README, *DOCS)
SNIPPETS = (README, ROOT / "docs" / "index.md")
LANGUAGES = ("bash", "python", "text")
ROWS, STEPS = 500, 30
SMALL = (
    *("train.steps=2", "train.batch_size=16", "critic.hidden=[8]"),
    *("scale.n_test=100", "scale.ksg_n=50", "scale.seeds=1", "figures=false"),
)

Patch = pytest.MonkeyPatch


# --------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text and first line, and why it is not run ("" if it is)."""

    language: str
    text: str
    line: int
    excuse: str = ""


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a text, in order."""
    found, before, opened = [], "", None
    lines: list[str] = []
    for number, line in enumerate(markdown.splitlines(), start=1):
        fence = re.fullmatch(r" {0,3}(`{3,}|~{3,}) *([^`]*)", line)
        if opened is None and fence:
            excuse = re.fullmatch(r"<!-- not run: (.+?) -->", before.strip())
            opened = fence[1], fence[2].strip(), number + 1, excuse[1] if excuse else ""
            lines = []
        elif opened and fence and fence[1].startswith(opened[0]) and not fence[2].strip():
            found.append(Block(opened[1], "\n".join(lines), opened[2], opened[3]))
            opened = None
        elif opened:
            lines.append(line)
        before = line
    if opened:
        raise ValueError(f"expected the block at line {opened[2] - 1} to be closed, got none")
    return found


def commands(text: str) -> list[list[str]]:
    """The commands of a bash block as words: comments gone, continued lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def wanted(language: str, page: Path = README) -> list[Block]:
    found = [block for block in blocks(page.read_text()) if block.language == language]
    return [block for block in found if not block.excuse]


def ids(items: Sequence[Any]) -> list[str]:
    return [" ".join(words) for words in items]


COMMANDS = list(
    {
        tuple(words): words
        for page in PAGES
        for block in wanted("bash", page)
        for words in commands(block.text)
    }.values()
)
"""Each once, on however many pages it is."""


# --------------------------------------------------------------------- running


def small(words: Sequence[str]) -> list[str]:
    """Overrides that shrink a run of the experiments that the words name."""
    named = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    names = ",".join(named).split(",") if named else ["gaussian"]
    lists = []
    for name in names:
        text = (CONFIGS / "experiment" / f"{name}.yaml").read_text()
        for key, values in yaml.safe_load(text)["experiment"].items():
            if isinstance(values, list) and key != "methods":
                lists.append(f"experiment.{key}=[{values[-1]}]")
    return [*lists, *SMALL] if len(set(names)) == 1 else list(SMALL)


@dataclass
class Stage:
    """Where commands are tried: outputs of their own."""

    outputs: Path
    monkeypatch: Patch

    def try_out(self, words: Sequence[str]) -> None:
        """Runs a command in its small form; fails where it fails or its form is not known."""
        match list(words):
            case ["make", *rest]:
                self.make(rest)
            case ["python", "-m", "experiments", *rest]:
                self.experiments(rest)
            case ["python", "-m", "experiments.suite.report", *rest]:
                self.outputs.mkdir(exist_ok=True)
                assert report.main([*rest, "--outputs", str(self.outputs)]) == 0
            case ["python", "-m", "experiments.suite.report.status", *rest]:
                self.outputs.mkdir(exist_ok=True)
                assert status.main([*rest, "--outputs", str(self.outputs)]) == 0
            case ["mine", *rest]:
                self.mine(rest)
            case _:
                pytest.fail(
                    f"expected make, mine or python -m experiments, got {' '.join(words)!r}: "
                    "teach Stage.try_out its form, or mark its block `<!-- not run: reason -->`"
                )

    def mine(self, words: list[str]) -> None:
        self.outputs.mkdir(exist_ok=True)
        self.monkeypatch.chdir(self.outputs)
        people().to_csv("people.csv", index=False)
        people().to_parquet("people.parquet")
        estimates = words[0] in ("estimate", "compare", "matrix", "lagged")
        trains = estimates and not {"--help", "gaussian", "ksg"} & set(words)
        own = ("--steps" in words) or not trains
        more = [*([] if own else ["--steps", "2"]), *(["--set", "batch_size=16"] * trains)]
        done = CliRunner().invoke(mine_command, [*words, *more], prog_name="mine")
        if "which trains nothing" in done.stderr:  # auto, of labels
            done = CliRunner().invoke(mine_command, words, prog_name="mine")
        assert done.exit_code == OK and done.stdout, done.stderr
        written = [word for word in words if word.endswith((".png", ".svg", ".safetensors"))]
        assert all((self.outputs / name).stat().st_size for name in written)

    def make(self, words: list[str]) -> None:
        if shutil.which("make") is None:
            pytest.skip("needs make")
        done = make(*(words if words == ["help"] else ["-n", *words]))
        assert done.returncode == 0 and done.stdout, done.stderr
        given = {word.partition("=")[0] for word in words if "=" in word}
        known = re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert given <= set(known), f"the Makefile has {', '.join(known)}, got {given}"

    def experiments(self, words: list[str]) -> None:
        asks = any(word in ("--help", "--cfg", "--info", "--hydra-help") for word in words)
        more = [] if asks else [*small(words), f"outputs={self.outputs}"]
        self.monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        self.monkeypatch.setattr(sys, "argv", ["experiments", *words, *more])
        assert status_of_command() == OK
        runs, problems = load_runs(self.outputs)
        assert problems == []
        assert asks or {one.read_status()["state"] for one in runs} == {"finished"}


def people() -> pd.DataFrame:
    """A hundred rows; some incomes are missing."""
    rng = np.random.default_rng(0)
    height = rng.normal(170.0, 10.0, 100)
    weight = 0.8 * height + rng.normal(0.0, 6.0, 100)
    age, income = 0.5 * weight + rng.normal(0.0, 5.0, 100), rng.exponential(size=100)
    income[::9] = np.nan
    sex, home = rng.choice(["f", "m"], 100), np.arange(100) // 4
    return pd.DataFrame(
        {"height": height, "weight": weight, "age": age, "income": income, "sex": sex}
        | {"home": home}
    )


def status_of_command() -> int | str | None:
    try:
        return command()
    except SystemExit as end:  # --help
        return end.code


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """make, with .venv as it is, and whatever a make around this test was asked left out."""
    theirs = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "SCALE", "DEVICE", "ARGS"}
    return subprocess.run(
        ["make", "-o", ".venv/.installed", *words],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key not in theirs},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: Patch) -> Stage:
    return Stage(tmp_path / "outputs", monkeypatch)


class Fewer(ast.NodeTransformer):
    """Numbers of a thousand and more become `ROWS`: enough to split, too few to wait for."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        large = isinstance(node.value, int) and node.value >= 1000
        return ast.copy_location(ast.Constant(ROWS), node) if large else node


def namespace_after(snippets: Sequence[Block], shrink: bool) -> dict[str, Any]:
    """The names that the snippets leave, run one after the other."""
    names: dict[str, Any] = {"__name__": "readme"}
    for block in snippets:
        tree = ast.parse("\n" * (block.line - 1) + block.text, str(README))
        exec(compile(Fewer().visit(tree) if shrink else tree, str(README), "exec"), names)
    return names


def with_few_steps(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **options: Any) -> Any:
        trained = options.get("method", "mine") != "ksg"
        return function(*args, **{**options, **({"steps": STEPS} if trained else {})})

    return called


# ----------------------------------------------------------------------- tests


def test_the_readme_has_commands_and_snippets() -> None:
    assert {words[0] for words in COMMANDS} >= {"make", "python"}
    assert wanted("python")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_of_a_language_that_is_tried_or_says_why_not(page: Path) -> None:
    for block in blocks(page.read_text()):
        known = block.language in LANGUAGES or block.language.startswith("{")
        assert known or block.excuse, (
            f"line {block.line}: expected {' or '.join(LANGUAGES)} after the fence, "
            f"got {block.language!r}: name it, or write `<!-- not run: reason -->` before it"
        )


@pytest.mark.parametrize("words", COMMANDS, ids=ids(COMMANDS))
def test_every_command_works(stage: Stage, words: list[str]) -> None:
    stage.try_out(words)


@pytest.mark.parametrize("page", SNIPPETS, ids=lambda page: page.name)
def test_every_snippet_runs(
    page: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("estimate", "estimate_many"):
        monkeypatch.setattr(mine, name, with_few_steps(getattr(mine, name)))
    namespace_after(wanted("python", page), shrink=True)
    assert capsys.readouterr().out


@pytest.mark.slow
def test_the_readme_shows_what_its_snippet_prints(
    capsys: pytest.CaptureFixture[str], assert_prints_about: Callable[[str, str], None]
) -> None:
    snippets = wanted("python")
    namespace_after(snippets, shrink=False)
    shown = [re.search(r"print\(.*\)  # (.*)", line) for line in snippets[0].text.splitlines()]
    assert_prints_about(capsys.readouterr().out, "\n".join(one[1] for one in shown if one))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_not_run_has_a_reason(
    page: Path, record_property: Callable[[str, object], None]
) -> None:
    for block in blocks(page.read_text()):
        if block.excuse:
            record_property(f"not run, line {block.line}", block.excuse)
            print(f"{page.name}:{block.line}: not run: {block.excuse}")
            assert len(block.excuse) > 3


# ------------------------------------------------------- the reader and stage

SAMPLE = """\
Text, and `code` in it.

```bash
make help            # a comment
python -m experiments \\
    'experiment.rho=[0.5]'
```

<!-- not run: needs a cluster -->
```bash
sbatch job.sh
```

````python
text = '''
```bash
not a block
```
'''
````

    indented, no block
```
no language
```
"""


def test_the_reader_finds_blocks_languages_lines_and_reasons() -> None:
    one, two, three, four = blocks(SAMPLE)
    assert (one.language, one.line, one.excuse) == ("bash", 4, "")
    assert commands(one.text) == [
        ["make", "help"],
        ["python", "-m", "experiments", "experiment.rho=[0.5]"],
    ]
    assert (two.language, two.text, two.excuse) == ("bash", "sbatch job.sh", "needs a cluster")
    assert three.language == "python" and "```bash" in three.text
    assert (four.language, four.text, four.excuse) == ("", "no language", "")


def test_a_block_that_is_not_closed_is_found() -> None:
    with pytest.raises(ValueError, match="line 2 to be closed"):
        blocks("text\n```bash\nmake\n")


@pytest.mark.parametrize("command", ["sbatch job.sh", "python run.py", "make no-such-target"])
def test_a_command_that_is_not_known_or_not_there_fails(stage: Stage, command: str) -> None:
    with pytest.raises((pytest.fail.Exception, AssertionError)):
        stage.try_out(shlex.split(command))


def test_a_variable_that_no_target_reads_fails(stage: Stage) -> None:
    with pytest.raises(AssertionError, match="the Makefile has SCALE, .* got {'SCALES'}"):
        stage.try_out(["make", "reproduce", "SCALES=smoke"])


def test_a_bad_override_fails(stage: Stage) -> None:
    with pytest.raises(AssertionError):
        stage.try_out(["python", "-m", "experiments", "train.stepz=3"])
    assert not list(stage.outputs.rglob("*"))


def test_snippets_share_names_and_shrink() -> None:
    def parts() -> Iterator[Block]:
        yield Block("python", "rows = 5000\nfew = 64", 1)
        yield Block("python", "double = 2 * rows", 9)

    assert namespace_after(list(parts()), shrink=True)["double"] == 2 * ROWS
    assert namespace_after(list(parts()), shrink=False)["double"] == 10000
