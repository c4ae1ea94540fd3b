"""Token counts of the tree in workspaces of any size."""

import asyncio
from pathlib import Path

from dce.panel import filecounts
from tests.panel.rig import make_workspace


def test_a_large_workspace_is_not_read_whole(tmp_path: Path) -> None:
    """Beyond the limits a file's cost is guessed from its size and says so; what is selected is counted all the same."""
    with make_workspace(tmp_path / "words") as workspace:
        folder = workspace.project.root / "many"
        folder.mkdir()
        for number in range(filecounts.MAX_COUNTED_FILES):
            (folder / f"{number:04}.txt").write_text("word " * 10, encoding="utf-8")
        workspace.selection.replace(["words.py"])
        views = asyncio.run(filecounts.counted(workspace.project, workspace.counter, workspace.selection))
    counts = {view.path: view.count for view in views if view.count}
    assert counts["words.py"].exact
    guessed = [path for path, count in counts.items() if not count.exact]
    assert guessed
    assert all(counts[path].tokens == 13 for path in guessed if path.startswith("many/"))


def test_a_file_that_vanishes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    """A selected file that is no longer there leaves the others their counts."""
    with make_workspace(tmp_path / "words") as workspace:
        (workspace.project.root / "test_words.py").unlink()
        views = asyncio.run(filecounts.counted(workspace.project, workspace.counter, workspace.selection))
    assert "test_words.py" not in {view.path for view in views}
    assert all(view.count is not None for view in views if not view.excluded)
