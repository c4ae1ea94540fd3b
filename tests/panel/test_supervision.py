"""A supervised loop goes on after every error, waits longer after each, and shows the problem while it stands."""

import asyncio
import logging

import pytest

from dce.panel.supervision import FIRST_DELAY_S, MAX_DELAY_S, Supervisor
from dce.wire.errors import DceError

ERRORS = [OSError("no more watches"), DceError("store_unreadable", "it is locked"), RuntimeError("a bug")]


class Watched:
    """Fails as often as there are errors, then works and returns."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = list(errors)
        self.delays: list[float] = []
        self.states: list[str] = []
        self.supervisor = Supervisor("watching", self.changed, self.sleep)

    def changed(self) -> None:
        self.states.append(self.supervisor.problem)

    async def sleep(self, delay_s: float) -> None:
        self.delays.append(delay_s)

    async def loop(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.supervisor.works()


def test_every_error_is_survived_and_shown() -> None:
    """Whatever is raised, the loop begins again; each problem is a state, and the end of it too."""
    watched = Watched(ERRORS)
    asyncio.run(watched.supervisor.run(watched.loop))
    assert watched.states == [
        "watching failed: OSError: no more watches",
        "watching failed: it is locked",
        "watching failed: RuntimeError: a bug",
        "",
    ]


def test_the_delay_doubles_up_to_a_limit_and_starts_over_when_it_works() -> None:
    """A lasting error costs next to nothing, and the next one after a success is answered soon again."""
    watched = Watched([OSError("x")] * 10)
    asyncio.run(watched.supervisor.run(watched.loop))
    assert watched.delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert watched.delays[-1] == MAX_DELAY_S
    watched.errors = [OSError("x")]
    asyncio.run(watched.supervisor.run(watched.loop))
    assert watched.delays[-1] == FIRST_DELAY_S


def test_the_same_problem_is_told_once() -> None:
    """Windows hear of a problem when it becomes another, not at every attempt."""
    watched = Watched([OSError("x")] * 5)
    asyncio.run(watched.supervisor.run(watched.loop))
    assert watched.states == ["watching failed: OSError: x", ""]


def test_a_bug_leaves_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """What the system refuses is one line in the log; what nobody expected is there with its traceback."""
    with caplog.at_level(logging.WARNING):
        for error, has_traceback in ((OSError("x"), False), (RuntimeError("y"), True)):
            caplog.clear()
            watched = Watched([error])
            asyncio.run(watched.supervisor.run(watched.loop))
            assert ("Traceback" in caplog.text) == has_traceback


def test_cancelling_ends_it() -> None:
    """A panel that closes ends the loop also while it waits."""

    async def go() -> None:
        has_failed = asyncio.Event()
        supervisor = Supervisor("watching", has_failed.set)

        async def loop() -> None:
            raise OSError("x")

        task = asyncio.create_task(supervisor.run(loop))
        await has_failed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
