"""The interface of an open workspace that judging and accepting use."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dce.workspace.judging.lanes.on_ray.cluster import Clusters
from dce.workspace.project import Project
from dce.workspace.record.responses import Response
from dce.workspace.record.store import Store
from dce.workspace.schema.reading import Reading


class Workspace(Protocol):
    """What judging and accepting need from a workspace."""

    @property
    def project(self) -> Project:
        """The workspace's folder."""

    @property
    def store(self) -> Store:
        """Its store."""

    @property
    def clusters(self) -> Clusters:
        """Its connections to clusters on which lanes may be."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""

    def responses(self, generation_id: int) -> Sequence[Response]:
        """The latest version of each slot."""

    def reading(self, generation_id: int, slot: int) -> Reading:
        """The latest version of a response, parsed."""

    def shown(self, generation_id: int) -> Callable[[str], str | None]:
        """The text of each file that a generation's prompt showed whole, by path; None for other files."""

    def writer_lock(self, verb: str = ...) -> AbstractContextManager[object]:
        """Keeps other processes from changing the workspace. Raises DceError workspace_locked, naming the holder's verb."""
