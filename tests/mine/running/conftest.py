"""Makes jobs_example.py and toy_gan.py, which are no tests, modules that these tests import."""

import importlib.util
import sys
from pathlib import Path

for _name in ("jobs_example", "toy_gan"):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_name])
