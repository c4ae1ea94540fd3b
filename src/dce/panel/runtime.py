"""One running panel over one workspace: the generations it runs, what it watches, and what it publishes to its windows.

What must always hold: everything that runs has ended (stopped, and every response terminal) before `close` returns; the writer lock is
held exactly while this panel writes (it is counted within the process); every event goes to the log once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from dce.panel.checking import CheckRuns, Publish
from dce.panel.event_log import EventLog
from dce.panel.filetable import FileTable
from dce.panel.live import LiveTexts
from dce.panel.supervision import Supervisor
from dce.panel.threads import held
from dce.panel.tools import Tools
from dce.wire.errors import DceError
from dce.workspace.cards import Cards
from dce.workspace.events import Event, WorkspaceChanged
from dce.workspace.follow_up import Ask, begin, repair
from dce.workspace.judging.as_completed import AsCompleted, settings_along
from dce.workspace.judging.checks_file import RunSettings
from dce.workspace.key_vault import KeyVault
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import Response, Status
from dce.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 1.0
"""How often the panel checks whether another process wrote to the store."""

STOP_TIMEOUT_S = 5.0
"""How long a closing panel waits for the gateway to end what it stopped."""


class _Along(NamedTuple):
    """How the checks run along with `n` responses; `settings` None: they do not. Found out before a run is announced: it can be stopped
    at once then."""

    settings: RunSettings | None
    n: int


class PanelRuntime:
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
        self.checking = CheckRuns(self.publish, lambda: self.notify("checks"))
        self._watch_interval_s = watch_interval_s
        self._store_watch = Supervisor("watching the store", lambda: self.notify("watch"))
        self._runs: dict[asyncio.Task[None], int | None] = {}  # None: still being prepared
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch for other processes' writes, and the files."""
        self._watcher = asyncio.create_task(self._store_watch.run(self._watch_store))
        self.files.start(self.notify)

    async def close(self) -> None:
        """Ends the watches, every run and every reader."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self.files.close()
        await self.checking.close()
        for task, generation in tuple(self._runs.items()):
            if generation is None:
                task.cancel()
        for generation in {started for started in self._runs.values() if started is not None}:
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    workspace = await asyncio.to_thread(self.workspace.for_generation, generation)
                    await workspace.generator.stop(generation)
            except (DceError, TimeoutError) as error:
                logger.warning("generation %d could not be stopped: %s", generation, error)
        if self._runs:
            _, late = await asyncio.wait(tuple(self._runs), timeout=STOP_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.log.close()

    def publish(self, event: Event) -> None:
        """Sends an event to every window."""
        self.live.apply(event)
        self.log.append(event)

    def notify(self, what: str) -> None:
        """Tells every window that something it shows has changed."""
        if what == "selection":
            self.files.recount()
        self.publish(WorkspaceChanged(what=what))

    @property
    def watch_problems(self) -> tuple[str, ...]:
        """Why changes made by others do not reach the windows at the moment; empty while everything is watched."""
        return tuple(problem for problem in (self.files.watch_problem, self._store_watch.problem) if problem)

    def is_running(self, generation: int) -> bool:
        """Whether a run of this panel works on a generation."""
        return generation in self._runs.values()

    async def generate(self, cycle: int, n: int) -> Generation:
        """Prepares a generation (over budget, locked: DceError) and starts it."""
        ready: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with held(self.workspace.writer_lock("panel")):
                workspace = await asyncio.to_thread(self.workspace.for_cycle, cycle)
                along = _Along(settings=(await settings_along(workspace))[0], n=n)
                generation = await workspace.preparation.begin(cycle, n)
                self._runs[task] = generation.id
                self.notify("generations")
                ready.set_result(generation)
                work = partial(workspace.generator.run, generation)
                await self._with_checks(workspace, generation.id, along, work, self.publish)

        task = self._spawn(run(), ready)
        return await ready

    async def regenerate(self, generation: Generation, slots: Sequence[int]) -> None:
        """Generates slots again, as new versions. Returns when that has begun; raises what kept it from beginning."""
        await self._resume(
            generation, len(slots), lambda where, publish: where.generator.run(generation, publish, slots)
        )

    async def continue_response(self, generation: Generation, slot: int) -> None:
        """Continues a response that was cut off, as its next version. Returns and raises as `regenerate`."""
        await self._resume(
            generation, 1, lambda where, publish: where.generator.continue_response(generation, slot, publish)
        )

    async def follow_up(self, generation_id: int, ask: Ask, rounds: int) -> None:
        """Makes a new answer from one; with failing checks, up to `rounds`. Returns when the first has its slot; raises what kept it from that."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with held(self.workspace.writer_lock("panel")):
                where = await asyncio.to_thread(self.workspace.for_generation, generation_id)
                # A repair runs the checks itself, since its next round depends on them.
                settings = None if ask.is_failing else (await settings_along(where))[0]
                first = await begin(where, generation_id, ask, self.publish)
                self._runs[task] = generation_id
                self.notify("generations")
                begun.set_result(None)

                async def one(response: Response) -> bool:
                    generation = await asyncio.to_thread(where.store.generations.get, generation_id)
                    work = partial(where.generator.follow_up, generation, response.slot)
                    await self._with_checks(where, generation_id, _Along(settings=settings, n=1), work, self.publish)
                    ended = await asyncio.to_thread(where.store.responses.get, generation_id, response.slot)
                    return ended.status in (Status.COMPLETE, Status.TRUNCATED)

                if ask.is_failing:
                    await repair(where, first, ask, rounds, one, self.publish)
                else:
                    await one(first)

        task = self._spawn(run(), begun)
        await begun

    async def _resume(
        self, generation: Generation, n: int, work: Callable[[Workspace, Publish], Awaitable[None]]
    ) -> None:
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def publish(event: Event) -> None:
            self.publish(event)
            if not begun.done():
                begun.set_result(None)

        async def run() -> None:
            async with held(self.workspace.writer_lock("panel")):
                self._runs[task] = generation.id
                where = await asyncio.to_thread(self.workspace.for_generation, generation.id)
                along = _Along(settings=(await settings_along(where))[0], n=n)
                await self._with_checks(where, generation.id, along, partial(work, where), publish)

        task = self._spawn(run(), begun)
        await begun

    async def _with_checks(
        self,
        workspace: Workspace,
        generation_id: int,
        along: "_Along",
        work: Callable[[Publish], Awaitable[None]],
        publish: Publish,
    ) -> None:
        """Does the generator's work, and runs the checks along with it, if the user has agreed to them; they may go on after it."""
        if along.settings is None or generation_id in self.checking:
            await work(publish)
            return
        stop = partial(workspace.generator.stop, generation_id)
        checks = AsCompleted(workspace, generation_id, along.n, enough=along.settings.enough, stop=stop)

        def tell(event: Event) -> None:
            publish(event)
            checks.on_event(event)

        self.checking.begin(generation_id, checks.run)
        try:
            await work(tell)
        finally:
            checks.close()

    def _spawn(self, work: Coroutine[Any, Any, None], ready: "asyncio.Future[Any]") -> asyncio.Task[None]:
        """A task of a run; if it fails before `ready` is set, whoever waits for that gets the exception."""
        task = asyncio.create_task(work)
        self._runs[task] = None

        def ended(task: asyncio.Task[None]) -> None:
            del self._runs[task]
            error = None if task.cancelled() else task.exception()
            if not ready.done():
                ready.set_exception(error or DceError("interrupted", "the panel is closing"))
            elif isinstance(error, DceError):
                logger.warning("a run failed: %s", error.message)
            elif error is not None:
                logger.error("a run failed", exc_info=error)
            self.notify("generations")

        task.add_done_callback(ended)
        return task

    async def _watch_store(self) -> None:
        seen: int | None = None
        while True:
            now = await asyncio.to_thread(self.workspace.store.data_version)
            if now != seen and (seen is not None or self._store_watch.problem):
                self.notify("store")
            seen = now
            self._store_watch.works()
            await asyncio.sleep(self._watch_interval_s)
