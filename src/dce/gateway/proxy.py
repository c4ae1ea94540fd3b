"""THE data path: body → model → backend → backend requests → stream → end. Every branch of it stands here.

A client that goes away cancels its request's task, wherever it waits: reading, connecting, prefilling or streaming. Until a
stream is live, what was acquired is given back in the one `finally`; a live one gives it back itself when it ends, finished or
abandoned (live.py). Closing a backend request makes the backend stop generating.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from dce.gateway.backend_call import post
from dce.gateway.body import GenerateBody, encode_request, read_generate, with_fields
from dce.gateway.catalog import Catalog
from dce.gateway.kinds import Model
from dce.gateway.live import Directory, LiveStream
from dce.gateway.output import AnswerOutput, EventOutput
from dce.gateway.request import NO_BUFFERING, Request
from dce.gateway.routing import Policy
from dce.gateway.settings import GatewaySettings
from dce.gateway.streams import Stream
from dce.gateway.transport import Exchange, Transport
from dce.gateway.upstream import Upstream
from dce.gateway.waiting import until_finished
from dce.wire.errors import DceError

CHAT_PATH = "/v1/chat/completions"


class Proxy:
    """Answers the requests that need a backend."""

    def __init__(
        self, settings: GatewaySettings, catalog: Catalog, policy: Policy, transport: Transport, directory: Directory
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._catalog = catalog
        self._policy = policy
        self._transport = transport

    # -- POST /api/dce/proxy ------------------------------------------------------------------------------------------

    async def generate(self, request: Request) -> None:
        """N responses to one prompt, as one stream of events or, if the caller wants that, one JSON answer."""
        accept = request.header(b"accept")
        await self._generate(request, is_json_wanted="application/json" in accept and "text/event-stream" not in accept)

    async def generate_whole(self, request: Request) -> None:
        """The older route: one JSON answer, unless the body says `"stream": true`."""
        await self._generate(request, is_json_wanted=True)

    async def _generate(self, request: Request, *, is_json_wanted: bool) -> None:
        body = await request.body(self._settings.max_body_bytes)
        ask = read_generate(body, max_n=self._settings.max_n, is_json_wanted=is_json_wanted)
        model = self._catalog.resolve(ask.model)
        upstream = self._policy.choose(self._catalog.candidates(model.id))
        stream = Stream(secrets.token_hex(16), request.principal.key_id, model.id, upstream.plan(ask.n))
        grace_s = self._grace_s(request)
        upstream.in_flight += ask.n
        live: LiveStream | None = None
        try:
            await stream.open(_Opener(self._transport, upstream, model, ask, request), self._settings.head_patience_s)
            if not ask.is_stream:
                await self._answer_whole(request, stream, ask)
                return
            live = self._set_live(stream, grace_s, lambda: upstream.release(ask.n))
        finally:
            if live is None:
                upstream.release(ask.n)
                await stream.close()
        await self._follow(request, live, 0, _stream_headers(stream, ask))

    def _set_live(self, stream: Stream, grace_s: float, release: Callable[[], None]) -> LiveStream:
        """From here on the stream runs by itself, with or without its client."""
        output = EventOutput(stream.id, self._settings.replay_bytes, self._settings.backlog_bytes)
        stream.attach(output)
        live = LiveStream(stream, output, grace_s, release)
        self._directory.start(live)
        return live

    async def _follow(self, request: Request, live: LiveStream, after: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Sends a client the frames of a stream until its end, or until the client goes."""
        live.output.check(after)
        try:
            await request.start(200, [*NO_BUFFERING, *headers])
            live.attach(request.wire, after)
            await until_finished(live, request, self._settings)
            await request.finish(patience_s=self._settings.write_stall_timeout_s)
        finally:
            live.detach(request.wire)

    def _grace_s(self, request: Request) -> float:
        """How long the stream may run without its client: the client's wish within the operator's limit."""
        asked = request.header(b"x-dce-resume-grace")
        if not asked:
            return self._settings.resume_grace_s
        if not asked.isascii() or not asked.replace(".", "", 1).isdigit():
            raise DceError("invalid_request", "X-DCE-Resume-Grace must be a number of seconds")
        return min(float(asked), self._settings.max_resume_grace_s)

    # -- GET /api/dce/streams/{id} ------------------------------------------------------------------------------------

    async def resume(self, request: Request) -> None:
        """The frames after the last one the client saw, then what comes."""
        live = self._directory.find(request.path_values["id"], request.principal.key_id)
        seen = request.header(b"last-event-id").rpartition(":")[2] or request.query("after") or "0"
        if not (seen.isascii() and seen.isdigit()) or len(seen) > 15:
            raise DceError(
                "invalid_request", "the last event must be named by its number, as in `Last-Event-ID: <stream>:42`"
            )
        await self._follow(request, live, int(seen), [(b"x-dce-stream-id", live.stream.id.encode())])

    async def _answer_whole(self, request: Request, stream: Stream, ask: GenerateBody) -> None:
        output = AnswerOutput(ask.n)
        stream.attach(output)
        await stream.finished
        for frame in stream.last_frames()[:1]:
            output.frame(frame)
        await request.answer(200, output.answer(stream.id, stream.model), _stream_headers(stream, ask))

    # -- DELETE /api/dce/streams/… ------------------------------------------------------------------------------------

    async def stop_stream(self, request: Request) -> None:
        """Ends a stream: all its responses are `stopped`."""
        self._running(request).stream.stop_all()
        await request.no_content()

    async def stop_choice(self, request: Request) -> None:
        """Ends one response of a stream; the others go on."""
        stream = self._running(request).stream
        index = request.path_values["index"]
        if not index.isdigit() or int(index) >= len(stream.choices):
            raise DceError(
                "invalid_request", f"a choice of this stream is a number from 0 to {len(stream.choices) - 1}"
            )
        stream.stop(int(index))
        await request.no_content()

    def _running(self, request: Request) -> LiveStream:
        return self._directory.find_running(request.path_values["id"], request.principal.key_id)


