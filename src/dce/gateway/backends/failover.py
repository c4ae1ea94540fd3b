"""The backends one request may be sent to, one after the other, and when it may be sent again.

Only before its first byte reached the client. A request that no backend has answered is sent again even if the connection broke
after it was sent: generating changes nothing, a broken connection makes a backend stop, and whatever it may have computed nobody
has seen. So at worst a computation is paid twice; nothing is ever said twice. Two things bound the harm of a request that kills
whoever runs it: it is sent at most `max_retries` times more, and what failed with an answer of its own (a 5xx, a 404) is asked
only of another backend. Silence until a timeout is not retried: the caller has waited long enough. Requests that would leave
something behind in a backend do not get here: bodies of stored or background responses are refused. A response that has begun is
not retried on a client's wish either: what it said is kept by the client, which asks for another version of that slot alone.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from dce.gateway.backends.backend import Backend, Lease
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.routing import AffinityKey, Policy, place, usable
from dce.gateway.backends.transport import Exchange
from dce.wire.errors import DceError

RETRY_WAIT_S = 0.5
"""Before the same backend is asked again, doubled each time: a supervisor restarts a server in about a second."""

_ANYWHERE = frozenset({"backend_unreachable", "stream_interrupted"})
"""The connection failed: the next attempt may be with the same backend, restarted."""
_ELSEWHERE = frozenset({"backend_error", "backend_unauthorized", "model_not_found", "route_not_found"})
"""The backend itself said no: another may say yes."""

Sleep = Callable[[float], Awaitable[None]]
Send = Callable[[Backend], Awaitable[Exchange]]
OnRetry = Callable[[Backend, Backend], None]
"""Told of each request that is sent again: the backend that failed it, then the one that gets it."""


class Dispatcher:
    """Places requests on backends."""

    def __init__(
        self,
        catalog: Catalog,
        policy: Policy,
        max_retries: int,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        on_retry: OnRetry = lambda _failed, _next: None,
    ) -> None:
        self.catalog = catalog
        self.policy = policy
        self.max_retries = max_retries
        self.sleep = sleep
        self.chance = chance
        self.on_retry = on_retry

    def choose(self, model: str, key: AffinityKey) -> Backend:
        """The backend for a request that does not count as load."""
        return self.policy.choose(usable(self.catalog.candidates(model)), key)

    def one(self, model: str, key: AffinityKey, weight: int) -> "Attempts":
        """A place for one request of that many responses. Raises no_healthy_backend."""
        return Attempts(self, model, key, self.choose(model, key).lease(weight), weight)

    def many(self, model: str, key: AffinityKey, n: int) -> list[tuple["Attempts", list[int]]]:
        """Places for the requests of N responses, each with the responses it carries. Raises no_healthy_backend."""
        candidates = usable(self.catalog.candidates(model))
        placed: list[tuple[Attempts, list[int]]] = []
        for backend, count in place(n, self.policy.choose(candidates, key), candidates):
            first = sum(len(indices) for _, indices in placed)
            for part in backend.plan(count):
                indices = [first + index for index in part]
                placed.append((Attempts(self, model, key, backend.lease(len(part)), len(part)), indices))
        return placed


class Attempts:
    """One request's way: the place it was given, then others. `weight` is the number of responses it carries now."""

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

    @property
    def backend(self) -> Backend:
        """The backend that has the request, or had it last."""
        return self.lease.backend

    async def open(self, send: Send) -> Exchange:
        """Sends the request to one backend after the other until one answers. Raises the last error when none is left."""
        while True:
            if self._failure is not None:
                await self._move(self._failure)
            try:
                return await send(self.backend)
            except DceError as error:
                if not self.fail(error):
                    raise
            except BaseException:
                self.lease.abandon()
                raise

    def fail(self, error: DceError, weight: int | None = None) -> bool:
        """The backend that has the request failed it. Whether it may be sent again, for the `weight` responses that it still
        has to bring; `open` does it."""
        self.lease.end(error)
        self._failure = error
        self._weight = self._weight if weight is None else weight
        is_possible = error.code in _ANYWHERE or (error.code in _ELSEWHERE and bool(self._others()))
        if self._left <= 0 or not is_possible:
            return False
        self._left -= 1
        return True

    async def _move(self, failure: DceError) -> None:
        """Takes a place on another backend; if there is no other, after a wait on one that was tried. Raises `failure` when
        none serves the model and no attempt is left."""
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
        """Backends that have not failed this request and let one through."""
        others = [one for one in self._fitting() if one not in self._tried]
        return [one for one in others if one.breaker.admits()]

    def _fitting(self) -> Sequence[Backend]:
        """Backends that serve the model and can take the request as it is."""
        return [one for one in self._dispatcher.catalog.candidates(self._model) if one.takes(self._weight)]
