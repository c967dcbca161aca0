"""The table for people: a short section a part, by the dictionary that cuda.json holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.cuda.tasks import FAILED, LEFT_OUT, NO_DEVICE, OK, SKIPPED

Record = Mapping[str, Any]
WIDTH = 100


def table(found: Mapping[str, Any]) -> str:
    """All parts, one after another."""
    sections = {
        "machine": _machine,
        "checks": _checks,
        "throughput": _throughput,
        "gaussian": _panel,
        "equitability": _panel,
        "pairwise": _pairwise,
    }
    limit = 60 * found["minutes"]
    lines = [
        "",
        f"benchmarks.cuda --scale {found['scale']}: {found['seconds']:.0f} of {limit:.0f} s",
    ]
    for name, part in found["parts"].items():
        lines += ["", *_head(name, part), *sections[name](part["records"])]
        lines += _not_done(part["records"])
    return "\n".join([*lines, ""])


def _head(name: str, part: Mapping[str, Any]) -> list[str]:
    """The part's name and time, and how its tasks ended."""
    states = [record["state"] for record in part["records"]]
    counts = ", ".join(
        f"{states.count(state)} {state}"
        for state in (OK, FAILED, SKIPPED, LEFT_OUT)
        if state in states
    )
    right = f"{counts}; {part['seconds']:.1f} s of {max(part['budget_s'], 0):.0f} s"
    return [f"{name.upper()}{right:>{WIDTH - len(name)}}", "-" * WIDTH]


def _not_done(records: Sequence[Record]) -> Iterator[str]:
    """What failed and what there was no time for, each with its reason."""
    for record in records:
        if record["state"] != OK and record.get("reason") != NO_DEVICE:
            first = str(record.get("reason", "")).partition("\n")[0]
            line = f"  {record['state']:<9} {record['name']}: {first}"
            yield line if len(line) <= 2 * WIDTH else f"{line[: 2 * WIDTH - 1]}…"


def _good(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record["state"] == OK]


# -------------------------------------------------------------------------- parts


def _machine(records: Sequence[Record]) -> Iterator[str]:
    for r in _good(records):
        memory = f", {r['memory_gib']} GiB" if "memory_gib" in r else ""
        cuda = f", CUDA {r['cuda']}" if "cuda" in r else ""
        yield f"  {r['device']}{memory}; {r['cores']} CPU cores"
        commit = r["commit"] or "unknown"
        yield f"  torch {r['torch']}{cuda}, Python {r['python']}, commit {commit}"


