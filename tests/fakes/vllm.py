"""A scripted backend that speaks like vLLM and can be nasty on demand: for faults that the real one will not produce.

Real sockets, a thread of its own. Set `fake.behaviour` before a request; look at `fake.requests` and `fake.open_streams` after.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.spoken import SPOKEN, Spoken

MODEL = "fake-7b"
CONTEXT = 8192
WORDS = ["Grüße ", "🙂 ", "line\\n", '"index":7 ', "data: x ", "日本 ", "finish_reason ", "end "]
"""What the fake model says, over and over: text that tries a careless byte editor."""


@dataclass
class Behaviour:
    """How to answer the next chat requests. `fault` names a row of `FAULTS`."""

    fault: str = ""
    tokens: int = 8
    delay_s: float = 0.0
    owned_by: str = "vllm"
    only_seed: int | None = None
    """The fault strikes only requests with this seed, so one of ten can be hit."""
    reads: int | None = None
    """The tokens of the prompt that it says it read; None for all."""
    strikes: int | None = None
    """The fault strikes only this many requests; then all is well."""
    refuses: tuple[str, ...] = ()
    """Fields that it does not take. Its error names the first one that it finds."""


@dataclass
class Recorded:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeVllm:
    """Use as a context manager; `url` is its base URL."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    key: str = ""
    models: list[str] = field(default_factory=lambda: [MODEL])
    requests: list[Recorded] = field(default_factory=list)
    spoken: dict[str, Spoken] = field(default_factory=lambda: dict(SPOKEN))
    """Its routes that are not chat; a test may take some away."""
    is_loading: bool = False
    """Whether it answers everything with 503, as llama.cpp does until its model is loaded."""
    open_streams: int = 0
    aborted: int = 0
    tokens_sent: int = 0
    """Tokens of streams whose event was handed to the socket."""
    url: str = ""

    def __enter__(self) -> "FakeVllm":
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes the listener and every connection, as a killed server does."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    def posts(self) -> list[Recorded]:
        """The requests that carried a body: without the gateway's own discovery, which comes when it likes."""
        return [request for request in self.requests if request.method == "POST"]

    def chats(self) -> list[Any]:
        """The bodies of the chat requests."""
        return [request.json for request in self.requests if request.path.endswith("/chat/completions")]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        port = int(self.url.rsplit(":", 1)[1]) if self.url else 0
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stopping.wait()
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        # What was accepted in this turn belongs to the server before it closes: CPython would lose it.
        await asyncio.sleep(0)
        server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._connections:
                task.cancel()
            await asyncio.wait(others, timeout=0.1)  # also those that are just being accepted
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, request: Recorded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return await _json(writer, 401, {"error": "Unauthorized"})
        if self.is_loading:
            body = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
            return await _raw(writer, 503, "application/json", body, b"retry-after: 0\r\n")
        if request.path == "/v1/models":
            cards = [
                {
                    "id": name,
                    "object": "model",
                    "owned_by": self.behaviour.owned_by,
                    "max_model_len": CONTEXT,
                    "meta": {"n_ctx": CONTEXT},
                }
                for name in self.models
            ]
            return await _json(writer, 200, {"object": "list", "data": cards})
        if request.path == "/props":
            return await _json(writer, 200, {"total_slots": 10})
        if request.path == "/tokenize":
            text = request.json.get("prompt", request.json.get("content"))
            text = _templated(request.json) if text is None else text
            return await _json(
                writer,
                200,
                {"count": len(text.split()), "max_model_len": CONTEXT, "tokens": list(range(len(text.split())))},
            )
        if request.path == "/apply-template" and self.behaviour.owned_by == "llamacpp":
            return await _json(writer, 200, {"prompt": _templated(request.json)})
        if request.path in ("/v1/chat/completions", "/v1/completions") or request.path in self.spoken:
            return await self._chat(request, reader, writer)
        return await _json(writer, 404, {"detail": "Not Found"})

    async def _chat(self, request: Recorded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        body, behaviour = request.json, self.behaviour
        is_hit = behaviour.only_seed is None or body.get("seed") == behaviour.only_seed
        if behaviour.strikes is not None and behaviour.fault and is_hit:
            behaviour.strikes -= 1
            is_hit = behaviour.strikes >= 0
        fault = FAULTS[behaviour.fault] if behaviour.fault and is_hit else Fault()
        if refused := [name for name in behaviour.refuses if name in body]:
            message = f"Unsupported parameter: '{refused[0]}' is not supported with this model."
            fault = Fault(status=400, body=json.dumps({"error": {"message": message, "code": 400}}).encode())
        if fault.resets:
            writer.transport.abort()
            return False
        if fault.status:
            return await _raw(writer, fault.status, fault.content_type, fault.body, fault.headers)
        if body.get("model") not in self.models:
            message = f"The model `{body.get('model')}` does not exist."
            return await _json(
                writer, 404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}}
            )
        if STALL in fault.then and not body.get("stream"):
            self.open_streams += 1
            await reader.read(1)
            self.open_streams -= 1
            self.aborted += 1
            return False
        if not body.get("stream"):
            return await _json(writer, 200, self._whole(request, behaviour.tokens))
        self.open_streams += 1
        watching = asyncio.ensure_future(reader.read(1))
        try:
            kind = fault.stream_type
            writer.write(
                b"HTTP/1.1 200 OK\r\n"
                + (b"content-type: %b\r\n" % kind if kind else b"")
                + b"transfer-encoding: chunked\r\n\r\n"
            )
            await self._stream(request, behaviour, fault, watching, writer)
        except (_ClientGone, ConnectionError):
            self.aborted += 1
            return False
        finally:
            self.open_streams -= 1
            watching.cancel()
        if fault.dies:
            writer.transport.abort()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return False

    async def _stream(
        self,
        request: Recorded,
        behaviour: Behaviour,
        fault: "Fault",
        watching: "asyncio.Future[bytes]",
        writer: asyncio.StreamWriter,
    ) -> None:
        n = request.json.get("n") or 1
        at = 0
        async for event in self._events(request, behaviour, fault):
            at += 1
            if watching.done():
                raise _ClientGone
            if event == STALL:
                await watching
                raise _ClientGone
            for piece in fault.cut(event):
                if writer.transport.is_closing():
                    raise _ClientGone
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if fault.cut is not _whole_event:
                    await asyncio.sleep(0)
            self.tokens_sent += b'"delta":{"content":' in event
            await writer.drain()
            await asyncio.sleep(behaviour.delay_s if at % n == 0 else 0)

    def _whole(self, request: Recorded, tokens: int) -> Any:
        spoken = self.spoken.get(request.path)
        return spoken.whole(request.json, _words(tokens)) if spoken else _whole(request.json, tokens)

    async def _events(self, request: Recorded, behaviour: Behaviour, fault: "Fault") -> AsyncIterator[bytes]:
        spoken = self.spoken.get(request.path)
        if spoken is None:
            async for event in _events(request.json, behaviour, fault):
                yield event
            return
        events = spoken.events(request.json, _words(behaviour.tokens))
        for event in events if fault.after is None else [*events[: fault.after], *fault.then]:
            yield fault.change(event)


