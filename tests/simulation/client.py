"""A client as careless as a seed makes it: cut off, coming back, stopping responses, reading slowly, leaving for good."""

import asyncio
import random
from typing import Any, cast

import httptools
import msgspec

from dce.wire.sse import Decoder
from tests.simulation.backend import GARBAGE
from tests.simulation.network import MAX_LATENCY_S, End, Network

GATEWAY_PORT = 3001
PATIENCE_S = 400.0
"""Longer than every limit of the gateway together: a client that waits this long has been left hanging."""


class Seen(msgspec.Struct, kw_only=True):
    """All that a client was told of one generation."""

    n: int
    grace_s: float
    is_forward: bool
    """Passed through: what the backend says is said, byte for byte, be it what it may."""
    statuses: list[int] = []
    stream_id: str = ""
    ids: list[int] = []
    texts: dict[int, str] = {}
    finishes: dict[int, list[str]] = {}
    errors: list[dict[str, Any]] = []
    usage: dict[str, Any] | None = None
    is_done: bool = False
    is_half: bool = False
    """The last event was cut off in the middle."""
    is_gap: bool = False
    is_unknown: bool = False
    is_queued: bool = False
    has_waited: bool = False
    has_left: bool = False
    answer: dict[str, Any] | None = None
    stopped: set[int] = set()
    cuts: int = 0

    @property
    def is_ended(self) -> bool:
        """Whether the client knows how it ended."""
        return self.is_done or bool(self.errors) or self.answer is not None or self.is_gap or self.is_unknown


