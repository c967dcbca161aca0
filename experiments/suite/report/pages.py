"""report.html and report.md, from templates.

The page is one file: figures are inline SVG, colours follow the reader's light or dark setting,
and its content security policy forbids every request. All text from rows, configs and statuses is
escaped. The clock is not read, so the same runs give the same bytes.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from experiments.suite.claims.claim import Claim
from experiments.suite.claims.wording import duration
from experiments.suite.figures.palette import DARK
from experiments.suite.figures.rendering import Drawn
from experiments.suite.report.discovery import MAIN
from experiments.suite.report.records import Record
from experiments.suite.report.sections import Section
from experiments.suite.report.texts import decided_by

TEMPLATES = Path(__file__).parent / "templates"
BADGES = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}
CHOOSING = (
    "Highest held-out value: the mean estimate on samples that trained nothing, where one above"
    " ln n_test counts as ln n_test, since no more can be certified from n_test samples. Smallest"
    " spread: the standard deviation over seeds, averaged over tasks; a network that learns"
    " nothing is stable too. Both choose among the settings that have all cells and lost none to"
    " divergence or failure, and neither reads the truth."
)
MOST_LINES = 200
"""Lines of a table on the pages; sweeps.csv and results.csv have all of them."""


def pages(
    sections: Sequence[Section],
    records: Sequence[Record],
    claims: Sequence[Claim],
    scale: str | None,
    problems: Sequence[str],
    notes: Sequence[str] = (),
) -> dict[str, str]:
    """File name -> its text.

    Args:
        sections: one for each experiment.
        records: all runs.
        claims: of all sections.
        scale: the scale that was asked for.
        problems: what the pages warn of.
        notes: where the rows of all runs come from.
    """
    context = {
        "sections": sorted(sections, key=lambda one: one.record is None),
        "claims": claims,
        "changed": {one.name: one.changed for one in sections},
        "decided_by": decided_by,
        "thumbnails": thumbnails(sections),
        "badges": BADGES,
        "verdicts": {verdict: sum(c.verdict == verdict for c in claims) for verdict in BADGES},
        "records": sorted(records, key=lambda record: record.order, reverse=True),
        "smoke": any(one.record and one.record.scale == "smoke" for one in sections),
        "scale": scale,
        "problems": problems,
        "notes": notes,
        "duration": duration,
        "most_lines": MOST_LINES,
        "choosing": CHOOSING,
        "dark": DARK,
    }
    return {
        "report.html": page("report.html", context, autoescape=True),
        "report.md": page("report.md", context, autoescape=False, finalize=markdown),
    }


def thumbnails(sections: Sequence[Section]) -> list[Drawn]:
    """Of each main experiment the figure that most of its claims name, where it was drawn."""
    found = []
    for one in sections:
        drawn = {figure.name: figure for figure in one.figures}
        named = Counter(claim.figure for claim in one.claims if claim.figure in drawn)
        if one.name in MAIN and named:
            found.append(drawn[named.most_common(1)[0][0]])
    return found


def page(name: str, context: Mapping[str, Any], **options: Any) -> str:
    """A template filled in; `options` are those of jinja2's environment."""
    return str(_template(name, tuple(options.items())).render(context))


@cache
def _template(name: str, options: tuple[tuple[str, Any], ...]) -> Any:
    """A template, compiled: that takes longer than to fill it in."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **dict(options),
    )
    environment.filters["raw"] = Markup
    environment.filters["slug"] = lambda text: re.sub(r"[^a-z0-9]+", "-", str(text).lower())
    return environment.get_template(name)


def markdown(value: Any) -> Any:
    """Text that no Markdown reader takes for markup; what is marked as safe stays."""
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$]|^[#+-])", r"\\\1", text)
