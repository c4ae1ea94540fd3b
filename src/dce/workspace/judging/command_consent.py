"""Which commands the user has agreed to run on what a model wrote.

What must always hold: no command of `.dce/checks.toml` and no model-written code runs before the user has agreed to these commands, in
this kind of lane. The file may be committed, so it can hold somebody else's commands; it can change with every pull. Consent is stored
by a digest in the workspace's own store, which is never committed.
"""

import hashlib
import shlex

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.checks_file import ChecksFile
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.record.meta import MetaStore

PROBES = "short calls to the code that the responses change, with values from the tests and edge values"
"""What runs besides the commands, to compare how the responses behave."""

KEY = "commands:"
"""Prefix of the keys in the store's meta table; the digest follows."""


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """What running the checks and comparing behaviour would do. `digest` stands for all that a user agrees to: the commands, the probes,
    what a lane shows them, its kind, and the cluster to which the workspace is sent (`on`, "": none). `commands` are as one would type them, setup first; `probes` says what else runs."""

    digest: str
    commands: tuple[str, ...]
    lane: Kind
    lane_why: str
    network: bool
    probes: str = PROBES
    on: str = ""

    def describe(self) -> str:
        """One sentence for the user who is asked."""
        return f"{'; '.join((*self.commands, self.probes))}. {self.containment()}"

    def containment(self) -> str:
        """What holds the commands."""
        if self.lane == "copy":
            return (
                f"They run with your rights in a plain copy, not in a sandbox ({self.lane_why.rstrip('.')}): the code can read and"
                " change your files and use the network."
            )
        network = "with" if self.network else "without"
        if self.on:
            return (
                f"The whole workspace, ignored files included, is sent to the Ray cluster {self.on} (without .dce). They run there, in lanes"
                f" on its nodes, {network} network access: of a node's home they see only tool folders, and nothing that they write leaves the"
                " lane."
            )
        return (
            f"They run in a lane {network} network access: of your home they see only tool folders and what [lane] names, and"
            " nothing that they write leaves the lane."
        )


def commands_of(file: ChecksFile, lane: Kind, lane_why: str) -> Commands:
    """What running the checks of this file would do in a lane of this kind."""
    settings = file.lane
    said = {
        "checks": [
            {key: value for key, value in msgspec.to_builtins(check).items() if key not in {"name", "timeout_s"}}
            for check in file.check
        ],
        "lane": {
            key: value
            for key, value in msgspec.to_builtins(settings).items()
            if key in {"link", "copy", "env", "setup", "network"}
        },
        "kind": lane,
        "probes": PROBES,
    } | ({"on": settings.on} if settings.on else {})
    return Commands(
        digest=hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest(),
        commands=tuple(shlex.join(words) for words in (*settings.setup, *(check.command for check in file.check))),
        lane=lane,
        lane_why=lane_why,
        network=settings.network,
        on=settings.on,
    )


class CommandConsents:
    """The consents to commands in one workspace."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    def covers(self, commands: Commands) -> bool:
        """Whether these commands may run."""
        return self._store.get(KEY + commands.digest) is not None

    def give(self, commands: Commands) -> None:
        """Remembers that these commands may run."""
        self._store.set(KEY + commands.digest, "yes")

    def require(self, commands: Commands) -> None:
        """Raises consent_needed unless these commands may run."""
        if not self.covers(commands):
            raise DceError(
                "consent_needed",
                f"you have not agreed yet to what runs on code that a model wrote: {commands.describe()}",
                hint="Read the commands in .dce/checks.toml, if there are any, then agree once: `dce run-checks --yes`.",
            )
