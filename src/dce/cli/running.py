"""Runs a generation from a terminal: updates the view, stops cleanly on Ctrl-C, and turns the outcome into an exit code.

What must hold: the first Ctrl-C asks the gateway to stop, so that the slots end as `stopped` and keep their text; a second one, or
a gateway that does not react, ends the run locally; a closed output pipe stops the generation too.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dce.cli.checks_along import along, along_settings
from dce.cli.consent import with_consent
from dce.cli.context import generation_of, open_workspace
from dce.cli.exits import Exit, exit_of
from dce.cli.progress import View, open_view
from dce.wire.errors import DceError
from dce.workspace.events import Event, SlotProgress
from dce.workspace.record.responses import Status

if TYPE_CHECKING:
    from dce.workspace.judging.as_completed import AsCompleted
    from dce.workspace.judging.check_report import CheckReport
    from dce.workspace.record.generations import Generation
    from dce.workspace.workspace import Workspace

STOP_PATIENCE_S = 5.0
"""How long the gateway has to end the stream after a stop request; then the run is ended locally."""

OnEvent = Callable[[Event], None]

_FINISHED = (Status.COMPLETE, Status.TRUNCATED)


def run_again(
    verb: str,
    generation_id: int | None,
    *,
    slots: Sequence[int] | None = None,
    continued: int | None = None,
    is_yes: bool,
    is_json: bool,
    directory: Path,
    **flags: object,
) -> Exit:
    """Sends a generation's own prompt again, after consent and under `verb`'s writer lock: for `slots`, or to continue slot
    `continued`. The last four parameters are `sending_options`."""
    from dce.workspace.generating.continuing import continuable  # noqa: PLC0415 - `dce --help` starts without it

    with open_workspace(directory, **flags) as workspace:
        generation = generation_of(workspace, generation_id)
        here = workspace.for_generation(generation.id)
        # What cannot begin is refused before anything else is said.
        for slot in slots or ():
            here.store.responses.get(generation.id, slot)
        if continued is not None:
            continuable(here.store, generation.id, continued)
        settings = along_settings(here)

        async def run() -> Exit:
            prompt = here.store.prompts.get(generation.prompt_sha256).text
            await with_consent(
                here, lambda: asyncio.to_thread(here.sending.check, prompt), is_yes=is_yes, is_json=is_json
            )

            def work(on_event: OnEvent) -> Awaitable[None]:
                if continued is not None:
                    return here.generator.continue_response(generation, continued, on_event)
                return here.generator.run(generation, on_event, slots)

            with here.writer_lock(verb), open_view(is_json=is_json) as view:
                return await Run(here, generation, view, work, along(here, generation, settings)).to_end()

        return asyncio.run(run())


class Run:
    """One run of a generation, shown in a view."""

    def __init__(
        self,
        workspace: "Workspace",
        generation: "Generation",
        view: View,
        work: Callable[[OnEvent], Awaitable[None]] | None = None,
        checks: "AsCompleted | None" = None,
    ) -> None:
        """`work`: what the generator does; None: it runs all slots of the new generation. `checks`: run along."""
        self._workspace, self._generation, self._view = workspace, generation, view
        self._work = work or (lambda on_event: workspace.generator.run(generation, on_event, None))
        self._checks = checks
        self._checking: asyncio.Task[dict[int, CheckReport]] | None = None
        self._last: dict[int, SlotProgress] = {}
        self._task: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._is_pipe_closed = False
        self.is_interrupted = False

    async def to_end(self) -> Exit:
        """Runs until every slot has ended. `Exit.DONE` if at least one response finished; otherwise the first error's exit code."""
        self._task = asyncio.ensure_future(self._work(self._on_event))
        self._checking = asyncio.create_task(self._checks.run(self._show)) if self._checks else None
        with _interrupts(self.interrupt):
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
                await self._end_checks()
            finally:
                if self._checking is not None:
                    self._checking.cancel()
                    await asyncio.wait([self._checking])
            if self._stopping is not None:
                self._stopping.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._stopping
        return self._exit()

    async def _end_checks(self) -> None:
        """Waits for the checks that were begun. What keeps them from running is told and changes nothing about the responses."""
        if self._checks is None or self._checking is None:
            return
        self._checks.close()
        try:
            await self._checking
        except asyncio.CancelledError:
            return
        except DceError as error:
            self._view.notice(f"the checks ended: {error.message}")
        if self._checks.is_enough:
            self._view.notice(f"enough responses pass ({len(self._checks.passed)}): the rest was stopped")

    def interrupt(self) -> None:
        """Handles Ctrl-C: the first asks the gateway to stop, the second ends the run locally; the checks end with the first."""
        self.is_interrupted = True
        if self._checking is not None:
            self._checking.cancel()
        if self._stopping is None:
            self._view.notice("stopping; what has arrived is kept (Ctrl-C again: stop at once)")
            self._stopping = asyncio.create_task(self._stop())
        elif self._task is not None:
            self._task.cancel()

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(STOP_PATIENCE_S):
                await self._workspace.generator.stop(self._generation.id)
            await asyncio.sleep(STOP_PATIENCE_S)  # cancelled when the run ends first
        except (DceError, TimeoutError):
            pass  # the gateway cannot be reached: there is nothing to wait for
        if self._task is not None:
            self._task.cancel()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, SlotProgress):
            self._last[event.slot] = event
        if self._checks is not None:
            self._checks.on_event(event)
        self._show(event)

    def _show(self, event: Event) -> None:
        if self._is_pipe_closed:
            return
        try:
            self._view.on_event(event)
        except BrokenPipeError:
            self._is_pipe_closed = True
            if self._stopping is None:
                self._stopping = asyncio.create_task(self._stop())

    def _exit(self) -> Exit:
        if self.is_interrupted:
            return Exit.INTERRUPTED
        if self._is_pipe_closed:
            return Exit.PIPE_CLOSED
        if any(slot.status in _FINISHED for slot in self._last.values()):
            return Exit.DONE
        error = next((slot.error for slot in self._last.values() if slot.error), None)
        return exit_of(DceError.from_body(error)) if error else Exit.NO


@contextlib.contextmanager
def _interrupts(handler: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `handler` on the loop, where the platform and the thread allow it."""
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, handler)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
