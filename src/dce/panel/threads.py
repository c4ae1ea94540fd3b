"""Blocking work of the panel, in threads: the event loop also carries every window's stream, so it must never wait for a disk.

What must always hold: a thread that has begun is waited for, so that a lock it takes is always given back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: Callable[[], T]) -> T:
    """Runs `work` in a thread and waits for it also when cancelled; the cancellation goes on afterwards."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not running.cancelled():
            running.exception()  # it is not lost silently: whoever cancelled has no use for it
        raise cancelled
    return running.result()


@asynccontextmanager
async def held(lock: AbstractContextManager[object]) -> AsyncIterator[None]:
    """Holds a lock that is taken and released by blocking calls, such as the workspace's writer lock."""
    stack = ExitStack()
    try:
        await to_the_end(lambda: stack.enter_context(lock))
        yield
    finally:
        await to_the_end(stack.close)
