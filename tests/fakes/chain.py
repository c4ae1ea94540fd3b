"""A whole chain over real sockets: scripted backend, gateway with a real key, and a client that reads the stream as bytes.

`Chain` is a context manager; `Chain.ask` reads one stream to its end and gives an `Answer` that tests look into. `eventually`
is the one way to wait for something that another thread does.
"""

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from dce.gateway.access.keys import KeyStore
from dce.gateway.backends.transport import Address
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.sse import Decoder
from tests.fakes.vllm import Behaviour, FakeVllm, said

PROXY = "/api/dce/proxy"
OUR_PORTS = (18_000, 30_000)
"""Linux hands out those from 32,768 on."""
SLOW = 0.01
"""A backend's pause between tokens, for tests that act while a stream runs."""


TOKENS = 8
"""Tokens of a response of the scripted backend, if nothing else is said."""
SEED = 100
HIT = 3
"""The choice that a fault strikes when it strikes one of ten: the backend request with `seed` SEED + HIT."""


def eventually(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Returns as soon as `condition` holds; fails when it never does. The time is for a machine that does much else."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


@dataclass
class Said:
    """One choice as the client saw it."""

    text: str = ""
    finishes: list[str] = field(default_factory=list)
    error: dict[str, Any] = field(default_factory=dict)


class Answer:
    """A stream, read frame by frame."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.stream_id = response.headers.get("x-dce-stream-id", "")
        self.raw = b""
        self.ids: list[str] = []
        self.choices: dict[int, Said] = {}
        self.usage: dict[str, Any] = {}
        self.error: dict[str, Any] = {}
        self.is_done = False
        self.is_broken = False
        self._decoder = Decoder()
        self._pieces = response.iter_raw()

    def step(self) -> bool:
        """Reads the next piece; False at the end."""
        try:
            piece = next(self._pieces, None)
        except httpx2.TransportError:
            self.is_broken = True
            return False
        if piece is None:
            return False
        self.raw += piece
        for event in self._decoder.feed(piece):
            assert not self.is_done, "a frame after [DONE]"
            self.ids.append(event.id)
            if event.data == "[DONE]":
                self.is_done = True
            else:
                self._frame(msgspec.json.decode(event.data))
        return True

    def until(self, condition: Callable[["Answer"], object]) -> "Answer":
        """Reads on until the condition holds."""
        while not condition(self):
            assert self.step(), "the stream ended before that"
        return self

    def rest(self) -> "Answer":
        """Reads to the end."""
        while self.step():
            pass
        return self

    def texts(self) -> dict[int, str]:
        """What each choice said."""
        return {index: said.text for index, said in self.choices.items()}

    def ends(self) -> dict[int, list[str]]:
        """The finish reasons of each choice; a sound stream has one each."""
        return {index: said.finishes for index, said in self.choices.items()}

    def _frame(self, value: Any) -> None:
        self.error = value.get("error") or self.error
        if value.get("usage") and not value["choices"]:
            self.usage = value["usage"]
        for choice in value.get("choices", []):
            said = self.choices.setdefault(choice["index"], Said())
            said.text += choice["delta"].get("content") or ""
            said.error = choice.get("error") or said.error
            if choice["finish_reason"]:
                said.finishes.append(choice["finish_reason"])


class Chain:
    """Backend, gateway and client."""

    def __init__(self, folder: Path, *, fake: FakeVllm | None = None, key: bool = True, **settings: Any) -> None:
        self.fake = fake or FakeVllm()
        self.folder = folder / "gateway"
        self._settings: dict[str, Any] = {
            "discovery_interval_s": 0.05,
            "shutdown_timeout_s": 0.0,
            "resume_grace_s": 0.02,
        }
        self._settings |= {"busy_timeout_s": 0.0, **settings}  # tests that are not about waiting get the answer at once
        keys = KeyStore(self.folder)
        self.key = keys.create("tester")[1] if key else ""
        keys.close()

    def __enter__(self) -> "Chain":
        if not self.fake.url:
            self.fake.__enter__()
        self._settings.setdefault("backends", (BackendSettings(url=self.fake.url, key=self.fake.key),))
        settings = GatewaySettings(**{"port": 0, "no_admin": True, "data_dir": str(self.folder), **self._settings})
        self.server = GatewayServer(settings).start()
        self.client = client_of(self.server.url, self.key)
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        self.server.stop()
        self.fake.stop()

    def behave(self, **behaviour: Any) -> None:
        """What the backend does from now on; what it has recorded is forgotten."""
        self.fake.behaviour = Behaviour(owned_by=self.fake.behaviour.owned_by, **behaviour)
        self.fake.requests.clear()
        self.fake.aborted = 0

    @property
    def in_flight(self) -> int:
        """Responses that the gateway believes to be running."""
        return sum(backend.in_flight for backend in self.server.gateway.backends)

    def has_paused_stream(self) -> bool:
        """Whether some client does not read, so that its backends wait."""
        return self.server.gateway.directory.is_any_paused()

    def is_idle(self) -> bool:
        """Whether nothing runs any more, neither in the gateway nor in the backend."""
        return self.in_flight == 0 and self.fake.open_streams == 0

    def body(self, **fields: Any) -> dict[str, Any]:
        """A request body; a field that is None is left out."""
        whole = {"messages": [{"role": "user", "content": "Say something."}], "n": 1, **fields}
        return {name: value for name, value in whole.items() if value is not None}

    def post(self, path: str = PROXY, **fields: Any) -> httpx2.Response:
        """A request whose answer is read whole."""
        return self.client.post(path, json=self.body(**fields))

    @contextmanager
    def stream(self, path: str = PROXY, **fields: Any) -> Iterator[Answer]:
        """A stream that the test reads itself; leaving the block closes the connection."""
        with client_of(self.server.url, self.key) as client, client.stream("POST", path, json=self.body(**fields)) as r:
            assert r.status_code == 200, r.read()
            yield Answer(r)

    def ask(self, path: str = PROXY, **fields: Any) -> Answer:
        """A stream, read to its end."""
        with self.stream(path, **fields) as answer:
            return answer.rest()


def check_sound(answer: Answer, n: int, tokens: int = TOKENS) -> None:
    """All of the stream is as it must be when nothing went wrong."""
    assert answer.texts() == dict.fromkeys(range(n), said(tokens))
    assert answer.ends() == {index: ["stop"] for index in range(n)}
    assert answer.is_done
    assert not answer.error
    assert answer.ids == [f"{answer.stream_id}:{at + 1}" for at in range(len(answer.ids))]
    assert answer.usage["completion_tokens"] == n * tokens
    assert answer.usage["total_tokens"] == answer.usage["prompt_tokens"] + n * tokens


def client_of(url: str, key: str, **options: Any) -> httpx2.Client:
    """An HTTP client that sends the key and listens to no proxy settings of the machine."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=60, **options)


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error of an answer, its shape checked: fields, size, type, the request id of the header."""
    assert response.headers["content-type"] == "application/json"
    assert len(response.content) <= 4096
    error: dict[str, Any] = response.json()["error"]
    assert set(error) >= {"message", "type", "code", "hop", "hint", "request_id"}
    assert all(error[name] for name in ("message", "type", "code", "hop", "hint"))
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def free_port() -> int:
    """A port where nobody listens now, below those that the system hands out by itself: no connection of others takes it meanwhile."""
    for port in random.sample(range(*OUR_PORTS), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports in use")


def raw_request(url: str, data: bytes, receive_buffer: int = 0) -> socket.socket:
    """A connection on which `data` has been sent; the test reads, or does not."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60)
    connection.connect((host, int(port)))
    connection.sendall(data)
    return connection


def raw_post(key: str, body: dict[str, Any], path: str = PROXY) -> bytes:
    """The bytes of a POST."""
    encoded = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(encoded)}\r\n\r\n"
    return head.encode() + encoded


@contextmanager
def raw_listener() -> Iterator[Address]:
    """A backend that accepts and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield Address(scheme="http", host="127.0.0.1", port=listener.getsockname()[1])


def drained(connection: socket.socket) -> bytes:
    """Everything that still comes, to the end of the connection or of the last chunk."""
    received = bytearray()
    try:
        while not received.endswith(b"\r\n0\r\n\r\n") and (piece := connection.recv(1 << 20)):
            received += piece
    except OSError:
        pass
    return bytes(received)


def other_key(chain: Chain) -> str:
    """The key of somebody else."""
    keys = KeyStore(chain.folder)
    try:
        return keys.create("somebody else")[1]
    finally:
        keys.close()
