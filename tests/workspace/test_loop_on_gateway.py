"""The loop on the real gateway over real sockets, with a scripted backend: ten responses, a stop, a cancellation, a dying gateway."""

import asyncio
import base64
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.events import Event, SlotText
from dce.workspace.project import Project
from dce.workspace.record.responses import Status
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import SLOW, Chain, eventually
from tests.workspace.test_pictures import PNG


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Backend and gateway."""
    with Chain(tmp_path) as chain:
        yield chain


def _workspace(tmp_path: Path, chain: Chain, key: str | None = None) -> Workspace:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n", encoding="utf-8")
    workspace = Workspace.open(Project.init(root), Settings(url=chain.server.url, key=key or chain.key))
    workspace.selection.add(["a.py"])
    return workspace


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(100):
            return await work

    return asyncio.run(limited())


class Ear:
    """Listens to events; `has_text` is set when each of `slots` has produced text."""

    def __init__(self, slots: int) -> None:
        self._silent = set(range(1, slots + 1))
        self.has_text = asyncio.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, SlotText):
            self._silent.discard(event.slot)
            if not self._silent:
                self.has_text.set()


def test_one_of_ten_is_stopped_and_nine_are_complete(tmp_path: Path, chain: Chain) -> None:
    """Ten responses stream through the gateway with exact counts; stopping one leaves the other nine whole."""
    chain.behave(tokens=300, delay_s=SLOW)

    async def work() -> None:
        with _workspace(tmp_path, chain) as workspace:
            generation = await workspace.preparation.begin(0, 10)
            ear = Ear(10)
            task = asyncio.create_task(workspace.generator.run(generation, ear))
            await ear.has_text.wait()
            await workspace.generator.stop(generation.id, 3)
            await task
            responses = workspace.responses(generation.id)
            statuses = [response.status for response in responses]
            assert statuses == [Status.STOPPED if slot == 3 else Status.COMPLETE for slot in range(1, 11)]
            assert all(response.tokens.exact for response in responses)
            assert {response.tokens.answer for response in responses if response.slot != 3} == {300}
            assert 0 < responses[2].tokens.answer < 300
            assert workspace.store.generations.get(generation.id).model == "fake-7b"

    _run(work())
    eventually(chain.is_idle)


def test_a_picture_reaches_the_backend_as_data(tmp_path: Path, chain: Chain) -> None:
    """With `images` on, a selected picture goes through the gateway to the model, after the prompt's text, in each request."""
    with _workspace(tmp_path, chain) as opened:
        (opened.project.root / "logo.png").write_bytes(PNG)
        opened.selection.add(["logo.png"])
        settings = msgspec.structs.replace(opened.settings, images=True)

    async def work() -> str:
        with Workspace.open(opened.project, settings) as workspace:
            generation = await workspace.preparation.begin(0, 2)
            await workspace.generator.run(generation, Ear(2))
            assert {response.status for response in workspace.responses(generation.id)} == {Status.COMPLETE}
            return workspace.store.prompts.get(generation.prompt_sha256).text

    text = _run(work())
    bodies = chain.fake.chats()
    assert len(bodies) == 2
    for body in bodies:
        shown, picture = body["messages"][0]["content"]
        assert shown["text"] == text
        assert base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,")) == PNG


def test_cancelling_leaves_the_backend_idle(tmp_path: Path, chain: Chain) -> None:
    """A cancelled generation closes its stream; gateway and backend become idle, and the text is kept."""
    chain.behave(tokens=5000, delay_s=SLOW)

    async def work() -> None:
        with _workspace(tmp_path, chain) as workspace:
            generation = await workspace.preparation.begin(0, 3)
            ear = Ear(3)
            task = asyncio.create_task(workspace.generator.run(generation, ear))
            await ear.has_text.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(eventually, chain.is_idle)
            for response in workspace.responses(generation.id):
                assert response.status is Status.STOPPED
                assert response.text

    _run(work())


def test_a_gateway_that_dies_leaves_what_had_arrived(tmp_path: Path, chain: Chain) -> None:
    """When the gateway dies mid-stream, every response ends with an error naming it and keeps its text; the next request fails too."""
    chain.behave(tokens=5000, delay_s=SLOW)

    async def work() -> None:
        with _workspace(tmp_path, chain) as workspace:
            generation = await workspace.preparation.begin(0, 2)
            ear = Ear(2)
            task = asyncio.create_task(workspace.generator.run(generation, ear))
            await ear.has_text.wait()
            await asyncio.to_thread(chain.server.stop)
            await task
            for response in workspace.responses(generation.id):
                assert response.status is Status.ERROR
                assert response.text
                assert response.error is not None
                # Whether the gateway can still announce that it is stopping is a race.
                assert response.error.code in {"draining", "stream_interrupted"}
                assert response.error.hop == "gateway"
            with pytest.raises(DceError) as caught:
                await workspace.preparation.begin(0, 1)
            assert caught.value.code == "gateway_unreachable"

    _run(work())


def test_a_wrong_key_is_told_before_anything_is_kept(tmp_path: Path, chain: Chain) -> None:
    """An unknown key gives the gateway's invalid_key, and no generation is made."""

    async def work() -> None:
        with _workspace(tmp_path, chain, key="dce_wrong") as workspace:
            with pytest.raises(DceError) as caught:
                await workspace.preparation.begin(0, 1)
            assert caught.value.code == "invalid_key"
            assert workspace.store.generations.list() == ()

    _run(work())
