"""The command over 500 files that came from elsewhere."""

from __future__ import annotations

from pathlib import Path

import foreign_files
import pytest
from faulty_run import Note
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.faults


@given(file=foreign_files.FILES)
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_file_breaks_the_command(
    tmp_path: Path, note: Note, file: foreign_files.Foreign
) -> None:
    foreign_files.check(tmp_path, file)
    note("a file from elsewhere", 0, 0)
