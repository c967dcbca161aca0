"""Status and report over 500 folders of runs that came from elsewhere."""

from __future__ import annotations

from pathlib import Path

import foreign_folders
import pytest
import rows_example
from faulty_run import Note
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("template")
    foreign_folders.make(rows_example, outputs)
    return outputs


@given(harms=st.lists(foreign_folders.HARMS, min_size=1, max_size=3))
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_folder_breaks_status_or_report(
    template: Path, tmp_path: Path, note: Note, harms: list[foreign_folders.Harm]
) -> None:
    foreign_folders.check(template, tmp_path / "scratch", *harms)
    note("a folder from elsewhere", 0, 0)
