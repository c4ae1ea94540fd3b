"""A line on a terminal while something takes its time, and nothing anywhere else.

What must always hold: it goes to standard error and only to a terminal, so neither a pipe nor a log ever holds it; when the work ends,
however it ends, the line is gone.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")

SHOWN_AFTER_S = 1
"""Nobody wonders before."""

_ERASE = "\r\x1b[K"


async def waited(
    work: Awaitable[T],
    what: str,
    stream: TextIO | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """What `work` gives; on a terminal (`stream` None: standard error) with `what` and the seconds so far, once a second."""
    shown_on = sys.stderr if stream is None else stream
    if not shown_on.isatty():
        return await work
    telling = asyncio.ensure_future(_tell(what, shown_on, sleep))
    try:
        return await work
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


async def _tell(what: str, stream: TextIO, sleep: Callable[[float], Awaitable[None]]) -> None:
    await sleep(SHOWN_AFTER_S)
    seconds = SHOWN_AFTER_S
    with _erased(stream):
        while True:
            stream.write(f"{_ERASE}{what} … {seconds} s")
            stream.flush()
            await sleep(1)
            seconds += 1


@contextlib.contextmanager
def _erased(stream: TextIO) -> Iterator[None]:
    try:
        yield
    finally:
        stream.write(_ERASE)
        stream.flush()
