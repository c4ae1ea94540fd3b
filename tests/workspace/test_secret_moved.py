"""A placeholder that comes back in a file which never held its secret is flagged and needs a confirmation (fault T10)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce.workspace.accepting.accept import Options, accept, plan
from dce.workspace.generating.provider import Delta, Ended, Opened
from dce.workspace.judging.board import board
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider

PASSWORD = "tr0ub4dor&3"
HELD = f'password = "{PASSWORD}"\nSTOP = "<|im_end|>"\n'


def _answered(root: Path, *files: tuple[str, str]) -> tuple[Workspace, int]:
    """A workspace in which `a.py` holds a secret (placeholder 1) and a control token (2), and an answer with these files."""
    (root / "a.py").write_text(HELD, "utf-8")
    (root / "b.py").write_text("b = 2\n", "utf-8")
    answer = "".join(f"<file path={path}>\n{content}\n</file_artifact>\n" for path, content in files)
    provider = ScriptedProvider(
        [Opened(stream_id="s"), Delta(index=0, text=answer, thinking=""), Ended(index=0, finish_reason="stop")]
    )
    settings = Settings(url="https://models.example.org", secrets="placeholder")
    workspace = Workspace.open(Project.init(root), settings, Clock(), provider)
    workspace.selection.replace(["a.py", "b.py"])
    workspace.cycles.create("t", "Do it.")
    workspace.sending.agree()
    generation = asyncio.run(workspace.preparation.begin(1, 1))
    asyncio.run(workspace.generator.run(generation, lambda _: None))
    return workspace, generation.id


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[tuple[Workspace, int]]:
    """An answer that keeps the secret where it was, and puts it into a shown file and a new one."""
    workspace, generation = _answered(
        tmp_path,
        ("a.py", 'password = "__DCE_SECRET_1__"\nx = 1'),
        ("b.py", 'b = "__DCE_SECRET_1__"'),
        ("c.py", 'c = "__DCE_SECRET_1__"'),
    )
    with workspace:
        yield workspace, generation


def test_it_is_flagged_noted_and_on_the_board(moved: tuple[Workspace, int]) -> None:
    """Only the files that never held the secret are flagged, each with a note; the board's row has the flag too."""
    workspace, generation = moved
    reading = workspace.reading(generation, 1)
    assert {file.path: "secret_moved" in file.flags for file in reading.files} == {
        "a.py": False,
        "b.py": True,
        "c.py": True,
    }
    assert [note.split()[0] for note in reading.notes if "would get a secret" in note] == ["b.py", "c.py"]
    (row,) = board(workspace, generation)
    assert "secret_moved" in row.flags
    assert [change.path for change in row.files if "secret_moved" in change.flags] == ["b.py", "c.py"]


def test_accept_needs_a_confirmation(moved: tuple[Workspace, int], tmp_path: Path) -> None:
    """Such a file is refused, says why, and nothing is written; `force` writes it."""
    workspace, generation = moved
    planned = plan(workspace, generation, 1)
    assert [(file.path, file.is_blocked) for file in planned] == [("a.py", False), ("b.py", True), ("c.py", True)]
    assert "it would get a secret" in planned[1].refused
    assert planned[2].doubts == ("secret_moved",)
    assert (tmp_path / "b.py").read_text("utf-8") == "b = 2\n"
    accept(workspace, generation, 1, options=Options(force=True))
    assert PASSWORD in (tmp_path / "c.py").read_text("utf-8")


@pytest.mark.parametrize("content", ["STOP = '__DCE_SECRET_2__'", "x = '__DCE_SECRET_99__'", "x = 1"])
def test_what_is_no_secret_is_not_flagged(tmp_path: Path, content: str) -> None:
    """A control token may go anywhere, and a number that stands for nothing stays as it is."""
    workspace, generation = _answered(tmp_path, ("c.py", content))
    with workspace:
        reading = workspace.reading(generation, 1)
        assert "secret_moved" not in (*reading.flags, *reading.files[0].flags)
