"""The main data path: body → model → admission → backend → backend requests → stream → end. Every branch of it is here.

A client that disconnects cancels its request's task wherever it waits: reading, queued, connecting, prefilling or streaming. Until a
stream is live, everything acquired is released in the single `finally`; a live stream releases it when it ends, finished or abandoned
(live.py). Closing a backend request makes the backend stop generating.
"""

import asyncio
import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dce.gateway.access.admission import Demand, Ticket
from dce.gateway.accounting.ledger import EndedBy
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.busy import tell_nobody
from dce.gateway.backends.failover import Attempts
from dce.gateway.backends.kinds import Model
from dce.gateway.backends.routing import affinity_key
from dce.gateway.backends.transport import Exchange, Transport
from dce.gateway.front.body import GenerateBody, encode_request, read_generate, with_fields
from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.paths.backend_call import post
from dce.gateway.paths.intake import Intake, dropped_header
from dce.gateway.paths.metering import RequestMeter, ended_by
from dce.gateway.paths.profiles import LEGACY_PROFILE, OWN_PROFILE, Profile
from dce.gateway.paths.queue_notice import busy_frame
from dce.gateway.paths.waiting import until_finished
from dce.gateway.streaming.live import Directory, LiveStream
from dce.gateway.streaming.output import AnswerOutput, EventOutput
from dce.gateway.streaming.streams import Stream
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError

CHAT_PATH = "/v1/chat/completions"


