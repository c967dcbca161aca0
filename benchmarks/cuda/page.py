"""docs/gpu.md, made of the record of a run on a GPU.

python -m benchmarks.cuda.page docs/results/cuda.json > docs/gpu.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.cuda.report import table

TREE = "c3ae9b9"
"""The commit whose files were copied to the machine, over an older checkout."""

PAGE = """\
# On a GPU

`make cuda` checks the core on a CUDA device and measures it, in at most 8 minutes. It needs a
checkout and what `mine` needs, and no set-up: `python3 -m benchmarks.cuda --out DIR`. The numbers
here are from one run of commit {tree} on one {device} (torch {torch});
[cuda.json](results/cuda.json) has all of them. The files of that commit were copied over an older
checkout on the machine, so the record below names the older commit, with a + for changed files.
`python -m benchmarks.cuda.page` makes this page.

- **Right**: {checks} of {of_checks} checks hold: values and gradients against the CPU in float64,
  a stack of K against K single runs, a diverging cell and its neighbours, resume to the bit, no
  wait for the device inside a step, capture as a CUDA graph.
- **Fast**: {narrow:,.0f} network-steps a second with 2 x 100 units, batches of 100 and
  {narrow_k:,} networks; {wide:,.0f} with 2 x 256 units, batches of 256, 20-D and {wide_k:,}
  networks (FP32).
- **The panels at `scale=paper`**: the 20-D panel of `gaussian` takes {gaussian:.0f} s (four
  methods, {seeds} seeds), and all of `equitability` {equitability:.0f} s.

A second, shorter run on such a card (commit 1f0a129) held all 62 checks again. It also timed whole
estimates there: 190 pairs of 20 columns took 1.5 s, and 1.1 s when repeated; `auto` took 1.3 s for
5,000 rows of 5 + 5 columns and 3.3 s for 10,000 rows of 10 + 10 (3.5 and 7.8 s on the machine's
16 cores).

CUDA draws other random numbers than the CPU, so that equal seeds give equal samples on one kind of
device only. A training on one machine's CUDA is repeatable to the bit.

```text
{table}
```
"""


def page(found: Mapping[str, Any]) -> str:
    """The page, from what cuda.json holds."""
    parts = {name: part["records"] for name, part in found["parts"].items()}
    (machine,) = parts["machine"]
    fast = [r for r in parts["throughput"] if r.get("precision") == "fp32" and "us_per_step" in r]
    narrow, wide = (
        max((r for r in fast if r["shape"].startswith(shape)), key=_pace)
        for shape in ("H=100 ", "H=256 ")
    )
    return PAGE.format(
        tree=TREE,
        device=machine["device"],
        torch=machine["torch"],
        checks=sum(r["state"] == "ok" for r in parts["checks"]),
        of_checks=len(parts["checks"]),
        narrow=_pace(narrow),
        narrow_k=narrow["k"],
        wide=_pace(wide),
        wide_k=wide["k"],
        gaussian=sum(r["run_s"] for r in parts["gaussian"]),
        seeds=parts["gaussian"][0]["seeds"],
        equitability=sum(r["run_s"] for r in parts["equitability"]),
        table=table(found).strip(),
    )


def _pace(record: Mapping[str, Any]) -> float:
    return float(record["network_steps_per_s"])


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
