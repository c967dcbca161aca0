"""Fixtures of the experiments' tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """The synthetic rows of rows_example.py, which is also a command."""
    path = Path(__file__).with_name("rows_example.py")
    spec = importlib.util.spec_from_file_location("rows_example", path)
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
