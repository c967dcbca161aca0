"""claims.md: each claim in a line with the number that decided it; the details are folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from experiments.suite.claims.wording import duration
from experiments.suite.report.accuracy_page import grid
from experiments.suite.report.pages import BADGES, markdown
from experiments.suite.report.results_source import Results
from experiments.suite.report.texts import decided_by, in_nats, listed

WORDS = {"reproduced": "reproduced", "not reproduced": "not", "inconclusive": "open"}
HEAD = ["verdict", "claim", "decided by", "tolerance", "figure"]


def claims_page(results: Results, about: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        results: what it shows.
        about: the provenance of the rows, as in provenance.json.
    """
    parts = {name: own_claims(results, name) for name in results.records}
    sections = (section(name, results.titles[name], own) for name, own in parts.items())
    first = ["# All claims", introduction(results.claims, about), overview(parts)]
    return "\n\n".join([*first, *chain.from_iterable(sections)]) + "\n"


def introduction(claims: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    return (
        f"Made by `make results`: do not edit. {origin(about)}\n\n"
        f"Of {counts(claims)}. Values are in nats (1 nat = 1.443 bits); brackets hold a 95 % "
        "interval, a bootstrap over seeds. The details below each table have the whole measure, "
        "in nats and in bits. [claims.json](claims.json) has all of it for programs."
    )


def own_claims(results: Results, name: str) -> list[dict[str, Any]]:
    return [claim for claim in results.claims if claim["experiment"] == name]


def counts(claims: Sequence[Mapping[str, Any]]) -> str:
    """'56 claims 40 are reproduced, 9 are not, and 7 are inconclusive'."""
    found = Counter(claim["verdict"] for claim in claims)
    good, bad, unclear = (found[verdict] for verdict in WORDS)
    verdicts = f"{good} are reproduced, {bad} are not, and {unclear} are inconclusive"
    return f"{len(claims)} claims {verdicts}"


def origin(about: Mapping[str, Any], folder: str = "") -> str:
    """Commit, scale, machine and time, in two or three sentences; `folder` has provenance.json."""
    commits = listed(commit[:7] for commit in about["commits"])
    machine = f"{about.get('cores', 'several')} cores, {about.get('platform', 'several systems')}"
    without = f" Not run: {listed(about['left_out'])}." if about["left_out"] else ""
    return (
        f"The rows come from commit {commits} at scale `{about['scale']}`: "
        f"{len(about['experiments'])} experiments, {duration(about['seconds'], 'coarse')} in all "
        f"on `{about.get('device', 'several devices')}` ({machine}).{without} "
        f"{codes(about)}[provenance.json]({folder}provenance.json) has versions and times."
    )


def codes(about: Mapping[str, Any]) -> str:
    """Which experiments have rows of several codes, or of several kinds of arithmetic."""
    notes = {name: one.get("notes", ()) for name, one in about["experiments"].items()}
    return "".join(f"{name}: {note} " for name, own in notes.items() for note in own)


def overview(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A line an experiment: how many claims of each verdict."""
    found = {name: Counter(claim["verdict"] for claim in own) for name, own in parts.items()}
    return grid(
        ["experiment", *WORDS.values()],
        (
            [f"[{name}](#{name})", *(str(count[one] or "–") for one in WORDS)]
            for name, count in found.items()
        ),
    )


def section(name: str, title: str, claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """An experiment: its question, table, figures and details."""
    yield f"## {name}"
    yield str(markdown(title))
    yield grid(HEAD, map(line, claims))
    for figure in dict.fromkeys(claim["figure"] for claim in claims if claim["figure"]):
        yield f"![{figure.replace('_', ' ')}](figures/{figure}.png)"
    yield "<details>\n<summary>Details</summary>"
    yield "\n".join(details(claim) for claim in claims)
    yield "</details>"


def line(claim: Mapping[str, Any]) -> list[str]:
    """The cells of a claim's row."""
    cells = (claim["statement"], decided_by(claim["measured"]), in_nats(claim["tolerance"]))
    texts = [cell_text(text) for text in cells]
    link = f"[SVG](figures/{claim['figure']}.svg)" if claim["figure"] else "–"
    return [f"{BADGES[claim['verdict']]} {claim['verdict']}", *texts, link]


def cell_text(text: str) -> str:
    """A text as a cell that no reader takes for markup; `grid` escapes the bars."""
    return str(markdown(text)).replace(r"\|", "|")


def details(claim: Mapping[str, Any]) -> str:
    """The whole measure of a claim as an item of a list."""
    said = f"`{claim['id']}` ({claim['paper']}), {claim['verdict']}"
    return f"- {said}: {markdown(claim['measured'])}. Tolerance: {markdown(claim['tolerance'])}."
