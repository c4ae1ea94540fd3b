"""The event stream of a window."""

import asyncio

from starlette.requests import Request
from starlette.types import Message

from dce.panel.event_log import EventLog
from dce.panel.resources.events import EventStream, cursor_of
from dce.workspace.events import WorkspaceChanged


class Client:
    """The other end of an ASGI response."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[Message] = []
        self.got = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if b"thing" in message.get("body", b""):
            self.got.set()


def test_a_client_that_goes_is_let_go() -> None:
    """The answer ends as soon as the client is gone, and leaves no task behind."""

    async def go() -> None:
        log, client = EventLog(), Client()
        serving = asyncio.create_task(EventStream(log, log.cursor)({}, client.receive, client.send))
        await asyncio.sleep(0)
        log.append(WorkspaceChanged(what="thing"))
        await client.got.wait()
        client.gone.set()
        await serving
        assert len(asyncio.all_tasks()) == 1
        assert dict(client.sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")

    asyncio.run(go())


def test_the_answer_ends_properly_when_the_log_closes() -> None:
    """The last message says that the body is whole."""

    async def go() -> None:
        log, client = EventLog(), Client()
        serving = asyncio.create_task(EventStream(log, log.cursor)({}, client.receive, client.send))
        await asyncio.sleep(0)
        log.close()
        await serving
        assert client.sent[-1] == {"type": "http.response.body", "body": b""}

    asyncio.run(go())


def test_the_browsers_own_cursor_wins() -> None:
    """On reconnecting the browser repeats the first address, but says in a header how far it really is."""
    scope = {"type": "http", "query_string": b"cursor=run:1", "headers": [(b"last-event-id", b"run:7")]}
    assert cursor_of(Request(scope)) == "run:7"
    assert cursor_of(Request(scope | {"headers": []})) == "run:1"
