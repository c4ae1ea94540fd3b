"""A progress line on a terminal during slow work, and nothing anywhere else.

What must always hold: the line goes to standard error and only to a terminal, so it never appears in a pipe or a log; however the
work ends, the line is erased.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")

SHOWN_AFTER_S = 1
"""Work that takes less than this shows no line."""

_ERASE = "\r\x1b[K"


async def waited(
    work: Awaitable[T],
    what: str,
    stream: TextIO | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The result of `work`. Meanwhile a terminal (`stream` None: standard error) shows `what` and the seconds so far, once a second."""
    shown_on = sys.stderr if stream is None else stream
    if not shown_on.isatty():
        return await work
    progress = asyncio.ensure_future(_show_progress(what, shown_on, sleep))
    try:
        return await work
    finally:
        progress.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await progress


async def _show_progress(what: str, stream: TextIO, sleep: Callable[[float], Awaitable[None]]) -> None:
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
