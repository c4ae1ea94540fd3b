"""A client that reads slowly is waited for, however long it takes; one that reads nothing is disconnected."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from dce.gateway.front.stall import LastBytes, StallWatch, unread_bytes
from tests.simulation.loop import VirtualLoop

STALL_S = 60.0


class Client:
    """Fetches `per_s` bytes each second of what lies ready for it."""

    def __init__(self, unread: int, per_s: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._left, self._per_s, self._since = unread, per_s, self._loop.time()
        self.cut_at: float | None = None

    @property
    def unread(self) -> int:
        return max(0, self._left - int((self._loop.time() - self._since) * self._per_s))

    def put(self, size: int) -> None:
        """More bytes lie ready."""
        self._left += size

    def cut(self) -> None:
        self.cut_at = self.cut_at or self._loop.time()


@contextlib.contextmanager
def _loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    try:
        yield loop
    finally:
        loop.close()


def _watched(per_s: int, act: Callable[[StallWatch, Client], None], looks: int) -> float | None:
    async def play() -> float | None:
        client = Client(1_000_000, per_s)
        watch = StallWatch(client, STALL_S)
        for _ in range(looks):
            act(watch, client)
            await asyncio.sleep(15)
        return client.cut_at

    with _loop() as loop:
        return loop.run_until_complete(play())


@pytest.mark.parametrize(("per_s", "cut_at"), [(0, 60.0), (1, None), (10_000, None)], ids=["nothing", "a byte", "slow"])
def test_only_who_reads_nothing_is_disconnected(per_s: int, cut_at: float | None) -> None:
    """The socket is full at every look, for an hour: what counts is whether the client fetches anything between them."""
    assert _watched(per_s, lambda watch, _: watch.look(is_waiting=True), looks=240) == cut_at


def test_what_is_added_meanwhile_is_no_reading() -> None:
    """A few frames were on their way when the socket became full: that they arrive does not make the client a reader."""

    def act(watch: StallWatch, client: Client) -> None:
        client.put(100)
        watch.look(is_waiting=True)

    assert _watched(0, act, looks=10) == STALL_S


def test_a_client_that_keeps_up_starts_afresh() -> None:
    """The time without reading is counted anew each time that the sender has to wait."""
    waits = iter([True, True, True, False] * 10)
    assert _watched(0, lambda watch, _: watch.look(is_waiting=next(waits)), looks=40) is None


@pytest.mark.parametrize(("per_s", "is_cut"), [(0, True), (100, False)], ids=["nothing", "slow"])
def test_the_rest_of_an_answer(per_s: int, is_cut: bool) -> None:
    """After the end of an answer the client may take as long as it reads."""

    async def play() -> float | None:
        client = Client(1_000_000, per_s)
        watch = LastBytes(client, STALL_S)
        await asyncio.sleep(3600)
        watch.stop()
        return client.cut_at

    with _loop() as loop:
        assert (loop.run_until_complete(play()) is not None) is is_cut


def test_what_the_kernel_holds_is_unread_too() -> None:
    """A peer that fetches a little is seen to read, though the sender's own buffer has not moved: the kernel's is far larger."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(listener.getsockname())
            connection, _ = listener.accept()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=connection)
            transport.write(bytes(64 << 20))
            await settled(lambda: unread_bytes(transport))
            held, unread = transport.get_write_buffer_size(), unread_bytes(transport)
            assert unread > held > 0
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            fetched = 0
            while fetched < 50_000:
                fetched += len(peer.recv(50_000))
            await settled(lambda: unread_bytes(transport))
            assert unread_bytes(transport) < unread
            transport.abort()
            await asyncio.sleep(0)
            assert unread_bytes(transport) == 0

    asyncio.run(play())


async def settled(number: Callable[[], int]) -> None:
    """Waits until a number no longer changes."""
    last = -1
    while number() != last:
        last = number()
        await asyncio.sleep(0.05)
