"""The client's connection: written to without a task switch, watched for its going, never used after it."""

from typing import Any, cast

from dce.gateway.front.connection import EXTENSION, ClientConnection, StreamingProtocol, connection_of


class Socket:
    """Stands for uvicorn's protocol and its transport."""

    def __init__(self) -> None:
        self.transport = self
        self.written: list[bytes] = []
        self.aborts = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborts += 1


def connection() -> tuple[ClientConnection, Socket]:
    socket = Socket()
    client = ClientConnection(cast("StreamingProtocol", socket))
    client.made()
    return client, socket


def test_a_write_is_one_chunk() -> None:
    """Data leaves as one HTTP chunk; nothing is no chunk, for an empty one would end the body."""
    client, socket = connection()
    client.write(b"x" * 300)
    client.write(b"")
    assert socket.written == [b"12c\r\n" + b"x" * 300 + b"\r\n"]


def test_a_client_that_is_gone_is_told_once_and_left_alone() -> None:
    """The one who streams stops, the one who answers hears of the going; after it nothing is written or cut."""
    client, socket = connection()
    calls: list[str] = []
    client.on_full = lambda: calls.append("full")
    client.on_gone = lambda: calls.append("gone")
    client.gone()
    client.write(b"late")
    client.send(b"1\r\nx\r\n")
    client.cut()
    assert calls == ["full", "gone"]
    assert client.is_gone
    assert (socket.written, socket.aborts) == ([], 0)


def test_a_full_socket_is_said_and_its_emptying_too() -> None:
    """Writability follows the socket, and whoever streams is told when it is full and when there is room."""
    client, _ = connection()
    seen = [client.is_writable]
    calls: list[bool] = []
    client.on_full = client.on_writable = lambda: calls.append(client.is_writable)
    client.paused()
    seen.append(client.is_writable)
    client.resumed()
    assert seen == [True, False]
    assert calls == [False, True]


def test_a_released_wire_calls_nobody() -> None:
    """After its request is over a connection that closes or drains disturbs no one."""
    client, _ = connection()
    calls: list[str] = []
    client.on_full = client.on_gone = client.on_writable = lambda: calls.append("called")
    client.release()
    client.paused()
    client.resumed()
    client.gone()
    assert calls == []


def test_cutting_drops_the_connection() -> None:
    """A client that stopped reading is dropped at once, not asked."""
    client, socket = connection()
    client.cut()
    assert socket.aborts == 1


def test_the_scope_carries_the_wire() -> None:
    """The app finds the connection of a request in its scope."""
    client, _ = connection()
    scope: dict[str, Any] = {"extensions": {EXTENSION: client}}
    assert connection_of(scope) is client
