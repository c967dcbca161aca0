"""How long a call takes is said before it begins, where it takes long."""

import logging

import numpy as np
import pytest

import mine
from mine.estimators import outlook
from mine.estimators.outlook import in_words
from mine.estimators.own_job import own_job
from mine.memory import Memory


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "mine.outlook")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "mine.outlook"]


class Begun(Exception):
    """The work would begin here."""


@pytest.fixture
def no_work(monkeypatch):
    def begin(*_, **__):
        raise Begun

    monkeypatch.setattr("mine.estimators.requests.run", begin)


def test_a_thousand_columns_are_said_to_take_long_before_all_jobs_are_made(said, monkeypatch):
    """Was silence: the jobs of all pairs alone take minutes."""
    made = []

    def own_job_once(*of, **options):
        if made:
            raise Begun
        made.append(of)
        return own_job(*of, **options)

    monkeypatch.setattr("mine.estimators.pairwise.own_job", own_job_once)
    table = np.random.default_rng(0).normal(size=(30, 1000))
    with pytest.raises(Begun):
        mine.pairwise(table, method="gaussian")
    (line,) = said()
    assert line.startswith("499,500 estimates take about ") and line.endswith("Ctrl-C stops")
    assert "minutes" in line or "hours" in line


def test_a_long_training_is_said_with_its_copies(said, no_work):
    x = np.random.default_rng(0).normal(size=(300, 2))
    with pytest.raises(Begun):
        mine.estimate(x[:, 0], x[:, 1], "mine", null=99, hidden=(256, 256))
    (line,) = said()
    assert line.startswith("100 estimates take about ")


def test_what_takes_seconds_is_not_said(said):
    x = np.random.default_rng(0).normal(size=(300, 2))
    mine.estimate(x[:, 0], x[:, 1], "gaussian")
    assert said() == []


def test_more_pairs_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr(outlook, "of_this_process", lambda: Memory(1e15, 1e5))
    x = np.random.default_rng(0).normal(size=(100, 20))
    with pytest.raises(MemoryError, match=r"GB of free memory for 190 estimates, .* a target"):
        mine.pairwise(x, method="gaussian")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(21, "20 seconds"), (110, "100 seconds"), (3000, "50 minutes"), (1e5, "30 hours")],
)
def test_words(seconds, words):
    assert in_words(seconds) == f"about {words}"
