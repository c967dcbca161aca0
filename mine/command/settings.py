"""`--set KEY=VALUE`: further settings of the training and of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

Setting = tuple[str, Any]
"""Key and value: hidden=64,64 is ("hidden", (64, 64))."""


class SettingType(click.ParamType[Setting]):
    """KEY=VALUE, where VALUE is a number, a name, or several of them with commas between."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Setting:
        if isinstance(value, tuple):
            return value
        key, sign, text = (part.strip() for part in value.partition("="))
        if not (key.isidentifier() and sign and text):
            self.fail(
                f"expected KEY=VALUE, got {value!r}: such as learning_rate=1e-3",
                param,
                ctx,
            )
        parts = [_number_or_name(part.strip()) for part in text.split(",") if part.strip()]
        return key, tuple(parts) if "," in text else parts[0]


def _number_or_name(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def merged(
    given: Mapping[str, Any], settings: Iterable[Setting], taken: Iterable[str]
) -> dict[str, Any]:
    """`given` with the settings added.

    Args:
        given: what other options have set.
        settings: in the order in which they were given.
        taken: keys that other options set, and `--set` therefore does not.
    """
    library = dict(given)
    for key, value in settings:
        if key in taken:
            raise ValueError(
                f"expected {key} to be given once, by --{key}, got --set {key}={value}"
            )
        if key in library:
            raise ValueError(f"expected {key} to be given once, got --set {key} twice: drop one")
        library[key] = value
    return library
