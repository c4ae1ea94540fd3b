"""Blocking work in threads: it is waited for, and a lock that it takes is always given back."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dce.panel.threads import held, to_the_end


class Lock:
    """A lock that blocks while it is being taken, until `may_go_on` is set; remembers what happened in which thread."""

    def __init__(self) -> None:
        self.is_entering = threading.Event()
        self.may_go_on = threading.Event()
        self.states: list[str] = []
        self.threads: list[int] = []

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Takes it and gives it back."""
        self.is_entering.set()
        self.may_go_on.wait()
        self.states.append("held")
        self.threads.append(threading.get_ident())
        yield
        self.threads.append(threading.get_ident())
        self.states.append("free")


def test_a_lock_is_taken_and_given_back_outside_the_loop() -> None:
    """Both happen in another thread than the loop's, and the lock is held in between."""

    async def go() -> None:
        lock = Lock()
        lock.may_go_on.set()
        async with held(lock.hold()):
            assert lock.states == ["held"]
        assert lock.states == ["held", "free"]
        assert threading.get_ident() not in lock.threads

    asyncio.run(go())


def test_a_cancellation_while_the_lock_is_taken_gives_it_back() -> None:
    """Whoever is cancelled while waiting for the lock gets it and gives it back before the cancellation goes on."""

    async def go() -> None:
        lock = Lock()

        async def work() -> None:
            async with held(lock.hold()):
                raise AssertionError("it was cancelled before")

        task = asyncio.create_task(work())
        await asyncio.to_thread(lock.is_entering.wait)
        for _ in range(3):  # also one that comes while the first is being honoured
            task.cancel()
            await asyncio.sleep(0)
        lock.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lock.states == ["held", "free"]

    asyncio.run(go())


def test_what_the_work_raises_comes_through() -> None:
    """An exception of the thread is the caller's."""

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(to_the_end(fail))
