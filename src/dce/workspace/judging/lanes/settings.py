"""The table `[lane]` of `.dce/checks.toml`: what a lane holds beyond the workspace, and what a command may use."""

import re

import msgspec

from dce.workspace.judging.lanes.lane import Limit

MAX_PARALLEL = 64
"""Maximum lanes at once: more than a large workstation has cores."""

DEFAULT_PARALLEL = 2
"""How many lanes run at once on this machine, unless the project says otherwise: the user works on it too."""

MAX_PROCESSES = 100_000
"""Highest limit of processes that can be set."""

MAX_PRINTED_BYTES = 256 * 1024**2
"""How much a command may print. Only the end is kept; a command that prints more than this is in a loop."""

SETUP_TIMEOUT_S = 1800.0
"""How long one setup command may take: it may install dependencies."""

_SIZE = re.compile(r"(\d{1,6})\s*([MG])(?:i?B)?", re.IGNORECASE)

_CLUSTER = re.compile(r"ray://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")


class LaneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`link`: further paths that a lane shows read-only; `copy`: further paths of which it has a copy of its own. Both are relative to
    the workspace, absolute, or begin with `~/`. `env`: variables that commands may have. `setup`: commands that run once in each lane,
    before the checks. `memory`, `disk`: sizes as `512M` or `4G`, `processes`: a number, each for all processes of one command.
    `parallel`: how many lanes run at once; None: two, or as many as the cluster has processors. `on`: the Ray cluster on whose nodes the
    lanes are, as `ray://HOST:PORT`; "": this machine.
    """

    link: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    setup: tuple[tuple[str, ...], ...] = ()
    network: bool = False
    memory: str = "4G"
    disk: str = "8G"
    processes: int = 512
    parallel: int | None = None
    on: str = ""

    def problem(self) -> str:
        """What is wrong with the values; "" if nothing."""
        for name, size in (("memory", self.memory), ("disk", self.disk)):
            if size_of(size) is None:
                return f"[lane] `{name}` must be a size such as 512M or 4G, not {size!r}"
        for name, number, most in (
            ("processes", self.processes, MAX_PROCESSES),
            ("parallel", self.parallel, MAX_PARALLEL),
        ):
            if number is not None and not 1 <= number <= most:
                return f"[lane] `{name}` must be from 1 to {most}"
        if self.on and not is_cluster(self.on):
            return f'[lane] `on` must be the address of a Ray cluster such as "ray://head:10001", not {self.on!r}'
        for path in (*self.link, *self.copy):
            if not path.strip() or "\0" in path or ".dce" in path.split("/"):
                return f"[lane] `link` and `copy` must name paths outside .dce, not {path!r}"
        if any(not command or not command[0] or any("\0" in word for word in command) for command in self.setup):
            return '[lane] `setup` must be a list of commands, each a list of words: [["npm", "ci"]]'
        return ""

    def limits(self) -> "Limits":
        """The limits of one command."""
        return Limits(
            memory_bytes=size_of(self.memory) or 0, disk_bytes=size_of(self.disk) or 0, processes=self.processes
        )


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes of one command may use together."""

    memory_bytes: int
    disk_bytes: int
    processes: int
    printed_bytes: int = MAX_PRINTED_BYTES

    def describe(self, limit: Limit, timeout_s: float) -> str:
        """What a command did that was killed at this limit."""
        return {
            "time": f"it ran for more than {timeout_s:g} s",
            "memory": f"it used more than {_text(self.memory_bytes)} of memory ([lane] memory), or the machine has almost none left",
            "processes": f"it ran more than {self.processes} processes ([lane] processes)",
            "disk": f"it wrote more than {_text(self.disk_bytes)} ([lane] disk), or the disk is nearly full",
            "output": f"it printed more than {_text(self.printed_bytes)}",
        }[limit]


def size_of(text: str) -> int | None:
    """A size in bytes: `512M`, `4G`. None if the text is no such size or zero."""
    match = _SIZE.fullmatch(text.strip())
    return (int(match[1]) << (20 if match[2] in "mM" else 30)) or None if match else None


def is_cluster(address: str) -> bool:
    """Whether this is the address of a Ray cluster: `ray://HOST:PORT`."""
    match = _CLUSTER.fullmatch(address)
    return match is not None and 0 < int(match["port"]) < 1 << 16


def _text(size: int) -> str:
    return f"{size >> 30} GiB" if size >= 1 << 30 and not size % (1 << 30) else f"{size >> 20} MiB"
