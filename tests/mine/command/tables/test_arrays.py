"""Arrays of numpy's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mine.command.tables.columns import Columns
from mine.command.tables.picking import pick
from mine.command.tables.source import Source

Opened = Callable[[Path], Source]
Numbers = Callable[..., Columns]


def test_columns_of_npy_have_numbers_for_names(
    numbers: Numbers, opened: Opened, tmp_path: Path
) -> None:
    array = np.arange(6, dtype=np.int16).reshape(3, 2)
    np.save(tmp_path / "two.npy", array)
    assert opened(tmp_path / "two.npy").names == ("0", "1")
    np.testing.assert_array_equal(numbers(tmp_path / "two.npy", "1").values["1"], [1.0, 3.0, 5.0])
    np.save(tmp_path / "one.npy", array[:, 0])
    assert opened(tmp_path / "one.npy").names == ("0",)


def test_columns_of_npz_are_named_by_array_and_number(
    numbers: Numbers, opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "t.npz"
    np.savez_compressed(path, x=np.arange(6.0).reshape(3, 2), y=np.arange(3.0))
    source = opened(path)
    assert source.names == ("x:0", "x:1", "y")
    assert pick(["x"], source.names, "--x") == ("x:0", "x:1")
    np.testing.assert_array_equal(numbers(path, "x:1").values["x:1"], [1.0, 3.0, 5.0])


def test_an_array_of_npz_may_have_an_empty_name(
    numbers: Numbers, opened: Opened, tmp_path: Path
) -> None:
    """It is read from the archive, and the file is closed (an open one is a warning)."""
    path = tmp_path / "t.npz"
    np.savez(path, **{"": np.arange(4.0).reshape(2, 2)})
    assert opened(path).names == (":0", ":1")
    np.testing.assert_array_equal(numbers(path, ":1").values[":1"], [1.0, 3.0])


def test_an_array_that_is_not_named_is_not_loaded(numbers: Numbers, tmp_path: Path) -> None:
    """Its bytes are spoilt behind the header, and nobody notices until it is asked for."""
    path = tmp_path / "t.npz"
    np.savez(path, a=np.arange(99.0), b=np.full(50_000, 7.25))
    content = bytearray(path.read_bytes())
    content[content.rindex(np.float64(7.25).tobytes())] ^= 1
    path.write_bytes(content)
    assert numbers(path, "a").rows == 99
    with pytest.raises(ValueError, match="CRC"):
        numbers(path, "b")


def test_a_pickle_is_never_read(opened: Opened, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    hostile = np.array([Hostile(), Hostile()], dtype=object)
    np.save(tmp_path / "t.npy", hostile, allow_pickle=True)
    np.savez(tmp_path / "t.npz", a=np.arange(2.0), b=hostile)
    for name in ("t.npy", "t.npz"):
        with pytest.raises(ValueError, match="pickled objects .* not read because they can run"):
            opened(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_arrays_of_other_shapes_and_types_are_refused(
    numbers: Numbers, opened: Opened, tmp_path: Path
) -> None:
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"got \(2, 2, 2\) for the array"):
        opened(tmp_path / "cube.npy")
    np.savez(tmp_path / "t.npz", a=np.arange(3.0), b=np.arange(4.0), c=np.arange(3) * 1j)
    with pytest.raises(ValueError, match="columns of equal length"):
        numbers(tmp_path / "t.npz", "a", "b")
    with pytest.raises(ValueError, match="numbers in column 'c', got complex128"):
        numbers(tmp_path / "t.npz", "c")
