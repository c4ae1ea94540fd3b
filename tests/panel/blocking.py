"""A guard that raises in whatever blocks an event loop: blockbuster, and the calls of ours that it does not know."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from blockbuster import BlockBusterFunction, blockbuster_ctx

import dce.workspace.workspace  # noqa: F401 - the guard names it

OPENING = ("os.open", "io.open")
LOCKS_AND_PARSING = (
    "os.fsync",
    "fcntl.flock",
    "dce.workspace.workspace.Workspace.read",  # parses an answer, which takes seconds for a large one
)
"""What blocks, or works long, and is not on blockbuster's own list."""


def _is_no_disk(*arguments: object, **_: object) -> bool:
    """Opening a descriptor that is already there (a pipe), or the null device, waits for nothing."""
    return bool(arguments) and (isinstance(arguments[0], int) or arguments[0] == os.devnull)


@contextmanager
def blocking_forbidden(scanned: Sequence[str] | None = None) -> Iterator[None]:
    """Raises BlockingError in whatever blocks a loop; `scanned`: only beneath code of these modules."""
    with ExitStack() as stack:
        stack.enter_context(blockbuster_ctx(scanned))
        for name in (*OPENING, *LOCKS_AND_PARSING):
            may = _is_no_disk if name in OPENING else lambda *_, **__: False
            function = BlockBusterFunction(None, name, scanned_modules=scanned, can_block_predicate=may)
            # Imports that a first call makes read files once in the life of a process.
            function.can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
            function.activate()
            stack.callback(function.deactivate)
        yield
