"""Numbers and names as figures print them."""

from __future__ import annotations

import pytest

from experiments.suite.figures.labels import compact, signed


def test_numbers_lose_only_a_leading_zero() -> None:
    assert [signed(x) for x in (-0.99, 0.0, 0.5, 10.5)] == ["−.99", "0", ".5", "10.5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123456, ".0123"),
        (1.234, "1.23"),
        (123.4, "123"),
        (45678.0, "4.6e4"),
        (1e-5, "1e-5".replace("-", "−").replace("1e", "1.0e")),
    ],
)
def test_numbers_in_cells_are_short(value: float, text: str) -> None:
    assert compact(value) == text
