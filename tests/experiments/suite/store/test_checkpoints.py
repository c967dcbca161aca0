"""Checkpoints: what is whole is found again, what is broken is passed over and said."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.store import checkpoints
from experiments.suite.store.checkpoints import BrokenCheckpointError, Checkpoints
from experiments.suite.store.files import OutputError

KEYS = ["a", "b", "c", "d", "e"]
STACK = (0, 2)


def state(step: int) -> dict[str, np.ndarray]:
    return {
        "step": np.array(step),
        "loop.theta": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2] * step,
        "loop.good": np.array([True, False]),
    }


def keeper(folder: Path, now: float = 0.0, every: float = 30.0) -> Checkpoints:
    return Checkpoints(folder / "checkpoints", KEYS, every, lambda: now)


def steps_of(found: Checkpoints, stack: tuple[int, ...] = STACK) -> list[int]:
    return [int(one["step"]) for one in found.load(stack)]


def test_the_last_two_states_of_a_stack_are_kept_the_newest_first(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    for step in (5, 10, 100, 1000):
        kept.save(STACK, state(step))
    kept.save((1, 3), state(7))
    newest, older = keeper(tmp_path).load(STACK)
    for found, step in ((newest, 1000), (older, 100)):
        assert found.keys() == state(step).keys()
        for name, array in state(step).items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 6


@pytest.mark.parametrize("name", ["safetensors", "json"])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(
    name: str, at: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    kept = keeper(folder)
    kept.save(STACK, state(5))
    kept.save(STACK, state(10))
    path = sorted((folder / "checkpoints").glob(f"*.{name}"))[-1]
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    path.write_bytes(data)
    found = list(keeper(folder).load(STACK))
    assert [int(one["step"]) for one in found] in ([5], [10, 5])
    for one in found:
        wanted = state(int(one["step"]))
        assert all(np.array_equal(one[n], wanted[n]) for n in wanted)


@pytest.mark.parametrize("size", [0, 1, 8, 60])
def test_a_cut_state_is_passed_over_and_said(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    kept.save(STACK, state(10))
    newest = sorted((tmp_path / "checkpoints").glob("*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[:size])
    assert steps_of(keeper(tmp_path)) == [5]
    assert "a checksum that differs: the one before it is used" in caplog.text


def test_arrays_without_their_description_are_no_checkpoint(tmp_path: Path) -> None:
    """A process killed between the two writes leaves such arrays."""
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    kept.save(STACK, state(10))
    sorted((tmp_path / "checkpoints").glob("*.json"))[-1].unlink()
    assert steps_of(keeper(tmp_path)) == [5]


class Code:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/tmp/never"),))  # type: ignore[return-value]


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Code()),
        b"\xff" * 64,
        (2**62).to_bytes(8, "little") + b"{}",
        b'\x10\x00\x00\x00\x00\x00\x00\x00{"a":{"dtype":1}}',
    ],
    ids=["pickle", "noise", "huge header", "no header"],
)
def test_a_hostile_file_with_a_right_checksum_is_no_checkpoint(
    tmp_path: Path, data: bytes
) -> None:

    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    (arrays,) = (tmp_path / "checkpoints").glob("*.safetensors")
    arrays.write_bytes(data)
    about = {"sha256": hashlib.sha256(data).hexdigest(), "step": 5, "cells": ["a", "c"]}
    arrays.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(BrokenCheckpointError, match="expected a whole checkpoint"):
        checkpoints.read(arrays.with_suffix(".json"))
    assert steps_of(keeper(tmp_path)) == []


@pytest.mark.parametrize(
    "text", ["[1]", "{}", "", "[" * 100_000, '{"sha256": 1}', " " * 2_000_000]
)
def test_a_description_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    (about,) = (tmp_path / "checkpoints").glob("*.json")
    about.write_text(text)
    assert steps_of(keeper(tmp_path)) == []
    assert keeper(tmp_path).stacks([0, 2]) == []


def test_stacks_are_dealt_again_as_they_were(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.save((0, 2), state(5))
    kept.save((1, 3), state(5))
    kept.save((3, 4), state(5))  # of an earlier dealing: shares a cell with the one before it
    found = kept.stacks([0, 1, 2, 3, 4])
    assert sorted(i for stack in found for i in stack) in ([0, 1, 2, 3], [0, 2, 3, 4])
    assert kept.stacks([0, 1, 3]) == [(1, 3)]  # 2 has its row already


def test_stacks_without_a_state_are_dealt_again_too_and_no_cell_twice(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.deal([(0, 1), (2,), (3, 4)])
    assert kept.stacks([0, 1, 2, 3, 4]) == [(0, 1), (2,), (3, 4)]
    assert kept.stacks([0, 2, 3, 4]) == [(2,), (3, 4)]
    kept.save((0, 2), state(5))
    assert keeper(tmp_path).stacks([0, 1, 2, 3, 4]) == [(0, 2), (3, 4)]
    assert list(keeper(tmp_path).load((3, 4))) == []


@pytest.mark.parametrize("text", ["", "{}", "[[1], 2, [[]]]", "[" * 100_000, '[["z"], []]'])
def test_a_dealing_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    kept = keeper(tmp_path)
    kept.deal([(0, 1)])
    (tmp_path / "checkpoints" / "dealt.json").write_text(text)
    assert kept.stacks([0, 1, 2]) == []


def test_a_state_is_due_every_so_many_seconds(tmp_path: Path) -> None:
    now = iter([0.0, 29.0, 30.0, 31.0, 60.0, 61.0])
    kept = Checkpoints(tmp_path, KEYS, 30.0, lambda: next(now))
    list(kept.load(STACK))  # at 0
    assert not kept.due(STACK)
    assert kept.due(STACK)
    kept.save(STACK, state(1))  # at 31
    assert not kept.due(STACK)
    assert kept.due(STACK)


def test_a_disk_that_is_full_costs_the_checkpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))

    def full(path: Path, data: bytes) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(checkpoints, "write_atomic", full)
    kept.save(STACK, state(10))
    assert "training goes on" in caplog.text
    assert steps_of(kept) == [5]


def test_a_stack_whose_rows_are_written_is_forgotten(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    kept.save((1, 3), state(5))
    kept.discard(STACK)
    assert steps_of(kept) == [] and steps_of(kept, (1, 3)) == [5]
    kept.clear()
    assert not (tmp_path / "checkpoints").exists()
    kept.clear()


def test_what_cannot_be_removed_is_in_no_way(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    kept.save(STACK, state(5))
    (tmp_path / "checkpoints" / "a folder").mkdir()
    kept.clear()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["a folder"]
