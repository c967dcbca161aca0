"""The parts, in order of importance, with their shares of the time."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.cuda import checks, machine, panels, tables, throughput
from benchmarks.cuda.tasks import Part

PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Part("machine", 0.02, machine.tasks),
        Part("checks", 0.18, checks.tasks),
        Part("throughput", 0.30, throughput.tasks),
        Part("gaussian", 0.22, panels.gaussian),
        Part("equitability", 0.18, panels.equitability),
        Part("pairwise", 0.10, tables.tasks),
    )
}