class _Opener:
    """Makes the backend requests of one stream; the prompt is encoded once for all of them."""

    def __init__(
        self, transport: Transport, upstream: Upstream, model: Model, ask: GenerateBody, request: Request
    ) -> None:
        self._transport = transport
        self._upstream = upstream
        self._model = model
        self._ask = ask
        self._request_id = request.id
        salt = upstream.kind.salted(request.principal.cache_salt)
        self._bulk = encode_request({**upstream.kind.adapt(ask.common), **salt})

    async def __call__(self, indices: Sequence[int]) -> Exchange:
        fields: dict[str, Any] = {"model": self._model.id, "n": len(indices)}
        # Running counts whether or not the client wants them: else nobody knows what a response had cost when it was stopped.
        fields.update(self._upstream.kind.stream_fields())
        limit = self._limit()
        if limit is not None:
            fields["max_tokens"] = limit
        if self._ask.seed is not None:
            fields["seed"] = self._ask.seed + indices[0]  # as vLLM itself does for the i-th of n
        pieces = with_fields(self._bulk, fields)
        return await post(self._transport, self._upstream, CHAT_PATH, pieces, f"{self._request_id}-{indices[0]}")

    def _limit(self) -> int | None:
        """max_tokens, left out when it is more than the context: the backend then takes what the prompt leaves, which is what
        was meant. vLLM would refuse the number itself, and the original's clients always ask for 16,384."""
        asked, context = self._ask.max_tokens, self._model.max_model_len
        return None if asked is None or (context is not None and asked >= context) else asked


def _stream_headers(stream: Stream, ask: GenerateBody) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-dce-stream-id", stream.id.encode())]
    if ask.dropped:
        names = ", ".join(name for name in ask.dropped if name.isidentifier() and name.isascii())[:500]
        headers.append((b"x-dce-dropped-fields", names.encode()))
    return headers
