"""The check runs of one panel: at most one for each generation and one for the workspace, how far each is, and stopping it.

What must always hold: a run belongs to the panel, not to the request that began it, so it goes on when a window closes; when a run has
ended or was stopped, no lane of it is left; why the last run came to nothing is known until the next one begins.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from dce.wire.errors import DceError, ErrorBody
from dce.workspace.events import ChecksProgress, Event
from dce.workspace.judging.check_report import CheckReport

T = TypeVar("T")
Publish = Callable[[Event], None]

WORKSPACE = 0
"""What stands for the workspace as it is, where a generation's id stands otherwise."""

STOP_TIMEOUT_S = 10.0
"""How long stopping waits for the lanes to end; killing their processes takes well under a second."""


class WorkspaceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks said of the workspace as it is; `checks` and `base` are digests of the checks and the files that it is about."""

    checks: str
    base: str
    report: CheckReport


class CheckRuns:
    """Lives in the panel's event loop. Keys are ids of generations, or `WORKSPACE`. `notify`: a run began or ended."""

    def __init__(self, publish: Publish, notify: Callable[[], None]) -> None:
        self._publish = publish
        self._notify = notify
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._progress: dict[int, ChecksProgress] = {}
        self._failures: dict[int, ErrorBody] = {}
        self.on_workspace: WorkspaceResult | None = None
        """The last result, kept here because the store's cache leaves out checks that cannot start."""

    def __contains__(self, key: int) -> bool:
        return key in self._tasks

    def progress(self, key: int) -> ChecksProgress | None:
        """How far a run is; None if none runs, or it has not begun to check yet."""
        return self._progress.get(key)

    def failure(self, key: int) -> ErrorBody | None:
        """Why the last run came to nothing; None if it did not, or a run is going on."""
        return self._failures.get(key)

    def begin(self, key: int, work: Callable[[Publish], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """Begins to run `work`. Raises DceError conflict while one runs."""
        if key in self._tasks:
            whose = f"of generation {key}" if key else "on the workspace"
            raise DceError("conflict", f"the checks {whose} are already running")
        self._failures.pop(key, None)
        task = asyncio.create_task(work(self._tell))
        self._tasks[key] = task
        self._notify()
        task.add_done_callback(lambda task: self._ended(key, task))
        return task

    async def run(self, key: int, work: Callable[[Publish], Coroutine[Any, Any, T]]) -> T | None:
        """Runs `work` and returns what it gives; None if it was stopped. Raises DceError as `begin`, and what `work` raises."""
        task = self.begin(key, work)
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    async def stop(self, key: int) -> None:
        """Stops a run, if there is one; verdicts that it has come to stay. Returns when its lanes have ended."""
        await self._stop([self._tasks[key]] if key in self._tasks else [])

    async def close(self) -> None:
        """Stops every run."""
        await self._stop(list(self._tasks.values()))

    @staticmethod
    async def _stop(tasks: list["asyncio.Task[Any]"]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)

    def _tell(self, event: Event) -> None:
        if isinstance(event, ChecksProgress):
            self._progress[event.generation] = event
        self._publish(event)

    def _ended(self, key: int, task: "asyncio.Task[Any]") -> None:
        del self._tasks[key]
        self._progress.pop(key, None)
        error = None if task.cancelled() else task.exception()
        # Without consent nothing has run: the window asks, and there is nothing to remember.
        if isinstance(error, DceError) and error.code != "consent_needed":
            self._failures[key] = error.body()
        self._notify()
