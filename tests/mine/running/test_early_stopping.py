"""When a cell stops, by its validation values alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mine.critics.mlp import MLP, StackedMLP
from mine.running import early_stopping
from mine.running.early_stopping import EarlyStopping
from mine.training.settings import Training

PATIENCE = 2
QUICK = [0.1, 0.5, 0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]  # stops at the fourth look
SLOW = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]  # never stops
HOPELESS = [0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]  # best before any step


def watched(cells: list[list[float]], monkeypatch: pytest.MonkeyPatch) -> EarlyStopping:
    """After looks at these validation values, every ten steps."""
    values = iter(torch.tensor(cells).T)
    monkeypatch.setattr(
        early_stopping, "on_rows", lambda *_: SimpleNamespace(joint=next(values), flat=None)
    )
    generators = [torch.Generator().manual_seed(k) for k in range(len(cells))]
    critic = MLP((4,)).stack(1, 1, generators, "cpu")
    rows = torch.zeros(3, 1), torch.zeros(3, 1)
    data: Any = [SimpleNamespace(validation=rows, clusters=None) for _ in cells]
    method: Any = SimpleNamespace(criterion=lambda joint, flat: joint)
    training = Training(steps=90, validate_every=10, patience=PATIENCE)
    found = EarlyStopping(method, critic, data, training, 10)
    for step in range(0, 100, 10):
        found.look(step)
    return found


def test_a_cell_is_what_it_is_alone_however_long_its_neighbours_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = [QUICK, SLOW, HOPELESS]
    together = watched(cells, monkeypatch)
    assert together.untrained() == [False, False, True]
    assert together.steps(90) == [30, 90, 20]
    assert together.values() == pytest.approx([0.5, 0.9, 0.5])
    for k, cell in enumerate(cells):
        alone = watched([cell], monkeypatch)
        assert alone.untrained() == together.untrained()[k : k + 1]
        assert alone.steps(90) == together.steps(90)[k : k + 1]
        assert torch.equal(alone.misses, together.misses[k : k + 1])


def test_a_cell_that_has_stopped_is_left_out_until_its_best_parameters_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[bool]] = []
    monkeypatch.setattr(StackedMLP, "leave_out", lambda _, cells: asked.append(cells))
    together = watched([QUICK, SLOW, HOPELESS], monkeypatch)
    assert asked[:4] == [
        [False, False, False],
        [False, False, False],
        [False, False, True],
        [True, False, True],
    ]
    together.restore()
    assert asked[-1] == [False, False, False]
