"""One panel over one workspace: what runs, and what windows are told.

What must always hold: everything that runs ends (stopped, and every slot terminal) before `close` returns; the writer's lock is held
exactly while something of ours writes (it is counted within the process); every event goes to the log once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from dce.panel.filetable import FileTable
from dce.panel.live import LiveTexts
from dce.panel.stream import EventLog
from dce.panel.tools import Tools
from dce.wire.errors import DceError, Hop
from dce.workspace.cards import Cards
from dce.workspace.events import Event, WorkspaceChanged
from dce.workspace.key_vault import KeyVault
from dce.workspace.record.generations import Generation
from dce.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 1.0
"""How often the store is asked whether another process wrote to it."""

STOP_TIMEOUT_S = 5.0
"""How long a closing panel waits for the gateway to end what it stopped."""


class Session:
    """The state of a running panel. Lives in one event loop; blocking calls of the workspace go to threads."""

    def __init__(
        self, workspace: Workspace, watch_interval_s: float = WATCH_INTERVAL_S, tools: Tools | None = None
    ) -> None:
        self.workspace = workspace
        state_dir = workspace.project.state_dir
        self.tools = tools or Tools(cards=Cards(state_dir, KeyVault(state_dir, None)))
        self.log = EventLog()
        self.live = LiveTexts()
        self.files = FileTable(workspace.project, lambda: workspace.counter, workspace.selection)
        self.checking: set[int] = set()
        self._watch_interval_s = watch_interval_s
        self._runs: dict[asyncio.Task[None], int] = {}
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch for other processes' writes, and the files."""
        self._watcher = asyncio.create_task(self._watch())
        self.files.start(self.changed)

    async def close(self) -> None:
        """Ends the watch, every run and every reader."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self.files.close()
        for generation in set(self._runs.values()):
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.workspace.for_generation(generation).generator.stop(generation)
            except (DceError, TimeoutError) as error:
                logger.warning("generation %d could not be stopped: %s", generation, error)
        if self._runs:
            _, late = await asyncio.wait(tuple(self._runs), timeout=STOP_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.log.close()

    def tell(self, event: Event) -> None:
        """Puts an event into every window."""
        self.live.hear(event)
        self.log.append(event)

    def changed(self, what: str) -> None:
        """Tells every window that something it shows is no longer as it was."""
        self.tell(WorkspaceChanged(what=what))

    def is_running(self, generation: int) -> bool:
        """Whether a run of this panel works on a generation."""
        return generation in self._runs.values()

    async def generate(self, cycle: int, n: int) -> Generation:
        """Prepares a generation (over budget, locked: DceError) and sets it going."""
        ready: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            with self.workspace.writer_lock("panel"):
                workspace = await asyncio.to_thread(self.workspace.for_cycle, cycle)
                generation = await workspace.prepare(cycle, n)
                self._runs[task] = generation.id
                self.changed("generations")
                ready.set_result(generation)
                await workspace.generator.run(generation, self.tell)

        task = self._spawn(run(), ready)
        return await ready

    async def regenerate(self, generation: Generation, slots: Sequence[int]) -> None:
        """Has slots written anew, as a new version. Returns when that has begun or failed to."""
        await self._again(generation, lambda where, hear: where.generator.run(generation, hear, slots))

    async def go_on(self, generation: Generation, slot: int) -> None:
        """Goes on with a response that was cut, as its next version. Returns when that has begun or failed to."""
        await self._again(generation, lambda where, hear: where.generator.go_on(generation, slot, hear))

    async def _again(
        self, generation: Generation, work: Callable[[Workspace, Callable[[Event], None]], Awaitable[None]]
    ) -> None:
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def hear(event: Event) -> None:
            self.tell(event)
            if not begun.done():
                begun.set_result(None)

        async def run() -> None:
            with self.workspace.writer_lock("panel"):
                self._runs[task] = generation.id
                await work(await asyncio.to_thread(self.workspace.for_generation, generation.id), hear)

        task = self._spawn(run(), begun)
        await begun

    def _spawn(self, work: Coroutine[Any, Any, None], ready: "asyncio.Future[Any]") -> asyncio.Task[None]:
        """A task of a run; if it fails before `ready` is set, whoever waits for that gets the exception."""
        task = asyncio.create_task(work)
        self._runs[task] = 0

        def ended(task: asyncio.Task[None]) -> None:
            del self._runs[task]
            error = None if task.cancelled() else task.exception()
            if not ready.done():
                ready.set_exception(error or DceError("interrupted", "the panel is closing"))
            elif isinstance(error, DceError):
                logger.warning("a run failed: %s", error.message)
            elif error is not None:
                logger.error("a run failed", exc_info=error)
            self.changed("generations")

        task.add_done_callback(ended)
        return task

    async def _watch(self) -> None:
        seen = await asyncio.to_thread(self.workspace.store.data_version)
        while True:
            await asyncio.sleep(self._watch_interval_s)
            try:
                now = await asyncio.to_thread(self.workspace.store.data_version)
            except DceError as error:
                logger.warning("the store cannot be watched: %s", error.message)
                continue
            if now != seen:
                seen = now
                self.changed("store")


def fault(error: Exception) -> DceError:
    """An exception that nobody foresaw, as an error that a window can show."""
    return DceError(
        "internal",
        f"{type(error).__name__}: {error}",
        hop=Hop.CLIENT,
        hint="A fault of DCE itself: the terminal where the panel runs shows where. Please report it.",
    )
