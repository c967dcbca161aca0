"""What is said twice, so that `--help` needs no torch, is the same."""

from __future__ import annotations

from mine.command.options import PREPROCESSING
from mine.data.preprocessing import KINDS


def test_the_ways_of_preprocessing_are_those_of_the_library() -> None:
    assert sorted(PREPROCESSING) == sorted(KINDS)
