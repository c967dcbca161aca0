"""Makes jobs_example.py, which is no test, a module that the tests of this folder import."""

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "jobs_example", Path(__file__).with_name("jobs_example.py")
)
sys.modules["jobs_example"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["jobs_example"])
