"""Requests to stop a stream that another process runs; that process checks for them once a second."""

from dce.workspace.record.meta import Meta

_PREFIX = "stop:"
"""Key prefix in the meta table, followed by a stream and a choice."""


class StopRequests:
    """The stop requests of one store."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    def leave(self, stream_id: str, index: int | None) -> None:
        """Asks the process that runs a stream to stop one of its choices (None: all)."""
        self._meta.set(f"{_PREFIX}{stream_id}:{'' if index is None else index}", "")

    def take(self, stream_id: str) -> list[int | None]:
        """Removes and returns the choices of a stream that are to be stopped."""
        prefix = f"{_PREFIX}{stream_id}:"
        return [int(rest) if (rest := key.removeprefix(prefix)) else None for key in self._meta.take_under(prefix)]
