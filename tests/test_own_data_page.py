"""The code of docs/own-data.md runs, in small."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own-data.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs(tmp_path, monkeypatch, capsys, run_in_small):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCKS:
        run_in_small(block.replace("n = 3000", "n = 200"), names)
    assert "True" in capsys.readouterr().out
    assert (tmp_path / "critic.safetensors").is_file()
    assert names["m"].names == ("height", "weight", "income", "side")


def test_the_rates_of_straight_relations_are_near_what_the_page_says():
    page = (PAGE.parent / "accuracy.md").read_text(encoding="utf-8")
    row = re.compile(r"\| ((?:common cause|chain)[^|]*) \| (\d+) of (\d+) \| (\d+) of (\d+) \|")
    found = [m.groups() for m in row.finditer(page) if "curved" not in m[1]]
    assert len(found) == 9
    for k in (1, 3):
        small, draws = (sum(int(cells[k + i]) for cells in found) for i in (0, 1))
        assert draws >= 900 and small <= 0.07 * draws
