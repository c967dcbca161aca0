"""What the library knows and click does not: methods, and the types of settings.

Names and values of settings are checked by the library itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mine.spelling import near


def check_methods(names: Iterable[str]) -> None:
    """Refuses what is no method, and names the methods that come near it."""
    import mine

    known = mine.methods()
    for name in names:
        if name not in known:
            found = near(name, known)
            raise ValueError(
                f"expected a method, got {name!r}: "
                + (f"did you mean {' or '.join(found)}?" if found else f"take {', '.join(known)}")
            )


def check_trains(method: str | None, files: Mapping[str, Path | None]) -> None:
    """Refuses to save or draw a training where the method trains nothing.

    Args:
        method: None for the library's default.
        files: option -> file to write, None where the option was not given.
    """
    import mine

    found = mine.methods().get(method) if method else None
    option = next((option for option, file in files.items() if file), None)
    if option and found is not None and not found.trains:
        raise ValueError(
            f"expected a method that trains a network for {option}, got {method!r}: take another, "
            f"or leave {option} out"
        )


def check_settings(given: Mapping[str, Any]) -> None:
    """Refuses text for a setting whose default is a number, and the like."""
    usual = _defaults()
    for name, value in given.items():
        default = usual.get(name)
        if type(default) in (*_EXPECTED, tuple) and not _has_type_of(default, value):
            raise ValueError(
                f"expected {_expected(default)[1]} for --set {name}, got {value!r}: the "
                f"default is {default}"
            )


def _defaults() -> dict[str, Any]:
    from dataclasses import fields

    from mine.critics.mlp import MLP
    from mine.running.jobs import Job
    from mine.training.settings import Training

    return {f.name: f.default for kind in (Job, MLP, Training) for f in fields(kind)}


def _has_type_of(default: Any, value: Any) -> bool:
    several = isinstance(default, tuple) and isinstance(value, tuple)
    wanted = _expected(default)[0]
    return all(isinstance(one, wanted) for one in (value if several else (value,)))


def _expected(default: Any) -> tuple[Any, str]:
    """What a value with this default must be: in a tuple, what each of its values must be."""
    several = isinstance(default, tuple)
    return _EXPECTED_OF_TUPLES[type(default[0])] if several else _EXPECTED[type(default)]


_EXPECTED: Mapping[type, tuple[Any, str]] = {
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    str: (str, "a name"),
}
"""Type of a default -> the type of a value, and how an error calls it."""
_EXPECTED_OF_TUPLES: Mapping[type, tuple[Any, str]] = {
    int: (int, "whole numbers with commas between"),
    float: (int | float, "numbers with commas between"),
}
"""Type of the first of several defaults -> the same."""
