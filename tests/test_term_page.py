"""The code of docs/term.md runs as it stands and prints what the page shows: the truth, nearly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).resolve().parents[1] / "docs" / "term.md"
TEXT = PAGE.read_text(encoding="utf-8")
SKETCH, *BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", TEXT, re.DOTALL)
LINE = re.compile(r"(.*): exact (.*), own (.*), ksg (.*)")


def optimum(names: dict[str, Any], columns: int, beta: float) -> float:
    """I(Z; Y) at the least of the page's loss, by the closed forms of its two parts."""
    of_x = torch.diag(names["NOISE"].square()) + torch.outer(names["CARRIES"], names["CARRIES"])
    w = torch.randn(columns, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimizer = torch.optim.Adam([w], 5e-2)

    def parts() -> tuple[torch.Tensor, torch.Tensor]:
        of_z, with_x = w @ of_x @ w.T, w @ of_x
        rebuilt = torch.trace(of_x) - torch.trace(with_x.T @ torch.linalg.solve(of_z, with_x))
        with_y = w @ names["CARRIES"]
        return rebuilt, -0.5 * torch.log1p(-(with_y @ torch.linalg.solve(of_z, with_y)))

    for _ in range(600):
        rebuilt, told = parts()
        optimizer.zero_grad()
        (rebuilt + beta * told).backward()
        optimizer.step()
    return parts()[1].item()


def test_the_page_prints_what_it_shows_and_that_is_the_truth(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    assert_prints_about: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    found = {}
    for code, shown in BLOCKS:
        exec(code, names)
        printed = capsys.readouterr().out
        assert_prints_about(printed, shown)
        for name, *values in LINE.findall(printed):
            found[name] = [float(v) for v in values]
    whole = 0.5 * math.log1p((names["CARRIES"] / names["NOISE"]).square().sum().item())
    exact, own, ksg = found["one column, information kept"]
    assert exact <= whole + 0.005 and (exact, own, ksg) == pytest.approx([whole] * 3, abs=0.06)
    assert optimum(names, 1, -20.0) == pytest.approx(whole, abs=0.02)
    removed = optimum(names, 2, 5.0)
    assert f"keeps {removed:.2f} nats".replace("0.", ".") in TEXT
    assert found["two columns, information removed"] == pytest.approx([removed] * 3, abs=0.04)
    left = optimum(names, 2, 0.0)
    assert found["two columns"] == pytest.approx([left] * 3, abs=0.06)
    assert found["one column"] == pytest.approx([0.0] * 3, abs=0.03)
    exact, own, ksg = found["two columns, no steps"]
    assert own < 0.0 and min(exact, ksg) > left - 0.06
    assert torch.equal(names["again"].state_dict()["theta"], names["term"].state_dict()["theta"])


def test_the_sketch_runs() -> None:
    import mine

    encoder = torch.nn.Linear(3, 2)
    rows = [(torch.randn(16, 3), torch.randn(16, 1)) for _ in range(2)]
    names = {
        "mine": mine,
        "batches": rows,
        "encoder": encoder,
        "task_loss": lambda z, y: (z[:, :1] - y).square().mean(),
    }
    exec(SKETCH[0], names)
    names["loss"].backward()
    assert encoder.weight.grad.abs().sum() > 0
