"""The node's side of a lane on a cluster: keeps trees, opens an overlay lane in one, and runs commands there.

What must always hold: nothing of the client's environment is used but what it sends; a machine without namespaces runs nothing. Only
`dce.workspace.judging.lanes` and what that needs is imported here: the client sends no more of DCE to a node.
"""

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.environment import current_variables
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.hosting import Site, find_host
from dce.workspace.judging.lanes.lane import Ended, LaidFile, RunOptions
from dce.workspace.judging.lanes.on_ray.exchange import MAX_BYTES, Changes, Mirror
from dce.workspace.judging.lanes.on_ray.manifest import decoded
from dce.workspace.judging.lanes.on_ray.trees import Piece, Trees
from dce.workspace.judging.lanes.overlay import Host, OverlayLane
from dce.workspace.judging.lanes.settings import LaneSettings


class LaneSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A lane to open. `tree`: the digest of the workspace's tree, which is here; `root`: its path in the lane."""

    root: str
    tree: str
    settings: LaneSettings
    files: tuple[LaidFile, ...] = ()


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended, and what it wrote to the temporary folder and the workspace."""

    ended: Ended
    tmp: Changes
    root: Changes


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a call came to: its result, or the error's code, message and hint. An exception of ours does not travel well."""

    result: Any = None
    error: tuple[str, str, str] | None = None


class _Open(msgspec.Struct):
    """The open lane."""

    lane: OverlayLane
    folder: LaneFolder
    tmp: Mirror
    root: Mirror


class Node:
    """What a node does for one lane at a time. `environ`: the node's variables; `place`: where it keeps trees."""

    def __init__(self, environ: Mapping[str, str] | None = None, place: Path | None = None) -> None:
        found = current_variables() if environ is None else environ
        # Ray's own entries, by which a node finds what the client sends of DCE: no check may see them.
        self._environ = {name: value for name, value in found.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
        self._place = place or Path(os.path.realpath(tempfile.gettempdir())) / f"dce-trees-{os.geteuid()}"
        self._trees: Trees | None = None
        self._hosts: dict[tuple[str, str], Host] = {}
        self._open: _Open | None = None

    def call(self, name: str, *arguments: Any) -> Answered:
        """Calls a method and catches what can be expected to go wrong on a machine."""
        methods: dict[str, Callable[..., Any]] = {
            "about": self.about,
            "lacking": self.lacking,
            "add": self.add,
            "build": self.build,
            "open": self.open,
            "run": self.run,
            "close": self.close,
        }
        try:
            return Answered(result=methods[name](*arguments))
        except DceError as error:
            return Answered(error=(error.code, error.message, error.hint))
        except OSError as error:
            return Answered(error=("write_failed", f"{error}", ""))

    def about(self) -> str:
        """The machine's name."""
        return socket.gethostname()

    def lacking(self, digest: str, manifest: bytes) -> list[bytes] | None:
        """The contents that have to be sent; None if the tree is here, or if no manifest came and it is not known."""
        if self._kept.find(digest) is not None:
            return None
        return self._kept.lacking(decoded(manifest)) if manifest else []

    def add(self, pieces: Sequence[Piece]) -> None:
        """Takes parts of files."""
        self._kept.add(pieces)

    def build(self, manifest: bytes) -> None:
        """Makes a tree of what came."""
        self._kept.build(decoded(manifest))

    def open(self, spec: LaneSpec) -> None:
        """Opens a lane. Raises DceError if this machine cannot contain one."""
        self.close()
        tree = self._kept.find(spec.tree)
        if tree is None:
            raise DceError("not_found", f"the tree {spec.tree[:12]} is gone from {self._place}")
        host = self._host(spec, tree)
        folder = LaneFolder(host.place)
        try:
            lane = OverlayLane(Path(spec.root), host, spec.settings, folder, spec.files, tree)
            folder.made()
        except BaseException:
            folder.remove()
            raise
        self._open = _Open(lane, folder, Mirror(lane.written_tmp), Mirror(lane.written_root))
        self._open.root.note()

    def run(self, command: Sequence[str], options: RunOptions, tmp: Changes, root: Changes) -> Ran:
        """Runs a command in the open lane, after writing what the client wrote to its folders."""
        opened = self._open
        if opened is None:
            raise DceError("conflict", "no lane is open")
        opened.tmp.apply(tmp)
        opened.root.apply(root)
        ended = asyncio.run(opened.lane.run(command, options))
        written = opened.tmp.changes()
        room = MAX_BYTES - sum(len(sent.data) for sent in written.files)
        return Ran(ended=ended, tmp=written, root=opened.root.changes(room))

    def close(self) -> None:
        """Throws the lane away."""
        if self._open is not None:
            self._open.folder.remove()
            self._open = None

    @property
    def _kept(self) -> Trees:
        if self._trees is None:
            self._trees = Trees(self._place)
            self._trees.sweep()
        return self._trees

    def _host(self, spec: LaneSpec, tree: Path) -> Host:
        """What this machine allows for a workspace, found out once."""
        key = (spec.root, spec.tree)
        if key not in self._hosts:
            _require_interpreter(tree)
            site = Site(root=Path(spec.root), source=tree)
            host, why = asyncio.run(find_host(site, spec.settings, self._environ))
            if host is None:
                raise DceError(
                    "invalid_input",
                    f"no lane there can contain the checks: {why}",
                    hint="Let that machine have user namespaces, or take `on` out of [lane] in .dce/checks.toml.",
                )
            self._hosts[key] = host
        return self._hosts[key]


def _require_interpreter(tree: Path) -> None:
    """Raises DceError if the workspace's virtual environment stands on a Python that this machine does not have."""
    for name in (".venv", "venv"):
        program = tree / name / "bin" / "python"
        if os.path.lexists(program) and not program.exists():
            raise DceError(
                "invalid_input",
                f"{name}/bin/python of the workspace leads to {os.path.realpath(program)}, which that machine does not have",
                hint="Install that Python there at the same path, or make the environment with one that every node has.",
            )
