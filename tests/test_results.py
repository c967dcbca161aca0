"""What README.md quotes, and what the pages of results show, is what docs/results/ has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from experiments.suite.report.page_blocks import filled
from experiments.suite.report.results import read_pages, with_blocks
from experiments.suite.report.results_page import cell_text, counts, line
from experiments.suite.report.texts import in_nats

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
REMEDY = "correct the page or run make results"
README = "README.md"

Claims = Sequence[Mapping[str, Any]]

COUNTS = {
    r"(?:Of|are) (\d+) claims": None,
    r"(\d+) (?:are )?reproduced": "reproduced",
    r"(\d+) (?:are not(?= and|,)|not reproduced)": "not reproduced",
    r"(\d+) (?:are )?inconclusive": "inconclusive",
}
"""A count on a page -> its verdict; None: all claims."""

README_CLAIMS = {
    "At low dimension MINE is near the truth.": "gaussian-low-mine",
    "At low dimension KSG is near the truth.": "gaussian-low-ksg",
    "At 20-D MINE is a marked improvement over KSG.": "gaussian-high-improvement",
    "MINE is tighter than MINE-f, at low dimension.": "gaussian-tighter-low",
    "MINE is tighter than MINE-f, at 20-D.": "gaussian-tighter-high",
    "The moving-average gradient helps, at 20-D.": "gaussian-ema",
    "MINE recovers the map of functions and noise.": "equitability-map",
    "Mutual information does not depend on the function.": "equitability-invariance",
    "Self-equitability holds.": "equitability-self",
}
"""The README says it shorter than the claim does."""


def read(name: str) -> Any:
    return json.loads((RESULTS / name).read_bytes())


def cells_of(row: str) -> list[str]:
    """The cells of a table's line; [] of another line."""
    if not row.startswith("|"):
        return []
    return [cell.replace("¦", "|").strip() for cell in row.replace(r"\|", "¦").split("|")[1:-1]]


# ----------------------------------------------------- what does not agree


def complaints(text: str, claims: Claims) -> list[str]:
    """'README.md:58 says 40 reproduced, docs/results/claims.json has 41: ...', for each."""
    return [
        f"{README}:{number} says {wrong}: {REMEDY}"
        for number, written in enumerate(text.splitlines(), start=1)
        for wrong in wrong_in(written, claims)
    ]


def wrong_in(written: str, claims: Claims) -> Iterator[str]:
    """What a line of the README says and what docs/results/ has, where they differ."""
    cells = cells_of(written)
    yield from wrong_counts(written, claims)
    if len(cells) > 2 and cells[1].startswith("**"):
        yield from wrong_claim(cells, claims)


def wrong_counts(written: str, claims: Claims) -> Iterator[str]:
    for pattern, verdict in COUNTS.items():
        there = sum(verdict in (None, claim["verdict"]) for claim in claims)
        for match in re.finditer(pattern, written):
            if int(match[1]) != there:
                what = verdict or "claims"
                yield f"{match[1]} {what}, docs/results/claims.json has {there}"


def wrong_claim(cells: Sequence[str], claims: Claims) -> Iterator[str]:
    """A claim's line: the verdict, and what decided it."""
    wanted = README_CLAIMS.get(cells[0])
    claim = next((one for one in claims if one["id"] == wanted), None)
    if claim is None:
        yield f"{cells[0]!r}, docs/results/claims.json has no such claim"
        return
    has = f"docs/results/claims.json ({claim['id']}) has"
    if cells[1].strip("*") != claim["verdict"]:
        yield f"{cells[1].strip('*')}, {has} {claim['verdict']}"
    yield from (
        f"{text}, {has} {in_nats(claim['measured'])!r}"
        for text in absent(cells[2], f"{claim['measured']} {claim['tolerance']}")
    )


NUMBER = re.compile(r"(?<![\w.,])[−+±]?(?:\d+(?:\.\d+)?|\.\d+)(?![\w]|\.\d)")


def absent(quoted: str, source: str) -> list[str]:
    """The numbers of a text that are not in the other one, to the decimals that they have."""
    there = [value(text) for text in NUMBER.findall(source)]
    return [
        text
        for text in NUMBER.findall(quoted)
        if not any(abs(value(text) - one) <= half_a_digit(text) for one in there)
    ]


def value(text: str) -> float:
    return float(text.replace("−", "-").replace("±", ""))


def half_a_digit(text: str) -> float:
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) * ("." in text) + 1e-9


def out_of_date(claims: Claims, about: Mapping[str, Any]) -> list[str]:
    """'docs/results.md:8 is not what docs/results/ gives: run make results', for each page."""
    pages = with_blocks(read_pages(ROOT / "docs"))
    return [
        f"docs/{name}:{first_difference(pages[name], made)} is not what docs/results/ gives: "
        "run make results"
        for name, made in filled(pages, claims, about).items()
        if made != pages[name]
    ]


def first_difference(one: str, other: str) -> int:
    """The first line in which two texts differ."""
    lines = zip_longest(one.splitlines(), other.splitlines())
    return next((number for number, (a, b) in enumerate(lines, start=1) if a != b), 0)


