"""A backend as bad as a seed makes it: refuses, stalls, breaks off, lies about its end, dies and comes back.

It remembers what it sent: each token names the request, the choice and its place, so that a gap, a duplicate or a mix-up
shows in the text itself.
"""

import asyncio
import random
from typing import Any, cast

import msgspec

from tests.simulation.network import End, Network

MODEL = "sim-7b"
FAULTS = ("status", "reset", "silent_end", "no_done", "stall", "garbage", "error_frame", "late")
GARBAGE = "{not json"
"""What the fault of that name says."""
MAX_TOKENS = 16


class Served(msgspec.Struct, kw_only=True):
    """One chat request and what became of it."""

    number: int
    seed: int
    n: int
    model: str
    sent: list[int]
    """Tokens written for each choice."""
    fault: str
    is_open: bool = True
    is_gone: bool = False

    def token(self, choice: int, at: int) -> str:
        """The text of a token."""
        return f"[{self.number}.{choice}.{at}]"


class SimBackend:
    """One inference server, listening on `port` of the network. `vllm` takes one response a request, `llamacpp` N."""

    def __init__(self, network: Network, rng: random.Random, port: int, owner: str, served: list[Served]) -> None:
        self.network = network
        self.rng = rng
        self.owner = owner
        self.served = served
        self.is_up = True
        self.fault_share = rng.choice((0.0, 0.0, 0.2, 0.6))
        self.connections: dict[_Connection, None] = {}  # in order: a set has one of its own each run
        self.tasks: set[asyncio.Task[None]] = set()
        network.listeners[port] = self._accept

    def _accept(self) -> asyncio.Protocol | None:
        return _Connection(self) if self.is_up else None

    async def live(self, until: "asyncio.Future[None]") -> None:
        """Dies and comes back now and then."""
        while self.rng.random() < 0.3 and not until.done():
            await asyncio.wait({until}, timeout=self.rng.uniform(0, 4))
            self.is_up = False
            for connection in list(self.connections):
                connection.end.abort()
            await asyncio.sleep(self.rng.uniform(0, 3))
            self.is_up = True

    def models(self) -> bytes:
        """The body of /v1/models."""
        card = {"id": MODEL, "object": "model", "owned_by": self.owner, "max_model_len": 4096, "meta": {"n_ctx": 4096}}
        return msgspec.json.encode({"object": "list", "data": [card]})


