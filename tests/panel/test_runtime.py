"""A running panel: what its windows are told, and how it ends."""

import asyncio
import contextlib
import threading
from pathlib import Path

import msgspec
import pytest

from dce.panel.runtime import PanelRuntime
from dce.wire import sse
from dce.wire.errors import DceError
from dce.workspace.events import Event, SlotText
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checking import commands_to_run
from dce.workspace.judging.command_consent import CommandConsents
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import AnsweringProvider, Line, make_workspace


async def told(panel: PanelRuntime, cursor: str, last: str) -> list[Event]:
    """The events after `cursor`, up to the first one named `last`."""
    decoder, events = sse.Decoder(), list[Event]()
    async for frame in panel.log.follow(cursor):
        for event in decoder.feed(frame):
            events.append(msgspec.json.decode(event.data, type=Event))
            if event.event == last:
                return events
    raise AssertionError("the log was closed")


def test_what_windows_are_told_adds_up_to_what_is_stored(tmp_path: Path) -> None:
    """The text events of each response, put together by their offsets, are its stored text."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace)
        cursor = panel.log.cursor
        generation = await panel.generate(1, 4)
        events = await told(panel, cursor, "generation_ended")
        for response in workspace.responses(generation.id):
            pieces = [event for event in events if isinstance(event, SlotText) and event.slot == response.slot]
            assert "".join(piece.text for piece in pieces) == response.text
            assert "".join(piece.thinking for piece in pieces) == response.thinking
            assert [piece.text_offset for piece in pieces] == [
                sum(len(earlier.text) for earlier in pieces[:number]) for number in range(len(pieces))
            ]
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


def test_agreed_checks_run_along(tmp_path: Path) -> None:
    """Once the user has agreed to the commands, a generation's responses are checked as they complete, as a run that can be stopped."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace)
        unchecked = await panel.generate(1, 2)
        await told(panel, panel.log.cursor, "generation_ended")
        assert unchecked.id not in panel.checking
        CommandConsents(workspace.store.meta).give(await commands_to_run(workspace))
        cursor = panel.log.cursor
        generation = await panel.generate(1, 3)
        events = await told(panel, cursor, "generation_ended")
        while generation.id in panel.checking:
            events += await told(panel, panel.log.cursor, "workspace_changed")
        reports = workspace.store.check_reports.latest(generation.id, CheckReport)
        assert {slot: report.is_passed for slot, report in reports.items()} == {1: False, 2: False, 3: True}
        assert not workspace.store.check_reports.latest(unchecked.id, CheckReport)
        assert panel.checking.failure(generation.id) is None
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


def test_closing_ends_what_runs_and_keeps_it(tmp_path: Path) -> None:
    """A panel that is closed in the middle leaves every response ended, with its text, and the lock free."""

    async def go(workspace: Workspace, provider: AnsweringProvider) -> None:
        provider.hold = asyncio.Event()
        panel = PanelRuntime(workspace)
        cursor = panel.log.cursor
        generation = await panel.generate(1, 3)
        await told(panel, cursor, "slot_text")
        await panel.close()
        responses = workspace.responses(generation.id)
        assert {response.status for response in responses} == {"stopped"}
        assert any(response.thinking for response in responses)
        assert len(asyncio.all_tasks()) == 1
        with workspace.writer_lock("test"):
            pass

    provider = AnsweringProvider([Line(thinking="word " * 400)])
    with make_workspace(tmp_path / "words", provider) as workspace:
        asyncio.run(go(workspace, provider))


def test_closing_ends_what_is_still_being_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A panel that is closed while a model starts does not begin the generation, and whoever asked for it is told."""
    asked, started = threading.Event(), threading.Event()

    def start_model(workspace: Workspace, cycle: int) -> Workspace:
        asked.set()
        started.wait()
        return workspace

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace)
        asking = asyncio.create_task(panel.generate(1, 3))
        await asyncio.to_thread(asked.wait)
        await panel.close()
        started.set()
        with pytest.raises(DceError, match="the panel is closing"):
            await asking
        assert workspace.store.generations.list() == ()
        assert caplog.text == ""

    monkeypatch.setattr(Workspace, "for_cycle", start_model)
    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


async def store_told(panel: PanelRuntime, cursor: str) -> None:
    """Returns once the log says that another process wrote to the store."""
    async for frames in panel.log.follow(cursor):
        if b'"what":"store"' in frames:
            return


def test_another_processs_write_is_noticed(tmp_path: Path) -> None:
    """What the command line changes reaches the windows without a reload."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace, watch_interval_s=0.01)
        panel.start()
        cursor = panel.log.cursor
        # A second connection stands for a second process: SQLite tells them apart the same way.
        with Workspace.open(workspace.project, Settings(), provider=AnsweringProvider()) as other:
            watching = asyncio.create_task(store_told(panel, cursor))
            while not watching.done():
                await asyncio.to_thread(other.cycles.create, "from elsewhere")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(watching), 0.05)
        watching.result()
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


def test_our_own_writes_are_not_taken_for_anothers(tmp_path: Path) -> None:
    """The store's own connection does not look like another process."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace, watch_interval_s=0.001)
        panel.start()
        cursor = panel.log.cursor
        for number in range(5):
            await asyncio.to_thread(workspace.cycles.create, f"{number}")
            await asyncio.sleep(0.002)
        whole = panel.log.follow(cursor, heartbeat_s=0.01)
        frames = b""
        async for frame in whole:
            if frame.startswith(b":"):
                break
            frames += frame
        assert b'"store"' not in frames
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


def test_a_generation_that_cannot_begin_says_why(tmp_path: Path) -> None:
    """What `prepare` refuses reaches the one who asked, and no run stays behind."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace)
        for cycle, n in ((99, 1), (1, 0)):
            with pytest.raises(DceError) as caught:
                await panel.generate(cycle, n)
            assert caught.value.code in {"not_found", "invalid_input"}
        assert not panel.is_running(0)
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))


def test_another_process_that_writes_is_named(tmp_path: Path) -> None:
    """While another process holds the workspace, generating is refused with `workspace_locked`."""

    async def go(workspace: Workspace) -> None:
        panel = PanelRuntime(workspace)
        with Workspace.open(workspace.project, Settings(), provider=AnsweringProvider()) as other:
            with other.writer_lock("generate"), pytest.raises(DceError, match="process"):
                await panel.generate(1, 1)
            await panel.generate(1, 1)
        await panel.close()

    with make_workspace(tmp_path / "words") as workspace:
        asyncio.run(go(workspace))
