"""Who else reaches a backend? Harmless questions asked without its key, and ports that should be closed. For `dce gateway check`.

A backend that others reach is a gateway that nobody needs: no key, no limit, no ledger. And some servers have routes and ports
that run code for whoever asks. Only GET is ever asked; a port is opened and closed again.
"""

import asyncio
import contextlib
import socket
from email.utils import parsedate_to_datetime

import msgspec

from dce.gateway.backends.transport import Address, Transport, json_headers, request_head
from dce.gateway.backends.upstream import Upstream
from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine

ASK_TIMEOUT_S = 5.0
PORT_TIMEOUT_S = 1.0
"""A port on the same network answers in a thousandth of that; one behind a firewall never does."""
MAX_BYTES = 64 * 1024


class Caution(msgspec.Struct, frozen=True, kw_only=True):
    """Something that works and should be mended."""

    name: str
    detail: str
    fix: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one backend. `date`: its clock, seconds since the epoch, if it tells it."""

    url: str
    date: float | None
    cautions: tuple[Caution, ...]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: its status (0: none came) and its Date."""

    status: int
    date: str = ""


ROUTES: tuple[tuple[str, str, str, str], ...] = (
    (
        "dev_mode",
        "/is_sleeping",
        "runs in development mode (VLLM_SERVER_DEV_MODE): whoever reaches it can put it to sleep or run code in it, with no key",
        "Unset VLLM_SERVER_DEV_MODE and restart vLLM.",
    ),
    (
        "lora_updating",
        "/v1/load_lora_adapter",
        "loads adapters for whoever reaches it (VLLM_ALLOW_RUNTIME_LORA_UPDATING)",
        "Unset VLLM_ALLOW_RUNTIME_LORA_UPDATING and restart vLLM.",
    ),
)
"""Routes a backend should not have: the caution's name, the path, what it means, what to do. One that exists answers GET with
200 or 405, one that does not with 404. (vLLM 0.32 has /inference/v1/abort_requests in any case; request ids are random, so it is not listed.)"""

PORTS: tuple[tuple[int, str], ...] = (
    (6379, "Ray's control store, or a Redis"),
    (8265, "Ray's dashboard, which runs jobs for whoever asks"),
    (10001, "Ray's client port, which runs code for whoever asks"),
    (5557, "vLLM's KV events (ZMQ)"),
    (5600, "vLLM's NIXL side channel, which reads pickles"),
)
"""Ports of what runs beside vLLM; none of them asks for a key."""


async def exposed(upstream: Upstream, transport: Transport) -> Found:
    """Looks at one backend that is up."""
    told = await _get(upstream, transport, "/v1/models", upstream.settings.key)
    cautions = [
        *await _open_door(upstream, transport),
        *await _routes(upstream, transport),
        *await _ports(upstream.address),
    ]
    return Found(url=upstream.url, date=_seconds(told.date), cautions=tuple(cautions))


async def _open_door(upstream: Upstream, transport: Transport) -> list[Caution]:
    url, address = upstream.url, upstream.address
    is_open = (await _get(upstream, transport, "/v1/models", "")).status == 200
    found: list[Caution] = []
    if is_open and upstream.settings.key:
        found.append(
            Caution(
                name="key_not_asked",
                detail=f"{url} was given a key here and answers without it",
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
                    fix="Use a network that is the servers' own, or TLS at the backend (vLLM: --ssl-keyfile, --ssl-certfile).",
                )
            )
    elif is_open and (outside := own_address()) and await _connects(outside, address.port):
        found.append(_bypass(url, f"{outside}:{address.port} too"))
    return found


def _bypass(url: str, where: str) -> Caution:
    return Caution(
        name="bypass",
        detail=f"{url} answers on {where}, without a key: whoever reaches that address goes round the gateway's keys, limits and ledger",
        fix="Have it listen on 127.0.0.1 (vLLM: --host 127.0.0.1) or behind a firewall, and give it a key (--api-key; `key` here).",
    )


async def _routes(upstream: Upstream, transport: Transport) -> list[Caution]:
    if (await _get(upstream, transport, "/dce-check-no-such-route", "")).status != 404:
        return []  # a server that answers anything says nothing by answering
    return [
        Caution(name=name, detail=f"{upstream.url} {what}", fix=fix)
        for name, path, what, fix in ROUTES
        if (await _get(upstream, transport, path, "")).status in (200, 405)
    ]


async def _ports(address: Address) -> list[Caution]:
    """Only of another machine, and of this one as others see it: what listens on loopback alone is nobody's business."""
    host = own_address() if is_this_machine(address.host) else address.host
    if not host:
        return []
    answers = await asyncio.gather(*(_connects(host, port) for port, _ in PORTS))
    return [
        Caution(
            name="open_port",
            detail=f"{host}:{port} is open: {what}",
            fix="Close it to all but the model servers themselves (a firewall, or a network of their own).",
        )
        for (port, what), is_open in zip(PORTS, answers, strict=True)
        if is_open
    ]


def own_address() -> str:
    """This machine's address on its network; empty without one. Nothing is sent."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asker, contextlib.suppress(OSError):
        asker.connect(("192.0.2.1", 9))  # documentation's own network: nobody is there
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


async def _get(upstream: Upstream, transport: Transport, path: str, key: str) -> Told:
    head = request_head("GET", upstream.prefix + path, upstream.address, json_headers(key, "check"), 0)
    try:
        exchange = await transport.open(upstream.address, [head], ASK_TIMEOUT_S)
        status, date = exchange.status, exchange.header(b"date").decode("latin-1")
        await exchange.read(MAX_BYTES)
    except DceError:
        return Told(status=0)
    return Told(status=status, date=date)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
