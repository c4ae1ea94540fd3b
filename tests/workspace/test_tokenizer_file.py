"""A local tokenizer.json: read or fetched once, failures reported, and its counts never mixed with another's."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from dce.wire.errors import DceError
from dce.workspace.context.tokenizer_file import FileTokenizer, Loaded
from dce.workspace.context.tokenizer_file import load as load_really
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import ScriptedProvider


def load(content: bytes) -> Loaded:
    """A tokenizer that counts words; content that is not JSON is not a tokenizer."""
    if not content.startswith(b"{"):
        raise DceError("invalid_input", "it is no tokenizer")

    def count(texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    return Loaded(count)


def test_a_file_is_read_once_and_named_by_its_content(tmp_path: Path) -> None:
    """Counts come from the file as first read; the same content under another name is the same tokenizer."""
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    first, second = (FileTokenizer(name, tmp_path, tmp_path, load) for name in ("a.json", "b.json"))
    assert asyncio.run(first.count(["a b", ""])) == [2, 0]
    (tmp_path / "a.json").unlink()
    assert asyncio.run(first.count(["a b c"])) == [3]
    asyncio.run(second.prepare())
    assert first.name == second.name


def test_an_address_is_fetched_once(tmp_path: Path) -> None:
    """A fetched tokenizer is cached; another process reads it without fetching again."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, content=b"{}")

    for _ in range(2):
        tokenizer = FileTokenizer("https://h/t.json", tmp_path, tmp_path, load, httpx2.MockTransport(answer))
        assert asyncio.run(tokenizer.count(["a b"])) == [2]
    assert asked == ["https://h/t.json"]


@pytest.mark.parametrize("answer", [httpx2.Response(404), httpx2.Response(200, content=b"<html>")])
def test_what_cannot_be_had_is_told_and_not_kept(tmp_path: Path, answer: httpx2.Response) -> None:
    """An error page is neither used nor cached; the problem names the address."""
    tokenizer = FileTokenizer("https://h/t.json", tmp_path, tmp_path, load, httpx2.MockTransport(lambda _: answer))
    with pytest.raises(DceError):
        asyncio.run(tokenizer.count(["a"]))
    assert "https://h/t.json" in tokenizer.problem
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_tokenizer_is_refused() -> None:
    """With or without the library, bytes that are not a tokenizer are an input error."""
    with pytest.raises(DceError) as caught:
        load_really(b"not one")
    assert caught.value.code == "invalid_input"


def test_a_prompt_says_that_the_tokenizer_cannot_be_used(tmp_path: Path) -> None:
    """Without the tokenizer the prompt is still built, its counts are estimates, and the note says why."""
    settings = Settings(tokenizer="gone.json")
    with Workspace.open(Project.init(tmp_path), settings, provider=ScriptedProvider([])) as workspace:
        prepared = asyncio.run(workspace.preparation.build(0))
    assert not prepared.is_exact
    assert "gone.json" in prepared.note
