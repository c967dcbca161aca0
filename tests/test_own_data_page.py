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
