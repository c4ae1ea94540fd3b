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


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a command runs. `cwd`: its folder, relative to the root. `env` names variables of the user's that it may have besides the usual
    ones; `variables` are others that it gets."""

    timeout_s: float
    cwd: str = ""
    env: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}


class Lane(Protocol):
    """An open lane. What a command leaves in the workspace's view is there for the next command; processes are not."""

    @property
    def kind(self) -> Kind:
        """Which kind it is."""

    @property
    def node(self) -> str:
        """The machine on which it is; "": this one."""

    @property
    def tmp(self) -> Path:
        """The temporary folder, as commands see it."""

    @property
    def written_tmp(self) -> Path:
        """Where DCE finds what commands write to `tmp`. Read it with care: links in it lead anywhere."""

    @property
    def written_root(self) -> Path:
        """Where DCE finds what commands write to the workspace, by the same relative paths; likewise. Other files may be there or not."""

    async def run(self, command: Sequence[str], options: RunOptions) -> Ended:
        """Runs a command."""
