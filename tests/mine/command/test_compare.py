"""`mine compare`: each method gives what it gives alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import mine
from mine.command.errors import FAILED
from mine.running.estimates import Estimate

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
Complaint = Callable[..., str]
Words = tuple[str, ...]


def test_compare_gives_what_each_method_gives_alone(
    read: Read, run: Run, tiny: Words, folder: Path
) -> None:
    """Each with the options that it uses."""
    words = "--x", "height", "--y", "age", "--json", *tiny
    chosen = ["mine", "smile(tau=1)", "remine(alpha=0.2,b=0)", "ksg"]
    found = read(run("compare", "people.csv", *words, "--method", ",".join(chosen)))
    assert [row["method"] for row in found["methods"]] == chosen
    for row in found["methods"]:
        alone = read(run("estimate", "people.csv", *words[:5], *of(row["method"], tiny)))
        assert row["nats"] == alone["nats"]
        assert row["kind"] == mine.methods()[row["method"]].kind and row["failed"] is None


def of(method: str, options: Words) -> Words:
    return "--method", method, *(() if method == "ksg" else options)


def test_an_option_that_no_method_uses_is_refused(run: Run, folder: Path) -> None:
    words = "--x", "height", "--y", "age", "--method", "ksg,gaussian", "--steps", "9"
    done = run("compare", "people.csv", *words)
    assert done.exit_code == 2 and "got steps: leave it out" in done.stderr


def test_compare_takes_all_methods_that_fit_where_none_is_named(
    read: Read, run: Run, tiny: Words, folder: Path
) -> None:
    """Of numbers, those that need no labels; of labels, all."""
    known = mine.methods()
    words = "compare", "people.csv", "--x", "height", "--json", "--y"
    found = [row["method"] for row in read(run(*words, "age", *tiny))["methods"]]
    assert found == [name for name in known if not known[name].discrete_sides]
    labels = "--categorical", "sex", "--method", "mixed,gaussian"
    mixed, _ = read(run(*words, "sex", *labels))["methods"]
    assert mixed["share"] == mixed["nats"] / mixed["entropy"]
    assert 0 <= mixed["correlation"] < 1


def test_a_method_that_fails_is_a_row_and_the_status_says_so(
    read: Read, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mine.estimate

    def failing(*args: Any, **options: Any) -> Estimate:
        if options["method"] == "dv":
            raise RuntimeError("an estimation failed: no\nmemory")
        return real(*args, **options)

    monkeypatch.setattr(mine, "estimate", failing)
    words = "compare", "people.csv", "--x", "height", "--y", "age", "--method", "dv,ksg"
    done = run(*words, "--json")
    assert done.exit_code == FAILED
    failed, well = read(done)["methods"]
    assert failed["failed"] == "an estimation failed: no memory" and "nats" in well
    assert "dv: failed: an estimation failed: no memory" in run(*words).stdout


def test_a_setting_that_no_method_takes_is_bad_input(
    complaint: Complaint, run: Run, folder: Path
) -> None:
    words = "--x", "height", "--y", "age", "--method", "dv,ksg", "--set", "stepz=3"
    assert "unknown option 'stepz'" in complaint(run("compare", "people.csv", *words))
