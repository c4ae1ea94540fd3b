"""Running a generation from a terminal: stopping, and the exit code."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from dce.cli.progress import JsonView
from dce.cli.running import Run
from dce.wire.errors import DceError
from dce.workspace.events import Event, SlotProgress
from dce.workspace.record.responses import Status, Tokens


def progress(slot: int, status: Status, code: str = "") -> SlotProgress:
    return SlotProgress(
        generation=1,
        slot=slot,
        version=1,
        status=status,
        tokens=Tokens(),
        ttft_s=None,
        elapsed_s=None,
        tokens_per_s=None,
        error=DceError(code, "as scripted").body() if code else None,
    )


class ScriptedGenerator:
    """Runs until told to end, or sends scripted events and ends. `hears_stop` False: a gateway that does not react."""

    def __init__(self, script: Sequence[Event] = (), *, is_endless: bool = False, stop_fails: bool = False) -> None:
        self._script, self._is_endless, self._stop_fails = script, is_endless, stop_fails
        self.running = asyncio.Event()
        self._stopped = asyncio.Event()
        self.stops: list[int] = []
        self.is_cancelled = False

    async def run(self, generation: Any, on_event: Callable[[Event], None], slots: Sequence[int] | None) -> None:
        for event in self._script:
            on_event(event)
        if self._is_endless:
            self.running.set()
            try:
                await self._stopped.wait()
            except asyncio.CancelledError:
                self.is_cancelled = True
                raise
            finally:
                on_event(progress(1, Status.STOPPED))

    async def stop(self, generation_id: int, slot: int | None = None) -> None:
        self.stops.append(generation_id)
        if self._stop_fails:
            raise DceError("gateway_unreachable", "gone")
        self._stopped.set()


class Named:
    """Stands in for a workspace or a generation: only these fields are read."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def make_run(generator: ScriptedGenerator, view: Any = None) -> Run:
    workspace, generation = Named(generator=generator), Named(id=1)
    return Run(cast("Any", workspace), cast("Any", generation), view or JsonView())


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([progress(1, Status.COMPLETE), progress(2, Status.ERROR, "backend_error")], 0),
        ([progress(1, Status.TRUNCATED)], 0),
        ([progress(1, Status.ERROR, "invalid_key"), progress(2, Status.ERROR, "invalid_key")], 3),
        ([progress(1, Status.ERROR, "gateway_unreachable")], 4),
        ([progress(1, Status.STOPPED)], 1),
        ([], 1),
    ],
)
def test_exit_code(ends: list[SlotProgress], code: int) -> None:
    """One finished response is success; with none, the first error decides the kind of failure."""

    async def run() -> int:
        return await make_run(ScriptedGenerator(ends)).to_end()

    assert asyncio.run(run()) == code


def test_ctrl_c_stops_through_the_gateway() -> None:
    """The first Ctrl-C asks the gateway to stop, lets the run end by itself and exits with 130."""

    async def scenario() -> tuple[int, ScriptedGenerator]:
        generator = ScriptedGenerator(is_endless=True)
        task = asyncio.create_task(make_run(generator).to_end())
        await generator.running.wait()
        os.kill(os.getpid(), signal.SIGINT)
        return await task, generator

    code, generator = asyncio.run(scenario())
    assert (code, generator.stops, generator.is_cancelled) == (130, [1], False)


def test_ctrl_c_with_the_gateway_gone() -> None:
    """If the gateway cannot be reached, the run is ended locally, without waiting."""

    async def scenario() -> tuple[int, ScriptedGenerator]:
        generator = ScriptedGenerator(is_endless=True, stop_fails=True)
        run = make_run(generator)
        task = asyncio.create_task(run.to_end())
        await generator.running.wait()
        run.interrupt()
        return await task, generator

    code, generator = asyncio.run(scenario())
    assert (code, generator.is_cancelled) == (130, True)


def test_second_ctrl_c_ends_at_once() -> None:
    """Two in a row end the run without waiting for the gateway."""

    async def scenario() -> tuple[int, ScriptedGenerator]:
        generator = ScriptedGenerator(is_endless=True)
        run = make_run(generator)
        task = asyncio.create_task(run.to_end())
        await generator.running.wait()
        run.interrupt()
        run.interrupt()
        return await task, generator

    code, generator = asyncio.run(scenario())
    assert (code, generator.is_cancelled) == (130, True)


class ClosedPipe(JsonView):
    """A view whose reader has closed the pipe."""

    def on_event(self, event: Event) -> None:
        raise BrokenPipeError


def test_reader_that_goes_away_stops_the_generation() -> None:
    """`dce generate | head` does not leave ten unread streams running."""

    async def scenario() -> tuple[int, list[int]]:
        generator = ScriptedGenerator([progress(1, Status.GENERATING)], is_endless=True)
        code = await make_run(generator, ClosedPipe()).to_end()
        return code, generator.stops

    assert asyncio.run(scenario()) == (141, [1])


def test_a_fault_of_the_generator_is_not_swallowed() -> None:
    """An error that belongs to no slot reaches the frame, which prints it as a message."""

    class Failing(ScriptedGenerator):
        async def run(self, generation: Any, on_event: Callable[[Event], None], slots: Sequence[int] | None) -> None:
            raise DceError("conflict", "still running")

    async def run() -> int:
        return await make_run(Failing()).to_end()

    with pytest.raises(DceError, match="still running"):
        asyncio.run(run())
