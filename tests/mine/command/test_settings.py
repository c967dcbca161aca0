"""`--set KEY=VALUE`."""

from __future__ import annotations

from typing import Any

import pytest

from mine.command.settings import SettingType, merged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hidden=64,32", ("hidden", (64, 32))),
        ("hidden=64,", ("hidden", (64,))),
        ("betas=0.5,0.9", ("betas", (0.5, 0.9))),
        ("learning_rate=1e-3", ("learning_rate", 1e-3)),
        ("k = 5", ("k", 5)),
        ("schedule=constant", ("schedule", "constant")),
    ],
)
def test_settings_are_read(text: str, found: tuple[str, Any]) -> None:
    assert SettingType().convert(text, None, None) == found


def test_a_key_is_given_once() -> None:
    assert merged({"seed": 3}, [("k", 5)], ["seed"]) == {"seed": 3, "k": 5}
    with pytest.raises(ValueError, match="seed to be given once, by --seed, got --set seed=1"):
        merged({}, [("seed", 1)], ["seed"])
    with pytest.raises(ValueError, match="k to be given once, got --set k twice"):
        merged({}, [("k", 5), ("k", 6)], ["seed"])