class Connection(asyncio.Protocol):
    """One HTTP exchange, its body handed on as it comes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.news = asyncio.Event()
        self.is_complete = self.is_closed = False
        self._parser = httptools.HttpResponseParser(self)
        self.end: End

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.end = cast("End", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self.news.set()

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self.news.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True

    async def wait(self) -> None:
        """Until something new is known. Raises TimeoutError: the gateway left us hanging."""
        async with asyncio.timeout(PATIENCE_S):
            await self.news.wait()
        self.news.clear()


class SimClient:
    """Makes one generation and follows it to an end of some kind."""

    def __init__(self, network: Network, rng: random.Random, key: str) -> None:
        self.network = network
        self.rng = rng
        self.key = key
        n = rng.randint(1, 4)
        is_forward = rng.random() < 0.2
        self.seen = Seen(n=n, grace_s=rng.choice((0.0, 0.2, 5.0, 30.0)), is_forward=is_forward)
        self.heard_at = self.asleep_s = 0.0
        self.recklessness = rng.choice((0.0, 0.2, 0.3, 0.4))
        self.path = "/v1/chat/completions" if is_forward else "/api/dce/proxy"

    async def run(self) -> Seen:
        """From the request to the end."""
        seen, rng = self.seen, self.rng
        is_stream = rng.random() < 0.85
        body = {"messages": [{"role": "user", "content": "x"}], "n": seen.n, "stream": is_stream, "seed": 0}
        connection = await self._ask("POST", self.path, msgspec.json.encode(body))
        if connection is None:
            seen.has_left = True
            return seen
        while not await self._follow(connection):
            seen.cuts += 1
            if not seen.stream_id or rng.random() < 0.1:
                seen.has_left = True
                break
            await asyncio.sleep(rng.choice((0.0, 0.05, 0.3, 2.0, 20.0)))
            after = seen.ids[-1] if seen.ids else 0
            resumed = await self._ask("GET", f"/api/dce/streams/{seen.stream_id}", b"", after)
            if resumed is None:
                seen.has_left = True
                break
            connection = resumed
        return seen

    async def _ask(self, method: str, path: str, body: bytes, after: int | None = None) -> Connection | None:
        """Sends a request. None: it was cut before it was whole."""
        _, connection = await self.network.open(Connection, "gateway", GATEWAY_PORT)
        assert isinstance(connection, Connection)
        head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {self.key}\r\n"
        head += f"content-length: {len(body)}\r\nx-dce-resume-grace: {self.seen.grace_s}\r\n"
        if after is not None:
            head += f"last-event-id: {self.seen.stream_id}:{after}\r\n"
        data = head.encode() + b"\r\n" + body
        if self.rng.random() < self.recklessness / 4:
            connection.end.write(data[: self.rng.randint(1, len(data))])
            await asyncio.sleep(self.rng.choice((0.0, 0.1)))
            connection.end.abort()
            return None
        connection.end.write(data)
        return connection

    async def _follow(self, connection: Connection) -> bool:
        """Reads until an end (True) or a cut (False)."""
        seen, decoder = self.seen, Decoder()
        while True:
            await connection.wait()
            is_events = connection.headers.get("content-type", "").startswith("text/event-stream")
            if is_events and not seen.stream_id:
                seen.stream_id = connection.headers.get("x-dce-stream-id", "")
                seen.is_queued = seen.has_waited = "x-dce-queued" in connection.headers
            if is_events and connection.body:
                piece = bytes(connection.body)
                connection.body.clear()
                self.heard_at = asyncio.get_running_loop().time()
                for event in decoder.feed(piece):
                    self._event(event.id, event.data)
            if connection.is_complete:
                seen.statuses.append(connection.status)
                if not is_events:
                    self._whole(connection)
                connection.end.close()
                assert not seen.is_half, "half an event, and a silent end"
                return seen.is_ended or seen.is_forward
            if connection.is_closed:
                return False
            if self.rng.random() < self.recklessness and await self._recklessly(connection):
                return False

    async def _recklessly(self, connection: Connection) -> bool:
        """Something a client may do at any time; True: it cut its connection."""
        deed = self.rng.choice(("cut", "cut", "cut", "deaf", "stop", "nap", "stop_all"))
        if deed in ("cut", "deaf"):
            if deed == "deaf":  # what arrives meanwhile is lost
                connection.end.pause_reading()
                await asyncio.sleep(self.rng.choice((0.1, 2.0)))
            connection.end.abort()
            return True
        if deed == "nap":
            connection.end.pause_reading()
            nap_s = self.rng.choice((0.1, 2.0, 30.0))
            await asyncio.sleep(nap_s)
            self.asleep_s += nap_s
            connection.end.resume_reading()
        elif self.seen.stream_id:
            index = self.rng.randrange(self.seen.n)
            path = f"/api/dce/streams/{self.seen.stream_id}"
            is_one = deed == "stop"
            self.seen.stopped |= {index} if is_one else set(range(self.seen.n))
            stopping = await self._ask("DELETE", path + (f"/choices/{index}" if is_one else ""), b"")
            while stopping is not None and not stopping.is_complete and not stopping.is_closed:
                await stopping.wait()
            assert stopping is None or stopping.is_closed or stopping.status in (204, 404, 503), stopping.status
        return False

    def _event(self, event_id: str, data: str) -> None:
        seen = self.seen
        assert not seen.is_done, "a frame after [DONE]"
        if not seen.is_forward:
            stream, _, number = event_id.rpartition(":")
            assert stream == seen.stream_id
            assert int(number) == (seen.ids[-1] if seen.ids else 0) + 1, "a gap or a duplicate"
            seen.ids.append(int(number))
        if data == "[DONE]":
            assert not seen.is_half, "half an event, and a good end"
            seen.is_done = True
            return
        assert not seen.is_half or '"error"' in data, "half an event, and no error after it"
        seen.is_half = False
        try:
            value = msgspec.json.decode(data)
        except msgspec.DecodeError:
            assert seen.is_forward, "broken JSON"
            # Passed through as it came: the backend's own nonsense whole, or what it broke off in, told in the next event.
            seen.is_half = data != GARBAGE
            return
        if "queued" in value:  # until its turn has come, a stream is lost with its connection
            seen.is_queued = value["queued"]["position"] > 0
            return
        if "error" in value:
            seen.errors.append(value["error"])
            return
        if value.get("usage") and not value["choices"]:
            seen.usage = value["usage"]
        for choice in value["choices"]:
            index = choice["index"]
            assert not seen.finishes.get(index), "a frame of a choice that has ended"
            seen.texts[index] = seen.texts.get(index, "") + (choice["delta"].get("content") or "")
            if choice["finish_reason"]:
                seen.finishes.setdefault(index, []).append(choice["finish_reason"])

    def _whole(self, connection: Connection) -> None:
        value = msgspec.json.decode(connection.body)
        if connection.status == 200:
            self.seen.answer = value
            return
        error = value["error"]
        assert error["hop"], error
        assert error["hint"], error
        self.seen.is_unknown = connection.status == 404 and bool(self.seen.stream_id)
        self.seen.is_gap = error["code"] == "stream_interrupted" and bool(self.seen.stream_id)
        if self.seen.is_unknown and not self.seen.is_queued:
            # What a sleeper reads when it wakes may be old: the gateway may have cut it long ago.
            silence_s = asyncio.get_running_loop().time() - self.heard_at + self.asleep_s
            assert silence_s > self.seen.grace_s - 2 * MAX_LATENCY_S, "forgotten before its time"
        if not self.seen.is_unknown and not self.seen.is_gap:
            self.seen.errors.append(error)
