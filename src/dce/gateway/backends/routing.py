"""Backend selection: pure policies, one class each, behind one method. All state is in the backends.

Prefilling a long prompt is the main cost; a backend with its beginning in the prefix cache saves it. So requests with the same
beginning should go to the same backend, and the N responses of one generation stay together, as long as nobody waits because of it.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from dce.gateway.access.auth import Principal
from dce.gateway.backends.backend import Backend
from dce.wire.errors import DceError

Routing = Literal["least_loaded", "prefix", "session"]

PREFIX_CHARS = 4096
"""How much of the prompt's beginning is compared: instructions and the first files."""
LOAD_FACTOR = 1.25
"""A backend gets requests by affinity up to this multiple of its fair share of the running responses."""
MAX_SESSION_CHARS = 200


class AffinityKey(msgspec.Struct, frozen=True, kw_only=True):
    """What ties a request to a backend. Taken from parsed fields only, never from text that looks like one."""

    owner: str = ""
    """The caller: callers share no prefix cache, so they need not share a backend."""
    prefix: str = ""
    session: str = ""


def affinity_key(principal: Principal, session: str, fields: Mapping[str, Any]) -> AffinityKey:
    """The affinity key of a request. `session` is the X-DCE-Session header; if it is empty, the body's `user` is used. The owner is
    the caller's prefix-cache salt, empty where callers share the cache."""
    user = fields.get("user")
    named = session or (user if isinstance(user, str) else "")
    return AffinityKey(owner=principal.cache_salt, prefix=prefix_of(fields), session=named[:MAX_SESSION_CHARS])


class Policy(Protocol):
    """Chooses among the backends that can take a request."""

    def choose(self, candidates: Sequence[Backend], key: AffinityKey) -> Backend:
        """One of the candidates; there is at least one."""


class LeastLoaded:
    """The backend with the fewest running responses; ties go to the first, so that a lone client keeps its prefix cache."""

    def choose(self, candidates: Sequence[Backend], key: AffinityKey) -> Backend:
        del key
        return min(candidates, key=lambda backend: backend.in_flight)


class PrefixAffinity:
    """The backend that has probably cached this prompt's beginning. Rendezvous hashing: only the keys of a backend that joins or
    leaves move. A backend with more than its share of the load is skipped for the next in the key's order."""

    def choose(self, candidates: Sequence[Backend], key: AffinityKey) -> Backend:
        running = sum(backend.in_flight for backend in candidates)
        bound = math.ceil(LOAD_FACTOR * (running + 1) / len(candidates))
        identity = self._identity(key)
        ordered = sorted(candidates, key=lambda backend: _score(identity, backend.url), reverse=True)
        return next(backend for backend in ordered if backend.in_flight < bound)

    def _identity(self, key: AffinityKey) -> bytes:
        return _joined(key.owner, key.prefix)


class Session(PrefixAffinity):
    """The backend of the named session; without a name, that of the prompt's beginning."""

    def _identity(self, key: AffinityKey) -> bytes:
        return _joined(key.owner, "session", key.session) if key.session else super()._identity(key)


POLICIES: Mapping[Routing, type[LeastLoaded] | type[PrefixAffinity]] = {
    "least_loaded": LeastLoaded,
    "prefix": PrefixAffinity,
    "session": Session,
}


def place(n: int, chosen: Backend, candidates: Sequence[Backend]) -> list[tuple[Backend, int]]:
    """Divides N responses among backends. All go to `chosen`, where they share one prefill, except those beyond its known capacity,
    which go to idle backends. If none is idle, they wait at `chosen`."""
    free = n if chosen.capacity is None else max(0, chosen.capacity - chosen.in_flight)
    here = min(n, free)
    placed: list[tuple[Backend, int]] = []
    left = n - here
    for other in candidates:
        if left and other is not chosen and other.in_flight == 0:
            there = min(left, left if other.capacity is None else other.capacity)
            placed.append((other, there))
            left -= there
    here += left
    return [(chosen, here), *placed] if here else placed


def usable(candidates: Sequence[Backend]) -> Sequence[Backend]:
    """The candidates whose breaker admits a request; all of them if none does, because a refusal by the gateway would be no better
    than one by the backend, and a caller whose requests fail must not shut out the others. Raises no_healthy_backend."""
    if not candidates:
        raise DceError("no_healthy_backend", "the backend that served this model has just gone down", retry_after_s=2)
    return [backend for backend in candidates if backend.breaker.admits()] or candidates


def prefix_of(fields: Mapping[str, Any]) -> str:
    """The beginning of the prompt in a decoded body of any dialect, at most PREFIX_CHARS."""
    pieces: list[str] = []
    left = PREFIX_CHARS
    for name in ("system", "instructions", "messages", "prompt", "input"):
        for text in _texts(fields.get(name)):
            pieces.append(text[:left])
            left -= len(pieces[-1])
            if left <= 0:
                return "".join(pieces)
    return "".join(pieces)


def _texts(value: Any) -> Sequence[str]:
    """The texts of a prompt, of messages, or of message parts, in order; only the first few, enough for the beginning."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _texts(value.get("content", value.get("text")))
    if isinstance(value, list):
        if value and isinstance(value[0], int):
            return [repr(value[:PREFIX_CHARS])]  # token ids
        return [text for item in value[:8] for text in _texts(item)]
    return []


def _joined(*parts: str) -> bytes:
    return "\0".join(parts).encode("utf-8", "surrogatepass")


def _score(identity: bytes, url: str) -> bytes:
    return hashlib.blake2b(
        identity, digest_size=8, person=hashlib.blake2b(url.encode(), digest_size=16).digest()
    ).digest()
