"""Figures drawn in other processes are those drawn here."""

from __future__ import annotations

from types import ModuleType

import pandas as pd
import pytest

from experiments.suite.figures import drawing
from experiments.suite.report import discovery


def test_many_are_drawn_side_by_side_to_the_same_bytes_and_each_raises_its_own(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "MANY", 2)
    rows = example.example_rows(example.gaussian_config(1, rho=[0.0, 0.5]))
    tables = {"gaussian": (rows, pd.DataFrame()), "nothing": (rows, pd.DataFrame())}
    with drawing.side_by_side(tables) as drawn:
        assert drawn["gaussian"]() == drawing.draw("gaussian", *tables["gaussian"])
        with pytest.raises(ModuleNotFoundError, match="nothing"):
            drawn["nothing"]()


def test_few_are_drawn_here_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(drawing, "draw", lambda name, *_: asked.append(name))
    with drawing.side_by_side({"gaussian": (pd.DataFrame(), pd.DataFrame())}) as drawn:
        assert asked == []
        drawn["gaussian"]()
    assert asked == ["gaussian"]


@pytest.mark.parametrize("name", discovery.experiment_names())
def test_an_experiment_without_rows_draws_nothing(example: ModuleType, name: str) -> None:
    rows = example.example_rows(example.gaussian_config(1, rho=[0.0]))[:0]
    assert drawing.draw(name, rows, pd.DataFrame()) == {}
