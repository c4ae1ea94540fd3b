"""checking.py: a run belongs to the panel, can be stopped, and is there once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dce.panel.checking import WORKSPACE, CheckRuns
from dce.wire.errors import DceError
from dce.workspace.events import ChecksProgress, Event


class Told:
    """What a panel was told."""

    def __init__(self) -> None:
        self.events = asyncio.Queue[Event]()
        self.notices = 0

    def notify(self) -> None:
        self.notices += 1


def play(scene: Callable[[CheckRuns, Told], Awaitable[None]]) -> None:
    async def go() -> None:
        told = Told()
        await asyncio.wait_for(scene(CheckRuns(told.events.put_nowait, told.notify), told), 20)

    asyncio.run(go())


async def forever(publish: Callable[[Event], None]) -> str:
    publish(ChecksProgress(generation=3, total=2, done=1, running=(2,)))
    await asyncio.Event().wait()
    return "never"


def test_a_run_outlives_the_request_that_began_it() -> None:
    """When the request is cancelled (its window closed), the run goes on until somebody stops it."""

    async def scene(runs: CheckRuns, told: Told) -> None:
        request = asyncio.create_task(runs.run(3, forever))
        await told.events.get()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        assert 3 in runs
        assert runs.progress(3) == ChecksProgress(generation=3, total=2, done=1, running=(2,))
        with pytest.raises(DceError, match="already running"):
            await runs.run(3, forever)
        await runs.stop(3)
        assert 3 not in runs
        assert (runs.progress(3), runs.failure(3)) == (None, None)
        assert told.notices == 2

    play(scene)


def test_stopping_is_no_error_and_closing_stops_all() -> None:
    """A run that was stopped gives None; after `close` none is left."""

    async def scene(runs: CheckRuns, told: Told) -> None:
        requests = [asyncio.create_task(runs.run(key, forever)) for key in (WORKSPACE, 3, 4)]
        for _ in requests:
            await told.events.get()
        await runs.close()
        assert await asyncio.gather(*requests) == [None, None, None]
        assert all(key not in runs for key in (WORKSPACE, 3, 4))

    play(scene)


def test_why_a_run_failed_is_known_until_the_next_one() -> None:
    """An error is raised and remembered; a question for consent is only raised."""

    async def scene(runs: CheckRuns, _: Told) -> None:
        async def fail(code: str) -> None:
            raise DceError(code, "the checks cannot run here: vitest: not found")

        async def succeed() -> int:
            return 7

        with pytest.raises(DceError):
            await runs.run(3, lambda _: fail("invalid_input"))
        failure = runs.failure(3)
        assert failure is not None
        assert "vitest" in failure.message
        with pytest.raises(DceError):
            await runs.run(3, lambda _: fail("consent_needed"))
        assert runs.failure(3) is None
        assert await runs.run(3, lambda _: succeed()) == 7

    play(scene)
