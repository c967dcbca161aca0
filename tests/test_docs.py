"""The README and the site: size, links, figures, quoted numbers; the site builds and opens."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import mine

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
    *sorted(DOCS.glob("experiments/*.md")),
    DOCS / "results" / "claims.md",
]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows_of(text: str) -> Iterator[list[str]]:
    """The cells of each line of each table."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.replace(r"\|", "¦").strip("|").split("|")]


# ----------------------------------------------------------------------- pages


def test_the_readme_is_of_one_screen() -> None:
    assert len(README.read_bytes()) <= 8192


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_figure_that_a_page_links_to_is_there(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_and_figure_is_linked_to() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    listed = set(re.findall(r"^(?:.+<)?([a-z-]+)>?$", text_of("index.md"), re.MULTILINE))
    assert {page.stem for page in DOCS.glob("*.md")} == listed | {"index"}
    experiments = re.findall(r"^\w+ <experiments/(\w+)>$", text_of("results.md"), re.MULTILINE)
    assert sorted(page.stem for page in DOCS.glob("experiments/*.md")) == sorted(experiments)
    assert [one.name for one in (DOCS / "figures").iterdir() if one.name not in text] == []


def test_every_figure_says_in_words_what_it_shows() -> None:
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *DOCS.glob("experiments/*.md")]
    images = [
        (page.name, alt)
        for page in pages
        for alt in re.findall(r"!\[([^\]]*)\]\([^)]*\.(?:png|svg)\)", page.read_text())
    ]
    assert len(images) > 20
    assert [of for of in images if len(of[1].split()) < 3] == []


# --------------------------------------------------------------------- numbers


def task_errors() -> dict[tuple[str, str, str], float]:
    """(family, task, method) -> |mean of the seeds' estimates less the truth|, in nats."""
    text = text_of("accuracy-tables.md")
    tasks = text[text.index("## Tasks\n") : text.index("## auto: where")]
    found = {}
    for part in re.split(r"\n### ", tasks)[1:]:
        head, _, *rows = rows_of(part)
        for row in rows:
            for task, cell in zip(head[1:], row[1:], strict=True):
                number = cell.split(" ")[0].replace("−", "-").replace(",", "")
                found[part.splitlines()[0], task.split(":")[0], row[0]] = abs(float(number))
    return found


KINDS = {
    "nothing in common (truth 0)": "independent",
    "normal": "normal",
    "Student-t: heavy tails": "Student-t",
    "asinh of Student-t": "asinh of Student-t",
    "normal, uniform margins": "uniform margins",
    "normal, each column cubed (half-cube)": "half-cube",
    "normal, wiggly columns": "wiggly",
    "normal, seen through a flow": "flow",
    "swiss roll": "swiss roll",
    "spiral": "spiral",
    "a function plus noise": "additive noise",
    "mixture of normals": "mixture",
    "discrete, or mixed": "discrete",
}
"""A row of docs/choosing.md -> the family of docs/accuracy-tables.md."""


def columns_of(task: str) -> int:
    """The columns of x: the first number of a normal task's name."""
    return int(re.findall(r"\d+", task)[0])


def belongs(row: str, family: str, task: str) -> bool:
    """Whether a task is one of those that a row of docs/choosing.md averages over."""
    if row in KINDS:
        return family == KINDS[row]
    low, _, high = row.partition(" to ")
    return family == "normal" and int(low) <= columns_of(task) <= int(high or low)


METHODS = ("auto", "MINE", "SMILE", "DIME-GAN", "KSG", "normal copula")


def test_the_errors_of_the_decision_page_are_those_of_the_tables() -> None:
    errors = task_errors()
    rows = [row for row in rows_of(text_of("choosing.md")) if len(row) == 8 and row[1].isdigit()]
    assert {row[0] for row in rows} >= set(KINDS) and len(rows) == len(KINDS) + 4
    for row in rows:
        expected = [
            [
                e
                for (family, task, of), e in errors.items()
                if of == m and belongs(row[0], family, task)
            ]
            for m in METHODS
        ]
        assert {len(of) for of in expected} == {int(row[1])}
        shown = [float(cell.strip("*")) for cell in row[2:]]
        assert shown == pytest.approx([mean(of) for of in expected], abs=0.006), row[0]
        least = min(range(6), key=lambda i: mean(expected[i]))
        assert [cell.startswith("**") for cell in row[2:]] == [i == least for i in range(6)]


# -------------------------------------------------------------------- warnings

WARNING = re.compile(r"([a-z][a-z ]+): ")
SOURCES = (
    "running/warnings.py",
    "running/extrapolation.py",
    "data/diagnostics.py",
    "data/copies.py",
    "data/collinear.py",
    "estimators/rows.py",
    "estimators/label_limit.py",
    "estimators/settled.py",
    "running/held_out_rows.py",
    "data/file_order.py",
)


