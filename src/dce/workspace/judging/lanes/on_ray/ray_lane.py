"""A lane on a node of a cluster, as the rest of DCE sees it: a `Lane` whose folders here are kept like those over there.

What must always hold: a command whose node went away runs once more on another one, with the lane as far as it is known here; a second
time there is no verdict. A lane that is given up ends on its node too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.finishing import in_thread
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.lane import Ended, Kind, RunOptions
from dce.workspace.judging.lanes.on_ray.exchange import Mirror
from dce.workspace.judging.lanes.on_ray.node import LaneSpec, Ran
from dce.workspace.judging.lanes.on_ray.workers import Worker, WorkerGone, Workers
from dce.workspace.judging.lanes.opening import LaneUnfit

OPEN_S = 120.0
"""How long a node may take to open a lane: at first it tries what it allows."""

SLACK_S = 120.0
"""How much longer than a command's own deadline its node may take to answer: it ends processes and sends files."""

_OWN_PREFIX = "DCE_"


class Opener(Protocol):
    """Sends the workspace to a worker's node and says what to open."""

    async def prepare(self, worker: Worker) -> LaneSpec:
        """The lane to open; its tree is on the node."""


class RayLane:
    """One lane. `open` makes it, `close` gives its worker back."""

    kind: Kind = "overlay"
    tmp = Path("/tmp")  # noqa: S108 - the lane's own

    def __init__(self, workers: Workers, opener: Opener, folder: LaneFolder, environ: Mapping[str, str]) -> None:
        self._workers = workers
        self._opener = opener
        self._environ = environ
        self._worker: Worker | None = None
        self._env: tuple[str, ...] = ()
        self._setup: list[tuple[tuple[str, ...], RunOptions]] = []
        self._has_setup = 0
        self.node = ""
        self.written_tmp = folder.tmp
        self.written_root, _ = folder.new_layer()
        self._tmp, self._root = Mirror(self.written_tmp), Mirror(self.written_root)

    async def open(self, settings_env: tuple[str, ...], setups: int) -> None:
        """Opens it. `settings_env`: variables that the project names for all commands; `setups`: how many of the first commands are
        its setup."""
        self._env, self._has_setup = settings_env, setups
        try:
            await self._begin("")
        except WorkerGone as gone:
            self._lose()
            await self._again(gone)

    async def run(self, command: Sequence[str], options: RunOptions) -> Ended:
        """See `Lane.run`."""
        named = {
            name: self._environ[name]
            for name in (*self._env, *options.env)
            if name in self._environ and name != "HOME" and not name.startswith(_OWN_PREFIX)
        }
        options = msgspec.structs.replace(options, env=(), variables={**named, **options.variables})
        words = tuple(command)
        try:
            ended = await self._once(words, options)
        except WorkerGone as gone:
            self._lose()
            await self._again(gone)
            try:
                ended = await self._once(words, options)
            except WorkerGone as again:
                raise self._unfit(gone, again) from again
        if len(self._setup) < self._has_setup:
            self._setup.append((words, options))
        return ended

    async def close(self, *, is_whole: bool) -> None:
        """Gives the worker back; ends it, unless the lane came to its end (`is_whole`)."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            if is_whole:
                await worker.call("close", timeout_s=OPEN_S)
        except (WorkerGone, DceError):
            is_whole = False  # what was found in the lane holds all the same
        (self._workers.give if is_whole else self._workers.drop)(worker)

    async def _begin(self, avoided: str) -> None:
        self._worker = await self._workers.take(avoided)
        self.node = self._worker.node
        spec = await self._opener.prepare(self._worker)
        await self._worker.call("open", spec, timeout_s=OPEN_S)

    async def _again(self, gone: WorkerGone) -> None:
        """The lane on another node: its setup runs again, and what its commands wrote, as far as it came back, is there."""
        try:
            await self._begin(gone.node)
            for command, options in self._setup:
                await self._once(command, options)
        except WorkerGone as again:
            raise self._unfit(gone, again) from again
        self._tmp.forget()
        self._root.forget()

    async def _once(self, command: tuple[str, ...], options: RunOptions) -> Ended:
        if self._worker is None:
            raise WorkerGone(self.node)
        tmp, root = await in_thread(lambda: (self._tmp.changes(), self._root.changes()))
        ran: Ran = await self._worker.call("run", command, options, tmp, root, timeout_s=options.timeout_s + SLACK_S)

        def apply() -> None:
            self._tmp.apply(ran.tmp)
            self._root.apply(ran.root)

        await in_thread(apply)
        return ran.ended

    def _lose(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            self._workers.drop(worker, is_lost=True)

    def _unfit(self, gone: WorkerGone, again: WorkerGone) -> LaneUnfit:
        self._lose()
        nodes = f"the node {gone.node}" if gone.node == again.node else f"the nodes {gone.node} and {again.node}"
        return LaneUnfit(f"{nodes} went away, one after the other, while the checks ran there")
