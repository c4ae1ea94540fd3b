"""One seed, one world: a whole gateway between bad backends and careless clients, and what must hold when all is over.

Real: the ASGI app, uvicorn's protocol, the transport with its parser, streams, resume, routing, health. Not real: time, sockets.
"""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from uvicorn.server import ServerState

from dce.gateway.app import Gateway
from dce.gateway.front.connection import StreamingProtocol
from dce.gateway.front.guard import ClientTimeouts
from dce.gateway.settings import BackendSettings, GatewaySettings
from tests.simulation.backend import MODEL, Served, SimBackend
from tests.simulation.client import GATEWAY_PORT, Seen, SimClient
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network

LEDGER = "ledger.db"
Rows = dict[str, list[tuple[int, int]]]
SETTLE_S = 700.0
"""By then every timeout of the settings below has passed."""


class Outcome(msgspec.Struct, kw_only=True):
    """What a seed led to, for whoever counts."""

    seen: list[Seen]
    served: list[Served]


def settings_of(rng: random.Random, folder: Path, ports: list[int]) -> GatewaySettings:
    """A configuration, its limits small enough to be met."""
    return GatewaySettings(
        data_dir=str(folder),
        backends=tuple(BackendSettings(url=f"http://backend:{port}") for port in ports),
        default_model=MODEL,
        replay_bytes=rng.choice((4096, 256 * 1024)),
        backlog_bytes=rng.choice((4096, 256 * 1024)),
        idle_timeout_s=20.0,
        first_token_timeout_s=40.0,
        first_byte_timeout_s=30.0,
        write_stall_timeout_s=10.0,
        head_patience_s=3.0,
        heartbeat_s=5.0,
        discovery_interval_s=20.0,
    )


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, folder: Path, key: str) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        for stale in folder.glob(f"{LEDGER}*"):
            stale.unlink()
        self.loop = VirtualLoop()
        self.network = Network(self.loop, self.rng)
        self.key = key
        self.served: list[Served] = []
        ports = [8000 + at for at in range(self.rng.randint(1, 2))]
        owner = self.rng.choice(("vllm", "vllm", "llamacpp"))
        self.backends = [SimBackend(self.network, self.rng, port, owner, self.served) for port in ports]
        self.settings = settings_of(self.rng, folder, ports)

    def run(self) -> Outcome:
        """Lives it through and checks what must hold. Raises AssertionError."""
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(self._live())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def _live(self) -> Outcome:
        gateway = Gateway(self.settings, chance=self.rng.random)
        async with _lifespan(gateway):
            self._listen(gateway)
            clients = [SimClient(self.network, self.rng, self.key) for _ in range(self.rng.randint(1, 3))]
            over: asyncio.Future[None] = self.loop.create_future()
            lives = [asyncio.ensure_future(backend.live(over)) for backend in self.backends]
            seen = await asyncio.gather(*(client.run() for client in clients))
            over.set_result(None)
            await asyncio.gather(*lives)
            await self._settle(gateway)
            self._check_released(gateway)
        await asyncio.sleep(1)
        rows = self._rows()
        for each in seen:
            check_seen(each, self.served)
            check_rows(each, rows)
        check_served(self.served)
        assert not self.loop.faults, self.loop.faults
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, others
        return Outcome(seen=list(seen), served=self.served)

    def _rows(self) -> Rows:
        """The ledger of this world: stream → choice and completion tokens of each row."""
        rows: Rows = {}
        with contextlib.closing(sqlite3.connect(self.folder / LEDGER)) as database:
            for stream, choice, tokens in database.execute(
                "SELECT stream_id, choice, completion_tokens FROM responses"
            ):
                rows.setdefault(stream, []).append((choice, tokens))
        return rows

    async def _settle(self, gateway: Gateway) -> None:
        """Waits until all is released, or would have had to be."""
        deadline = self.loop.time() + SETTLE_S
        await asyncio.sleep(1.0)
        while not gateway.directory.is_empty or any(each.is_open for each in self.served):
            assert self.loop.time() < deadline, "a stream is kept or a backend works for nobody"
            await asyncio.sleep(1.0)

    def _listen(self, gateway: Gateway) -> None:
        config = uvicorn.Config(
            gateway.app,
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
        )
        config.load()
        state = ServerState()

        def accept() -> asyncio.Protocol:
            return StreamingProtocol(
                config=config, server_state=state, app_state={}, _loop=self.loop, patience=ClientTimeouts()
            )

        self.network.listeners[GATEWAY_PORT] = accept

    def _check_released(self, gateway: Gateway) -> None:
        """In flight returns to zero, on both sides of the gateway."""
        assert [backend.in_flight for backend in gateway.backends] == [0] * len(gateway.backends)
        working = [task for backend in self.backends for task in backend.tasks]
        assert not working, working


