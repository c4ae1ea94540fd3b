"""Retries and failover: which backends a request is sent to, one after the other, and when it may be sent again.

A request is retried only before its first byte has reached the client. It is retried even if the connection broke after it was sent:
generating has no side effects, a broken connection makes the backend stop, and nobody has seen its output. At worst a computation is
paid for twice; no text is delivered twice. Two rules limit the damage of a request that crashes its backend: it is retried at most
`max_retries` times, and after an error answer (a 5xx, a 404) only on another backend. A timeout is not retried: the caller has waited
long enough. A backend that says it is busy (429, or 503 while it loads) is asked again, within limits of its own (busy.py), unless another
one can take the request. Requests with side effects never get here: bodies that ask for stored or background responses are refused. A response
that has started is not retried at the client's request either: the client keeps its text and asks for a new version of that slot.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from dce.gateway.backends.backend import Backend, Lease
from dce.gateway.backends.busy import BusyWait, OnBusy, Sleep, is_busy, tell_nobody
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.routing import AffinityKey, Policy, place, usable
from dce.gateway.backends.transport import Exchange
from dce.wire.errors import DceError

RETRY_WAIT_S = 0.5
"""Wait before retrying the same backend, doubled each time: a supervisor restarts a server in about a second."""

_ANYWHERE = frozenset({"backend_unreachable", "stream_interrupted"})
"""The connection failed: the retry may go to the same backend, which may have restarted."""
_ELSEWHERE = frozenset({"backend_error", "backend_unauthorized", "model_not_found", "route_not_found"})
"""The backend answered with an error: only another backend is tried."""

Send = Callable[[Backend], Awaitable[Exchange]]
OnRetry = Callable[[Backend, Backend], None]
"""Called for each retry with the backend that failed and the one tried next."""


class Dispatcher:
    """Assigns requests to backends."""

    def __init__(
        self,
        catalog: Catalog,
        policy: Policy,
        max_retries: int,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        on_retry: OnRetry = lambda _failed, _next: None,
        busy_timeout_s: float = 0.0,
    ) -> None:
        self.catalog = catalog
        self.policy = policy
        self.max_retries = max_retries
        self.sleep = sleep
        self.chance = chance
        self.on_retry = on_retry
        self._busy_timeout_s = busy_timeout_s

    def busy_wait(self) -> BusyWait:
        """The waits of one request for busy backends."""
        return BusyWait(self._busy_timeout_s, self.sleep, self.chance)

    def choose(self, model: str, key: AffinityKey) -> Backend:
        """The backend for a request that does not count towards the load."""
        return self.policy.choose(usable(self.catalog.candidates(model)), key)

    def one(self, model: str, key: AffinityKey, weight: int) -> "Attempts":
        """Assigns one request of `weight` responses. Raises no_healthy_backend."""
        return Attempts(self, model, key, self.choose(model, key).lease(weight), weight)

    def many(self, model: str, key: AffinityKey, n: int) -> list[tuple["Attempts", list[int]]]:
        """Assigns the requests for N responses, each with the indices it carries. Raises no_healthy_backend."""
        candidates = usable(self.catalog.candidates(model))
        placed: list[tuple[Attempts, list[int]]] = []
        for backend, count in place(n, self.policy.choose(candidates, key), candidates):
            first = sum(len(indices) for _, indices in placed)
            for part in backend.plan(count):
                indices = [first + index for index in part]
                placed.append((Attempts(self, model, key, backend.lease(len(part)), len(part)), indices))
        return placed


class Attempts:
    """One request's attempts: the backend it was assigned to, then others. `weight` is the number of responses it still carries."""

    def __init__(self, dispatcher: Dispatcher, model: str, key: AffinityKey, first: Lease, weight: int) -> None:
        self.lease = first
        self._dispatcher = dispatcher
        self._model = model
        self._key = key
        self._weight = weight
        self._left = dispatcher.max_retries
        self._waits = 0
        self._tried = {first.backend}
        self._failure: DceError | None = None
        self._is_waiting = False
        """Whether the next attempt waits for room first."""
        self._busy = dispatcher.busy_wait()

    @property
    def backend(self) -> Backend:
        """The backend of the current or last attempt."""
        return self.lease.backend

    async def open(self, send: Send, tell: OnBusy = tell_nobody) -> Exchange:
        """Sends the request to one backend after the other until one answers. Raises the last error when no attempt is left. `tell` is
        called while it waits for a busy backend."""
        while True:
            if self._failure is not None:
                await self._move(self._failure, tell)
            try:
                return await send(self.backend)
            except DceError as error:
                if not self.fail(error):
                    raise
            except BaseException:
                self.lease.abandon()
                raise

    def fail(self, error: DceError, weight: int | None = None) -> bool:
        """The current attempt failed. Returns whether the request may be retried for the `weight` responses still missing; `open`
        does so."""
        self.lease.end(error)
        self._failure = error
        self._weight = self._weight if weight is None else weight
        has_other = bool(self._others())
        self._is_waiting = False
        if self._left > 0 and (error.code in _ANYWHERE or (has_other and (error.code in _ELSEWHERE or is_busy(error)))):
            self._left -= 1
            return True
        self._is_waiting = self._busy.has_time(error)
        return self._is_waiting

    async def _move(self, failure: DceError, tell: OnBusy) -> None:
        """Moves to another backend or, if there is none, after a wait to one tried before. Raises `failure` when no backend serves
        the model and no attempt is left."""
        if self._is_waiting:
            await self._busy.wait(failure, tell)
            self._tried.clear()  # after the wait, any of them may have room
        while not (candidates := self._others()):
            await self._dispatcher.sleep(RETRY_WAIT_S * 2**self._waits * (0.5 + self._dispatcher.chance()))
            self._waits += 1
            if candidates := self._fitting():
                break
            if self._left <= 0:
                raise failure
            self._left -= 1
        failed = self.backend
        self.lease = self._dispatcher.policy.choose(usable(candidates), self._key).lease(self._weight)
        self._dispatcher.on_retry(failed, self.backend)
        self._tried.add(self.backend)

    def _others(self) -> Sequence[Backend]:
        """Backends not yet tried for this request whose breaker admits it."""
        others = [one for one in self._fitting() if one not in self._tried]
        return [one for one in others if one.breaker.admits()]

    def _fitting(self) -> Sequence[Backend]:
        """Backends that serve the model and can take the request unchanged."""
        return [one for one in self._dispatcher.catalog.candidates(self._model) if one.takes(self._weight)]
