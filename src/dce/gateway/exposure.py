"""Who else can reach a backend? Harmless requests without its key, and ports that should be closed. For `dce gateway check`.

If others can reach a backend, they can bypass the gateway: no key, no limit, no ledger. Some servers also have routes and ports
that run code for anyone. Only GET requests are sent; a port is opened and closed again.
"""

import asyncio
import contextlib
import socket
from email.utils import parsedate_to_datetime

import msgspec

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.transport import Address, Transport, json_headers, request_head
from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine

ASK_TIMEOUT_S = 5.0
PORT_TIMEOUT_S = 1.0
"""A port on the same network answers within a millisecond; one behind a firewall never does."""
MAX_BYTES = 64 * 1024


class Caution(msgspec.Struct, frozen=True, kw_only=True):
    """Something that works but should be fixed."""

    name: str
    detail: str
    fix: str


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one backend. `date`: its clock in seconds since the epoch, None if it sends no Date header."""

    url: str
    date: float | None
    cautions: tuple[Caution, ...]


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: its status (0: no answer) and its Date header."""

    status: int
    date: str = ""


ROUTES: tuple[tuple[str, str, str, str], ...] = (
    (
        "dev_mode",
        "/is_sleeping",
        "runs in development mode (VLLM_SERVER_DEV_MODE): anyone who can reach it can put it to sleep or run code in it, without a key",
        "Unset VLLM_SERVER_DEV_MODE and restart vLLM.",
    ),
    (
        "lora_updating",
        "/v1/load_lora_adapter",
        "loads adapters for anyone who can reach it (VLLM_ALLOW_RUNTIME_LORA_UPDATING)",
        "Unset VLLM_ALLOW_RUNTIME_LORA_UPDATING and restart vLLM.",
    ),
)
"""Routes a backend should not have: the caution's name, the path, what it means, the fix. An existing route answers GET with
200 or 405, a missing one with 404. (vLLM 0.32 always has /inference/v1/abort_requests; request ids are random, so it is not listed.)"""

PORTS: tuple[tuple[int, str], ...] = (
    (6379, "Ray's control store, or a Redis"),
    (8265, "Ray's dashboard, which runs jobs for anyone"),
    (10001, "Ray's client port, which runs code for anyone"),
    (5557, "vLLM's KV events (ZMQ)"),
    (5600, "vLLM's NIXL side channel, which unpickles what it receives"),
)
"""Ports of services that run beside vLLM; none of them asks for a key."""


async def exposed(backend: Backend, transport: Transport) -> Exposure:
    """Checks one backend that is up."""
    answer = await _get(backend, transport, "/v1/models", backend.settings.key)
    cautions = [
        *await _open_door(backend, transport),
        *await _routes(backend, transport),
        *await _ports(backend.address),
    ]
    return Exposure(url=backend.url, date=_seconds(answer.date), cautions=tuple(cautions))


async def _open_door(backend: Backend, transport: Transport) -> list[Caution]:
    url, address = backend.url, backend.address
    is_open = (await _get(backend, transport, "/v1/models", "")).status == 200
    found: list[Caution] = []
    if is_open and backend.settings.key:
        found.append(
            Caution(
                name="key_not_asked",
                detail=f"{url} has a key in this configuration but also answers without it",
                fix="Start it with that key (vLLM: --api-key, or VLLM_API_KEY).",
            )
        )
    if not is_this_machine(address.host):
        if is_open:
            found.append(_bypass(url, str(address)))
        if address.scheme == "http":
            found.append(
                Caution(
                    name="plain_backend",
                    detail=f"prompts go to {url} in plain HTTP over a network",
                    fix="Use a private network between the servers, or TLS at the backend (vLLM: --ssl-keyfile, --ssl-certfile).",
                )
            )
    elif is_open and (outside := own_address()) and await _connects(outside, address.port):
        found.append(_bypass(url, f"{outside}:{address.port} too"))
    return found


def _bypass(url: str, where: str) -> Caution:
    return Caution(
        name="bypass",
        detail=f"{url} answers on {where} without a key: anyone who can reach that address bypasses the gateway's keys, limits and ledger",
        fix="Make it listen on 127.0.0.1 (vLLM: --host 127.0.0.1) or behind a firewall, and give it a key (--api-key; `key` here).",
    )


async def _routes(backend: Backend, transport: Transport) -> list[Caution]:
    if (await _get(backend, transport, "/dce-check-no-such-route", "")).status != 404:
        return []  # from a server that answers any path, an answer means nothing
    return [
        Caution(name=name, detail=f"{backend.url} {what}", fix=fix)
        for name, path, what, fix in ROUTES
        if (await _get(backend, transport, path, "")).status in (200, 405)
    ]


async def _ports(address: Address) -> list[Caution]:
    """The open ports of another machine, or of this one as others see it: a port open on loopback only is no risk."""
    host = own_address() if is_this_machine(address.host) else address.host
    if not host:
        return []
    answers = await asyncio.gather(*(_connects(host, port) for port, _ in PORTS))
    return [
        Caution(
            name="open_port",
            detail=f"{host}:{port} is open: {what}",
            fix="Close it to everything but the model servers (a firewall, or a private network).",
        )
        for (port, what), is_open in zip(PORTS, answers, strict=True)
        if is_open
    ]


def own_address() -> str:
    """This machine's address on its network; empty if it has none. Nothing is sent."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asker, contextlib.suppress(OSError):
        asker.connect(("192.0.2.1", 9))  # the range reserved for documentation: no host is there
        host = str(asker.getsockname()[0])
        return "" if is_this_machine(host) or host == "0.0.0.0" else host  # noqa: S104 - what the system answers for "none"
    return ""


async def _connects(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PORT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def _get(backend: Backend, transport: Transport, path: str, key: str) -> ProbeResult:
    head = request_head("GET", backend.prefix + path, backend.address, json_headers(key, "check"), 0)
    try:
        exchange = await transport.open(backend.address, [head], ASK_TIMEOUT_S)
        status, date = exchange.status, exchange.header(b"date").decode("latin-1")
        await exchange.read(MAX_BYTES)
    except DceError:
        return ProbeResult(status=0)
    return ProbeResult(status=status, date=date)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
