"""The command on files from elsewhere: it ends in 0, 1 or 2 with a line, in time and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_files import BOMBS, FILES, Foreign, check, npy, whole
from hypothesis import HealthCheck, given, settings


@pytest.mark.parametrize("kind", whole())
def test_whole_files_are_read(kind: str, tmp_path: Path) -> None:
    """What the fuzz test harms is right before."""
    assert check(tmp_path, whole()[kind])[0] == 0


def test_what_is_no_number_of_eight_bytes_is_said_in_one_line(tmp_path: Path) -> None:
    """Was a warning of numpy's beside."""
    assert check(tmp_path, Foreign(".npy", npy((4, 2), "<f16", b"\1" * 128))) == [2, 2]


@pytest.mark.parametrize("values", [b"\0\1" * 36, b"\0\xd8\0\0" * 18])
def test_what_are_no_letters_is_refused(tmp_path: Path, values: bytes) -> None:
    """Was a traceback of arrow's."""
    assert check(tmp_path, Foreign(".npy", npy((3, 2), "<U3", values))) == [2, 2]


def test_a_broken_array_leaves_no_file_open(tmp_path: Path) -> None:
    """An open one is an error of these tests."""
    content = bytearray(whole()["npz"].content)
    content[len(content) // 3] ^= 255
    assert check(tmp_path, Foreign(".npz", bytes(content))) == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOMBS)
def test_what_unpacks_to_gigabytes_is_refused(kind: str, tmp_path: Path) -> None:
    assert check(tmp_path, BOMBS[kind]()) == [2, 2]


@given(file=FILES)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_file_breaks_the_command(tmp_path: Path, file: Foreign) -> None:
    check(tmp_path, file)
