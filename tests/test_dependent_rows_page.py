"""The code of docs/dependent-rows.md runs, in small; its table has the rates that it claims."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "dependent-rows.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
NOMINAL = 0.07


def test_the_page_runs(run_in_small):
    names = {}
    for block in BLOCKS:
        run_in_small(block.replace("null=19", "null=2"), names)
    found = names["found"]
    assert found.lags[int(found.nats.argmax())] == 2


def test_no_rate_of_the_table_is_above_what_is_said():
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in TEXT.splitlines()]
    cells = [row for row in rows if len(row) == 9 and row[2].isdigit()]
    assert len(cells) >= 9
    for case, method, _, _, _, above, below, p, _ in cells:
        for share in (above, below if method != "mine" else "", p):
            if share:
                part, whole = map(int, share.split(" of "))
                assert whole < 20 or part <= NOMINAL * whole, (case, method, share)
