"""Arrays of numpy's, in .npy or .npz. Pickled ones are refused: to read them can run a program."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from mine.command.tables.dates import DAY
from mine.command.tables.numbers import column_of_texts, levels_of_texts
from mine.command.tables.reading import Reading
from mine.command.tables.source import DATES, EXACT, Column, Values, read_each, reading

Shape = tuple[int, ...]
_MOST_COLUMNS = 1_000_000


@dataclass(frozen=True)
class Arrays:
    """A file of arrays.

    Attributes:
        path: of the file.
        places: column name -> (array, its column; -1 for a 1-D array). The array of a .npy file
            has the name "".
        sizes: array -> the bytes that it takes once it is unpacked; none of a .npy file.
        asked: how many bytes these may be.
    """

    path: str
    places: Mapping[str, tuple[str, int]]
    sizes: Mapping[str, int]
    asked: Reading
    recognised: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.places)

    @classmethod
    def of_npy(cls, path: str, asked: Reading) -> Arrays:
        with reading(path, "npy"), open(path, "rb") as file:
            shape, dtype = _header(file)
            there = os.fstat(file.fileno()).st_size - file.tell()
        _check_usable("", shape, dtype)
        _check_there(path, "", shape, dtype, there)
        if len(shape) == 1:
            return cls(path, {"0": ("", -1)}, {}, asked)
        return cls(path, {str(i): ("", i) for i in range(shape[1])}, {}, asked)

    @classmethod
    def of_npz(cls, path: str, asked: Reading) -> Arrays:
        places: dict[str, tuple[str, int]] = {}
        sizes: dict[str, int] = {}
        for name, (shape, dtype, there) in _headers(path).items():
            _check_usable(name, shape, dtype)
            _check_there(path, name, shape, dtype, there)
            sizes[name] = there
            if len(shape) == 1:
                places[name] = (name, -1)
            else:
                places |= {f"{name}:{i}": (name, i) for i in range(shape[1])}
        return cls(path, places, sizes, asked)

    def read(self, names: Sequence[str], levels: Collection[str]) -> Mapping[str, Column]:
        wanted = {self.places[name][0] for name in names}
        self.asked.check_size(repr(self.path), sum(self.sizes.get(name, 0) for name in wanted))
        with reading(self.path, "npy or npz"):
            arrays = self._arrays(wanted)
            columns = {name: _column(arrays, *self.places[name]) for name in names}
        na = self.asked.na
        return read_each(names, lambda name: _taken(name, columns[name], name in levels, na))

    def _arrays(self, names: set[str]) -> dict[str, Values]:
        if not self.sizes:  # a .npy file; a .npz file may also have an array without a name
            return {"": np.load(self.path, mmap_mode="r", allow_pickle=False)}
        # Opened here: numpy leaves the file open where a part of it is broken.
        with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}


def _headers(path: str) -> dict[str, tuple[Shape, np.dtype[Any], int]]:
    """Array -> shape, type, and bytes behind the header, of the arrays in a .npz file."""
    found = {}
    # Opened here: zipfile leaves the file open where a member of it is broken.
    with reading(path, "npz"), open(path, "rb") as opened, zipfile.ZipFile(opened) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with archive.open(member) as file:
                    name = member.filename.removesuffix(".npy")
                    found[name] = *_header(file), member.file_size - file.tell()
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


def _check_there(path: str, name: str, shape: Shape, dtype: np.dtype[Any], there: int) -> None:
    """Refuses an array of more values than the file has, before anything is made of its size."""
    what = f"array {name!r} of {path!r}" if name else repr(path)
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize > there:
        raise ValueError(
            f"expected a whole file, got {there} bytes of values in {what}, whose header claims "
            f"the shape {shape}: write it anew"
        )
    if len(shape) > 1 and shape[1] > _MOST_COLUMNS:
        raise ValueError(
            f"expected at most {_MOST_COLUMNS} columns, got {shape[1]} in {what}: write fewer"
        )


def _taken(name: str, values: Values, is_level: bool, na: Sequence[str]) -> Column:
    _check_letters(name, values)
    if is_level and values.dtype.kind in "US":
        return Column(levels_of_texts(_strings(values), na))
    if is_level:
        return Column(np.asarray([str(v) for v in values.tolist()], dtype=object))
    if values.dtype.kind in "US":
        return column_of_texts(name, _strings(values))
    if values.dtype.kind in "mM":
        days = values.astype(f"{values.dtype.kind}8[us]")
        numbers = np.where(np.isnat(days), np.nan, days.astype(np.int64) / (DAY * 1e6))
        return Column(numbers, DATES)
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"expected numbers in column {name!r}, got {values.dtype}: convert it to numbers, "
            "or leave it out"
        )
    with np.errstate(all="ignore"):  # what is no number of 8 bytes is refused as infinite
        return Column(values.astype(np.float64), rounded=_rounded(values, na))


def _rounded(values: Values, na: Sequence[str]) -> int | None:
    """The whole number that is largest in size, where float64 may lack it."""
    if values.dtype.kind not in "iu" or not values.size:
        return None
    largest = max(int(values.max()), int(values.min()), key=abs)
    if abs(largest) <= EXACT:
        return None
    return _rounded(values[~np.isin(values.astype(str), na)], ()) if na else largest


def _check_letters(name: str, values: Values) -> None:
    """Refuses text with numbers in it that are no letters of Unicode. Python does not print it."""
    if values.dtype.kind != "U" or not values.dtype.itemsize:
        return
    codes = values.astype(values.dtype.newbyteorder("=")).view(np.uint32)
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise ValueError(
            f"expected text in column {name!r}, got what are no letters: write the file anew"
        )


def _strings(values: Values) -> Any:
    import pyarrow

    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values.tolist()]
    return pyarrow.array(texts, pyarrow.large_string())