@contextlib.asynccontextmanager
async def _lifespan(gateway: Gateway) -> Any:
    """Starts and stops the gateway as its server does."""
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def send(message: dict[str, str]) -> None:
        (started if message["type"] == "lifespan.startup.complete" else stopped).set()

    task = asyncio.ensure_future(gateway.app({"type": "lifespan"}, messages.get, send))
    await messages.put({"type": "lifespan.startup"})
    await started.wait()
    try:
        yield
    finally:
        await messages.put({"type": "lifespan.shutdown"})
        await stopped.wait()
        await task


def check_seen(seen: Seen, served: list[Served]) -> None:
    """A client that stayed knows how it ended, and everything it was told is true."""
    assert not any(error["code"] == "internal" for error in seen.errors), seen.errors
    if seen.has_left:
        return
    for index, text in seen.texts.items():
        _check_text(text, served, is_whole=seen.finishes.get(index) == ["stop"])
    if seen.is_forward:
        return
    assert seen.is_ended, f"left hanging: {seen}"
    if seen.is_unknown:
        assert seen.cuts, "a stream that was never cut is unknown"
    for index, finishes in seen.finishes.items():
        assert len(finishes) == 1
        assert finishes[0] in ("stop", "stopped", "error")
        assert finishes[0] != "stopped" or index in seen.stopped, "stopped, but nobody asked"
    if seen.is_done:
        assert sorted(seen.finishes) == list(range(seen.n)), "[DONE] before every choice has ended"
        assert not any("error" in ends for ends in seen.finishes.values()), "[DONE] though a choice was lost"
        assert not seen.errors
        assert seen.usage is not None
        if all(ends == ["stop"] for ends in seen.finishes.values()):
            tokens = sum(text.count("[") for text in seen.texts.values())
            assert seen.usage["completion_tokens"] == tokens, "usage is not what was sent"


def _check_text(text: str, served: list[Served], *, is_whole: bool) -> None:
    """The tokens of one choice of one backend request, from the first on, in order; all of them if it is said to be whole."""
    if not text:
        return
    number, choice, _ = (int(part) for part in text[1 : text.index("]")].split("."))
    sent = served[number].sent[choice]
    tokens = text.count("[")
    assert text == "".join(served[number].token(choice, at) for at in range(tokens)), (
        "tokens are missing, twice or mixed"
    )
    assert tokens <= sent
    assert not is_whole or tokens == sent, "said to be whole, but is not"


def check_rows(seen: Seen, rows: Rows) -> None:
    """Every response that a backend was asked for has one row, whatever became of it; the sums are what the client was told."""
    if seen.is_forward or not seen.stream_id:
        return
    mine = rows.get(seen.stream_id, [])
    if not mine and seen.has_waited and not seen.finishes:
        return  # it ended in the queue, or when its turn had come and no backend was there
    assert sorted(choice for choice, _ in mine) == list(range(seen.n)), "a response without its row, or with two"
    if seen.usage is not None:
        assert sum(tokens for _, tokens in mine) == seen.usage["completion_tokens"], "the ledger says otherwise"


def check_served(served: list[Served]) -> None:
    """Only served models are asked for."""
    assert all(each.model == MODEL for each in served)


def simulate(seeds: Iterable[int], folder: Path, key: str) -> list[Outcome]:
    """Many worlds; an invariant that breaks names its seed."""
    outcomes = []
    for seed in seeds:
        try:
            outcomes.append(World(seed, folder, key).run())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    return outcomes
