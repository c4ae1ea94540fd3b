"""A request cancelled at any of its awaits gives back everything: counted responses, streams, backend requests, tasks."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, cast

import msgspec
import pytest

from dce.gateway.access.admission import Admission, Demand
from dce.gateway.access.auth import ANONYMOUS, Principal
from dce.gateway.accounting.ledger import Entry
from dce.gateway.accounting.metrics import Metrics
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import Dispatcher
from dce.gateway.backends.health import Discoverer
from dce.gateway.backends.routing import LeastLoaded
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.request import Request
from dce.gateway.paths.forward import Forwarder
from dce.gateway.paths.intake import Intake
from dce.gateway.paths.lookups import Lookups
from dce.gateway.paths.metering import Metering
from dce.gateway.paths.proxy import Proxy
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.gateway.streaming.live import Directory
from tests.fakes.chain import eventually
from tests.fakes.vllm import MODEL, Behaviour, FakeVllm

MAX_AWAITS = 200
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "n": 3}


class OpenWire:
    """A client that takes everything."""

    is_writable = True
    is_gone = False
    unread = 0
    on_writable: Callable[[], None] | None = None
    on_full: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        """Taken."""

    def send(self, framed: bytes) -> None:
        """Taken."""

    def release(self) -> None:
        """Taken."""

    def cut(self) -> None:
        """Never needed."""


class CountingTransport(Transport):
    """Knows whether a request still runs."""

    def __init__(self) -> None:
        super().__init__(Timeouts(connect_s=5, first_byte_s=5, idle_s=5))

    def has_busy(self) -> bool:
        """Whether an exchange is open that does not rest for the next request."""
        resting = [exchange for rows in self._idle.values() for _, exchange in rows]
        return any(exchange.is_reusable and exchange not in resting for exchange in list(self.connections))


@types.coroutine
def cancelled_at(step: int, coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, bool]:
    """Runs a coroutine and cancels it at that suspension, as a task that is cancelled there would be; whether it came so far."""
    reached = 0
    try:
        waiting_for = coroutine.send(None)
        while True:
            if reached == step and waiting_for is not None:
                # As a task does it: what is waited for learns of it, too. A future that is merely dropped leaves its socket watched.
                waiting_for.cancel()
            elif reached == step:
                waiting_for = coroutine.throw(asyncio.CancelledError())
            reached += 1
            try:
                value = yield waiting_for
            except BaseException as error:  # noqa: BLE001 - whatever the loop throws in goes on to the coroutine
                waiting_for = coroutine.throw(error)
            else:
                waiting_for = coroutine.send(value)
    except StopIteration:
        return reached > step
    except asyncio.CancelledError:
        return True


def an_admission(settings: GatewaySettings) -> Admission:
    """One that tells places often."""
    return Admission(settings, lambda _key_id, _since: 0, tell_every_s=0.002)


async def closed(transport: CountingTransport) -> None:
    """Returns when every connection is closed, so that the loop may end."""
    await asyncio.to_thread(eventually, lambda: not transport.connections)


def request_of(body: dict[str, Any], path: str) -> Request:
    """A request whose client and connection suspend wherever they may."""
    encoded = msgspec.json.encode(body)
    pieces = [encoded[:5], encoded[5:]]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    scope = {"method": "POST", "path": path, "headers": []}
    request = Request(scope, receive, send, cast("ClientConnection", OpenWire()), "r1")
    request.route = path
    request.principal = Principal(key_id="k", name="tester")
    return request


def check_rows(rows: list[Entry], handler: str, *, is_needed: bool) -> None:
    """All rows of one request, each once, or none at all; none only if no backend had it."""
    expected = {"generate": [(0, 1), (1, 1), (2, 1)], "forward": [(0, 3)], "tokenize": []}[handler]
    found = sorted((row.choice, row.responses) for row in rows)
    assert found == expected or (not found and not is_needed)
    assert {(row.key_id, row.model) for row in rows} <= {("k", MODEL)}


@pytest.mark.parametrize("is_queued", [False, True], ids=["at once", "queued"])
@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
@pytest.mark.parametrize(
    ("handler", "body", "path"),
    [
        ("generate", {"stream": True}, "/api/dce/proxy"),
        ("generate", {"stream": False}, "/api/dce/proxy"),
        ("forward", {"stream": True}, "/v1/chat/completions"),
        ("forward", {"stream": False}, "/v1/chat/completions"),
        ("tokenize", {"prompt": "a b"}, "/tokenize"),
    ],
    ids=["stream", "json", "forwarded stream", "forwarded", "tokenize"],
)
def test_cancelled_at_every_await(
    owned_by: str, handler: str, body: dict[str, Any], path: str, is_queued: bool
) -> None:
    """Whichever await is interrupted, afterwards nothing is counted, nobody waits, nothing is open and no task is left; and what
    reached a backend is in the ledger, a row a response, once."""

    async def scene(fake: FakeVllm) -> int:
        settings = GatewaySettings(heartbeat_s=0.02, resume_grace_s=0)
        backend = Backend(BackendSettings(url=fake.url))
        transport = CountingTransport()
        await Discoverer([backend], transport, 60).probe_all()
        directory = Directory()
        catalog = Catalog([backend], {}, "")
        dispatcher = Dispatcher(catalog, LeastLoaded(), 0)
        admission = an_admission(settings)
        rows: list[Entry] = []
        metering = Metering(rows.append, Metrics())
        intake = Intake(settings, catalog, dispatcher, transport, admission, metering)
        owners = {"forward": Forwarder(intake), "tokenize": Lookups(intake), "generate": Proxy(intake, directory)}
        owner = owners[handler]
        call: Callable[[Request], Coroutine[Any, Any, None]] = getattr(owner, handler)
        for step in range(MAX_AWAITS):
            rows.clear()
            fake.requests.clear()
            if is_queued:
                first = await admission.admit(ANONYMOUS, Demand(n=settings.max_running_responses))
                asyncio.get_running_loop().call_later(0.01, first.settle, 0)
            words = f"This is step {step}."  # what an earlier step had sent may reach the backend late
            asked = {**BODY, **body, "messages": [{"role": "user", "content": words}]}
            was_cancelled = await cast("Awaitable[bool]", cancelled_at(step, call(request_of(asked, path))))
            await asyncio.to_thread(eventually, lambda: directory.is_empty and not admission.running)
            assert (backend.in_flight, admission.queue_depth) == (0, 0)
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await asyncio.to_thread(eventually, lambda: not transport.has_busy())
            assert metering.open == 0
            check_rows(rows, handler, is_needed=any(words in str(chat) for chat in fake.chats()))
            if not was_cancelled:
                transport.close()
                await closed(transport)
                return step
        raise AssertionError("it never ran through")

    with FakeVllm(behaviour=Behaviour(owned_by=owned_by, tokens=3, delay_s=0.001)) as fake:
        awaits = asyncio.run(scene(fake))
        eventually(lambda: fake.open_streams == 0)
    assert awaits >= 4


def test_a_client_that_goes_before_it_has_the_stream() -> None:
    """A stream that is running, but whose client left before the head was sent, ends with its grace period as any other."""

    async def scene(fake: FakeVllm) -> None:
        backend = Backend(BackendSettings(url=fake.url))
        transport = CountingTransport()
        await Discoverer([backend], transport, 60).probe_all()
        directory = Directory()
        settings = GatewaySettings(resume_grace_s=0.01)
        catalog = Catalog([backend], {}, "")
        admission = an_admission(settings)
        metering = Metering(lambda entry: None, Metrics())
        dispatcher = Dispatcher(catalog, LeastLoaded(), 0)
        proxy = Proxy(Intake(settings, catalog, dispatcher, transport, admission, metering), directory)
        request = request_of({**BODY, "stream": True}, "/api/dce/proxy")
        is_sending = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            is_sending.set()
            await asyncio.Event().wait()

        request._send = send
        task = asyncio.create_task(proxy.generate(request))
        await is_sending.wait()
        assert backend.in_flight == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(eventually, lambda: directory.is_empty and backend.in_flight == admission.running == 0)
        transport.close()
        await closed(transport)

    with FakeVllm(behaviour=Behaviour(tokens=1_000_000, delay_s=0.01)) as fake:
        asyncio.run(scene(fake))
        eventually(lambda: fake.open_streams == 0)
