"""The doctor's stream probes: one token, a stream paced by the gateway, and a stream dropped halfway.

Like every probe, each has a deadline and never raises: an error comes back as a `Failure`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx2
import msgspec

from dce.doctor.answers import json_of
from dce.doctor.findings import Answer, CancelProbe, Failure, PacingProbe, SilenceProbe, TokenProbe
from dce.doctor.http import MAX_BODY_BYTES, Http, failure_of
from dce.doctor.judge_model import is_clumped
from dce.wire.chat import DONE, BadChunk, Chunk, read_chunks
from dce.wire.sse import Decoder, EventTooLarge

PROXY_PATH = "/api/dce/proxy"
STREAMS_PATH = "/api/dce/streams"
PACED_PATH = "/api/dce/streamcheck"

TOKEN_TIMEOUT_S = 60.0
"""Timeout of the first token: a busy server queues, a cold model warms up."""

PACED_TIMEOUT_S = 20.0
"""Timeout of a stream that takes under a second, on a bad line."""

SILENT_BYTES = 2_000_000
"""How large an answer must pass: ten long responses in one stream are a few megabytes."""

SILENT_EXTRA_S = 30.0
"""What the stream with a silence may take beyond its silence, on a bad line."""

PACED_TRIES = 2
"""A machine that stalls for a second also sees events arrive together; it rarely does so twice."""

DROP_TOKENS = 256
"""Length of the response that is dropped: seconds of work for a real model, and cheap if nothing stops it."""

CANCEL_TIMEOUT_S = 5.0
"""Maximum wait for a dropped response to end; the gateway needs about 10 ms, a proxy in front of it a little more."""

CANCEL_POLL_S = 0.1


class Streams:
    """The stream probes, over one HTTP client."""

    def __init__(
        self, http: Http, cancel_timeout_s: float = CANCEL_TIMEOUT_S, token_timeout_s: float = TOKEN_TIMEOUT_S
    ) -> None:
        self._http = http
        self._token_timeout_s = token_timeout_s
        self._cancel_timeout_s = cancel_timeout_s

    async def token(self, model: str | None) -> TokenProbe:
        """One token of one response, streamed."""
        started = time.monotonic()
        places: list[int] = []
        try:
            async with asyncio.timeout(self._token_timeout_s), self._generate(model, 1) as response:
                if not _is_stream(response):
                    return TokenProbe(failure=await self._http.answer(response))
                seen = await _first_token(response, started, places)
        except (httpx2.HTTPError, OSError) as error:
            seen = TokenProbe(failure=failure_of(error))
        return msgspec.structs.replace(seen, queue_position=places[-1]) if places else seen

    async def paced(self) -> PacingProbe:
        """The stream paced by the gateway. If its events arrive together, it is requested once more."""
        seen = PacingProbe()
        for _ in range(PACED_TRIES):
            seen = await self._paced_once()
            if seen.failure or not is_clumped(seen):
                break
        return seen

    async def _paced_once(self) -> PacingProbe:
        try:
            async with (
                asyncio.timeout(PACED_TIMEOUT_S),
                self._http.stream("GET", PACED_PATH, PACED_TIMEOUT_S) as response,
            ):
                if not _is_stream(response):
                    return PacingProbe(failure=await self._http.answer(response))
                return await _times(response)
        except (httpx2.HTTPError, OSError) as error:
            return PacingProbe(failure=failure_of(error))

    async def silent(self, silence_s: float) -> SilenceProbe:
        """A stream with a large event, heartbeats, and a silence of `silence_s`. 0: nothing is sent."""
        seen = SilenceProbe(asked_s=silence_s)
        if silence_s <= 0:
            return seen
        reading = _Silence(seen)
        path = f"{PACED_PATH}?silence_s={silence_s:g}&bytes={SILENT_BYTES}"
        limit_s = silence_s + SILENT_EXTRA_S
        try:
            async with asyncio.timeout(limit_s), self._http.stream("GET", path, limit_s) as response:
                if not _is_stream(response):
                    return msgspec.structs.replace(seen, failure=await self._http.answer(response))
                await reading.read(response)
        except (httpx2.HTTPError, OSError, EventTooLarge) as error:
            return reading.result(failure_of(error))
        return reading.result(None)

    async def dropped(self, model: str | None) -> CancelProbe:
        """A longer response, dropped at its first event; then the caller's running streams are listed."""
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S), self._generate(model, DROP_TOKENS) as response:
                if not _is_stream(response):
                    return CancelProbe(failure=await self._http.answer(response))
                stream_id, server = response.headers.get("x-dce-stream-id", ""), response.headers.get("server", "")
                async with aclosing(_events(response)) as events:
                    await _first_frame(events)
                    running = await self._running()  # inside the block: leaving it may already close the connection
            if isinstance(running, Answer | Failure):
                return CancelProbe(failure=running)
            return await self._wait_for_end(stream_id, CancelProbe(was_running=stream_id in running, server=server))
        except (httpx2.HTTPError, OSError) as error:
            return CancelProbe(failure=failure_of(error))

    async def _wait_for_end(self, stream_id: str, seen: CancelProbe) -> CancelProbe:
        began = time.monotonic()
        while True:
            running = await self._running()
            waited_s = time.monotonic() - began
            if isinstance(running, Answer | Failure):
                return msgspec.structs.replace(seen, failure=running)
            is_running = stream_id in running
            if not is_running or waited_s > self._cancel_timeout_s:
                return msgspec.structs.replace(seen, is_running=is_running, waited_s=waited_s)
            await asyncio.sleep(CANCEL_POLL_S)

    async def _running(self) -> set[str] | Answer | Failure:
        """The ids of the caller's running streams."""
        reply = await self._http.ask("GET", STREAMS_PATH, with_key=True)
        streams = json_of(reply).get("streams") if isinstance(reply, Answer) else None
        if not isinstance(streams, list):
            return reply
        return {str(stream.get("id")) for stream in streams if isinstance(stream, Mapping)}

    @asynccontextmanager
    async def _generate(self, model: str | None, max_tokens: int) -> AsyncIterator[httpx2.Response]:
        body = {
            "messages": [{"role": "user", "content": "Say hello."}],
            "n": 1,
            "max_tokens": max_tokens,
            "stream": True,
        } | ({"model": model} if model else {})
        # No client will resume it.
        async with self._http.stream(
            "POST", PROXY_PATH, TOKEN_TIMEOUT_S, body, {"X-DCE-Resume-Grace": "0"}
        ) as response:
            yield response


