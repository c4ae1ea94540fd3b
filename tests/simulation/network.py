"""Connections in memory: latency, arbitrary chunking, backpressure, resets. Everything random comes from the seed."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from tests.simulation.loop import VirtualLoop

MAX_LATENCY_S = 1.0
BUFFER_BYTES = 4 * 1024
"""A full socket: small, so that slow readers are felt."""


class End(asyncio.Transport):
    """One end of a connection, as asyncio's protocols see it."""

    def __init__(self, network: "Network") -> None:
        super().__init__()
        self._network = network
        self.peer: End
        self.protocol: asyncio.BaseProtocol
        self._out = bytearray()
        self._is_reading = True
        self._is_moving = False
        self._is_closing = False
        self._is_lost = False
        self._is_paused = False

    # -- what protocols call ------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or self._is_lost:
            return
        self._out += data
        if len(self._out) > BUFFER_BYTES and not self._is_paused:
            self._is_paused = True
            self.protocol.pause_writing()
        self._move()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._move()

    def abort(self) -> None:
        if not self._is_lost:
            self._is_closing = True
            self._out.clear()
            self._network.soon(self._lost, None)
            self._network.later(self.peer._reset)

    def is_closing(self) -> bool:
        return self._is_closing or self._is_lost

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self.peer._move()

    def is_reading(self) -> bool:
        return self._is_reading

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return len(self._out)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    # -- the cable ----------------------------------------------------------------------------------------------------

    def _move(self) -> None:
        """Something may have to go to the other end: later, and perhaps in pieces."""
        if not self._is_moving and not self._is_lost:
            self._is_moving = True
            self._network.later(self._arrive)

    def _arrive(self) -> None:
        self._is_moving = False
        if self._is_lost or self.peer._is_lost:
            return
        if self._out and self.peer._is_reading:
            size = self._network.piece(len(self._out))
            piece = bytes(self._out[:size])
            del self._out[:size]
            self.peer._take(piece)
            if self._is_paused and len(self._out) <= BUFFER_BYTES // 4:
                self._is_paused = False
                self.protocol.resume_writing()
        if self._out and self.peer._is_reading:
            self._move()
        elif self._is_closing and not self._out:
            self._network.soon(self._lost, None)
            self._network.later(self.peer._finished)

    def _take(self, piece: bytes) -> None:
        protocol = self.protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            view = memoryview(piece)
            while view:
                buffer = protocol.get_buffer(len(view))
                room = memoryview(buffer)
                size = min(len(room), len(view))
                room[:size] = view[:size]
                protocol.buffer_updated(size)
                view = view[size:]
        else:
            cast("asyncio.Protocol", protocol).data_received(piece)

    def _finished(self) -> None:
        """The other end has closed after its last byte."""
        if not self._is_lost:
            self.protocol.eof_received()  # type: ignore[attr-defined]
            self._lost(None)

    def _reset(self) -> None:
        """The other end is gone without a word; what was on its way is lost."""
        self._lost(ConnectionResetError("connection reset by peer"))

    def _lost(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._network.ends.discard(self)
            self.protocol.connection_lost(error)


class Network:
    """All connections of one run, and who listens where."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self.ends: set[End] = set()
        self.listeners: dict[int, Callable[[], asyncio.BaseProtocol | None]] = {}
        """Port → who accepts; a listener that gives None refuses."""
        loop.connect = self.open  # type: ignore[assignment]

    def soon(self, call: Callable[..., None], *args: Any) -> None:
        """In the loop's next turn."""
        self._loop.call_soon(call, *args)

    def later(self, call: Callable[..., None]) -> None:
        """After a latency: mostly none to speak of, sometimes a second."""
        latency_s = (
            self._rng.choice((0.0, 0.0, 0.001, 0.01, 0.05))
            if self._rng.random() < 0.98
            else self._rng.uniform(0, MAX_LATENCY_S)
        )
        self._loop.call_later(latency_s, call)

    def piece(self, size: int) -> int:
        """How much of what is there arrives at once."""
        return size if self._rng.random() < 0.7 else self._rng.randint(1, size)

    async def open(self, factory: Callable[[], asyncio.BaseProtocol], _host: str, port: int) -> tuple[End, Any]:
        """A connection to whoever listens there. Raises ConnectionRefusedError."""
        await asyncio.sleep(self._rng.choice((0.0, 0.001, 0.01)))
        listener = self.listeners.get(port)
        accepted = listener() if listener else None
        if accepted is None:
            raise ConnectionRefusedError(111, "Connect call failed")
        near, far = End(self), End(self)
        near.peer, far.peer = far, near
        near.protocol, far.protocol = factory(), accepted
        self.ends |= {near, far}
        far.protocol.connection_made(far)
        near.protocol.connection_made(near)
        return near, near.protocol
