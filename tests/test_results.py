"""What README.md and docs/results.md quote is what docs/results/ has, line by line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.suite.report.results_page import counts, line
from experiments.suite.report.texts import in_nats

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
REMEDY = "correct the page or run make results"
QUOTING = ("README.md", "docs/results.md")

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


def complaints(page: str, text: str, claims: Claims, about: Mapping[str, Any]) -> list[str]:
    """'README.md:58 says 40 reproduced, docs/results/claims.json has 41: ...', for each."""
    return [
        f"{page}:{number} says {wrong}: {REMEDY}"
        for number, written in enumerate(text.splitlines(), start=1)
        for wrong in wrong_in(page, written, claims, about)
    ]


def wrong_in(page: str, written: str, claims: Claims, about: Mapping[str, Any]) -> Iterator[str]:
    """What a line says and what docs/results/ has, where they differ."""
    cells = cells_of(written)
    yield from wrong_counts(written, claims)
    if len(cells) > 2 and cells[1].startswith("**"):
        yield from wrong_claim(page, cells, claims)
    elif cells and cells[0].startswith("["):
        yield from wrong_experiment(cells, claims)
    elif match := re.search(r"(\d+) minutes for f.*, (\d+) for `g.*` and (\d+) for `e", written):
        yield from wrong_minutes(match.groups(), about)


def wrong_counts(written: str, claims: Claims) -> Iterator[str]:
    for pattern, verdict in COUNTS.items():
        there = sum(verdict in (None, claim["verdict"]) for claim in claims)
        for match in re.finditer(pattern, written):
            if int(match[1]) != there:
                what = verdict or "claims"
                yield f"{match[1]} {what}, docs/results/claims.json has {there}"


def wrong_claim(page: str, cells: Sequence[str], claims: Claims) -> Iterator[str]:
    """A claim's line: the verdict, and what decided it."""
    short = page == "README.md"
    wanted = README_CLAIMS.get(cells[0]) if short else cells[0]
    claim = next((one for one in claims if one["id" if short else "statement"] == wanted), None)
    if claim is None:
        yield f"{cells[0]!r}, docs/results/claims.json has no such claim"
        return
    has = f"docs/results/claims.json ({claim['id']}) has"
    if cells[1].strip("*") != claim["verdict"]:
        yield f"{cells[1].strip('*')}, {has} {claim['verdict']}"
    if short:
        yield from (
            f"{text}, {has} {in_nats(claim['measured'])!r}"
            for text in absent(cells[2], f"{claim['measured']} {claim['tolerance']}")
        )
        return
    for cell, key in zip(cells[2:], ("measured", "tolerance"), strict=False):
        if cell != in_nats(claim[key]):
            yield f"{cell!r}, {has} {in_nats(claim[key])!r}"


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


def wrong_experiment(cells: Sequence[str], claims: Claims) -> Iterator[str]:
    """An experiment's line: how many claims of each verdict."""
    name = cells[0][1:].partition("]")[0]
    found = Counter(claim["verdict"] for claim in claims if claim["experiment"] == name)
    for cell, verdict in zip(
        cells[1:4], ("reproduced", "not reproduced", "inconclusive"), strict=True
    ):
        if int(cell.replace("–", "0")) != found[verdict]:
            yield f"{cell} {verdict} of {name}, docs/results/claims.json has {found[verdict]}"


def wrong_minutes(said: Sequence[str | Any], about: Mapping[str, Any]) -> Iterator[str]:
    own = about["experiments"]
    seconds = [about["seconds"], *(own[name]["seconds"] for name in ("gaussian", "equitability"))]
    for text, there in zip(said, seconds, strict=True):
        if int(text) != round(there / 60):
            yield f"{text} minutes, docs/results/provenance.json has {there / 60:.1f}"


# ------------------------------------------------------------------- tests


@pytest.mark.parametrize("page", QUOTING)
def test_what_a_page_quotes_is_what_the_results_have(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert complaints(page, text, read("claims.json"), read("provenance.json")) == []


@pytest.mark.parametrize("page", QUOTING)
def test_each_page_quotes_all_counts(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    for pattern in COUNTS:
        assert any(re.search(pattern, line) for line in lines), pattern


def test_the_pages_have_every_claim_that_they_are_to_have() -> None:
    claims = read("claims.json")
    rows = [cells_of(one) for one in (ROOT / "docs/results.md").read_text().splitlines()]
    assert {one["statement"] for one in claims} <= {cells[0] for cells in rows if cells}
    rows = [cells_of(one) for one in (ROOT / "README.md").read_text().splitlines()]
    assert set(README_CLAIMS) <= {cells[0] for cells in rows if cells}


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


CHANGES = {
    "a verdict": (
        ('"verdict": "inconclusive"', '"verdict": "reproduced"'),
        "README.md",
        "claims 40 are",
        "says 40 reproduced, docs/results/claims.json has 41: correct the page or run make",
    ),
    "a number that the README quotes": (
        ("ρ .9: −0.019 nats", "ρ .9: −0.029 nats"),
        "README.md",
        "error −.019",
        "says −.019, docs/results/claims.json (gaussian-low-mine) has '13 of 13 values",
    ),
    "a number that the page quotes": (
        ("slope + 1: +0.010", "slope + 1: +0.011"),
        "docs/results.md",
        "The minibatch gradient of DV is biased",
        "docs/results/claims.json (bias-falls) has '1 of 1 slopes",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_changed_number_is_told_with_page_and_line(change: str, tmp_path: Path) -> None:
    (old, new), page, quoted, expected = CHANGES[change]
    copy = tmp_path / "claims.json"
    text = (RESULTS / "claims.json").read_text(encoding="utf-8")
    assert old in text
    copy.write_text(text.replace(old, new, 1), encoding="utf-8")
    claims = json.loads(copy.read_text(encoding="utf-8"))
    said = complaints(
        page, (ROOT / page).read_text(encoding="utf-8"), claims, read("provenance.json")
    )
    assert any(
        one.startswith(f"{page}:{line_of(page, quoted)} says") and expected in one for one in said
    ), said
