"""Asking the backends what they are: whatever answers, the state is true and the reason is said."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.health import MAX_PROBE_BYTES, Discoverer
from dce.gateway.backends.kinds import LlamaCpp, Other, Vllm
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError
from tests.fakes.chain import Chain, check_sound, error_of, eventually, free_port
from tests.fakes.logged import logged
from tests.fakes.vllm import CONTEXT, MODEL, Behaviour, FakeVllm

PATIENT = Timeouts(connect_s=2, first_byte_s=2, idle_s=2)


def probed(url: str, key: str = "") -> Backend:
    """A backend after it was probed once."""

    async def scene() -> Backend:
        backend = Backend(BackendSettings(url=url, key=key))
        transport = Transport(PATIENT)
        await Discoverer([backend], transport, 60.0).probe_all()
        transport.close()
        return backend

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("owner", "kind", "limit"), [("vllm", Vllm, None), ("llamacpp", LlamaCpp, 10), ("somebody", Other, None)]
)
def test_a_server_tells_what_it_is(owner: str, kind: type, limit: int | None) -> None:
    """Kind, models, context and slots are discovered; the probe carries the backend's key."""
    with FakeVllm(behaviour=Behaviour(owned_by=owner), key="k") as fake:
        backend = probed(fake.url, "k")
    assert backend.fault is None
    assert isinstance(backend.kind, kind)
    assert [(model.id, model.max_model_len) for model in backend.models] == [(MODEL, CONTEXT)]
    assert backend.native_limit == limit


def test_a_path_prefix_is_kept() -> None:
    """A server behind a prefix is asked under it; one that has no such route is named with the URL."""
    with FakeVllm() as fake:
        backend = probed(f"{fake.url}/base")
        assert fake.requests[0].path == "/base/v1/models"
    assert backend.fault is not None
    assert "/base/v1/models" in backend.fault.message


def test_a_refused_key_and_a_dead_port_are_told_apart() -> None:
    """Nobody there and nobody welcome are different faults."""
    with FakeVllm(key="k") as fake:
        refused = probed(fake.url).fault
    assert refused is not None
    assert refused.code == "backend_unauthorized"
    dead = probed(f"http://127.0.0.1:{free_port()}").fault
    assert dead is not None
    assert dead.code == "backend_unreachable"


def test_a_change_of_models_is_noticed(make_chain: Callable[..., Chain]) -> None:
    """A backend restarted with another model serves that one, without restarting the gateway."""
    chain = make_chain(fake=FakeVllm(models=["old"]))
    assert chain.ask(model="old").is_done
    chain.fake.models[:] = ["new"]
    eventually(lambda: [row["id"] for row in chain.client.get("/v1/models").json()["data"]] == ["new"])
    assert chain.ask(model="new").is_done
    assert error_of(chain.post(model="old"))["code"] == "model_not_found"


def test_a_request_that_meets_a_change_first_has_it_noticed_at_once(make_chain: Callable[..., Chain]) -> None:
    """With an hour between probes: a backend that says 404 to a model it no longer has is asked again right then."""
    chain = make_chain(fake=FakeVllm(models=["old"]), discovery_interval_s=3600)
    chain.fake.models[:] = ["new"]
    assert error_of(chain.post(model="old"))["code"] == "model_not_found"
    eventually(lambda: [row["id"] for row in chain.client.get("/v1/models").json()["data"]] == ["new"])
    assert chain.ask(model="new").is_done


def test_a_backend_that_is_gone_is_noticed_by_the_request_that_finds_it_gone(make_chain: Callable[..., Chain]) -> None:
    """With an hour between probes: after a refused connection the gateway is no longer ready, and says why."""
    chain = make_chain(discovery_interval_s=3600, max_retries=0)
    assert chain.ask().is_done
    chain.fake.stop()
    assert error_of(chain.post())["code"] in ("backend_unreachable", "no_healthy_backend")
    eventually(lambda: chain.client.get("/readyz").status_code == 503)


def test_the_log_says_what_is_new_of_a_backend_and_only_that(caplog: pytest.LogCaptureFixture) -> None:
    """Coming, going and another model are a line each, however often it is asked; never its key."""

    async def scene() -> None:
        transport = Transport(PATIENT)
        with FakeVllm(models=["old"], key="sk-canary") as fake:
            backend = Backend(BackendSettings(url=fake.url, key="sk-canary"))
            discoverer = Discoverer([backend], transport, 60.0)
            for models in (["old"], ["old"], ["new"]):
                fake.models[:] = models
                await discoverer.probe(backend)
        for _ in range(3):
            await discoverer.probe(backend)
        transport.close()

    with caplog.at_level("INFO", "dce.gateway"):
        asyncio.run(scene())
    lines = [json.loads(line) for line in logged(caplog)]
    assert [(line["state"], line.get("models"), line.get("code")) for line in lines] == [
        ("up", ["old"], None),
        ("up", ["new"], None),
        ("down", None, "backend_unreachable"),
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]
    assert not [line for line in lines if "sk-canary" in str(line)]


