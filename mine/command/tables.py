"""Columns of a table by name: what the command reads, checked before anything is trained.

A source knows its columns' names before it reads values, and then reads the wanted columns alone:

    .csv .tsv .txt      text with a header line (also .gz), or csv on stdin as "-"; pyarrow
    .parquet .pq        pyarrow
    .npy                columns "0", "1", ...; mapped into memory
    .npz                columns "name" of a 1-D array, "name:0", "name:1", ... of a 2-D one

Nothing that is read can run: pickled arrays are refused. Every complaint is a ValueError of one
line: expected, got, what to do. Rows are counted from 1, a header aside.
"""

from __future__ import annotations

import csv
import difflib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

STDIN = "-"
LARGEST = 1e150  # in size: the square of more overflows, and with it every variance
_SHOWN = 6  # names in an error
_HEADER_BYTES = 1 << 20

Values = NDArray[Any]
"""(n,): float64 with nan where a number is missing; or objects, str or None, for categories."""


class Source(Protocol):
    """A table whose columns can be read one by one."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        """The named columns, and no others."""
        ...


@dataclass(frozen=True)
class Columns:
    """What was asked for.

    Attributes:
        values: name -> (n,), float64 or, for categories, str.
        dropped: rows left out because a value of theirs is missing.
    """

    values: Mapping[str, Values]
    dropped: int = 0

    @property
    def rows(self) -> int:
        return len(next(iter(self.values.values())))


# ------------------------------------------------------------------ the sources


def open_table(path: str, stdin: Callable[[], BinaryIO]) -> Source:
    """The table of a file, or of csv on stdin.

    Raises:
        ValueError: there is no such file, or it is no such table.
    """
    if path == STDIN:
        return Text.of("stdin", _all_of(stdin()), ",")
    file = Path(path)
    if not file.is_file():
        near = _nearest(file.name, [p.name for p in _beside(file)])
        raise ValueError(f"expected a file, got {path!r}, which is none: {near or 'give a path'}")
    if file.stat().st_size == 0:
        raise ValueError(f"expected a table, got the empty file {path!r}: write it anew")
    kind = Path(file.name.removesuffix(".gz")).suffix.lower()
    if kind not in KINDS or (file.suffix == ".gz" and KINDS[kind] not in (_csv, _tsv)):
        raise ValueError(
            f"expected one of {' '.join(KINDS)} (text also as .gz), got {path!r}: rename it by "
            "what it holds, or convert it"
        )
    return KINDS[kind](path)


def _all_of(stream: BinaryIO) -> bytes:
    """Piece by piece: a Ctrl-C between two reads of a single `read()` would wait for the next."""
    read = getattr(stream, "read1", stream.read)
    return b"".join(iter(lambda: read(1 << 20), b""))


def _beside(file: Path) -> list[Path]:
    return list(file.parent.iterdir()) if file.parent.is_dir() else []


@contextmanager
def _reading(path: str, kind: str) -> Iterator[None]:
    """Says in one line what a reader has against a file: a corrupt one may raise anything."""
    try:
        yield
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(
            f"expected a whole {kind} file, got {path!r}, which cannot be read ({reason}): "
            "write it anew, or rename it by what it holds"
        ) from None


@dataclass(frozen=True)
class Text:
    """Text with a header line: a path, or bytes where there is none."""

    path: str
    content: bytes | None
    delimiter: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: str, content: bytes | None, delimiter: str) -> Text:
        one = cls(path, content, delimiter, ())
        with _reading(path, "text (UTF-8)"):
            with one._stream() as stream:
                head = stream.read(_HEADER_BYTES)
            # A character may be cut at the end of what was read, and a header's is not.
            text = head.decode("utf-8-sig", "strict" if len(head) < _HEADER_BYTES else "ignore")
        if "\0" in text:
            raise ValueError(
                f"expected text with a header line, got {path!r} with zero bytes in it, a binary "
                "file: rename it by what it holds, or export it as csv"
            )
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        with _reading(path, "text"):
            header = next((line for line in lines if line), None)
        if header is None:
            raise ValueError(f"expected a header line and rows, got nothing in {path!r}")
        return cls(path, content, delimiter, tuple(header))

    def _stream(self) -> Any:
        import pyarrow

        if self.content is not None:
            return pyarrow.BufferReader(self.content)
        return pyarrow.input_stream(self.path, compression="detect")

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        import pyarrow

        types = dict.fromkeys(numbers, pyarrow.float64())
        try:
            table = self._table({**types, **dict.fromkeys(categories, pyarrow.string())})
            return {
                name: _from_arrow(name, table[name], name in types) for name in table.schema.names
            }
        except pyarrow.ArrowInvalid:  # slower, to find out where, or that Python can read it
            with _reading(self.path, "text"):
                table = self._table(dict.fromkeys((*numbers, *categories), pyarrow.string()))
        texts = {name: _from_arrow(name, table[name], False) for name in table.schema.names}
        return {n: _as_numbers(n, v) if n in types else v for n, v in texts.items()}

    def _table(self, types: Mapping[str, Any]) -> Any:
        from pyarrow import csv as reader

        with self._stream() as stream:
            return reader.read_csv(
                stream,
                parse_options=reader.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True
                ),
                convert_options=reader.ConvertOptions(
                    include_columns=list(types), column_types=types, strings_can_be_null=True
                ),
            )


def _as_numbers(name: str, texts: Values) -> Values:
    """Texts as float64; None becomes nan."""
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        try:
            values[i] = float("text" if "_" in text else text)
        except ValueError:
            raise ValueError(
                f"expected numbers in column {name!r}, got {_short(text)} in row {i + 1}: "
                f"correct it, or give --categorical {name} if it holds categories"
            ) from None
    return values


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _from_arrow(name: str, column: Any, is_number: bool) -> Values:
    """A column of arrow's as float64 with nan, or as str with None."""
    import pyarrow
    from pyarrow import compute, types

    kind = column.type
    if isinstance(kind, pyarrow.DictionaryType):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not is_number:
        texts = column.cast(pyarrow.string()).to_numpy(zero_copy_only=False)
        return np.asarray(texts, dtype=object)
    if types.is_string(kind) or types.is_large_string(kind):
        return _as_numbers(name, column.to_numpy(zero_copy_only=False))
    readable = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    if not (types.is_null(kind) or any(is_kind(kind) for is_kind in readable)):
        raise ValueError(
            f"expected numbers in column {name!r}, got {kind}: convert it to numbers, or leave "
            "it out"
        )
    if types.is_boolean(kind):
        column = column.cast(pyarrow.int8())
    numbers = compute.cast(column, pyarrow.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


@dataclass(frozen=True)
class Parquet:
    path: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: str) -> Parquet:
        from pyarrow import parquet

        with _reading(path, "parquet"), parquet.ParquetFile(path) as file:
            return cls(path, tuple(file.schema_arrow.names))

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        from pyarrow import parquet

        with _reading(self.path, "parquet"), parquet.ParquetFile(self.path) as file:
            table = file.read(columns=[*numbers, *categories])
            table.validate(full=True)
        return {n: _from_arrow(n, table[n], n in numbers) for n in (*numbers, *categories)}


