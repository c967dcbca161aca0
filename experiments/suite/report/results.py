"""The results page of a whole run, made of its rows, figures and claims: `make results`.

python -m experiments.suite.report.results --outputs outputs --docs docs/results

It writes claims.md, claims.json, provenance.json and figures/, and fills the blocks of the pages
beside that folder: results.md and experiments/*.md. Nothing is computed again but the claims,
which must be those of claims.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from experiments.suite.report.origins import mixed
from experiments.suite.report.page_blocks import filled, linked_figures
from experiments.suite.report.records import Record
from experiments.suite.report.results_page import claims_page
from experiments.suite.report.results_source import (
    Results,
    ResultsError,
    claims_of,
    read_results,
)
from experiments.suite.run.provenance import git_state
from experiments.suite.store.code import ROOT, UNKNOWN
from experiments.suite.store.files import write_atomic
from experiments.suite.store.serialising import json_bytes

KINDS = ("png", "svg")
SHARED = (
    *("version", "packages", "python", "platform", "cores", "arithmetic"),
    *("threads", "device", "seed"),
)
"""What provenance.json says once where it is the same for all experiments."""


def write_results(results: Results, outputs: Path, docs: Path) -> None:
    """Writes the files of `docs` and fills the pages beside it; removes figures that none names.

    Raises:
        ResultsError: a figure that a claim or a page names is not in `outputs`, or a page lacks a
            block.
    """
    pages = read_pages(docs.parent)
    wanted = {claim["figure"]: "claims.json" for claim in results.claims if claim["figure"]}
    wanted = linked_figures(pages) | wanted
    figures = {
        f"{name}.{kind}": figure(outputs, f"{name}.{kind}", wanted[name])
        for name, kind in product(sorted(wanted), KINDS)
    }
    about = provenance(results)
    made = filled(with_blocks(pages), results.claims, about)
    write_atomic(docs / "claims.json", json_bytes(results.claims))
    write_atomic(docs / "provenance.json", json_bytes(about))
    write_atomic(docs / "claims.md", claims_page(results, about).encode())
    for name, data in figures.items():
        write_atomic(docs / "figures" / name, data)
    for path in (docs / "figures").iterdir():
        if path.name not in figures:
            path.unlink()
    for name, text in made.items():
        if text != pages[name]:
            write_atomic(docs.parent / name, text.encode())


def read_pages(site: Path) -> dict[str, str]:
    """The pages of the site by their names: 'results.md', 'experiments/gaussian.md' and others."""
    paths = sorted([*site.glob("*.md"), *site.glob("experiments/*.md")])
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def with_blocks(pages: Mapping[str, str]) -> dict[str, str]:
    """The pages that have blocks: results.md and one for each experiment."""
    return {
        name: text
        for name, text in pages.items()
        if name == "results.md" or name.startswith("experiments/")
    }


def figure(outputs: Path, name: str, named_by: str) -> bytes:
    """The bytes of a figure of the report."""
    path = outputs / "figures" / name
    if not path.is_file():
        raise ResultsError(
            f"expected the figure figures/{name} that {named_by} names, got none: "
            "run `make report` first"
        )
    return path.read_bytes()


def provenance(results: Results) -> dict[str, Any]:
    """Where the rows come from: what all experiments share, then each one's run.

    Of the machine it names system, processor family and cores, and neither host nor folders.
    """
    found = {name: record.provenance for name, record in results.records.items()}
    first = next(iter(found.values()))
    same = [key for key in SHARED if all(one.get(key) == first.get(key) for one in found.values())]
    return {
        "scale": results.scale,
        "commits": sorted({one for record in results.records.values() for one in record.commits}),
        **{key: first[key] for key in same if key in first},
        "seconds": round(sum(record.status["seconds"] for record in results.records.values()), 1),
        "left_out": list(results.left_out),
        "experiments": {
            name: {
                "run_id": record.run.run_id,
                "seconds": round(record.status["seconds"], 1),
                **{key: record.status.get(key) for key in ("cells", "diverged", "failed")},
                "commit": ", ".join(record.commits),
                "changes": found[name].get("git_dirty"),
                "started": record.status.get("started"),
                **differing(found[name], same),
                **origins(record),
            }
            for name, record in results.records.items()
        },
    }


def origins(record: Record) -> dict[str, Any]:
    """Code -> number of rows, and what a reader must know of where they come from."""
    counts = record.rows["code"].value_counts()
    codes = {str(code) or UNKNOWN: int(n) for code, n in sorted(counts.items())}
    return {"codes": codes, **({"notes": notes} if (notes := mixed(record.rows)) else {})}


def differing(one: Mapping[str, Any], same: Iterable[str]) -> dict[str, Any]:
    """What is not the same for all experiments."""
    return {key: one[key] for key in SHARED if key in one and key not in same}


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report.results",
        description="The results page of a whole run: claims, provenance and figures.",
        epilog="example: python -m experiments.suite.report.results --outputs outputs",
    )
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs (outputs)"
    )
    parser.add_argument(
        "--docs",
        type=Path,
        default=Path("docs/results"),
        help="where to write; pages beside it are filled (docs/results)",
    )
    parser.add_argument("--scale", default="default", help="the scale of the runs (default)")
    parser.add_argument(
        "--commit", nargs="*", default=[], help="the commits of the rows (the checkout's)"
    )
    parser.add_argument(
        "--without", nargs="*", default=[], help="experiments that may be missing (none)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where the folder has no whole run of that scale and commit."""
    asked = parser().parse_args(arguments)
    commits = asked.commit or [str(git_state(ROOT)[0])]
    try:
        claims = claims_of(asked.outputs)
        results = read_results(asked.outputs, claims, asked.scale, commits, asked.without)
        write_results(results, asked.outputs, asked.docs)
    except (OSError, ResultsError) as error:
        print(f"experiments.results: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {asked.docs / 'claims.md'}, and the pages beside that folder")
    return 0


if __name__ == "__main__":
    sys.exit(main())
