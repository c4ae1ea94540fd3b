"""What Python costs a streamed event, in nanoseconds of processor time: the real protocol objects and bytes, no sockets.

`python -m bench.per_event` prints one JSON line a stage. Between two events 3 MB are touched, as the kernel's network code and the
other streams do it to the caches; `warm` is the same without. To compare two versions run them in turn, each with its own
PYTHONPATH, and take the least and the median of ten or more: `make bench` has the system calls in it, which are most of the cost.
"""

import asyncio
import json
import statistics
import time
from typing import Any, cast

import uvloop

from bench.upstream import FRAME, HEAD, RUNNING
from dce.gateway.backends.transport import Address, Exchange, Timeouts, Transport
from dce.gateway.front.connection import ClientConnection
from dce.gateway.streaming.output import EventOutput
from dce.gateway.streaming.relay import Relay
from dce.gateway.streaming.streams import Stream
from dce.wire.chunks import chunk

STREAMS, CHOICES, STEPS = 100, 10, 40
TOUCHED = bytes(3 << 20)


class NoSocket(asyncio.Transport):
    """Takes everything and does nothing."""

    def write(self, data: Any) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True


class NoProtocol:
    """What a ClientConnection wants of uvicorn's protocol."""

    transport = NoSocket()


def event(at: int) -> bytes:
    """One token as vLLM sends it, with running counts."""
    return chunk(FRAME % (0, time.monotonic_ns(), b"null", RUNNING % (at + 9, at)))


def connection() -> ClientConnection:
    """A client that takes everything."""
    made = ClientConnection(cast("Any", NoProtocol()))
    made.made()
    return made


def exchange(owner: Transport) -> Exchange:
    """A backend request whose head has come."""
    made = Exchange(owner, Address(scheme="http", host="backend", port=1))
    made.connection_made(NoSocket())
    made.data_received(HEAD)
    return made


def relays(owner: Transport) -> list[Exchange]:
    """Pass-through streams that have begun."""
    found = [exchange(owner) for _ in range(STREAMS)]
    for one in found:
        Relay(one, connection(), "request").start()
        one.data_received(event(1))
    return found


def n_way(owner: Transport) -> tuple[list[Exchange], list[EventOutput]]:
    """Streams of ten responses that have begun, the backend requests of each one after the other."""
    found: list[Exchange] = []
    outputs = []
    for _ in range(STREAMS // CHOICES):
        stream = Stream("0" * 32, "owner", "bench", [[index] for index in range(CHOICES)])
        output = EventOutput(stream.id, replay_bytes=256 * 1024, backlog_bytes=8 << 20)
        stream.attach(output)
        output.attach(connection(), 0)
        outputs.append(output)
        for part in stream.parts:
            part.exchange = exchange(owner)
            part.exchange.start(part)
            part.exchange.data_received(event(1))
            found.append(part.exchange)
        output.flush()
    return found, outputs


def cost(exchanges: list[Exchange], outputs: list[EventOutput], *, is_cold: bool) -> dict[str, float]:
    """Nanoseconds an event: of reading it, and its share of the turn's one write."""
    clock = time.perf_counter_ns
    reads, flushes = [], []
    for step in range(2, STEPS + 2):
        for at, one in enumerate(exchanges):
            data, receive = event(step), one.data_received
            if is_cold:
                bytearray(TOUCHED)
            began = clock()
            receive(data)
            reads.append(clock() - began)
            if outputs and at % CHOICES == CHOICES - 1:
                if is_cold:
                    bytearray(TOUCHED)
                began = clock()
                outputs[at // CHOICES].flush()
                flushes.append((clock() - began) / CHOICES)
    row = {"read": statistics.median(reads)}
    return row | {"write": round(statistics.median(flushes), 1)} if flushes else row


async def main() -> None:
    """All stages, warm and cold."""
    owner = Transport(Timeouts(connect_s=1, first_byte_s=1, idle_s=1000))
    through, (parts, outputs) = relays(owner), n_way(owner)
    for is_cold in (False, True):
        for name, exchanges, written in (("/v1", through, []), ("n-way", parts, outputs)):
            row = cost(exchanges, written, is_cold=is_cold)
            print(json.dumps({"stage": name, "caches": "cold" if is_cold else "warm", **row}))


if __name__ == "__main__":
    uvloop.run(main())
