"""Arrays of numpy's, in .npy or .npz. Pickled ones are refused: to read them can run a program."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from mine.command.tables.numbers import as_numbers
from mine.command.tables.source import Values, reading

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Arrays:
    """A file of arrays.

    Attributes:
        path: of the file.
        places: column name -> (array, its column; -1 for a 1-D array). The array of a .npy file
            has the name "".
    """

    path: str
    places: Mapping[str, tuple[str, int]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.places)

    @classmethod
    def of_npy(cls, path: str) -> Arrays:
        with reading(path, "npy"), open(path, "rb") as file:
            shape, dtype = _header(file)
        _check_usable("", shape, dtype)
        if len(shape) == 1:
            return cls(path, {"0": ("", -1)})
        return cls(path, {str(i): ("", i) for i in range(shape[1])})

    @classmethod
    def of_npz(cls, path: str) -> Arrays:
        places: dict[str, tuple[str, int]] = {}
        for name, (shape, dtype) in _headers(path).items():
            _check_usable(name, shape, dtype)
            if len(shape) == 1:
                places[name] = (name, -1)
            else:
                places |= {f"{name}:{i}": (name, i) for i in range(shape[1])}
        return cls(path, places)

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        wanted = [*numbers, *categories]
        with reading(self.path, "npy or npz"):
            arrays = self._arrays({self.places[name][0] for name in wanted})
            columns = {name: _column(arrays, *self.places[name]) for name in wanted}
        return {
            name: _texts(values) if name in categories else _numbers(name, values)
            for name, values in columns.items()
        }

    def _arrays(self, names: set[str]) -> dict[str, Values]:
        if names == {""}:
            return {"": np.load(self.path, mmap_mode="r", allow_pickle=False)}
        with np.load(self.path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}


def _headers(path: str) -> dict[str, tuple[Shape, np.dtype[Any]]]:
    """Array -> shape and type, of the arrays in a .npz file."""
    found = {}
    with reading(path, "npz"), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    found[member.removesuffix(".npy")] = _header(file)
    return found


def _header(file: IO[bytes]) -> tuple[Shape, np.dtype[Any]]:
    """Shape and type of an array, whose values are not read."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"version {version} of the format has names of fields, not numbers")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _check_usable(name: str, shape: Shape, dtype: np.dtype[Any]) -> None:
    what = f"the array {name!r}" if name else "the array"
    if dtype.hasobject:
        raise ValueError(
            f"expected arrays of numbers, got pickled objects in {what}, which are not read "
            "because they can run programs: save it as an array of numbers"
        )
    if len(shape) not in (1, 2):
        raise ValueError(
            f"expected arrays of shape (n,) or (n, columns), got {shape} for {what}: "
            "reshape it or leave it out of the file"
        )


def _column(arrays: Mapping[str, Values], name: str, index: int) -> Values:
    array = arrays[name]
    return np.array(array if index < 0 else array[:, index])


def _texts(values: Values) -> Values:
    return np.asarray([str(v) for v in values.tolist()], dtype=object)


def _numbers(name: str, values: Values) -> Values:
    if values.dtype.kind in "US":
        return as_numbers(name, _texts(values))
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"expected numbers in column {name!r}, got {values.dtype}: convert it to numbers, "
            "or leave it out"
        )
    return values.astype(np.float64)
