"""`mine methods` lists what the library has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

import mine

Run = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


def test_methods_lists_every_method(read: Read, run: Run) -> None:
    shown = run("methods").stdout
    assert all(f" {name} " in shown for name in mine.methods())
    assert "log E_q[e^T]" in " ".join(shown.split()) or "E_q[e^T]" in shown
    found = read(run("methods", "--json"))
    assert list(found) == list(mine.methods())
    assert {name: m["kind"] for name, m in found.items()} == {
        name: m.kind for name, m in mine.methods().items()
    }