def kinds_in(source: Path, plain: bool = True) -> set[str]:
    """What stands before the colon where a text begins so, as all warnings do.

    Without `plain`, of f-strings alone: the others are descriptions of methods.
    """
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        first = node.values[0] if isinstance(node, ast.JoinedStr) else node if plain else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            match = WARNING.match(first.value)
            found |= {match[1]} if match else set()
    return found


def test_the_page_of_warnings_has_those_of_the_source_and_no_others() -> None:
    listed = {row[0].strip("`") for row in rows_of(text_of("warnings.md")) if "`" in row[0]}
    package = ROOT / "mine"
    given = set().union(*(kinds_in(package / name) for name in SOURCES))
    for method in (package / "method").glob("*.py"):
        given |= kinds_in(method, plain=False)
    ksg = {"tied values", "KSG falls short in high dimension", "KSG's ceiling"}
    ksg |= {"KSG falls short where few rows are independent"}
    assert listed - ksg == given
    text = (package / "method" / "ksg.py").read_text(encoding="utf-8")
    assert all(phrase in text for phrase in ksg)


def test_the_page_has_the_warning_of_the_command() -> None:
    from mine.command.records import FEW_ROWS, warnings_of

    e = mine.Estimate(0.0, 1.0, 0.0, "mine", 30, 10, 1)
    (warning,) = warnings_of(e, FEW_ROWS - 1)
    phrase = warning.partition(": ")[2].partition(";")[0]
    assert phrase in text_of("warnings.md") and f"fewer than {FEW_ROWS} rows" in text_of(
        "warnings.md"
    )


# -------------------------------------------------------------------- tutorial

TUTORIAL = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def test_the_tutorial_runs_in_small(
    run_in_small: Callable[[str, dict[str, Any]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    parts = TUTORIAL.findall(text_of("tutorial.md"))
    assert len(parts) == text_of("tutorial.md").count("```python") == 8
    for code, shown in parts:
        run_in_small(code.replace("null=19", "null=2"), names)
        assert len(capsys.readouterr().out.splitlines()) == len(shown.splitlines())


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(
    capsys: pytest.CaptureFixture[str], assert_prints_about: Callable[[str, str], None]
) -> None:
    names: dict[str, Any] = {}
    for code, shown in TUTORIAL.findall(text_of("tutorial.md")):
        exec(code, names)
        assert_prints_about(capsys.readouterr().out, shown)


# ------------------------------------------------------------------------ site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Like `make docs`, it fails on a warning."""
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    options = ("-n", "-W", "--keep-going", "-q", "-d", str(folder / "doctrees"))
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-b", "html", str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_make_docs_makes_warnings_errors() -> None:
    recipe = re.search(r"^docs: .*\n\t(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None and " -n -W " in recipe[1]


def test_the_site_has_every_page_and_public_name(site: Path) -> None:
    pages = [*DOCS.glob("*.md"), *DOCS.glob("experiments/*.md")]
    made = [(site / page.relative_to(DOCS)).with_suffix(".html") for page in pages]
    assert [page.name for page in made if not page.exists()] == []
    library = (site / "api.html").read_text(encoding="utf-8")
    names = [*(f"mine.{name}" for name in mine.__all__), "mine.sklearn.mutual_info"]
    assert [name for name in names if f'id="{name}"' not in library] == []
    assert ">Type<" not in library, (
        "a property's docstring has a colon: napoleon sees a type in it"
    )


def test_the_site_needs_no_network(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]*\ssrc=\"(?:https?:)?//|@import|url\((?:https?:)?//"
    )
    styles = re.compile(r"<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*href=\"(?:https?:)?//")
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = page.read_text(encoding="utf-8")
        assert not loaded.search(text) and not styles.search(text), page
    assert "<math" in (site / "theory.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_page_opens_without_errors_requests_or_sideways_scrolling(
    site: Path, browser: Any
) -> None:
    complaints: list[str] = []
    for width, scheme in ((1280, "light"), (390, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        pages = [*site.glob("*.html"), *site.glob("experiments/*.html")]
        for path in [*sorted(pages), site / "results" / "claims.html"]:
            page.goto(path.as_uri())
            if page.evaluate("document.documentElement.scrollWidth") > width:
                complaints.append(f"{path.name} scrolls sideways at {width}")
            small = "[...document.images].filter(one => !one.naturalWidth).length"
            if page.evaluate(small):
                complaints.append(f"{path.name} lacks an image")
    page.goto((site / "search.html").as_uri() + "?q=derangement")
    page.wait_for_selector("#search-results li a")
    assert complaints == []
