"""Ends what runs for a revoked key, within a second: requests with an error that says so, streams without a client silently.

A key is revoked by another process, so somebody has to look: one timer, which runs only while there is something to end.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection

from dce.gateway.front.request import Request
from dce.gateway.streaming.live import Directory
from dce.wire.errors import DceError

EVERY_S = 0.25
"""A look costs a few µs; a leaked key must not get much further."""

log = logging.getLogger("dce.gateway")


class RunningRequests:
    """The requests in progress, each with its task. `revoked`: those of some keys that are revoked by now."""

    def __init__(self, revoked: Callable[[Collection[str]], set[str]], directory: Directory) -> None:
        self._revoked = revoked
        self._directory = directory
        self._tasks: dict[Request, asyncio.Task[object]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def began(self, request: Request, task: asyncio.Task[object]) -> None:
        """A request has come; whose it is shows later."""
        self._tasks[request] = task
        self._watch()

    def ended(self, request: Request) -> None:
        """A request is over. Its stream may run on without a client."""
        del self._tasks[request]

    def close(self) -> None:
        """The gateway stops."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        owners = {request.principal.key_id for request in self._tasks} | self._directory.owners()
        try:
            revoked = self._revoked(owners - {""})
        except sqlite3.Error as error:  # a request that comes now says so to its caller
            log.warning("keys could not be read", extra={"fields": {"fault": str(error)}})
            revoked = set()
        for request, task in self._tasks.items():
            if request.principal.key_id in revoked and request.refusal is None:
                request.refusal = DceError("invalid_key", "the key was revoked while its request was running")
                task.cancel()
        for owner in revoked:
            self._directory.end(owner)
        if self._tasks or not self._directory.is_empty:
            self._watch()