class Proxy:
    """Answers the n-way routes (`/api/dce/…`)."""

    def __init__(self, intake: Intake, directory: Directory) -> None:
        self._intake = intake
        self._settings = intake.settings
        self._directory = directory

    # -- POST /api/dce/proxy ------------------------------------------------------------------------------------------

    async def generate(self, request: Request) -> None:
        """N responses to one prompt, as one event stream or, on request, one JSON answer."""
        accept = request.header(b"accept")
        await self._generate(request, is_json_wanted="application/json" in accept and "text/event-stream" not in accept)

    async def generate_whole(self, request: Request) -> None:
        """The older route: one JSON answer, unless the body says `"stream": true`."""
        await self._generate(request, is_json_wanted=True)

    async def generate_legacy(self, request: Request) -> None:
        """One response per request, as the original extension asks for it and reads it."""
        await self._generate(request, is_json_wanted=False, profile=LEGACY_PROFILE)

    async def _generate(self, request: Request, *, is_json_wanted: bool, profile: Profile = OWN_PROFILE) -> None:
        body, meter = await self._intake.begin(request)
        allowed = frozenset(self._settings.allowed_fields)
        ask = read_generate(body, max_n=self._settings.max_n, is_json_wanted=is_json_wanted, allowed=allowed)
        meter.text_bytes = ask.text_bytes
        grace_s = self._grace_s(request)
        stream_id = secrets.token_hex(16)
        headers = _stream_headers(stream_id, ask)
        make_output = functools.partial(profile.output, stream_id, ask.n, self._settings)
        queued = profile.queued(request, stream_id, ask, headers, self._settings, make_output)
        asked = profile.asked(ask.model, self._intake.catalog)
        model = await meter.waiting(self._intake.served(request, asked, queued.busy if ask.is_stream else tell_nobody))
        queued.model = model.id
        demand = Demand.of(ask.n, ask.text_bytes, ask.max_tokens, model.max_model_len, model=model.id)
        ticket = await self._intake.admit(meter, demand, queued.tell if ask.is_stream else None)
        stream: Stream | None = None
        live: LiveStream | None = None
        fault: DceError | None = None
        try:
            placed = self._intake.dispatcher.many(
                model.id,
                affinity_key(request.principal, request.header(b"x-dce-session") or ask.session, ask.common),
                ask.n,
            )
            stream = Stream(stream_id, request.principal.key_id, model.id, [indices for _, indices in placed])
            opener = _Opener(self._intake.transport, placed, model, ask, meter, stream)
            release = functools.partial(_release, stream, opener, ticket, meter)
            meter.open(model.id, ask.n)
            # A stream that started in the queue can no longer become an HTTP status: it goes live at once.
            patience_s = 0.0 if request.is_started else self._settings.head_patience_s
            await stream.open(opener, patience_s, self._settings.total_timeout_s)
            if not ask.is_stream:
                await self._answer_whole(request, stream, ask)
                return
            live = self._set_live(stream, queued.output or make_output(model.id), grace_s, release)
        except DceError as error:
            fault = error
            raise
        finally:
            if stream is None:
                ticket.settle(0)
            elif live is None:
                try:
                    await stream.close()
                finally:
                    release(ended_by(request), fault)
        await self._follow(request, live, queued.frames, headers)

    def _set_live(
        self, stream: Stream, output: EventOutput, grace_s: float, release: Callable[[EndedBy], None]
    ) -> LiveStream:
        """Makes the stream live: it runs with or without its client."""
        stream.attach(output)
        live = LiveStream(stream, output, grace_s, release)
        self._directory.start(live)
        return live

    async def _follow(self, request: Request, live: LiveStream, after: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Sends a client the frames of a stream until it ends, or until the client disconnects."""
        live.output.check(after)
        try:
            if not request.is_started:
                await live.output.ready()
                await request.start(200, [*NO_BUFFERING, *headers])
            live.attach(request.connection, after)
            await until_finished(live, request, self._settings)
            await request.finish(patience_s=self._settings.write_stall_timeout_s)
        except asyncio.CancelledError:
            live.ended_by = ended_by(request)
            raise
        finally:
            live.detach(request.connection)

    def _grace_s(self, request: Request) -> float:
        """How long the stream may run without its client: as long as the client asks, up to the operator's limit."""
        asked = request.header(b"x-dce-resume-grace")
        if not asked:
            return self._settings.resume_grace_s
        if not asked.isascii() or not asked.replace(".", "", 1).isdigit():
            raise DceError("invalid_request", "X-DCE-Resume-Grace must be a number of seconds")
        grace_s = min(float(asked), self._settings.max_resume_grace_s)
        if grace_s > self._settings.resume_grace_s:
            self._directory.check_room(request.principal.key_id)
        return grace_s

    # -- GET /api/dce/streams/{id} ------------------------------------------------------------------------------------

    async def resume(self, request: Request) -> None:
        """Sends the frames after the last one the client saw, then each new one."""
        live = self._directory.find(request.path_values["id"], request.principal.key_id)
        seen = request.header(b"last-event-id").rpartition(":")[2] or request.query("after") or "0"
        if not (seen.isascii() and seen.isdigit()) or len(seen) > 15:
            raise DceError(
                "invalid_request",
                "the last event must be given by its number, as in `Last-Event-ID: <stream>:42`",
                hint="Send the `id` of the last frame unchanged; without it, the stream is replayed from the beginning.",
            )
        await self._follow(request, live, int(seen), [(b"x-dce-stream-id", live.stream.id.encode())])

    async def _answer_whole(self, request: Request, stream: Stream, ask: GenerateBody) -> None:
        output = AnswerOutput(ask.n)
        stream.attach(output)
        await stream.finished
        lost = [choice.error for choice in stream.choices if choice.error is not None]
        if len(lost) == len(stream.choices):
            raise lost[0]  # the error itself, with its Retry-After
        for frame in stream.last_frames()[:1]:
            output.frame(frame)
        await request.answer(200, output.answer(stream.id, stream.model), _stream_headers(stream.id, ask))

    # -- DELETE /api/dce/streams/… ------------------------------------------------------------------------------------

    async def stop_stream(self, request: Request) -> None:
        """Ends a stream: all its responses are `stopped`."""
        self._running(request).stream.stop_all()
        await request.no_content()

    async def stop_choice(self, request: Request) -> None:
        """Ends one response of a stream; the others continue."""
        stream = self._running(request).stream
        index = request.path_values["index"]
        if not index.isdigit() or int(index) >= len(stream.choices):
            raise DceError(
                "invalid_request",
                f"the choice must be a number from 0 to {len(stream.choices) - 1}",
                hint="Use the `index` in the response's frames: the first response is choice 0.",
            )
        stream.stop(int(index))
        await request.no_content()

    def _running(self, request: Request) -> LiveStream:
        return self._directory.find_running(request.path_values["id"], request.principal.key_id)


class _Opener:
    """Sends the backend requests of one stream; the prompt is encoded once for all of them."""

    def __init__(
        self,
        transport: Transport,
        placed: Sequence[tuple[Attempts, Sequence[int]]],
        model: Model,
        ask: GenerateBody,
        meter: RequestMeter,
        stream: Stream,
    ) -> None:
        self._stream = stream
        self._transport = transport
        self._attempts = {index: attempts for attempts, indices in placed for index in indices}
        self._model = model
        self._ask = ask
        self._account = meter
        self._bulks: dict[str, bytes] = {}

    def backend_of(self, index: int) -> Backend:
        """The backend of a response's current or last attempt."""
        return self._attempts[index].backend

    async def __call__(self, indices: Sequence[int]) -> Exchange:
        async def tell(error: DceError, left_s: float) -> None:
            self._stream.notice(busy_frame(self._stream.id, self._model.id, indices, error, left_s))

        return await self._attempts[indices[0]].open(lambda backend: self._send(backend, indices), tell)

    def ended(self, indices: Sequence[int], error: DceError | None) -> None:
        for index in indices:
            self._attempts[index].lease.end(error)

    def failed(self, indices: Sequence[int], error: DceError) -> bool:
        return self._attempts[indices[0]].fail(error, len(indices))

    def dropped(self, indices: Sequence[int]) -> None:
        for index in indices:
            self._attempts[index].lease.abandon()

    def release(self) -> None:
        """Releases every lease the stream still holds."""
        self.dropped(list(self._attempts))

    async def _send(self, backend: Backend, indices: Sequence[int]) -> Exchange:
        fields: dict[str, Any] = {"model": self._model.id, "n": len(indices)}
        # Running counts even if the client did not ask for them: otherwise the cost of a stopped response is unknown.
        fields.update(backend.kind.stream_fields())
        limit = self._limit()
        if limit is not None:
            fields["max_tokens"] = limit
        if self._ask.seed is not None:
            fields["seed"] = self._ask.seed + seed_offset(indices)
        refused: DceError | None = None
        while True:
            sent = backend.refusals.apply(fields)
            try:
                return await self._post(backend, sent, indices)
            except DceError as error:
                if error.code != "invalid_request":
                    raise
                if not backend.refusals.retries(fields, sent, error.message, is_again=refused is not None):
                    raise refused or error from None
                refused = refused or error

    async def _post(self, backend: Backend, fields: Mapping[str, Any], indices: Sequence[int]) -> Exchange:
        pieces = with_fields(self._bulk(backend), fields)
        self._account.sent()
        request = self._account.request
        request_id = f"{request.id}-{indices[0]}"
        return await post(self._transport, backend, CHAT_PATH, pieces, request_id, request.traceparent)

    def _bulk(self, backend: Backend) -> bytes:
        """The prompt in the dialect of a backend."""
        kind = backend.kind
        if kind.name not in self._bulks:
            salt = self._account.request.principal.cache_salt
            self._bulks[kind.name] = encode_request({**kind.adapt(self._ask.common), **kind.salted(salt)})
        return self._bulks[kind.name]

    def _limit(self) -> int | None:
        """max_tokens, omitted when it is at least the context: the backend then uses what the prompt leaves, which is what was meant.
        vLLM would refuse the number, and the original's clients always ask for 16,384."""
        asked, context = self._ask.max_tokens, self._model.max_model_len
        return None if asked is None or (context is not None and asked >= context) else asked


def seed_offset(indices: Sequence[int]) -> int:
    """The i-th response gets seed + i, as in vLLM itself. The rest of a lost native request has gaps, and the backend numbers its seeds
    without gaps from the first: it gets an offset beyond every other response's."""
    has_gaps = indices[-1] - indices[0] >= len(indices)
    return indices[0] + (MAX_RESPONSES if has_gaps else 0)


def _release(
    stream: Stream, opener: _Opener, ticket: Ticket, meter: RequestMeter, by: EndedBy, fault: DceError | None = None
) -> None:
    """The stream has ended: releases everything it held and records what it used."""
    opener.release()
    try:
        meter.settle_stream(stream, lambda index: opener.backend_of(index).url, by, fault)
    finally:
        ticket.settle(meter.tokens)


def _stream_headers(stream_id: str, ask: GenerateBody) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-dce-stream-id", stream_id.encode())]
    if ask.dropped:
        headers.append(dropped_header(ask.dropped))
    return headers
