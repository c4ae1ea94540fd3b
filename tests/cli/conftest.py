"""Shared by the verbs' tests: a workspace, a scripted gateway, and the command line called in process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dce.cli.main import main
from tests.cli.scripted_gateway import KEY, ScriptedGateway


class Result(NamedTuple):
    """The result of one call of the command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Dce = Callable[..., Result]


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A listening scripted gateway."""
    with ScriptedGateway().serve() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: ScriptedGateway) -> Path:
    """A folder with a few files as the current directory, with the scripted gateway in the environment."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("def a():\n    return 1\n")
    (root / "src" / "b.py").write_text("def b():\n    return 2\n")
    (root / "readme.md").write_text("# Sample\n")
    (root / "logo.bin").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DCE_URL", gateway.url)
    monkeypatch.setenv("DCE_API_KEY", KEY)
    return root


@pytest.fixture
def dce(folder: Path, capsys: pytest.CaptureFixture[str]) -> Dce:
    """Calls the command line in `folder`; asserts the exit code if `code` is given."""

    def call(*words: object, code: int | None = 0) -> Result:
        found = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code in (None, found), captured
        return Result(found, captured.out, captured.err)

    return call


@pytest.fixture
def workspace(dce: Dce, folder: Path) -> Path:
    """The folder as a workspace, with src/ selected and one cycle begun."""
    dce("init")
    dce("select", "add", "src")
    dce("cycle", "new", "--title", "First", "-m", "Make a() return 2.")
    return folder
