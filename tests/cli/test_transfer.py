"""`dce export` and `dce import` from the command line."""

import json
from pathlib import Path

from tests.cli.conftest import Dce


def test_a_history_travels(dce: Dce, workspace: Path, tmp_path: Path) -> None:
    """A response generated in one workspace can be read in another, with its prompt's exact bytes."""
    dce("generate", "-n", "2")
    told = dce("export", tmp_path / "h.dce", "--json").json
    assert told["records"] == len((tmp_path / "h.dce").read_bytes().splitlines())
    prompt = (workspace / ".dce/prompt.md").read_text()
    other = tmp_path / "other"
    other.mkdir()
    dce("init", "-C", other)
    report = dce("import", tmp_path / "h.dce", "-C", other, "--json").json
    assert (report["cycles"], report["responses"]) == ({"0": 0, "1": 1}, 2)
    assert report["missing"] == ["src/a.py", "src/b.py"]
    lines = [json.loads(line) for line in (tmp_path / "h.dce").read_bytes().splitlines()]
    assert [line["prompt"]["text"] for line in lines if line["type"] == "prompt"] == [prompt]
    assert dce("show", "1", "-C", other).out == dce("show", "1").out


def test_the_originals_history_is_imported(dce: Dce, workspace: Path, tmp_path: Path) -> None:
    """A history of the original tool is added to the existing one; regenerating without its prompt is refused, not guessed."""
    path = tmp_path / "dce_history.json"
    path.write_text(
        '{"version": 1, "cycles": [{"cycleId": 1, "title": "Theirs", "responses": {"2": {"content": "hi"}}}]}'
    )
    assert "1 → 2" in dce("import", path).out
    assert dce("show", "2").out == "hi"
    assert dce("cycle", "show", "2", "--json").json["title"] == "Theirs"
    assert "did not keep it" in dce("regenerate", "latest", "2", code=3).err
    assert "imported before" in dce("import", path, code=3).err
    path.write_text("[]]")
    dce("import", path, code=3)
    dce("import", tmp_path / "missing", code=2)
