"""Resuming on the real gateway: the connection is cut repeatedly, and every response arrives whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dce.workspace.project import Project
from dce.workspace.record.responses import Status
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import SLOW, Chain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Backend and gateway."""
    with Chain(tmp_path, resume_grace_s=10.0) as chain:
        yield chain


class CuttingWire:
    """A proxy to the gateway that breaks each event stream after some bytes, `cuts` times."""

    def __init__(self, host: str, port: int, cuts: int, after_bytes: int) -> None:
        self._host, self._port = host, port
        self._left = cuts
        self._after_bytes = after_bytes
        self._tasks: list[asyncio.Task[None]] = []
        self.cut = 0
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["CuttingWire"]:
        """Listens on a free loopback port."""
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._connect(reader, writer)))

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        up = asyncio.create_task(_pump(reader, up_writer))
        try:
            await self._down(up_reader, writer)
        finally:
            up.cancel()
            for end in (writer, up_writer):
                end.transport.abort()
            await asyncio.gather(up, return_exceptions=True)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_stream, sent = False, 0
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                is_stream = is_stream or b"text/event-stream" in data
                if is_stream and self._left and sent + len(data) > self._after_bytes:
                    self._left -= 1
                    self.cut += 1
                    writer.write(data[: self._after_bytes - sent])  # in the middle of a frame, or of its id
                    await writer.drain()
                    return
                sent += len(data) if is_stream else 0
                writer.write(data)
                await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.mark.parametrize("after_bytes", [1499, 4001])
def test_a_wire_that_breaks_costs_no_character(tmp_path: Path, chain: Chain, after_bytes: int) -> None:
    """Five responses over a connection that is cut five times have the same texts and counts as over an intact one."""
    chain.behave(tokens=60, delay_s=SLOW)
    root = tmp_path / "workspace"
    root.mkdir()

    async def work() -> None:
        gateway = urlsplit(chain.server.url)
        wire = CuttingWire(gateway.hostname or "", gateway.port or 0, 5, after_bytes)
        async with asyncio.timeout(100), wire.serve():
            with Workspace.open(Project.init(root), Settings(url=wire.url, key=chain.key)) as workspace:
                generation = await workspace.preparation.begin(0, 5)
                await workspace.generator.run(generation, lambda _: None)
                broken = workspace.responses(generation.id)
            with Workspace.open(Project.init(root), Settings(url=chain.server.url, key=chain.key)) as workspace:
                generation = await workspace.preparation.begin(0, 5)
                await workspace.generator.run(generation, lambda _: None)
                whole = workspace.responses(generation.id)
        assert wire.cut == 5
        assert [response.status for response in broken] == [Status.COMPLETE] * 5
        assert [response.text for response in broken] == [response.text for response in whole]
        assert [response.tokens for response in broken] == [response.tokens for response in whole]

    asyncio.run(work())
