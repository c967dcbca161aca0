"""Makes the critic values of this folder's tests a module that they can import."""

import importlib.util
import sys
from pathlib import Path

NAME = "critic_values_example"
_spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name(f"{NAME}.py"))
sys.modules[NAME] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[NAME])
