"""Whether a client still reads: a slow one is waited for, one that reads nothing is disconnected."""

import asyncio
import contextlib
import socket
import struct
from typing import Protocol

try:
    import fcntl
    import termios
except ImportError:  # Windows has neither
    ASK_UNREAD = None
else:
    ASK_UNREAD = termios.TIOCOUTQ


class Reader(Protocol):
    """The connection of a client."""

    @property
    def unread(self) -> int:
        """Bytes sent that the client has not fetched yet."""

    def cut(self) -> None:
        """Closes the connection at once."""


class StallWatch:
    """Disconnects a client for which bytes lie ready and that fetches none of them for `stall_s`. Call `look` now and then."""

    def __init__(self, reader: Reader, stall_s: float) -> None:
        self._reader = reader
        self._stall_s = stall_s
        self._loop = asyncio.get_running_loop()
        self._unread = 0
        self._since: float | None = None

    def look(self, *, is_waiting: bool) -> None:
        """`is_waiting` says whether the sender waits for the client; while it does not, the client reads fast enough."""
        if not is_waiting:
            self._since = None
            return
        now, unread = self._loop.time(), self._reader.unread
        if self._since is None or unread < self._unread or not unread:
            self._since = now
        self._unread = unread
        if now - self._since >= self._stall_s:
            self._reader.cut()


class LastBytes:
    """Watches a client that fetches the rest of an answer: nothing more is written, so what is unread can only shrink."""

    def __init__(self, reader: Reader, stall_s: float) -> None:
        self._watch = StallWatch(reader, stall_s)
        self._every_s = stall_s / 4
        self._loop = asyncio.get_running_loop()
        self._look()

    def stop(self) -> None:
        """The client has everything, or is gone."""
        self._timer.cancel()

    def _look(self) -> None:
        self._watch.look(is_waiting=True)
        self._timer = self._loop.call_later(self._every_s, self._look)


def unread_bytes(transport: asyncio.Transport) -> int:
    """What `transport` holds and what the kernel holds for it. Where the kernel does not say (Linux does), the former alone: it shrinks
    as the client reads, too, only in larger steps."""
    held = transport.get_write_buffer_size()
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is None or ASK_UNREAD is None:
        return held
    with contextlib.suppress(OSError, ValueError):  # closed meanwhile
        held += struct.unpack("i", fcntl.ioctl(connection.fileno(), ASK_UNREAD, struct.pack("i", 0)))[0]
    return held