# ------------------------------------------------------------------- tests


def test_what_the_readme_quotes_is_what_the_results_have() -> None:
    assert complaints((ROOT / README).read_text(encoding="utf-8"), read("claims.json")) == []


def test_the_readme_quotes_all_counts_and_its_claims() -> None:
    lines = (ROOT / README).read_text(encoding="utf-8").splitlines()
    for pattern in COUNTS:
        assert any(re.search(pattern, line) for line in lines), pattern
    assert set(README_CLAIMS) <= {cells[0] for cells in map(cells_of, lines) if cells}


def test_filling_the_pages_again_changes_nothing() -> None:
    assert out_of_date(read("claims.json"), read("provenance.json")) == []


def test_each_experiment_of_the_claims_has_a_page_with_its_claims_and_a_figure() -> None:
    for name in {claim["experiment"] for claim in read("claims.json")}:
        page = (ROOT / f"docs/experiments/{name}.md").read_text(encoding="utf-8")
        own = [cells_of(line) for line in page.splitlines()]
        shown = {cells[0] for cells in own if cells}
        for claim in read("claims.json"):
            if claim["experiment"] == name:
                assert cell_text(claim["statement"]) in shown
                assert f"results/figures/{claim['figure']}.png" in page


def test_the_page_of_all_claims_is_made_of_them() -> None:
    claims = read("claims.json")
    text = (RESULTS / "claims.md").read_text(encoding="utf-8")
    rows = [cells_of(one) for one in text.splitlines()]
    assert f"Of {counts(claims)}." in text
    assert [claim["id"] for claim in claims if line(claim) not in rows] == []
    assert all(f"`{claim['id']}`" in text for claim in claims)


def test_the_provenance_names_commit_and_scale_and_no_folder() -> None:
    about = read("provenance.json")
    assert about["scale"] == "default"
    assert {one["experiment"] for one in read("claims.json")} == set(about["experiments"])
    assert all(commit[:7] in (RESULTS / "claims.md").read_text() for commit in about["commits"])
    assert not re.search(r"\"/|[A-Z]:\\|/home|/tmp|/root", json.dumps(about))


def line_of(page: str, text: str) -> int:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return next(number for number, one in enumerate(lines, start=1) if text in one)


GOOD = sum(claim["verdict"] == "reproduced" for claim in read("claims.json"))
CHANGES = {
    "a verdict": (
        ('"verdict": "inconclusive"', '"verdict": "reproduced"'),
        (README, f"claims {GOOD} are"),
        f"says {GOOD} reproduced, docs/results/claims.json has {GOOD + 1}: correct the page or",
    ),
    "a verdict, on the first page": (
        ('"verdict": "inconclusive"', '"verdict": "reproduced"'),
        ("docs/results.md", "There are"),
        "is not what docs/results/ gives: run make results",
    ),
    "a number that the README quotes": (
        ("ρ .9: −0.019 nats", "ρ .9: −0.029 nats"),
        (README, "error −.019"),
        "says −.019, docs/results/claims.json (gaussian-low-mine) has '13 of 13 values",
    ),
    "a number of an experiment's page": (
        ("slope + 1: +", "slope + 1: +1"),
        ("docs/experiments/bias.md", "The minibatch gradient of DV is biased, by"),
        "is not what docs/results/ gives: run make results",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_changed_number_is_told_with_page_and_line(change: str) -> None:
    (old, new), (page, quoted), expected = CHANGES[change]
    text = (RESULTS / "claims.json").read_text(encoding="utf-8")
    assert old in text
    claims = json.loads(text.replace(old, new, 1))
    said = [
        *complaints((ROOT / README).read_text(encoding="utf-8"), claims),
        *out_of_date(claims, read("provenance.json")),
    ]
    assert any(
        one.startswith(f"{page}:{line_of(page, quoted)} ") and expected in one for one in said
    ), said


# -------------------------------------------------------------- comparison


def figures_of(text: str) -> dict[str, list[float]]:
    """Name -> the first number of each further cell, of the tables whose columns are rows."""
    found = {}
    for name, *cells in filter(None, map(cells_of, text.splitlines())):
        numbers = [NUMBER.search(cell.replace("> ", "")) for cell in cells[:3]]
        if len(numbers) == 3 and all(numbers):
            plain = name.strip("*`")
            found.setdefault(plain, [value(match[0]) for match in numbers if match])
    return found


def test_the_readme_compares_by_the_figures_of_the_page() -> None:
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    run, printed = page.split("## As printed by others")
    sources = {True: figures_of(run), False: figures_of(printed.split("## By family")[0])}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| estimator |")[1].split("\n\n")[0]
    lines = [cells for cells in map(cells_of, table.splitlines()) if len(cells) == 4][1:]
    assert len(lines) == 8
    for name, *quoted in lines:
        there = sources[name.startswith("**")][name.strip("*`")]
        for text, one in zip(quoted, there, strict=True):
            assert abs(value(text.replace("> ", "")) - one) <= 0.0005 + 1e-9, (name, text, one)
