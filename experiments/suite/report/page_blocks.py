"""Blocks of hand-written pages that `make results` fills: counts, claims and minutes of the run.

docs/results.md has the blocks `run`, `counts`, `experiments` and `pages`, and
docs/experiments/<name>.md the block `claims <name>`. All else on these pages is written by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.suite.claims.wording import counted, duration
from experiments.suite.report.accuracy_page import grid
from experiments.suite.report.made_blocks import filled_blocks, line_of
from experiments.suite.report.results_page import WORDS, cell_text, origin
from experiments.suite.report.results_source import ResultsError
from experiments.suite.report.texts import in_nats, listed

Claims = Sequence[Mapping[str, Any]]

FOLDER = "experiments/"
ABSENT = "This experiment is not in the run that these pages show."
LINKED = re.compile(r"results/figures/([\w-]+)\.(?:png|svg)")


@dataclass(frozen=True)
class Run:
    """What blocks are made of.

    Attributes:
        claims: those of claims.json.
        about: provenance.json.
        titles: experiment -> the first heading of its page.
    """

    claims: Claims
    about: Mapping[str, Any]
    titles: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The experiments that have a page: those of the run in its order, then the others."""
        ran = [name for name in self.about["experiments"] if name in self.titles]
        return [*ran, *sorted(set(self.titles) - set(ran))]


def filled(pages: Mapping[str, str], claims: Claims, about: Mapping[str, Any]) -> dict[str, str]:
    """Name of a page -> its text with all blocks made anew.

    Args:
        pages: results.md and experiments/<name>.md, by their names under docs/.
        claims: those of claims.json.
        about: provenance.json.

    Raises:
        ResultsError: a block is not known, has no end, or is missing.
    """
    titles = {
        name[len(FOLDER) : -len(".md")]: text.partition("\n")[0].strip("# ")
        for name, text in pages.items()
        if name.startswith(FOLDER)
    }
    run = Run(claims, about, titles)
    found = {
        name: filled_blocks(name, text, partial(made, name, run)) for name, text in pages.items()
    }
    if found:
        check_each_has_a_block(pages, claims)
    return found


def check_each_has_a_block(pages: Mapping[str, str], claims: Claims) -> None:
    """Each experiment that has claims has a page with a block for them."""
    for name in dict.fromkeys(str(claim["experiment"]) for claim in claims):
        page, marker = f"{FOLDER}{name}.md", f"<!-- made: claims {name} -->"
        if marker not in pages.get(page, ""):
            raise ResultsError(
                f"expected a page docs/{page} with a line {marker!r}, got none: write one, as "
                "docs/experiments/gaussian.md is, and list its figures there"
            )


def made(page: str, run: Run, marker: re.Match[str]) -> str:
    """What stands in a block."""
    what, _, name = marker["what"].partition(" ")
    if what == "claims" and f"{FOLDER}{name}.md" == page:
        return claims_block(name, run)
    makers = {"run": run_block, "counts": counts_block, "experiments": table, "pages": toctree}
    if name or what not in makers:
        own = f"claims {page[len(FOLDER) : -len('.md')]}" if page.startswith(FOLDER) else ""
        raise ResultsError(
            f"expected a block of {listed([*makers, *filter(None, [own])])}, "
            f"got {marker['what']!r} at docs/{page}:{line_of(marker)}: mend the page"
        )
    return makers[what](run)


# ------------------------------------------------------------ docs/results.md


def run_block(run: Run) -> str:
    return origin(run.about, "results/")


def counts_block(run: Run) -> str:
    """'There are 56 claims: **40 reproduced, 9 not reproduced, 7 inconclusive**.'"""
    found = Counter(claim["verdict"] for claim in run.claims)
    verdicts = ", ".join(f"{found[verdict]} {verdict}" for verdict in WORDS)
    return f"There are {len(run.claims)} claims: **{verdicts}**."


def table(run: Run) -> str:
    """A line an experiment: its page, the counts of verdicts, its time."""
    times = {name: one["seconds"] for name, one in run.about["experiments"].items()}
    lines = (
        [
            f"[{name}]({FOLDER}{name}.md)",
            run.titles[name],
            *verdicts([claim for claim in run.claims if claim["experiment"] == name]),
            minutes(times.get(name)),
        ]
        for name in run.names
    )
    total = ["**all**", "", *verdicts(run.claims), minutes(run.about["seconds"])]
    head = ["experiment", "what it is about", *WORDS.values(), "minutes"]
    return grid(head, [*lines, total])


def verdicts(claims: Claims) -> list[str]:
    """How many claims of each verdict."""
    found = Counter(claim["verdict"] for claim in claims)
    return [str(found[verdict] or "–") for verdict in WORDS]


def minutes(seconds: float | None) -> str:
    if seconds is None:
        return "not run"
    return f"{seconds / 60:.0f}" if seconds >= 30 else "< 1"


def toctree(run: Run) -> str:
    """The pages for Sphinx, in the order of the table."""
    entries = [f"{name} <{FOLDER}{name}>" for name in run.names]
    lines = ["```{toctree}", ":hidden:", "", "All claims <results/claims>", *entries, "```"]
    return "\n".join(lines)


# ------------------------------------------------- docs/experiments/<name>.md


def claims_block(name: str, run: Run) -> str:
    """The claims of an experiment, and the cells, the time and the commit of its run."""
    own = [claim for claim in run.claims if claim["experiment"] == name]
    ran = run.about["experiments"].get(name)
    if ran is None:
        return ABSENT
    head = ["claim", "verdict", "measured", "asked for"]
    details = f"[Details, in bits too](../results/claims.md#{name})."
    return f"{grid(head, map(line, own))}\n\n{cells(ran)} {details}"


def line(claim: Mapping[str, Any]) -> list[str]:
    statement, measured, asked = (
        cell_text(in_nats(claim[key])) for key in ("statement", "measured", "tolerance")
    )
    return [statement, f"**{claim['verdict']}**", measured, asked]


def cells(ran: Mapping[str, Any]) -> str:
    """'416 cells in 11 min by commit 33a57e0; 0 diverged, 0 failed.'"""
    commits = ", ".join(commit[:7] for commit in str(ran["commit"]).split(", "))
    lost = f"{ran['diverged'] or 0} diverged, {ran['failed'] or 0} failed"
    time = duration(ran["seconds"], "coarse")
    return f"{counted(ran['cells'] or 0, 'cell')} in {time}, by commit {commits}; {lost}."


# ----------------------------------------------------------------------- all


def linked_figures(pages: Mapping[str, str]) -> dict[str, str]:
    """Name of a figure of docs/results/figures -> the page that shows it."""
    return {name: page for page, text in pages.items() for name in LINKED.findall(text)}