@dataclass(frozen=True)
class Arrays:
    """Arrays of numpy's: column name -> (array, its column; -1 for a 1-D array)."""

    path: str
    places: Mapping[str, tuple[str, int]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.places)

    @classmethod
    def of_npy(cls, path: str) -> Arrays:
        with _reading(path, "npy"), open(path, "rb") as file:
            shape, dtype = _header(file)
        _usable("", shape, dtype)
        return cls(
            path, {str(i): ("", i if len(shape) == 2 else -1) for i in range(_width(shape))}
        )

    @classmethod
    def of_npz(cls, path: str) -> Arrays:
        found: dict[str, tuple[tuple[int, ...], Any]] = {}
        with _reading(path, "npz"), zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as file:
                        found[member.removesuffix(".npy")] = _header(file)
        places: dict[str, tuple[str, int]] = {}
        for name, (shape, dtype) in found.items():
            _usable(name, shape, dtype)
            if len(shape) == 1:
                places[name] = (name, -1)
            else:
                places |= {f"{name}:{i}": (name, i) for i in range(shape[1])}
        return cls(path, places)

    def read(self, numbers: Sequence[str], categories: Sequence[str]) -> dict[str, Values]:
        wanted = [*numbers, *categories]
        with _reading(self.path, "npy or npz"):
            arrays = self._arrays({self.places[name][0] for name in wanted})
            columns = {name: _column(arrays, *self.places[name]) for name in wanted}
        return {
            name: np.asarray([str(v) for v in values.tolist()], dtype=object)
            if name in categories
            else _array_numbers(name, values)
            for name, values in columns.items()
        }

    def _arrays(self, names: set[str]) -> dict[str, Values]:
        if names == {""}:
            return {"": np.load(self.path, mmap_mode="r", allow_pickle=False)}
        with np.load(self.path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}


