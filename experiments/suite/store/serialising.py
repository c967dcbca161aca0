"""Plain data as JSON and YAML: equal data give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml


def canonical_json(value: Any) -> str:
    """The JSON text of plain data with sorted keys and no spaces: equal data give equal text.

    Raises:
        ValueError: something in `value` is not plain data.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except TypeError as error:
        raise ValueError(
            f"expected plain data (dict, list, str, number, bool, None), got {error}: "
            "resolve the config first"
        ) from error


def json_bytes(value: Any) -> bytes:
    """Indented JSON in UTF-8, for people and programs; nan and inf are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_bytes(config: Mapping[str, Any]) -> bytes:
    """Plain data as YAML in UTF-8, with the keys in the order given, and without aliases."""
    form: Any = {"sort_keys": False, "allow_unicode": True, "width": 99}
    text: str = yaml.dump(dict(config), Dumper=_WithoutAliases, **form)
    return text.encode()


def read_yaml(text: bytes) -> Any:
    """The plain data of a YAML document, by the safe loader (in C where PyYAML has it)."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text).get_single_data()
