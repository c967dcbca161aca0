"""The code that rows come from: a hash of the sources that make numbers.

What counts is what a cell's value can depend on: the library without its command and its entry
points, and of `experiments` what turns a cell into a job and a job into a row, with the tasks,
data and probes that stand there. Figures, claims, the report and the experiments' own files do
not count: a cell says itself what it asks for, and its key is a hash of that. Nor do comments,
docstrings and empty lines count. So an edit of any of these computes no cell again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout."""

UNKNOWN = "code unknown"
"""What stands for the code of rows that an older version wrote."""

DIGITS = 12
"""Hexadecimal digits of a hash."""

ASIDE = (
    "mine/command/",
    "mine/estimators/",
    "mine/__main__.py",
    "mine/fitted.py",
    "mine/saved.py",
    "mine/sklearn.py",
    "experiments/__init__.py",
    "experiments/__main__.py",
    "experiments/noisy_functions/",
    "experiments/suite/",
)
"""Files and folders of `mine` and `experiments` that make no number of a row."""

COUNTED = (
    "mine/estimators/own_job.py",
    "mine/estimators/rows.py",
    "experiments/suite/grid/cells.py",
    "experiments/suite/run/computing.py",
    "experiments/suite/run/jobs.py",
    "experiments/suite/run/rows.py",
    "experiments/suite/run/targets.py",
    "experiments/suite/store/measures.py",
)
"""Files in folders of `ASIDE` that count."""


_PIECES = re.compile(
    r"""\#[^\n]* | [(\[{] | [)\]}]
    | [a-zA-Z]{0,2}(?: \"{3}(?:\\.|[^\\])*?\"{3} | \'{3}(?:\\.|[^\\])*?\'{3}
                    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )""",
    re.VERBOSE | re.DOTALL,
)
"""A comment, a bracket or a text."""


def code_hash() -> str:
    """12 hexadecimal digits of this checkout's sources that make numbers.

    It is computed once a process, from the files as they are then.
    """
    return hash_of(ROOT)


@cache
def hash_of(root: Path) -> str:
    """As `code_hash`, of the checkout at `root`."""
    digest = hashlib.sha256()
    for name in counted_files(root):
        digest.update(f"{name}\n".encode())
        digest.update(bare((root / name).read_bytes()))
    return digest.hexdigest()[:DIGITS]


def by_code(codes: Mapping[str, int]) -> str:
    """'8 by 0123456789ab, 4 by code unknown' from code -> number of cells."""
    return ", ".join(f"{n} by {code or UNKNOWN}" for code, n in sorted(codes.items()))


def counted_files(root: Path) -> list[str]:
    """The files that count, as paths from the checkout, sorted."""
    paths = [path for top in ("mine", "experiments") for path in (root / top).rglob("*.py")]
    return sorted(filter(counts, (path.relative_to(root).as_posix() for path in paths)))


def counts(name: str) -> bool:
    """Whether a source of `mine` or `experiments` makes numbers; the path is from the checkout."""
    if name in COUNTED:
        return True
    experiment = name.startswith("experiments/") and name.count("/") == 1
    return not experiment and not name.startswith(ASIDE)


def bare(source: bytes) -> bytes:
    """A module's source without comments, docstrings, empty lines and spaces at line ends.

    It is scanned, not parsed, which takes a tenth of the time.
    """
    text, kept, start, depth = source.decode("utf-8", "surrogateescape"), [], 0, 0
    for found in _PIECES.finditer(text):
        piece = found.group()
        if piece in "([{":
            depth += 1
        elif piece in ")]}":
            depth -= 1
        elif piece[0] == "#" or (depth == 0 and _alone(text, *found.span())):
            kept.append(text[start : found.start()])
            start = found.end()
    lines = "".join([*kept, text[start:]]).split("\n")
    whole = "\n".join(line.rstrip() for line in lines if line.strip())
    return whole.encode("utf-8", "surrogateescape")


def _alone(text: str, start: int, end: int) -> bool:
    """Whether what stands there is a statement of its own: a docstring."""
    line, rest = text.rfind("\n", 0, start) + 1, text[end : text.find("\n", end) + 1 or None]
    continued = text[:line].endswith("\\\n")
    return not (text[line:start].strip() or rest.partition("#")[0].strip() or continued)
