"""A cluster without Ray: nodes in this process, each with a folder of its own for trees. What travels is pickled, as Ray does it."""

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.on_ray.cluster import Cluster
from dce.workspace.judging.lanes.on_ray.node import Node
from dce.workspace.judging.lanes.on_ray.workers import Found, WorkerGone, Workers

Fault = Callable[[str, str, tuple[Any, ...]], bool]
"""Whether a node dies at this call: the node's name, the method's, its arguments."""


class Here(Cluster):
    """A cluster of nodes `a`, `b`, … in this process."""

    def __init__(self, place: Path, names: str = "ab", cpus: int = 2, fault: Fault | None = None) -> None:
        super().__init__("ray://here:10001")
        self.cpus = cpus
        self.fault = fault or (lambda *_: False)
        self.calls: list[tuple[str, str]] = []
        self.dead: set[str] = set()
        self.ended: list[str] = []
        self._place = place
        self._names = names
        self._started: list[str] = []

    def _connected(self) -> Workers:
        self.workers = self.workers or Workers(self._start, self.cpus, self.address)
        return self.workers

    def _await_idle(self) -> None:
        """Stays connected."""

    def _start(self, avoided: str) -> Found:
        names = [name for name in self._names if name not in self.dead | {avoided}]
        found: Found = Found()
        if names:
            name = min(names, key=self._started.count)
            self._started.append(name)
            found.set_result(_Worker(self, name, Node(place=self._place / f"trees-{name}")))
        else:
            found.set_exception(DceError("cluster_unreachable", "the cluster has no node left"))
        return found


class _Worker:
    def __init__(self, cluster: Here, name: str, node: Node) -> None:
        self._cluster = cluster
        self._node = node
        self._is_ended = False
        self.node = name

    async def call(self, name: str, *arguments: Any, timeout_s: float) -> Any:
        self._cluster.calls.append((self.node, name))
        if self._cluster.fault(self.node, name, arguments):
            self._cluster.dead.add(self.node)
        if self._is_ended or self.node in self._cluster.dead:
            raise WorkerGone(self.node)
        sent = pickle.loads(pickle.dumps(arguments))
        answered = pickle.loads(pickle.dumps(await asyncio.to_thread(self._node.call, name, *sent)))
        if answered.error is not None:
            raise DceError(answered.error[0], f"node {self.node}: {answered.error[1]}", hint=answered.error[2])
        return answered.result

    def end(self) -> None:
        self._is_ended = True
        self._cluster.ended.append(self.node)
        self._node.close()
