"""How a table is to be read: what a user says of it, and what is otherwise recognised."""

from __future__ import annotations

from dataclasses import dataclass, replace

GIGABYTE = 10**9
MOST_BYTES = 3 * GIGABYTE // 4
"""That a table may take once it is unpacked, unless a user allows more."""


@dataclass(frozen=True)
class Reading:
    """What the options of the command say; None for what is recognised.

    Attributes:
        delimiter: between columns of text.
        decimal: "." or ",", the decimal sign of text.
        encoding: of text.
        header: whether the first line of text has the columns' names.
        skip_rows: lines of text that stand above the header.
        comment: what a line of text begins with that is no row.
        na: what stands for a missing value beside the usual marks, in any format.
        most_bytes: that what is read may take, once it is unpacked.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_rows: int | None = None
    comment: str | None = None
    na: tuple[str, ...] = ()
    most_bytes: int = MOST_BYTES

    def check_unused(self, path: str) -> None:
        """Refuses what is said of text where the table is none."""
        plain = replace(Reading(), na=self.na, most_bytes=self.most_bytes)
        given = [name for name, value in vars(self).items() if value != getattr(plain, name)]
        if given:
            option = "--no-header" if given[0] == "header" else f"--{given[0].replace('_', '-')}"
            raise ValueError(
                f"expected a table of text for {option}, got {path!r}, which is none: leave the "
                "option out"
            )

    def check_size(self, what: str, count: int) -> None:
        """Refuses what takes more bytes than it may."""
        if count > self.most_bytes:
            raise ValueError(
                f"expected at most {self.most_bytes / GIGABYTE:g} GB of unpacked data, got "
                f"{count / GIGABYTE:.3g} GB or more in {what}: name fewer columns, or allow more "
                "by --max-gb"
            )
