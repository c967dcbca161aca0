"""A figure's bytes: the same whenever it is drawn from the same rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.suite.figures.inline import inline_svg, preview_svg
from experiments.suite.figures.style import style
from experiments.suite.store.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: Mapping[str, Mapping[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
"""A figure's files, with the metadata that is left out: dates and versions change the bytes."""


@dataclass(frozen=True)
class Drawn:
    """A rendered figure: name, caption, and bytes by kind (svg, pdf, png)."""

    name: str
    caption: str
    kinds: Mapping[str, bytes]

    @classmethod
    def of(cls, figures: Mapping[str, Figure]) -> dict[str, Drawn]:
        """Name -> the figure rendered; a figure's label is its caption."""
        return {
            name: cls(name, str(figure.get_label()), render(figure))
            for name, figure in figures.items()
        }

    @property
    def inline(self) -> str:
        """The SVG as a part of an HTML page."""
        return inline_svg(self.kinds["svg"].decode(), self.name, self.caption)

    @property
    def preview(self) -> str:
        """A small copy of `inline`, which must stand on the same page."""
        return preview_svg(self.kinds["svg"].decode(), self.name)

    def write(self, folder: Path) -> None:
        """Writes <folder>/<name>.<kind> for each kind, atomically."""
        for kind, data in self.kinds.items():
            write_atomic(folder / f"{self.name}.{kind}", data)


def render(figure: Figure) -> dict[str, bytes]:
    """The figure in all `KINDS`. The layout is computed once and serves every kind."""
    with style():
        if layout := figure.get_layout_engine():
            layout.execute(figure)
            figure.set_layout_engine("none")
        return {kind: _saved(figure, kind) for kind in KINDS}


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=dict(KINDS[kind]))
    return buffer.getvalue()
