"""Pictures sent with a prompt: named in it, bounded, and re-sent unchanged."""

import asyncio
import base64
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.context.pictures import MAX_PICTURE_BYTES, TOKENS_EACH, content_of, picture_of
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import Ended, GenerationRequest, Opened
from dce.workspace.generating.provider_events import conversation
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.record.pictures import Picture, note_of
from dce.workspace.settings import Settings
from dce.workspace.transfer import export_history, import_history
from dce.workspace.workspace import Workspace
from tests.fakes.provider import ScriptedProvider, Step

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 16, 9) + bytes(8)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def a_provider() -> ScriptedProvider:
    """A vision model that answers once, with nothing."""
    script: list[Step] = [Opened(stream_id="s"), Ended(index=0, finish_reason="stop")]
    return ScriptedProvider(script, models=[Model(id="m", max_model_len=20_000)])


def a_workspace(root: Path, scripted: ScriptedProvider | None = None, **settings: Any) -> Workspace:
    """A workspace with a picture and a text selected, and a vision model."""
    root.mkdir()
    (root / "logo.png").write_bytes(PNG)
    (root / "a.py").write_text("a = 1\n")
    workspace = Workspace.open(Project.init(root), Settings(**settings), provider=scripted or a_provider())
    workspace.selection.add(["logo.png", "a.py"])
    return workspace


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"GIF89a" + bytes(9), "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_the_content_says_the_kind(content: bytes, mime: str) -> None:
    """A picture's format is recognised by its bytes, whatever its name."""
    assert picture_of("x.png", content).mime == mime


@pytest.mark.parametrize("content", [b"", b"BM" + bytes(30), b"<svg>", PNG + bytes(MAX_PICTURE_BYTES)])
def test_what_no_server_takes_is_refused(content: bytes) -> None:
    """Other formats and too large pictures are refused by name, with the next step."""
    with pytest.raises(DceError, match=r"x\.png") as caught:
        picture_of("x.png", content)
    assert "images" in caught.value.hint


def test_a_message_carries_text_first_and_pictures_as_data() -> None:
    """Without pictures the content is the plain text, byte for byte as before; with pictures it is parts, with no URLs to fetch."""
    assert content_of("text", ()) == "text"
    picture = Picture(path="logo.png", mime="image/png", content=PNG)
    request = GenerationRequest(prompt="text", n=1, pictures=(picture,))
    [message] = conversation(request)["messages"]
    text, shown = message["content"]
    assert text == {"type": "text", "text": "text"}
    head, _, data = shown["image_url"]["url"].partition(",")
    assert (head, base64.b64decode(data)) == ("data:image/png;base64", PNG)


def test_off_the_prompt_only_says_what_a_picture_is(tmp_path: Path) -> None:
    """By default, and with manual copy and paste, a picture is a line of text and no bytes are sent."""
    cases: list[tuple[str, dict[str, Any]]] = [("off", {}), ("hand", {"images": True, "provider": "manual"})]
    for name, settings in cases:
        with a_workspace(tmp_path / name, **settings) as workspace:
            prepared = asyncio.run(workspace.preparation.build(0))
            assert "a picture: PNG, 16 × 9 pixels" in prepared.prompt.text
            assert (prepared.pictures, "itself goes" in prepared.prompt.text) == ((), False)


def test_on_it_goes_along_and_is_named_by_its_bytes(tmp_path: Path) -> None:
    """The prompt has the picture's hash, so that another picture is another prompt; the budget includes it; the hash is not a secret."""
    with a_workspace(tmp_path / "w", images=True) as workspace:
        before = asyncio.run(workspace.preparation.build(0))
        assert [(each.path, each.content) for each in before.pictures] == [("logo.png", PNG)]
        assert note_of(before.pictures[0]) in before.prompt.text
        assert before.findings == ()
        assert [entry.path for entry in before.prompt.manifest] == ["a.py"]
        (workspace.project.root / "logo.png").write_bytes(PNG + b"other")
        after = asyncio.run(workspace.preparation.build(0))
        assert after.prompt.sha256 != before.prompt.sha256
        workspace.selection.show(["logo.png"], "path")
        hidden = asyncio.run(workspace.preparation.build(0))
        assert hidden.pictures == ()
        assert hidden.reserved == before.reserved - TOKENS_EACH


def test_a_slot_is_regenerated_with_the_picture_that_was_sent(tmp_path: Path) -> None:
    """The bytes are kept with the prompt: a picture changed or deleted since does not change what is re-sent, here or after an import."""
    provider = a_provider()
    with a_workspace(tmp_path / "w", provider, images=True) as workspace:
        generation = asyncio.run(workspace.preparation.begin(0, 1))
        asyncio.run(workspace.generator.run(generation, lambda _: None))
        (workspace.project.root / "logo.png").unlink()
        assert "itself goes" in (workspace.project.root / PROMPT_FILE).read_text()
        asyncio.run(workspace.generator.run(generation, lambda _: None, [1]))
        assert [[each.content for each in request.pictures] for request in provider.requests] == [[PNG], [PNG]]
        export_history(workspace, tmp_path / "h.dce")
    (tmp_path / "other").mkdir()
    with Workspace.open(Project.init(tmp_path / "other"), Settings()) as other:
        import_history(other, tmp_path / "h.dce")
        [kept] = other.store.pictures.of(generation.prompt_sha256)
        assert msgspec.structs.asdict(kept) == {"path": "logo.png", "mime": "image/png", "content": PNG}
    lines = (tmp_path / "h.dce").read_bytes()
    (tmp_path / "h.dce").write_bytes(lines.replace(base64.b64encode(PNG), base64.b64encode(PNG + b"x")))
    (tmp_path / "third").mkdir()
    with (
        Workspace.open(Project.init(tmp_path / "third"), Settings()) as third,
        pytest.raises(DceError, match="does not name"),
    ):
        import_history(third, tmp_path / "h.dce")
