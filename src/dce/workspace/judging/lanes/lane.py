"""What a lane is: the workspace with one answer in it, and commands that run there and nowhere else.

What must always hold, whatever the kind: the workspace is only read; no process outlives the lane; a command has a deadline; a limit
that ended a command is named. Only an overlay lane also holds against a command that means harm.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

Kind = Literal["overlay", "copy"]
"""`overlay`: a copy-on-write view at the workspace's own path, in namespaces of its own. `copy`: a plain copy, with the user's rights."""

Limit = Literal["time", "memory", "processes", "disk", "output"]
"""What a command can have too much of."""


class LaidFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file laid over the workspace in a lane. `path` is relative to the root, with symlinks resolved; `data` None: there is no file."""

    path: str
    data: bytes | None
    mode: int = 0o644


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. `exit_code` None: it could not start, or was killed at a limit (`limits` names it); `problem` says which.
    `output`: the end of what it printed."""

    exit_code: int | None
    output: bytes
    duration_s: float
    limits: tuple[Limit, ...] = ()
    problem: str = ""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Where what commands write is found from outside. `workspace`: the folder that holds what they wrote to the workspace (and maybe all
    of it); `tmp`: their temporary folder. `seen_workspace` and `seen_tmp`: the names of these that commands see."""

    workspace: Path
    tmp: Path
    seen_workspace: str
    seen_tmp: str


class Lane(Protocol):
    """An open lane. What a command leaves in the workspace's view is there for the next command; processes are not."""

    @property
    def kind(self) -> Kind:
        """Which kind it is."""

    @property
    def written(self) -> Written:
        """Where to look for what its commands wrote."""

    async def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        cwd: str = "",
        env: Sequence[str] = (),
        added: Mapping[str, str] | None = None,
    ) -> Ended:
        """Runs a command in `cwd` (relative to the root). `env` names further variables that it may have; `added` are DCE's own, each of
        which comes before the value that the command would have anyway."""
