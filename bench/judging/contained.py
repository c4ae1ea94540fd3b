"""Recorded answers run in DCE's own lanes: what a model wrote must not reach anything outside."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dce.workspace.judging.lanes.lane import LaidFile, Lane, RunOptions
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project


class NotContainedError(Exception):
    """This machine allows no lane that contains, so nothing was run."""


class Contained:
    """A lane as probes want it."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.tmp = lane.tmp
        self.written_tmp = lane.written_tmp

    async def run(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> None:
        """Runs a command; how it ended is seen from what it wrote."""
        await self._lane.run(command, RunOptions(timeout_s=timeout_s, variables=variables))


@asynccontextmanager
async def opened_lanes() -> AsyncIterator[Lanes]:
    """Lanes of an empty workspace. Raises NotContainedError if they would be plain copies."""
    with tempfile.TemporaryDirectory(prefix="dce-recorded-") as folder:
        lanes = Lanes(Project.init(Path(folder)), LaneSettings())
        if await lanes.find_kind() != "overlay":
            raise NotContainedError(f"lanes here do not contain what runs: {lanes.why}")
        yield lanes


@asynccontextmanager
async def contained(lanes: Lanes, files: Mapping[str, str]) -> AsyncIterator[Contained]:
    """A lane that holds these files."""
    laid = [LaidFile(path=path, data=text.encode()) for path, text in files.items()]
    async with lanes.opened(None, laid) as lane:
        yield Contained(lane)