def _checks(records: Sequence[Record]) -> Iterator[str]:
    """One line a group: what stands before the colon in a check's name."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["name"].partition(":")[0], []).append(record)
    for name, group in groups.items():
        states = [record["state"] for record in group]
        worst = next(s for s in (FAILED, LEFT_OUT, SKIPPED, OK) if s in states)
        many = f" ({states.count(OK)} of {len(group)})" if len(group) > 1 else ""
        yield f"  {worst:<9} {name}{many}"


def _throughput(records: Sequence[Record]) -> Iterator[str]:
    good = _good(records)
    yield from _ceilings({r["name"]: r for r in good})
    cases = [r for r in good if "us_per_step" in r]
    if cases:
        yield f"{'network-':>42}{'µs a step of the stack':>29}{'share of ceilings':>23}"
        yield (
            f"  {'network-step':<16}{'K':>6}{'steps a s':>18}{'training':>11}{'drawing':>9}"
            f"{'stepping':>9}{'memory':>9}{'matrix':>7}{'launch':>7}{'MiB':>7}"
        )
    yield from map(_case, cases)
    yield from map(_error, (r for r in good if r["name"].startswith("estimates")))
    yield from map(_end_to_end, (r for r in good if r["name"].startswith("jobs")))
    yield from map(_held_out, (r for r in good if r["name"].startswith("held-out")))


def _case(r: Record) -> str:
    shares = (r.get(name, math.nan) for name in ("of_memory", "of_matrices", "of_launches"))
    memory, matrix, launch = (_share(v) for v in shares)
    mib = f"{r['peak_mib']:.0f}" if "peak_mib" in r else ""
    return (
        f"  {r['shape']:<16}{r['k']:>6} {r['precision']:<5}{r['network_steps_per_s']:>12,.0f}"
        f"{r['us_per_step']:>11,.0f}{r['draw']['us_per_step']:>9,.0f}"
        f"{r['step']['us_per_step']:>9,.0f}{memory:>9}{matrix:>7}{launch:>7}{mib:>7}"
        f"{'' if r['captured'] else ' eager'}"
    )


def _error(r: Record) -> str:
    return (
        f"  {r['name']:<34} error {r['error']:+.4f} nats, sd {r['sd']:.4f} over "
        f"{len(r['nats'])} seeds (truth {r['truth']:.3f})"
    )


def _end_to_end(r: Record) -> str:
    return (
        f"  {r['name']:<34} {r['network_steps_per_s']:,.0f} network-steps a second "
        f"({r['steps']} steps each, {r['seconds']:.1f} s)"
    )


def _held_out(r: Record) -> str:
    peak = f", {r['peak_mib']:.0f} MiB" if "peak_mib" in r else ""
    return f"  {r['name']:<34} {r['rows']:,} test rows each in {r['run_s']:.2f} s{peak}"


def _ceilings(by_name: Mapping[str, Record]) -> Iterator[str]:
    """One line for each ceiling that was measured."""
    if copy := by_name.get("ceiling: copy"):
        yield f"  ceiling  memory  {copy['bytes_per_s'] / 1e12:.2f} TB/s, a copy on the device"
    if launch := by_name.get("ceiling: launch"):
        graph, kernel, alone = (
            1e6 * launch[name] for name in ("graph_s", "graph_kernel_s", "launch_s")
        )
        yield (
            f"  ceiling  launch  {graph:.1f} µs a graph; a kernel {kernel:.2f} µs in one, "
            f"{alone:.1f} µs by itself"
        )
    for name in ("fp32", "tf32"):
        if peak := by_name.get(f"ceiling: {name}"):
            yield f"  ceiling  matrix  {peak['flops_per_s'] / 1e12:.1f} TFLOP/s in {name}"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}".removeprefix("0")


def _panel(records: Sequence[Record]) -> Iterator[str]:
    for r in _good(records):
        yield (
            f"  {r['name']:<13} {r['seeds']} of {r['of_seeds']} seeds, {r['networks']} networks, "
            f"{r['run_s']:.1f} s; |error| {_nats(r['mean_error'])}, at most "
            f"{_nats(r['largest_error'])}; RMSE {_nats(r['rmse'])}"
        )
        if r["stopped_at_step"] is not None:
            yield f"    cut at step {r['stopped_at_step']}: the time was over"
        for reason in r["reasons"]:
            yield f"    failed: {reason}"
    for r in _good(records)[:1]:
        yield from _points(r["points"])


def _points(points: Sequence[Record]) -> Iterator[str]:
    """Of the first method: truth and mean error, in nats."""
    known = [p for p in points if p["error"] is not None and math.isfinite(p["error"])]
    for i in range(0, len(known), 3):
        cells = (
            f"{p['point']:<22}{abs(p['truth']):6.2f} {p['error']:+.3f}" for p in known[i : i + 3]
        )
        yield "    " + "   ".join(cells)


def _pairwise(records: Sequence[Record]) -> Iterator[str]:
    for r in _good(records):
        part = ""
        if "of_columns" in r and r["of_columns"] > r["columns"]:
            part = f"; all of {r['of_columns']} columns would take {r['all_s']:.0f} s"
        yield (
            f"  {r['columns']} columns, {r['pairs']} pairs of {r['rows']} rows: "
            f"{r['run_s']:.1f} s, {1e3 * r['seconds_per_pair']:.1f} ms a pair; "
            f"|error| {_nats(r['mean_error'])}, at most {_nats(r['largest_error'])}{part}"
        )


def _nats(value: float) -> str:
    return "none" if not math.isfinite(value) else f"{value:.3f}"
