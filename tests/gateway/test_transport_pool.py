"""The pool of connections to the backends: what is kept for the next request, for how long, and what is never used again."""

import asyncio

import pytest

from dce.gateway.backends.transport import IDLE_CONNECTION_S, MAX_IDLE_CONNECTIONS, Timeouts, Transport
from dce.wire.errors import DceError
from tests.gateway.test_transport import OK, PATIENT, Server, Sink, answering, head_for, played, serving


def test_connections_are_kept_for_the_next_request() -> None:
    """Requests one after the other share one connection; two at a time have two."""
    body = OK + b"content-length: 1\r\n\r\n"

    async def scene(server: Server, transport: Transport) -> None:
        for expected in (b"a", b"b"):
            assert await (await transport.open(server.address, head_for(server.address))).read() == expected
        assert server.accepted == 1
        first = await transport.open(server.address, head_for(server.address))
        second = await transport.open(server.address, head_for(server.address))
        assert {await first.read(), await second.read()} == {b"c", b"d"}
        assert server.accepted == 2

    played(answering(body + b"a", body + b"b", body + b"c", body + b"d"), scene)


def test_a_connection_that_its_server_closed_is_not_used_again() -> None:
    """A resting connection that the backend has closed costs nothing: the next request makes a new one."""

    async def scene(server: Server, transport: Transport) -> None:
        for expected in (b"a", b"b"):
            assert await (await transport.open(server.address, head_for(server.address))).read() == expected
            await server.until(lambda: server.open == 0)
        assert server.accepted == 2

    answer = OK + b"content-length: 1\r\n\r\n"
    played(answering(answer + b"a", answer + b"b", then_close=True), scene)


def test_a_connection_closed_just_as_it_is_used_is_tried_anew() -> None:
    """When a kept connection dies before a single byte of answer, the request is sent once more on a new one."""
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            if requests == 2:
                return
            writer.write(OK + b"content-length: 1\r\n\r\n%d" % requests)

    async def scene(server: Server, transport: Transport) -> None:
        for expected in (b"1", b"3"):
            assert await (await transport.open(server.address, head_for(server.address))).read() == expected
        assert server.accepted == 2

    played(handle, scene)


def test_a_request_that_was_answered_in_part_is_not_sent_again() -> None:
    """Once any byte of an answer has come on a kept connection, a break is an error: the backend may have worked on it."""
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            if requests == 2:
                writer.write(OK + b"content-le")
                await writer.drain()
                return
            writer.write(OK + b"content-length: 1\r\n\r\n%d" % requests)

    async def scene(server: Server, transport: Transport) -> None:
        assert await (await transport.open(server.address, head_for(server.address))).read() == b"1"
        with pytest.raises(DceError) as caught:
            await transport.open(server.address, head_for(server.address))
        assert (caught.value.code, requests, server.accepted) == ("stream_interrupted", 2, 1)

    played(handle, scene)


def test_a_connection_paused_at_its_last_byte_can_be_used_again() -> None:
    """A client that was slow at the very end leaves no deaf connection behind for the next request."""

    async def scene(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address))
        slow = Sink(exchange.pause)
        exchange.start(slow)
        assert await slow.done is None
        assert await (await transport.open(server.address, head_for(server.address))).read() == b"b"
        assert server.accepted == 1

    body = OK + b"content-length: 1\r\n\r\n"
    played(answering(body + b"a", body + b"b"), scene, Timeouts(connect_s=5, first_byte_s=1, idle_s=5))


def test_a_server_that_wants_to_close_is_believed() -> None:
    """An answer with `connection: close` is the last one on its connection."""
    body = OK + b"connection: close\r\ncontent-length: 1\r\n\r\n"

    async def scene(server: Server, transport: Transport) -> None:
        for expected in (b"a", b"b"):
            assert await (await transport.open(server.address, head_for(server.address))).read() == expected
        assert server.accepted == 2

    played(answering(body + b"a", body + b"b"), scene)


def test_cancelling_a_complete_answer_harms_no_other_request() -> None:
    """Whoever is cancelled just as the answer is complete leaves the connection alone: another may have it by then."""

    async def scene(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address))
        task = asyncio.create_task(exchange.read())
        await asyncio.sleep(0)
        exchange.data_received(b"y")  # the last byte, as the socket would bring it
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await (await transport.open(server.address, head_for(server.address))).read() == b"b"
        assert server.accepted == 1

    played(answering(OK + b"content-length: 2\r\n\r\nx", OK + b"content-length: 1\r\n\r\nb"), scene)


class SetForwardLoop(asyncio.SelectorEventLoop):
    """A real loop whose clock the test sets forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


def test_a_connection_that_rested_too_long_is_not_used_again() -> None:
    """What is between may have forgotten it without a word: after IDLE_CONNECTION_S a request gets a new connection."""
    loop = SetForwardLoop()
    body = OK + b"content-length: 1\r\n\r\n"

    async def scene() -> None:
        async with serving(answering(body + b"a", body + b"b", body + b"c")) as server:
            transport = Transport(PATIENT)
            accepted = []
            for pause_s in (0, IDLE_CONNECTION_S / 2, IDLE_CONNECTION_S + 1):
                loop.ahead_s += pause_s
                await (await transport.open(server.address, head_for(server.address))).read()
                accepted.append(server.accepted)
            transport.close()
            assert accepted == [1, 1, 2]

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scene())


def test_not_all_connections_are_kept() -> None:
    """After a crowd of requests, the connections that are kept for the next ones are limited; the others are closed."""
    crowd = MAX_IDLE_CONNECTIONS + 3
    body = OK + b"content-length: 1\r\n\r\nx"

    async def scene(server: Server, transport: Transport) -> None:
        opened = [await transport.open(server.address, head_for(server.address)) for _ in range(crowd)]
        for exchange in opened:
            await exchange.read()
        assert server.accepted == crowd
        await server.until(lambda: server.open == MAX_IDLE_CONNECTIONS)

    played(answering(*[body] * crowd), scene)
