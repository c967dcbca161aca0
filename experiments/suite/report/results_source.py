"""What the results page is made of, checked: a whole run of one scale and of known commits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.suite.claims.claim import judge
from experiments.suite.report.discovery import experiments_in_order
from experiments.suite.report.records import Record, headline, joined
from experiments.suite.report.texts import listed
from experiments.suite.store.errors import one_line
from experiments.suite.store.joined import load_runs
from experiments.suite.store.reading import parse_json, read_file

MOST_CLAIMS_BYTES = 1 << 26


class ResultsError(ValueError):
    """The folder does not have what the results page needs; the message is one line."""


@dataclass(frozen=True)
class Results:
    """A whole run.

    Attributes:
        scale: of all its runs.
        claims: those of claims.json.
        records: experiment -> its run, in the order of the report.
        titles: experiment -> its question in one line.
        left_out: the experiments that have no run.
    """

    scale: str
    claims: list[dict[str, Any]]
    records: dict[str, Record]
    titles: dict[str, str]
    left_out: tuple[str, ...]


def claims_of(outputs: Path) -> list[dict[str, Any]]:
    """The claims in claims.json of a folder of runs."""
    path = outputs / "claims.json"
    expected = f"expected claims that `make report` wrote to {path}"
    try:
        claims = parse_json(read_file(path, MOST_CLAIMS_BYTES))
    except FileNotFoundError as error:
        raise ResultsError(f"{expected}, got no such file: run `make report` first") from error
    except ValueError as error:
        raise ResultsError(f"{expected}, got {one_line(error)}: run `make report`") from error
    if not (isinstance(claims, list) and all(isinstance(one, dict) for one in claims)):
        raise ResultsError(f"{expected}, got no list of claims: run `make report`")
    return claims


def read_results(
    outputs: Path,
    claims: list[dict[str, Any]],
    scale: str,
    commits: Sequence[str],
    without: Iterable[str] = (),
) -> Results:
    """The whole run in a folder.

    Args:
        outputs: the folder of the runs.
        claims: those of its claims.json.
        scale: which its runs must have.
        commits: those that its rows may come from, whole or their first digits.
        without: experiments that may be missing.

    Raises:
        ResultsError: an experiment has no finished run of that scale, its rows come from another
            commit, or its claims are not those of claims.json.
    """
    modules = experiments_in_order()
    records = joined(Record(run) for run in load_runs(outputs)[0])
    heads = {name: headline(records, name, scale) for name in modules}
    left_out = tuple(name for name in without if heads.get(name) is None)
    found = {name: head for name, head in heads.items() if head is not None}
    check_experiments([name for name in modules if name not in left_out], found, records, scale)
    check_commits(found, commits)
    check_claims({name: modules[name] for name in found}, found, claims)
    titles = {name: title_of(modules[name], name) for name in found}
    return Results(scale, claims, found, titles, left_out)


def title_of(module: ModuleType, name: str) -> str:
    return (module.__doc__ or name).strip().splitlines()[0]


def check_experiments(
    wanted: Sequence[str], found: Mapping[str, Record], records: Iterable[Record], scale: str
) -> None:
    """Each wanted experiment has a finished run of the scale."""
    if missing := [name for name in wanted if name not in found]:
        others = listed(sorted({one.scale for one in records} - {scale}))
        raise ResultsError(
            f"expected runs at scale={scale} of all experiments, got none of {listed(missing)} "
            f"(other scales there: {others}): run `make reproduce SCALE={scale}`"
        )
    states = {name: str(one.status.get("state")) for name, one in found.items()}
    if unfinished := [f"{name} {state}" for name, state in states.items() if state != "finished"]:
        raise ResultsError(
            f"expected finished runs, got {listed(unfinished)}: "
            f"run `make reproduce SCALE={scale}` again"
        )


def check_commits(found: Mapping[str, Record], commits: Sequence[str]) -> None:
    """All rows come from these commits."""
    theirs = {commit for one in found.values() for commit in one.commits}
    short = [one[:7] for one in sorted(theirs)]
    if not all(one.startswith(tuple(commits)) for one in theirs):
        raise ResultsError(
            f"expected rows of commit {listed(one[:7] for one in commits)}, "
            f'got {listed(short)}: say so with `make results COMMIT="{" ".join(short)}"`, '
            "or run `make reproduce` again"
        )


def check_claims(
    modules: Mapping[str, ModuleType],
    found: Mapping[str, Record],
    claims: Iterable[Mapping[str, Any]],
) -> None:
    """The claims of the rows are those of claims.json."""
    told = {str(one.get("id")): one for one in claims}
    absent = {one.experiment for name in modules for one in modules[name].claims} - {
        one.get("experiment") for one in told.values()
    }
    if absent:
        raise ResultsError(
            f"expected claims of all experiments in claims.json, got none of "
            f"{listed(sorted(absent))}: run `make report` first"
        )
    judged = [
        claim.as_dict()
        for name, module in modules.items()
        for claim in judge(module, found[name].rows, found[name].curves)
    ]
    texts = [json.loads(json.dumps(claim)) for claim in judged]
    wrong = [one["id"] for one in texts if told.get(one["id"]) != one]
    if wrong or len(told) != len(texts):
        raise ResultsError(
            f"expected claims.json to say what the rows say, got other words for "
            f"{listed(wrong or sorted(set(told) - {one['id'] for one in texts}))}: "
            "run `make report` first"
        )
