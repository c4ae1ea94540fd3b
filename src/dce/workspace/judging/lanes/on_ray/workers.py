"""The workers of a cluster: each is one process on a node, for one lane at a time. They are kept for the next lane.

What must always hold: no more of them are started than may run at once; one that is lost is never handed out again, nor are the idle ones
on its node; whoever waits gets the first that is free, or an error that says why there is none.
"""

import asyncio
import collections
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, Protocol

from dce.wire.errors import DceError

START_S = 180.0
"""How long to wait for the first worker: a cluster that grows on demand starts a machine meanwhile."""


class WorkerGone(Exception):
    """A worker, or the node on which it was, has ended or no longer answers."""

    def __init__(self, node: str) -> None:
        super().__init__(f"the node {node} went away")
        self.node = node


class Worker(Protocol):
    """A worker, ready. `node` names the machine."""

    @property
    def node(self) -> str:
        """The machine on which it runs."""

    async def call(self, name: str, *arguments: Any, timeout_s: float) -> Any:
        """Calls a method of the node's side. Raises DceError as that does, WorkerGone if the worker is lost."""

    def end(self) -> None:
        """Ends the worker and everything that it runs. Returns at once."""


Found = concurrent.futures.Future[Worker]
"""A worker to come."""

Start = Callable[[str], Found]
"""Starts a worker, not on the node that is named. It may also give an error to come."""


class Workers:
    """The workers of one connection. Any thread and any event loop may use it."""

    def __init__(self, start: Start, most: int, where: str) -> None:
        self._start = start
        self._most = most
        self._where = where
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._waiting: collections.deque[Found] = collections.deque()
        self._starting = 0
        self._live = 0

    async def take(self, avoided: str = "") -> Worker:
        """A worker for one lane. Raises DceError if none can be had."""
        waiter: Found = concurrent.futures.Future()
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._waiting.append(waiter)
            is_new = self._live + self._starting < self._most
            self._starting += is_new
        here = asyncio.wrap_future(waiter)
        try:
            if is_new:
                await asyncio.to_thread(self._begin, avoided)
            while not waiter.done():
                await asyncio.wait([here], timeout=START_S)
                self._end_if_hopeless(waiter)
        except asyncio.CancelledError:
            self._forget(waiter)
            raise
        return await here

    def give(self, worker: Worker) -> None:
        """The lane is closed: the worker is for the next one."""
        with self._lock:
            while self._waiting:
                waiter = self._waiting.popleft()
                if waiter.set_running_or_notify_cancel():
                    waiter.set_result(worker)
                    return
            self._idle.append(worker)

    def drop(self, worker: Worker, *, is_lost: bool = False) -> None:
        """Ends a worker whose lane was given up. `is_lost`: its node may be gone, so the idle ones there end too."""
        with self._lock:
            gone = [worker, *(idle for idle in self._idle if is_lost and idle.node == worker.node)]
            self._idle = [idle for idle in self._idle if idle not in gone]
            self._live -= len(gone)
            is_needed = bool(self._waiting) and self._live + self._starting < self._most
            self._starting += is_needed
        for one in gone:
            one.end()
        if is_needed:
            avoided = worker.node if is_lost else ""
            threading.Thread(target=self._begin, args=(avoided,), name="dce-lane-worker", daemon=True).start()

    def end(self) -> None:
        """Ends the idle workers: those of open lanes are given up by them."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._live -= len(idle)
        for worker in idle:
            worker.end()

    def _begin(self, avoided: str) -> None:
        try:
            self._start(avoided).add_done_callback(self._started)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            self._failed(error)

    def _started(self, found: Found) -> None:
        error = found.exception()
        if error is not None:
            self._failed(error)
            return
        with self._lock:
            self._starting -= 1
            self._live += 1
        self.give(found.result())

    def _failed(self, error: BaseException) -> None:
        """Without any worker, everybody who waits hears of it."""
        with self._lock:
            self._starting -= 1
            if self._live or self._starting:
                return
            waiting, self._waiting = list(self._waiting), collections.deque()
        for waiter in waiting:
            if waiter.set_running_or_notify_cancel():
                waiter.set_exception(error)

    def _end_if_hopeless(self, waiter: Found) -> None:
        """Ends the wait with an error if no worker has come at all."""
        with self._lock:
            if self._live or waiter.done():
                return
            self._waiting.remove(waiter)
        waiter.set_exception(
            DceError(
                "cluster_unreachable",
                f"no node of {self._where} had a processor free within {START_S:.0f} s",
                hint="`ray status` on the cluster shows who uses it. Try again, or take `on` out of [lane].",
            )
        )

    def _forget(self, waiter: Found) -> None:
        with self._lock:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                return
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self.give(waiter.result())
