"""Changes are told as they happen."""

import asyncio
from pathlib import Path

import pytest

from dce.workspace.project import Project
from dce.workspace.tree.watch import changes

pytest.importorskip("watchfiles")


@pytest.mark.parametrize("is_polling", [False, True])
def test_changes_are_told(tmp_path: Path, is_polling: bool) -> None:
    """A written file is told by its relative path; DCE's own state and git's objects are not, their rules are."""
    project = Project.init(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()

    async def scene() -> set[str]:
        stop, seen = asyncio.Event(), set[str]()

        async def write_until_seen() -> None:
            number = 0
            while not {"src/a.py", ".dce/config.toml"} <= seen:  # the watch begins some time after the iterator
                number += 1
                for name in (".dce/dce.db", ".git/index", ".dce/config.toml", "src/a.py"):
                    (tmp_path / name).write_text("x" * number)
                await asyncio.sleep(0.02)
            stop.set()

        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            group.create_task(write_until_seen())
            async for batch in changes(project, stop, is_polling=is_polling):
                seen |= batch
        return seen

    assert asyncio.run(scene()) == {"src/a.py", ".dce/config.toml"}