class _ClientGone(Exception):
    pass


STALL = b"(stall)"


def _whole_event(event: bytes) -> list[bytes]:
    return [event]


def _in_threes(event: bytes) -> list[bytes]:
    return [event[at : at + 3] for at in range(0, len(event), 3)]


def _same(event: bytes) -> bytes:
    return event


@dataclass(frozen=True)
class Fault:
    """One way to be nasty. `after` tokens the `then` events come instead of the rest."""

    status: int = 0
    content_type: str = "application/json"
    body: bytes = b""
    headers: bytes = b""
    """More headers of the answer with `status`."""
    stream_type: bytes = b"text/event-stream; charset=utf-8"
    """The media type of an event stream; none if empty."""
    cut: Callable[[bytes], list[bytes]] = _whole_event
    change: Callable[[bytes], bytes] = _same
    after: int | None = None
    then: tuple[bytes, ...] = ()
    dies: bool = False
    resets: bool = False
    """The connection breaks before any answer."""
    is_merged: bool = False


DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", "param": null, "code": 500}}\n\n'
BAD_GRAMMAR = b'data: {"error": {"message": "Grammar error: expecting \')\'", "type": "BadRequestError", "param": null, "code": 400}}\n\n'

FAULTS: dict[str, Fault] = {
    "as_text": Fault(stream_type=b"text/plain; charset=utf-8"),
    "as_bytes": Fault(stream_type=b"application/octet-stream"),
    "untyped": Fault(stream_type=b""),
    "busy": Fault(status=429, headers=b"retry-after: 0\r\n", body=b'{"error":{"message":"slow down","type":"x"}}'),
    "busy_for_long": Fault(status=429, headers=b"retry-after: 3600\r\n", body=b'{"error":"slow down"}'),
    "split": Fault(cut=_in_threes),
    "crlf": Fault(cut=_in_threes, change=lambda event: event.replace(b"\n", b"\r\n")),
    "no_finish": Fault(after=3, then=(DONE,)),
    "silent_end": Fault(after=3),
    "error_then_done": Fault(after=3, then=(ERROR, DONE)),
    "stall": Fault(after=2, then=(STALL,)),
    "death": Fault(after=2, dies=True),
    "death_at_once": Fault(after=0, dies=True),
    "reset": Fault(resets=True),
    "mute": Fault(after=0, then=(STALL,)),
    "engine_dead": Fault(
        status=500,
        body=b'{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","code":500}}',
    ),
    "error_200": Fault(
        status=200, body=b'{"object":"error","message":"CUDA out of memory","type":"InternalServerError","code":500}'
    ),
    "error_at_once": Fault(after=0, then=(ERROR, DONE)),
    "bad_grammar": Fault(after=0, then=(BAD_GRAMMAR, DONE)),
    "garbage": Fault(after=2, then=(b"data: {not json\n\n",)),
    "many_objects": Fault(is_merged=True),
    "spaced": Fault(
        change=lambda event: event.replace(b'"index":0', b'"index": 0').replace(
            b'"finish_reason":null', b'"finish_reason": null'
        )
    ),
    "comments": Fault(change=lambda event: b": keep-alive\n\n" + event),
    "model_404": Fault(
        status=404,
        body=b'{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}',
    ),
    "overloaded": Fault(
        status=503, body=b'{"error":{"message":"queue is full","type":"ServiceUnavailable","code":503}}'
    ),
    "html": Fault(status=502, content_type="text/html", body=b"<html><h1>502 Bad Gateway</h1></html>"),
    "html_200": Fault(status=200, content_type="text/html", body=b"<html><h1>Log in</h1></html>"),
    "too_long": Fault(
        status=400,
        body=b'{"error":{"message":"This model\'s maximum context length is 8192 tokens. However, your prompt contains at least 8193 input tokens.",'
        b'"type":"BadRequestError","param":"input_tokens","code":400}}',
    ),
}


