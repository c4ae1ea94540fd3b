"""One HTTP request, as handlers see it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.request import MAX_DRAIN_BYTES, ClientGone, Request
from dce.wire.errors import DceError


class FakeConnection:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.was_cut = asyncio.Event()
        self.unread = 100

    def release(self) -> None:
        self.calls.append("release")

    def cut(self) -> None:
        self.calls.append("cut")
        self.was_cut.set()


class Script:
    """The messages that come, and those that were sent."""

    def __init__(self, *messages: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.left = list(messages)
        self.sent: list[dict[str, Any]] = []
        self.connection = FakeConnection()
        scope = {"headers": headers or [], "path": "/", "method": "POST"}
        self.request = Request(scope, self.receive, self.send, cast("ClientConnection", self.connection), "r1")

    async def receive(self) -> dict[str, Any]:
        return self.left.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def done(script: Script, act: Callable[[Request], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await act(script.request)

    return asyncio.run(run())


def test_a_body_in_pieces_is_joined() -> None:
    """Pieces of any size make the body."""
    script = Script(piece(b"a", more=True), piece(b"", more=True), piece(b"bc"))
    assert done(script, lambda request: request.body(3)) == b"abc"


@pytest.mark.parametrize("declared", [b"4", b"999999999999999999999"])
def test_a_declared_length_is_refused_before_reading(declared: bytes) -> None:
    """A body that says it is too large is not read at all."""
    script = Script(headers=[(b"content-length", declared)])
    with pytest.raises(DceError, match="larger than 3"):
        done(script, lambda request: request.body(3))


def test_an_undeclared_length_is_refused_as_soon_as_it_is_passed() -> None:
    """A body without length is cut at the limit, not collected first."""
    script = Script(piece(b"ab", more=True), piece(b"cd", more=True), piece(b"ef", more=True))
    with pytest.raises(DceError, match="larger than 3"):
        done(script, lambda request: request.body(3))
    assert len(script.left) == 1


def test_a_client_that_leaves_while_sending_is_gone() -> None:
    """A connection that closes in the middle of the body is no bad request: nobody is left to hear it."""
    script = Script(piece(b"a", more=True), {"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        done(script, lambda request: request.body(3))


def test_an_answer_is_framed_and_named() -> None:
    """Length, type and request id are set; what is over is said to the connection."""
    script = Script()
    done(script, lambda request: request.answer(200, {"a": "é"}, [(b"x-more", b"1")]))
    start, end = script.sent
    assert start["status"] == 200
    assert script.headers()[b"content-length"] == str(len(end["body"])).encode()
    assert script.headers()[b"x-request-id"] == b"r1"
    assert script.headers()[b"x-more"] == b"1"
    assert end["more_body"] is False
    assert script.connection.calls == ["release"]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (DceError("missing_key", "m"), (b"www-authenticate", b"Bearer")),
        (DceError("body_too_large", "m"), (b"connection", b"close")),
        (DceError("queue_full", "m", retry_after_s=0.2), (b"retry-after", b"1")),
        (DceError("rate_limited", "m", retry_after_s=7.4), (b"retry-after", b"8")),
    ],
)
def test_an_error_has_the_headers_of_its_kind(error: DceError, header: tuple[bytes, bytes]) -> None:
    """401 names the scheme, 413 ends the connection, waiting is told in whole seconds that are enough."""
    script = Script(piece(b""))
    done(script, lambda request: request.fail(error))
    assert script.sent[0]["status"] == error.status
    assert script.headers()[header[0]] == header[1]
    body = json.loads(script.sent[1]["body"])["error"]
    assert (body["code"], body["request_id"]) == (error.code, "r1")


def refuse_for_its_size(script: Script) -> None:
    """The request's body is refused, as a handler would."""

    async def act(request: Request) -> None:
        try:
            await request.body(limit=10)
        except DceError as error:
            await request.fail(error)

    done(script, act)


def test_what_still_comes_of_too_large_a_body_is_taken() -> None:
    """The answer is sent whole at once, the connection ends only when the body has."""
    script = Script(piece(b"x" * 20, more=True), piece(b"x" * 20, more=True), piece(b"x" * 20))
    refuse_for_its_size(script)
    start, answer, end = script.sent
    assert (start["status"], answer["more_body"], end["body"], end["more_body"]) == (413, True, b"", False)
    assert script.left == []


def test_after_a_body_that_was_too_large_and_whole_nothing_is_awaited() -> None:
    """Its last piece was the one too much: nothing more will come, so the end is at once."""
    script = Script(piece(b"x" * 20))
    refuse_for_its_size(script)
    assert script.sent[-1]["more_body"] is False


def test_a_body_without_end_is_not_taken_for_ever() -> None:
    """Past MAX_DRAIN_BYTES the connection ends, whatever still comes."""
    large = piece(b"x" * (MAX_DRAIN_BYTES // 2), more=True)
    script = Script(large, large, large, large, large)
    refuse_for_its_size(script)
    assert script.sent[-1]["more_body"] is False
    assert len(script.left) == 2


@pytest.mark.parametrize("message", [{"type": "http.disconnect"}, piece(b"")])
def test_a_client_that_goes_after_its_refusal_ends_it(message: dict[str, Any]) -> None:
    """Its going while the rest is taken is no error."""
    script = Script(piece(b"x" * 20, more=True), message)
    refuse_for_its_size(script)
    assert script.sent[-1]["more_body"] is False


def test_a_client_that_waits_to_be_asked_is_not_asked() -> None:
    """With Expect: 100-continue nothing is underway, so nothing is read."""
    script = Script(headers=[(b"expect", b"100-continue"), (b"content-length", b"20")])
    refuse_for_its_size(script)
    assert [message.get("status") for message in script.sent] == [413, None, None]


def test_an_end_that_is_not_taken_is_cut() -> None:
    """When the last bytes find no room within the patience, the connection is cut, once."""
    script = Script()

    async def act(request: Request) -> None:
        async def send(message: dict[str, Any]) -> None:
            await script.connection.was_cut.wait()

        request._send = send
        await request.finish(patience_s=0.01)

    done(script, act)
    assert script.connection.calls == ["release", "cut"]