def test_a_storm_of_doubts_is_few_probes() -> None:
    """Doubts that come while one is being resolved share the next probe."""

    async def scene() -> None:
        with FakeVllm() as fake:
            backend = Backend(BackendSettings(url=fake.url))
            transport = Transport(PATIENT)
            discoverer = Discoverer([backend], transport, 3600.0)
            await discoverer.probe_all()
            running = asyncio.create_task(discoverer.run())
            for _ in range(1000):
                backend.lease(1).end(DceError("backend_unreachable", "x"))
            await asyncio.to_thread(eventually, lambda: len(fake.requests) == 2)
            running.cancel()
            await asyncio.wait({running})
            transport.close()
            assert len(fake.requests) == 2

    asyncio.run(scene())


def odd(status: bytes, body: bytes, *, length: int | None = None) -> Any:
    """A server that answers everything like this."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n" % (status, len(body) if length is None else length) + body
        )
        writer.close()

    return handle


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (odd(b"200 OK", b"<html>hello</html>"), "backend_error"),
        (odd(b"200 OK", b"[]"), "backend_error"),
        (odd(b"200 OK", b"\xff\xfe"), "backend_error"),
        (odd(b"200 OK", b"[" * 100_000), "backend_error"),
        (odd(b"200 OK", b'{"data": "none"}'), "backend_error"),
        (odd(b"200 OK", b"x" * (MAX_PROBE_BYTES + 1)), "backend_error"),
        (odd(b"200 OK", b"{", length=9), "stream_interrupted"),
        (odd(b"503 Loading", b'{"error":{"message":"Loading model","code":503}}'), "no_healthy_backend"),
        (odd(b"302 Found", b""), "backend_error"),
        (odd(b"404 Not Found", b""), "route_not_found"),
    ],
    ids=["html", "list", "binary", "deep", "no list", "huge", "cut", "loading", "redirect", "no route"],
)
def test_an_odd_answer_is_a_fault_with_a_hint(handler: Any, code: str) -> None:
    """Whatever else answers on that port is named, with the next step, and serves nothing."""

    async def scene() -> Backend:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        backend = Backend(BackendSettings(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        transport = Transport(PATIENT)
        await Discoverer([backend], transport, 60).probe(backend)
        transport.close()
        server.close()
        await server.wait_closed()
        return backend

    backend = asyncio.run(scene())
    assert backend.fault is not None
    assert backend.fault.code == code
    assert backend.fault.hint
    assert not backend.is_up


@pytest.mark.parametrize("body", [b'{"data": []}', b'{"data": [1, null, {}, {"id": 5}, {"id": ""}]}'])
def test_a_server_without_a_model_is_up_and_serves_nothing(body: bytes) -> None:
    """Cards that name no model are no models; that is not a fault of the connection."""

    async def scene() -> Backend:
        server = await asyncio.start_server(odd(b"200 OK", body), "127.0.0.1", 0)
        backend = Backend(BackendSettings(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        transport = Transport(PATIENT)
        await Discoverer([backend], transport, 60).probe(backend)
        transport.close()
        server.close()
        await server.wait_closed()
        return backend

    backend = asyncio.run(scene())
    assert backend.is_up
    assert backend.models == ()


@pytest.mark.parametrize("is_keyed", [True, False])
@pytest.mark.parametrize("has_other", [True, False])
def test_a_gateway_that_is_its_own_backend_is_named(tmp_path: Path, is_keyed: bool, has_other: bool) -> None:
    """A backend's URL that leads back to the gateway is never used, and the reason says so: with its key or without, alone or not."""
    port = free_port()
    keys = KeyStore(tmp_path / "gateway")
    own = BackendSettings(url=f"http://127.0.0.1:{port}", key=keys.create("own")[1] if is_keyed else "")
    keys.close()
    with FakeVllm() as fake:
        backends = (own, BackendSettings(url=fake.url)) if has_other else (own,)
        with Chain(tmp_path, fake=fake, port=port, backends=backends) as chain:
            itself = chain.server.gateway.backends[0]
            eventually(lambda: itself.fault is not None and "is this gateway itself" in itself.fault.message)
            for _ in range(3):
                if has_other:
                    check_sound(chain.ask(), 1)
                    continue
                error = error_of(chain.post())
                assert (error["code"], error["hop"]) == ("no_healthy_backend", "backend")
                assert "is this gateway itself" in error["message"]
                assert "--backend" in error["hint"]
            assert not itself.is_up
