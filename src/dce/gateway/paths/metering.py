"""Metering: what each request cost, recorded once, as a ledger row per response, metrics, and fields of the request's log line.

A meter begins when the request's body has arrived, is opened when the request gets a backend, and is settled when its responses have
ended, whoever ended them. Settling twice changes nothing; a request refused before it had a backend makes no row.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from dce.gateway.accounting.ledger import EndedBy, Entry
from dce.gateway.accounting.metrics import Metrics
from dce.gateway.front.request import Request
from dce.gateway.paths.entries import RelayResult, RequestFacts, relay_entry, stream_entries
from dce.gateway.streaming.streams import Stream
from dce.wire.errors import DceError

Add = Callable[[Entry], None]
_Turn = TypeVar("_Turn")


class Metering:
    """The meters of one gateway."""

    def __init__(self, add: Add, metrics: Metrics, wall: Callable[[], float] = time.time) -> None:
        self.add = add
        self.metrics = metrics
        self.wall = wall
        self.open = 0
        """Requests that are at a backend."""

    def begin(self, request: Request) -> "RequestMeter":
        """The meter of a request whose body has just arrived."""
        return RequestMeter(self, request)


class RequestMeter:
    """One request's meter."""

    def __init__(self, metering: Metering, request: Request) -> None:
        self._metering = metering
        self.request = request
        self.text_bytes = 0
        """The prompt's size, for an estimate when the backend reports no token count (body.py)."""
        self._clock = asyncio.get_running_loop().time
        self._began_at = self._clock()
        self._started_at = metering.wall()
        self._waited_s = 0.0
        self._is_sent = False
        self._model: str | None = None
        self._tokens: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens of prompt and answers once settled; 0 before."""
        return self._tokens or 0

    async def waiting(self, turn: Awaitable[_Turn]) -> _Turn:
        """Waits for the request's turn in the queue, which does not count as overhead."""
        since = self._clock()
        try:
            return await turn
        finally:
            self._waited_s += self._clock() - since

    def open(self, model: str, n: int) -> None:
        """The request has a backend. From here on it makes ledger rows and must be settled."""
        self._model = model
        self._metering.open += 1
        self.request.log_fields.update(model=model, n=n)

    def sent(self) -> None:
        """The request is being sent to a backend. Only the first call counts."""
        if not self._is_sent:
            self._is_sent = True
            overhead_s = self._clock() - self._began_at - self._waited_s
            self._metering.metrics.request_sent(overhead_s, self._waited_s)

    def settle_stream(
        self, stream: Stream, backend_of: Callable[[int], str], by: EndedBy, fault: DceError | None = None
    ) -> None:
        """A stream's responses have ended; those still open were ended `by` someone or with `fault`."""
        if self._model is not None and self._tokens is None:
            self._settle(stream_entries(self._facts(), stream, backend_of, self._clock(), by, fault))

    def settle_relay(self, relayed: RelayResult, by: EndedBy) -> None:
        """A relayed answer has ended."""
        if self._model is not None and self._tokens is None:
            self._settle([relay_entry(self._facts(), relayed, self._clock(), by)])

    def _settle(self, entries: Sequence[Entry]) -> None:
        self._tokens = sum(entry.tokens for entry in entries)
        self._metering.open -= 1
        for entry in entries:
            self._metering.add(entry)
        self._metering.metrics.responses_ended(entries)
        backends = ",".join(dict.fromkeys(entry.backend for entry in entries))
        self.request.log_fields.update(backend=backends, tokens=self._tokens)

    def _facts(self) -> RequestFacts:
        return RequestFacts(
            request_id=self.request.id,
            key_id=self.request.principal.key_id,
            route=self.request.route,
            model=self._model or "",
            text_bytes=self.text_bytes,
            began_at=self._began_at,
            started_at=self._started_at,
        )


def ended_by(request: Request) -> EndedBy:
    """Who ended a request whose task was cancelled: its client by disconnecting, or the gateway."""
    return "client" if request.connection.is_gone else "gateway"
