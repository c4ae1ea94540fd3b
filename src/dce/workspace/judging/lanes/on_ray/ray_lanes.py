"""Lanes on the nodes of a Ray cluster: the workspace's tree goes to each node once, by content; then lanes are opened there.

What must always hold: nothing is connected to, and nothing sent, before the user has agreed to it (`begin` is called then); a lane shows the
workspace as it is when the lane is opened.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import msgspec

from dce.workspace.judging.lanes.finishing import finished, in_thread
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.lane import Kind, LaidFile, Lane
from dce.workspace.judging.lanes.on_ray.cluster import Cluster
from dce.workspace.judging.lanes.on_ray.manifest import FILE, Manifest, Walker, encoded, place
from dce.workspace.judging.lanes.on_ray.node import LaneSpec
from dce.workspace.judging.lanes.on_ray.ray_lane import RayLane
from dce.workspace.judging.lanes.on_ray.trees import Piece
from dce.workspace.judging.lanes.on_ray.workers import Worker
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project

MESSAGE_BYTES = 32 * 1024**2
"""How much of the workspace's files is sent at once."""

SEND_S = 600.0
"""How long one message with files may take: it is the first run on a slow line."""


class RayLanes(Lanes):
    """The lanes of one workspace on a cluster. `sent_files` and `sent_bytes`: how many contents have been sent so far."""

    def __init__(
        self, project: Project, settings: LaneSettings, cluster: Cluster, environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(project, settings, environ, ())
        self._cluster = cluster
        self._walker = Walker(str(project.root))
        self._walking = asyncio.Lock()
        self._sending: dict[str, asyncio.Lock] = {}
        self.kind: Kind = "overlay"
        self.sent_files = 0
        self.sent_bytes = 0

    async def find_kind(self) -> Kind:
        """The nodes must be able to contain; whether they are is seen when the first lane is opened."""
        return self.kind

    async def begin(self) -> None:
        """Connects."""
        await self._cluster.connect()
        self.parallel = self.settings.parallel or self._cluster.cpus

    @contextlib.asynccontextmanager
    async def _lane(self, folder: LaneFolder, files: tuple[LaidFile, ...]) -> AsyncIterator[Lane]:
        with self._cluster.used():
            lane = RayLane(await self._cluster.connect(), _Opener(self, files), folder, self.environ)
            is_whole = False
            try:
                await lane.open(self.settings.env, len(self.settings.setup))
                yield lane
                is_whole = True
            except Exception:
                is_whole = True  # a verdict, or an error of ours: the node is as good as before
                raise
            finally:
                await finished(lane.close(is_whole=is_whole))

    async def tree_on(self, worker: Worker) -> str:
        """Sees to it that the workspace's tree is on a worker's node. Returns its digest."""
        async with self._walking:
            manifest, data, digest = await in_thread(self._walk)
        async with self._sending.setdefault(worker.node, asyncio.Lock()):
            if await worker.call("lacking", digest, b"", timeout_s=SEND_S) is not None:
                await self._send(worker, manifest, data, digest)
        return digest

    def _walk(self) -> tuple[Manifest, bytes, str]:
        manifest = self._walker.manifest()
        return manifest, encoded(manifest), manifest.digest

    async def _send(self, worker: Worker, manifest: Manifest, data: bytes, digest: str) -> None:
        lacking = await worker.call("lacking", digest, data, timeout_s=SEND_S)
        if lacking is None:
            return
        parts = messages(self._walker.root, manifest, frozenset(lacking))
        while pieces := await in_thread(lambda: next(parts, None)):
            await worker.call("add", pieces, timeout_s=SEND_S)
            self.sent_files += sum(piece.is_last for piece in pieces)
            self.sent_bytes += sum(len(piece.data) for piece in pieces)
        await worker.call("build", data, timeout_s=SEND_S)


class _Opener:
    """What one lane opens, on whichever node."""

    def __init__(self, lanes: RayLanes, files: tuple[LaidFile, ...]) -> None:
        self._lanes = lanes
        self._files = files

    async def prepare(self, worker: Worker) -> LaneSpec:
        """See `Opener.prepare`."""
        lanes = self._lanes
        tree = await lanes.tree_on(worker)
        # Variables are sent with each command; the rest is the client's part.
        settings = msgspec.structs.replace(lanes.settings, env=(), setup=(), on="")
        return LaneSpec(root=str(lanes.project.root), tree=tree, settings=settings, files=self._files)


def messages(root: bytes, manifest: Manifest, lacking: frozenset[bytes]) -> Iterator[list[Piece]]:
    """The contents that are lacking, each once, in messages of bounded size; a large file goes in parts."""
    left = set(lacking)
    message: list[Piece] = []
    room = MESSAGE_BYTES
    for entry in manifest.entries:
        if entry.kind != FILE or entry.content not in left:
            continue
        left.discard(entry.content)
        for piece in _pieces(place(root, entry.path), entry.content):
            if message and len(piece.data) > room:
                yield message
                message, room = [], MESSAGE_BYTES
            message.append(piece)
            room -= len(piece.data)
    if message:
        yield message


def _pieces(path: Path, content: bytes) -> Iterator[Piece]:
    """A file in parts. One that is gone, or has changed, is not what was announced: the node says so."""
    offset = 0
    with contextlib.suppress(OSError), path.open("rb") as file:
        data = file.read(MESSAGE_BYTES)
        while following := file.read(MESSAGE_BYTES):
            yield Piece(content, offset, data, is_last=False)
            offset, data = offset + len(data), following
        yield Piece(content, offset, data)
        return
    yield Piece(content, offset, b"")