class _Silence:
    """Reads the stream with a silence; `result` is valid however reading ends."""

    def __init__(self, seen: SilenceProbe) -> None:
        self._seen = seen
        self._quiet_s = 0.0
        self._last = time.monotonic()
        self._tail = b""

    async def read(self, response: httpx2.Response) -> None:
        """Reads to the end. Raises what httpx2 raises."""
        self._seen = msgspec.structs.replace(self._seen, server=response.headers.get("server", ""))
        decoder = Decoder(MAX_BODY_BYTES)
        self._last = time.monotonic()
        async for piece in response.aiter_bytes():
            self._note(piece)
            for event in decoder.feed(piece):
                self._take(event.data)

    def result(self, failure: Failure | None) -> SilenceProbe:
        """What was seen, up to now."""
        self._listen()
        is_cut = failure is not None and not self._seen.is_done
        return msgspec.structs.replace(self._seen, quiet_s=self._quiet_s, failure=failure if is_cut else None)

    def _listen(self) -> None:
        now = time.monotonic()
        self._quiet_s, self._last = max(self._quiet_s, now - self._last), now

    def _note(self, piece: bytes) -> None:
        self._listen()
        *lines, self._tail = (self._tail + piece).split(b"\n")
        comments = self._seen.comments + sum(line.startswith(b":") for line in lines)
        self._seen = msgspec.structs.replace(self._seen, comments=comments, bytes=self._seen.bytes + len(piece))

    def _take(self, data: str) -> None:
        if data == DONE:
            self._seen = msgspec.structs.replace(self._seen, is_done=True)
        elif self._seen.promised_s is None:
            try:
                promise = msgspec.json.decode(data, type=_Promise)
            except msgspec.DecodeError:  # an older gateway's event
                return
            self._seen = msgspec.structs.replace(
                self._seen,
                promised_s=promise.silence_s,
                promised_bytes=promise.bytes,
                promised_comments=promise.comments,
            )


class _Promise(msgspec.Struct, frozen=True):
    """The first event of the stream with a silence."""

    silence_s: float
    bytes: int
    comments: int


async def _first_frame(events: AsyncGenerator[str, None]) -> None:
    """Reads up to the first event that is not a queue notice, or to the end."""
    async for data in events:
        if data == DONE or '"queued"' not in data:
            return


def _is_stream(response: httpx2.Response) -> bool:
    return response.status_code == 200 and "event-stream" in response.headers.get("content-type", "")


async def _first_token(response: httpx2.Response, started: float, places: list[int]) -> TokenProbe:
    """Reads to the end. Queue positions are appended to `places`, so that the caller has them even after a timeout."""
    seen = TokenProbe()
    async with aclosing(_events(response)) as events:
        async for data in events:
            if data == DONE:
                return msgspec.structs.replace(seen, is_done=True)
            try:
                chunks = read_chunks(data)
            except BadChunk as error:
                return msgspec.structs.replace(seen, failure=Failure(kind="protocol", text=str(error)))
            for chunk in chunks:
                if chunk.queue_position is not None:
                    places.append(chunk.queue_position)
                seen = _add(seen, chunk, time.monotonic() - started)
    return seen


def _add(seen: TokenProbe, chunk: Chunk, elapsed_s: float) -> TokenProbe:
    error = chunk.error or next((choice.error for choice in chunk.choices if choice.error), None)
    if error:
        body = msgspec.json.encode({"error": error})
        return msgspec.structs.replace(seen, failure=Answer(status=200, content_type="text/event-stream", body=body))
    for choice in chunk.choices:
        if seen.first_token_s is None and (choice.text or choice.thinking):
            seen = msgspec.structs.replace(seen, first_token_s=elapsed_s)
        if choice.finish_reason:
            seen = msgspec.structs.replace(seen, finish_reason=choice.finish_reason)
    return seen


async def _times(response: httpx2.Response) -> PacingProbe:
    """When each event was sent (its own timestamp) and when it arrived."""
    sent: list[int] = []
    came: list[float] = []
    is_done = False
    async with aclosing(_events(response)) as events:
        async for data in events:
            if data == DONE:
                is_done = True
                break
            came.append(time.monotonic())
            sent.append(_sent_ms(data))
    return PacingProbe(
        sent_ms=tuple(sent),
        came_ms=tuple(round((at - came[0]) * 1000) for at in came),
        is_done=is_done and bool(sent),
        server=response.headers.get("server", ""),
        encoding=response.headers.get("content-encoding", ""),
    )


def _sent_ms(data: str) -> int:
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return 0
    sent = value.get("sent_ms") if isinstance(value, dict) else None
    return sent if isinstance(sent, int) else 0


async def _events(response: httpx2.Response) -> AsyncGenerator[str, None]:
    decoder = Decoder(MAX_BODY_BYTES)
    async for piece in response.aiter_bytes():
        for event in decoder.feed(piece):
            yield event.data
    for event in decoder.flush():
        yield event.data
