"""Blocks of pages: what is made of a run, and pages that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.suite.report.page_blocks import ABSENT, filled, linked_figures
from experiments.suite.report.results_source import ResultsError

END = "<!-- end of made -->"
CLAIM = {
    "id": "gaussian-low-mine",
    "experiment": "gaussian",
    "statement": "MINE | near [the] truth.",
    "measured": "error 0.1 nats (0.144 bits)",
    "tolerance": "at most 0.2 nats (0.289 bits)",
    "verdict": "reproduced",
    "figure": "gaussian_scalar_1d",
}
ABOUT: dict[str, Any] = {
    "scale": "default",
    "commits": ["0123456789"],
    "seconds": 700.0,
    "left_out": [],
    "experiments": {
        "gaussian": {
            "seconds": 700.0,
            "cells": 12,
            "diverged": 1,
            "failed": 0,
            "commit": "0123456789, 9876543210",
        }
    },
}


def block(what: str, inside: str = "") -> str:
    return f"<!-- made: {what} -->\n{inside}\n{END}"


PAGES = {
    "results.md": f"# Results\n\n{block('counts')}\n\n{block('experiments')}\n{block('pages')}\n",
    "experiments/gaussian.md": f"# Gaussians\n\n{block('claims gaussian', 'old')}\n\nProse.\n",
    "experiments/drift.md": f"# Drift\n\n{block('claims drift')}\n",
}


def made(**changed: str) -> dict[str, str]:
    """The pages filled, with some of them changed before."""
    names = {name.replace("/", "_").removesuffix(".md"): name for name in PAGES}
    return filled(
        PAGES | {names[key]: text for key, text in changed.items()},
        [CLAIM],
        ABOUT,
    )


def test_a_page_shows_each_claim_without_bits_and_keeps_its_prose() -> None:
    text = made()["experiments/gaussian.md"]
    row = r"| MINE \| near \[the\] truth. | **reproduced** | error 0.1 nats | at most 0.2 nats |"
    assert row in text.splitlines()
    assert "12 cells in 12 min, by commit 0123456, 9876543; 1 diverged, 0 failed." in text
    assert "old" not in text and text.endswith(f"{END}\n\nProse.\n")


def test_an_experiment_without_a_run_says_so() -> None:
    assert ABSENT in made()["experiments/drift.md"]


def test_the_first_page_counts_and_lists_the_pages_in_the_order_of_the_run() -> None:
    lines = made()["results.md"].splitlines()
    assert "There are 1 claims: **1 reproduced, 0 not reproduced, 0 inconclusive**." in lines
    assert "| [gaussian](experiments/gaussian.md) | Gaussians | 1 | – | – | 12 |" in lines
    assert "| [drift](experiments/drift.md) | Drift | – | – | – | not run |" in lines
    order = [line for line in lines if " <experiments/" in line]
    assert order == ["gaussian <experiments/gaussian>", "drift <experiments/drift>"]


def test_filling_twice_is_filling_once() -> None:
    once = made()
    assert filled(once, [CLAIM], ABOUT) == once


BROKEN = {
    "<!-- made: counts -->\n": "one '<!-- end of made -->' after it, got '<!-- made: counts",
    f"\n\n{END}\n": "got '<!-- end of made -->' at docs/results.md:3: mend",
    f"<!-- made: counts -->\n{block('pages')}": "'<!-- made: counts -->' at docs/results.md:1",
    block("count"): "expected a block of run, counts, experiments, pages, got 'count' at docs/re",
    block("claims gaussian"): "got 'claims gaussian' at docs/results.md:1: mend the page",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_block_is_told_with_page_and_line(text: str) -> None:
    with pytest.raises(ResultsError) as error:
        made(results=text)
    assert BROKEN[text] in str(error.value) and "\n" not in str(error.value)


def test_a_page_has_the_claims_of_its_own_experiment_alone() -> None:
    with pytest.raises(ResultsError, match="pages, claims drift, got 'claims gaussian' at docs/e"):
        made(experiments_drift=f"# Drift\n{block('claims gaussian')}")


def test_an_experiment_with_claims_needs_a_page_with_its_block() -> None:
    with pytest.raises(ResultsError, match="expected a page docs/experiments/gaussian.md with"):
        made(experiments_gaussian="# Gaussians\n")


def test_figures_that_pages_link_to_are_found() -> None:
    pages = {"a.md": "![x](results/figures/one_2d.png)", "b/c.md": "](../results/figures/two.svg)"}
    assert linked_figures(pages) == {"one_2d": "a.md", "two": "b/c.md"}
