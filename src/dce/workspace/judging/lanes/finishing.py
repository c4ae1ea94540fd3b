"""Work that a cancellation may not interrupt: threads, which cannot be cancelled, and cleaning up."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. A cancellation arrives when the work is done; then its result, or its error, is dropped."""
    task = asyncio.ensure_future(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        task.exception()  # an error that nobody hears of is not reported as lost
        raise asyncio.CancelledError
    return task.result()


async def in_thread(work: Callable[[], T]) -> T:
    """The result of `work` in a thread, which has ended when this returns."""
    return await finished(asyncio.to_thread(work))