class _Connection(asyncio.Protocol):
    """HTTP/1.1, as much of it as the gateway speaks."""

    def __init__(self, backend: SimBackend) -> None:
        self._backend = backend
        self._in = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self.end: End

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.end = cast("End", transport)
        self._backend.connections[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._backend.connections.pop(self, None)
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def data_received(self, data: bytes) -> None:
        self._in += data
        head, separator, rest = bytes(self._in).partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(rest) < length:
            return
        self._in = bytearray(rest[length:])
        task = asyncio.get_running_loop().create_task(self._answer(head.split(b" ")[1].decode(), rest[:length]))
        self._answering = task
        self._backend.tasks.add(task)
        task.add_done_callback(self._backend.tasks.discard)

    def _whole(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self.end.write(head.encode() + body)

    async def _answer(self, path: str, body: bytes) -> None:
        if path == "/v1/models":
            self._whole(200, self._backend.models())
        elif path == "/props":
            self._whole(200, b'{"total_slots": 4}')
        else:
            await self._chat(msgspec.json.decode(body))

    async def _chat(self, ask: dict[str, Any]) -> None:
        backend, rng = self._backend, self._backend.rng
        fault = rng.choice(FAULTS) if rng.random() < backend.fault_share else "none"
        n = ask.get("n") or 1
        served = Served(
            number=len(backend.served), seed=ask.get("seed", 0), n=n, model=ask["model"], sent=[0] * n, fault=fault
        )
        backend.served.append(served)
        try:
            await asyncio.sleep(rng.choice((0.0, 0.01, 0.5)))
            if fault == "status":
                self._whole(rng.choice((429, 500, 503)), b'{"error": {"message": "no", "type": "x"}}')
                return
            if fault == "late":
                await asyncio.sleep(rng.choice((3.0, 8.0, 100.0)))
            if ask.get("stream"):
                await self._stream(served, ask)
            else:
                self._whole_answer(served)
        except asyncio.CancelledError:
            served.is_gone = True
        finally:
            served.is_open = False

    def _whole_answer(self, served: Served) -> None:
        served.sent = [3] * served.n
        choices = [
            {
                "index": i,
                "message": {"content": "".join(served.token(i, at) for at in range(3))},
                "finish_reason": "stop",
            }
            for i in range(served.n)
        ]
        usage = {"prompt_tokens": 5, "completion_tokens": 3 * served.n, "total_tokens": 5 + 3 * served.n}
        self._whole(200, msgspec.json.encode({"id": "x", "choices": choices, "usage": usage}))

    async def _stream(self, served: Served, ask: dict[str, Any]) -> None:
        rng = self._backend.rng
        breaks_after = rng.randint(0, MAX_TOKENS * served.n) if served.fault != "none" else -1
        self.end.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        is_running = (ask.get("stream_options") or {}).get("continuous_usage_stats") or ask.get("timings_per_token")
        wants = (ask.get("stream_options") or {}).get("include_usage")
        is_each = self._backend.owner == "llamacpp"  # which says the usage of each choice, vLLM that of all
        lengths = [rng.randint(1, MAX_TOKENS) for _ in range(served.n)]
        events = 0
        for at in range(max(lengths) + 1):
            for choice in range(served.n):
                if at > lengths[choice]:
                    continue
                if events == breaks_after and await self._strike(served):
                    return
                events += 1
                self._event(self._token(served, choice, at, at == lengths[choice], bool(is_running)))
                if wants and is_each and at == lengths[choice]:
                    self._usage(lengths[choice])
            await asyncio.sleep(rng.choice((0.0, 0.01, 0.1)))
        if wants and not is_each:
            self._usage(sum(lengths))
        if served.fault == "no_done":
            self.end.write(b"0\r\n\r\n")
            return
        self._event(b"[DONE]")
        self.end.write(b"0\r\n\r\n")

    def _token(self, served: Served, choice: int, at: int, is_last: bool, is_running: bool) -> bytes:
        """The `at`-th chunk of a choice: a token, or after the last one the end."""
        if not is_last:
            served.sent[choice] += 1
        delta = {} if is_last else {"content": served.token(choice, at)}
        value: dict[str, Any] = {
            "id": "x",
            "object": "chat.completion.chunk",
            "choices": [{"index": choice, "delta": delta, "finish_reason": "stop" if is_last else None}],
        }
        if is_running and self._backend.owner == "llamacpp":
            value["timings"] = {"prompt_n": 5, "predicted_n": served.sent[choice]}
        elif is_running:
            value["usage"] = {"prompt_tokens": 5, "completion_tokens": served.sent[choice], "total_tokens": 0}
        return msgspec.json.encode(value)

    def _usage(self, tokens: int) -> None:
        usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
        self._event(msgspec.json.encode({"id": "x", "choices": [], "usage": usage}))

    async def _strike(self, served: Served) -> bool:
        """The fault, in mid-stream; whether the answer ends with it."""
        if served.fault == "reset":
            self.end.abort()
        elif served.fault == "silent_end":
            self.end.write(b"0\r\n\r\n")
        elif served.fault == "stall":
            await asyncio.Event().wait()
        elif served.fault == "garbage":
            self._event(GARBAGE.encode())
        elif served.fault == "error_frame":
            self._event(b'{"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}}')
            self._event(b"[DONE]")
            self.end.write(b"0\r\n\r\n")
        else:
            return False
        return True

    def _event(self, data: bytes) -> None:
        frame = b"data: %b\n\n" % data
        self.end.write(b"%x\r\n%b\r\n" % (len(frame), frame))
