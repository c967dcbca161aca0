"""Random numbers by name: one generator for each (key, seed, purpose)."""

from __future__ import annotations

import hashlib

import torch


def generator(
    seed: int, purpose: str, key: str = "", device: torch.device | str = "cpu"
) -> torch.Generator:
    """Equal arguments give equal streams; different ones give unrelated streams."""
    digest = hashlib.sha256(f"{key}|{seed}|{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)