async def _events(body: Any, behaviour: Behaviour, fault: Fault) -> AsyncIterator[bytes]:
    n, model = body.get("n") or 1, body["model"]
    options = body.get("stream_options") or {}
    whole = len(str(body.get("messages") or body.get("prompt")).split())
    prompt_tokens = whole if behaviour.reads is None else behaviour.reads
    tokens = min(behaviour.tokens, body.get("max_tokens") or behaviour.tokens)

    is_llama = behaviour.owned_by == "llamacpp"

    def chunk(choices: list[Any], usage: int | None) -> bytes:
        value: dict[str, Any] = {
            "id": "chatcmpl-f",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": model,
            "choices": choices,
        }
        if is_llama:  # the choices come first, and in them the index in the middle
            del value["choices"]
            ordered = [{key: choice[key] for key in ("finish_reason", "index", "delta")} for choice in choices]
            value = {"choices": ordered, **value}
        if usage is not None and is_llama and choices:
            value["timings"] = {"prompt_n": prompt_tokens, "predicted_n": usage}
        elif usage is not None:
            value["usage"] = {
                "prompt_tokens": prompt_tokens,
                "total_tokens": prompt_tokens + usage,
                "completion_tokens": usage,
            }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    live = body.get("timings_per_token") if is_llama else options.get("continuous_usage_stats")
    merged: list[bytes] = []
    for at in range(tokens + 1):
        for index in range(n):
            if fault.after is not None and at == fault.after:
                for event in fault.then:
                    yield event
                return
            empty = None if is_llama else ""
            delta = {"role": "assistant", "content": empty} if at == 0 else {"content": WORDS[(at - 1) % len(WORDS)]}
            finish = "stop" if at == tokens else None
            data = chunk(
                [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}],
                at if live else None,
            )
            if fault.is_merged and at < tokens:
                merged.append(data)
                continue
            yield fault.change(b"data: " + b"".join([*merged, data]) + b"\n\n")
            merged = []
            if is_llama and finish and options.get("include_usage"):
                yield fault.change(b"data: " + chunk([], tokens) + b"\n\n")
    if options.get("include_usage") and not is_llama:
        yield fault.change(b"data: " + chunk([], tokens * n) + b"\n\n")
    yield fault.change(DONE)


def _whole(body: Any, tokens: int) -> Any:
    text = said(tokens)
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i in range(body.get("n") or 1)
    ]
    return {
        "id": "chatcmpl-f",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": choices,
        "usage": {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": tokens + 3},
    }


def _templated(body: Any) -> str:
    """A conversation as one text: a word for each role and one to end it."""
    return " ".join(f"<{message['role']}> {message['content']} <end>" for message in body["messages"])


def said(tokens: int) -> str:
    """The text of an answer of that many tokens."""
    return "".join(_words(tokens))


def _words(tokens: int) -> list[str]:
    return [WORDS[at % len(WORDS)] for at in range(tokens)]


async def _read_request(reader: asyncio.StreamReader) -> Recorded | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Recorded(method, path, headers, body)


async def _json(writer: asyncio.StreamWriter, status: int, value: Any) -> bool:
    return await _raw(writer, status, "application/json", json.dumps(value).encode())


async def _raw(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes, more: bytes = b"") -> bool:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    writer.write(head.encode() + more + b"\r\n" + body)
    await writer.drain()
    return True
