"""The doctor's questions about streams: clumped ones and those that nobody ends are told, fast models give no false alarm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dce.doctor.findings import CancelProbe, Diagnosis
from dce.doctor.handshake import trusted
from dce.doctor.http import Http
from dce.doctor.judge_model import judge_cancellation
from dce.doctor.streaming import Streams
from dce.doctor.target import read_target
from dce.doctor.tree import Options, examine
from tests.doctor.scripted import HEALTHY, KEY, Route, error_answer, json_answer, serve, sse_answer
from tests.fakes.chain import SLOW, Chain, eventually

PACED, STREAMS, PROXY = "GET /api/dce/streamcheck +key", "GET /api/dce/streams +key", "POST /api/dce/proxy +key"
CLUMPED: Route = (
    200,
    "Content-Type: text/event-stream\r\nServer: nginx/1.22.1\r\n",
    sse_answer('{"frame":0,"sent_ms":0}', '{"frame":1,"sent_ms":700}', "[DONE]")[2],
)
NAMED: Route = (200, "Content-Type: text/event-stream\r\nX-DCE-Stream-Id: s1\r\n", HEALTHY[PROXY][2])


def diagnose(**changes: Route) -> Diagnosis:
    routes = {**HEALTHY, **{name.replace("_", " "): route for name, route in changes.items()}}

    async def run() -> Diagnosis:
        async with serve(routes) as url:
            return await examine(Options(url=url, key=KEY), {})

    return asyncio.run(run())


def test_events_that_come_together_are_buffered() -> None:
    """Events sent over 700 ms that come at once: the streaming step fails and names the setting of the server that answered."""
    diagnosis = diagnose(**{PACED: CLUMPED})
    check = next(check for check in diagnosis.checks if check.ok is False)
    assert (check.name, diagnosis.code) == ("streaming", "stream_buffered")
    assert "proxy_buffering off" in check.fix


def test_a_gateway_without_the_checks_is_not_at_fault() -> None:
    """An older gateway knows neither route: both steps say that they could not be tried, and all is well."""
    gone = error_answer(404, "route_not_found")
    diagnosis = diagnose(**{PACED: gone, STREAMS: gone})
    assert diagnosis.ok, diagnosis
    assert "too old" in next(check.detail for check in diagnosis.checks if check.name == "streaming")


@pytest.mark.parametrize(
    ("listed", "is_running"), [([{"id": "s1"}], True), ([{"id": "other"}], False), (["s1"], False)]
)
def test_a_dropped_stream_that_runs_on(listed: list[object], is_running: bool) -> None:
    """A dropped response is found running only when the gateway lists that very stream."""

    async def run() -> CancelProbe:
        async with serve({**HEALTHY, PROXY: NAMED, STREAMS: json_answer(200, {"streams": listed})}) as url:
            http = Http(read_target(url, {}), KEY, trusted({}))
            seen = await Streams(http, cancel_timeout_s=0).dropped(None)
            await http.close()
            return seen

    assert asyncio.run(run()).is_running is is_running


@asynccontextmanager
async def deaf_proxy(backend_url: str) -> AsyncIterator[str]:
    """Passes bytes on at once, and goes on reading from the backend when its client has gone."""
    host, port = backend_url.removeprefix("http://").split(":")
    writers: list[asyncio.StreamWriter] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writers.extend((writer, up_writer))

        async def requests() -> None:
            while piece := await reader.read(65536):
                up_writer.write(piece)

        asking = asyncio.create_task(requests())
        while piece := await up_reader.read(65536):
            if not writer.is_closing():
                writer.write(piece)
        writer.close()
        asking.cancel()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


def test_a_proxy_that_does_not_hear_the_client_go(tmp_path: Path) -> None:
    """Through a proxy that goes on reading for nobody, the doctor sees by the gateway's own word that the response runs on."""

    async def run(backend_url: str) -> CancelProbe:
        async with deaf_proxy(backend_url) as url:
            http = Http(read_target(url, {}), chain.key, trusted({}))
            seen = await Streams(http, cancel_timeout_s=0.2).dropped(None)
            await http.close()
            return seen

    with Chain(tmp_path) as chain:
        chain.behave(tokens=10_000, delay_s=SLOW)
        seen = asyncio.run(run(chain.server.url))
        assert (seen.was_running, seen.is_running) == (True, True), seen
        finding = judge_cancellation(seen, read_target("http://h", {}))
        assert (finding.code, "proxy_ignore_client_abort off" in finding.fix) == ("cancel_lost", True)
        eventually(chain.is_idle)


@pytest.mark.parametrize(("tokens", "delay_s", "cancel"), [(8, 0.0, ""), (10_000, SLOW, "stopped at the backend")])
def test_a_real_gateway_with_a_fast_model_and_a_slow_one(
    tmp_path: Path, tokens: int, delay_s: float, cancel: str
) -> None:
    """Against a real gateway all is well, whether the model is faster than the check or slower, and nothing runs on after it."""
    with Chain(tmp_path) as chain:
        chain.behave(tokens=tokens, delay_s=delay_s)
        diagnosis = asyncio.run(examine(Options(url=chain.server.url, key=chain.key, silence_s=0.2), {}))
        assert diagnosis.ok, diagnosis
        said = {check.name: check.detail for check in diagnosis.checks}
        assert "nothing buffers them" in said["streaming"]
        assert cancel in said["cancel"]
        eventually(chain.is_idle)
