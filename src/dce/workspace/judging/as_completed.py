"""Checks the responses of a running generation as each one completes, and ends the generation when enough of them pass.

Invariants: the generation never waits for the checks, and a failure of the checks never fails it; the workspace itself is checked while
the model still writes; when `run` returns, nothing of the checks is running.
"""

import asyncio
from collections.abc import Awaitable, Callable

from dce.wire.errors import DceError
from dce.workspace.events import Event, SlotProgress
from dce.workspace.judging.behaving import compare_behaviour
from dce.workspace.judging.check_progress import Progress
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checking import Checker, commands_to_run
from dce.workspace.judging.checks_file import RunSettings, load_checks_file
from dce.workspace.judging.command_consent import CommandConsents
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.responses import TERMINAL, Status

OnEvent = Callable[[Event], None]

STOP_TRIES = 10
"""How often the rest of a generation is asked to stop while some of it is just beginning."""

STOP_RETRY_S = 0.5
"""Seconds between these."""


async def settings_along(workspace: Workspace) -> tuple[RunSettings | None, str]:
    """How the checks run along with a generation by themselves. None: they do not; the text says why, if the user should know."""
    try:
        file = await asyncio.to_thread(load_checks_file, workspace.project)
        if not file.check or file.run.when == "asked":
            return None, ""
        commands = await commands_to_run(workspace, file)
    except DceError as error:
        return None, f"the checks do not run as responses complete: {error.message}"
    if not await asyncio.to_thread(CommandConsents(workspace.store.meta).covers, commands):
        return (
            None,
            "the checks do not run as responses complete, because you have not agreed to their commands yet: `dce run-checks` asks",
        )
    return file.run, ""


class _EnoughPass(Exception):
    """Enough responses pass: ends the group of checks."""


class AsCompleted:
    """The checks of one run of a generation. `on_event` takes the run's events; `run` checks what they say is complete.

    `enough`: once so many responses pass every check, `stop` is called, which ends the rest of the generation, and no further check
    begins; 0: never.
    """

    def __init__(
        self,
        workspace: Workspace,
        generation_id: int,
        n: int,
        *,
        enough: int = 0,
        stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._workspace = workspace
        self._generation_id = generation_id
        self._n = n
        self._enough = enough
        self._stop = stop
        self._completed: asyncio.Queue[SlotProgress | None] = asyncio.Queue()
        self._reports: dict[int, CheckReport] = {}
        self.is_enough = False

    @property
    def passed(self) -> tuple[int, ...]:
        """The slots that pass every check, so far."""
        return tuple(sorted(slot for slot, report in self._reports.items() if report.is_passed))

    def on_event(self, event: Event) -> None:
        """Takes an event of the run. Never blocks."""
        if isinstance(event, SlotProgress) and event.status in TERMINAL:
            self._completed.put_nowait(event)

    def close(self) -> None:
        """The run has ended: no response completes any more."""
        self._completed.put_nowait(None)

    async def run(self, on_event: OnEvent) -> dict[int, CheckReport]:
        """Checks what completes, until `close` and the end of what was begun, or until enough pass; then compares the behaviour of those
        that pass. Raises DceError as `check_responses`."""
        checker = await Checker.agreed(self._workspace)
        progress = Progress(self._generation_id, self._n, on_event)
        progress.check_base()
        await checker.check_base()

        async def check(slot: int) -> None:
            found = await checker.check(self._generation_id, [slot], on_event, progress=progress)
            if not found:
                progress.finish([slot])  # it has no files: nothing to check
            self._reports.update(found)
            if self._enough and len(self.passed) >= self._enough:
                raise _EnoughPass

        try:
            async with asyncio.TaskGroup() as group:
                while (event := await self._completed.get()) is not None:
                    if event.status is not Status.STOPPED:
                        group.create_task(check(event.slot))
        except ExceptionGroup as errors:
            if not errors.subgroup(_EnoughPass):
                raise errors.exceptions[0] from errors
            await self._end_the_rest()
        await compare_behaviour(self._workspace, self._generation_id)
        return dict(sorted(self._reports.items()))

    async def _end_the_rest(self) -> None:
        self.is_enough = True
        if self._stop is None:
            return
        for _ in range(STOP_TRIES):
            try:
                await self._stop()
            except DceError as error:
                if error.code == "conflict":  # one is just beginning and cannot be stopped yet
                    await asyncio.sleep(STOP_RETRY_S)
                    continue
                if error.code != "not_found":  # not_found: none is running any more
                    raise
            return