def _header(file: Any) -> tuple[tuple[int, ...], Any]:
    """Shape and type of an array that is not read."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"version {version} of the format has names of fields, not numbers")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _width(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 2 else 1


def _usable(name: str, shape: tuple[int, ...], dtype: Any) -> None:
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


def _array_numbers(name: str, values: Values) -> Values:
    if values.dtype.kind in "US":
        return _as_numbers(name, np.asarray([str(v) for v in values.tolist()], dtype=object))
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"expected numbers in column {name!r}, got {values.dtype}: convert it to numbers, "
            "or leave it out"
        )
    return values.astype(np.float64)


def _csv(path: str) -> Source:
    return Text.of(path, None, ",")


def _tsv(path: str) -> Source:
    return Text.of(path, None, "\t")


KINDS: Mapping[str, Callable[[str], Source]] = {
    ".csv": _csv,
    ".txt": _csv,
    ".tsv": _tsv,
    ".parquet": Parquet.of,
    ".pq": Parquet.of,
    ".npy": Arrays.of_npy,
    ".npz": Arrays.of_npz,
}


# -------------------------------------------------------------- picking columns


def pick(asked: Sequence[str], names: Sequence[str], option: str) -> tuple[str, ...]:
    """The columns that an option names, each once.

    Args:
        asked: as they were given: a name, names with commas between, or an array for its columns.
        names: of the table.
        option: to call them by in errors.
    """
    found = [name for text in asked for name in _named(text, names, option)]
    if not found:
        raise ValueError(f"expected columns for {option}, got none: give {_some(names)}")
    same = next((name for name in found if list(names).count(name) > 1), None)
    if same is not None:
        raise ValueError(
            f"expected columns of different names, got {same!r} {list(names).count(same)} times "
            "in the table: rename them"
        )
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ValueError(
            f"expected each column once in {option}, got {twice[0]!r} more often: leave one out"
        )
    return tuple(found)


def _named(text: str, names: Sequence[str], option: str) -> list[str]:
    if text in names:  # a name may have commas in it
        return [text]
    found = []
    for part in (part.strip() for part in text.split(",")):
        of_array = [name for name in names if name.rpartition(":")[0] == part and part]
        if part in names:
            found.append(part)
        elif of_array:
            found += of_array
        elif part:
            near = _nearest(part, names)
            raise ValueError(
                f"expected a column of the table for {option}, got {part!r}: "
                f"{near or f'give one of {_some(names)}'}"
            )
    return found


def _nearest(name: str, names: Sequence[str]) -> str:
    folded = {known.casefold().strip(): known for known in names}
    near = difflib.get_close_matches(name.casefold().strip(), list(folded), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(repr(folded[one]) for one in near)}?" if near else ""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def check_apart(x: Sequence[str], y: Sequence[str]) -> None:
    both = [name for name in x if name in y]
    if both:
        raise ValueError(
            f"expected different columns for --x and --y, got {both[0]!r} in both: leave it out "
            "of one, or every column tells all of itself"
        )


# ------------------------------------------------------------- reading and checks


def read(
    source: Source, names: Sequence[str], categorical: Sequence[str] = (), drop: bool = False
) -> Columns:
    """The named columns, fit to be trained on.

    Args:
        names: columns to read.
        categorical: those of them whose values are levels, whatever they look like.
        drop: whether rows with missing values are left out; else they are refused.
    """
    numbers = [name for name in names if name not in categorical]
    values = source.read(numbers, [name for name in names if name in categorical])
    values = {name: values[name] for name in names}
    lengths = {name: len(v) for name, v in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"expected columns of equal length, got {lengths}: bring the same rows of each"
        )
    for name, column in values.items():
        _check_size(name, column)
    kept, dropped = _complete(values, drop)
    for name, column in kept.items():
        _check_varies(name, column)
    return Columns(kept, dropped)


def _complete(values: Mapping[str, Values], drop: bool) -> tuple[dict[str, Values], int]:
    missing = {name: _missing(v) for name, v in values.items()}
    bad = np.logical_or.reduce(list(missing.values()))
    count = int(bad.sum())
    if count and not drop:
        where = ", ".join(f"{int(m.sum())} in {name!r}" for name, m in missing.items() if m.any())
        raise ValueError(
            f"expected no missing values, got {count} of {len(bad)} rows with some ({where}): "
            "give --drop-missing to leave these rows out, or fill them in"
        )
    return {name: v[~bad] for name, v in values.items()}, count


def _missing(values: Values) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    return np.isnan(values)


def _check_size(name: str, values: Values) -> None:
    if values.dtype == object or not (beyond := np.abs(values) > LARGEST).any():
        return
    row = int(np.argmax(beyond))
    raise ValueError(
        f"expected numbers up to {LARGEST:g} in size, got {values[row]} in column {name!r}, "
        f"row {row + 1}: leave the row out, or divide the column by a constant, which changes "
        "no information"
    )


def _check_varies(name: str, values: Values) -> None:
    if not len(values):
        raise ValueError(f"expected rows of data, got none in column {name!r}: bring some")
    if (values == values[0]).all():
        raise ValueError(
            f"every column must vary, got {values[0]!s} in all {len(values)} rows of {name!r}: "
            "leave it out, a constant tells nothing"
        )
