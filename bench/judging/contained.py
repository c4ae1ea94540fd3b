"""Answers run in DCE's own lanes: what a model wrote must not reach anything outside."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dce.workspace.judging.lanes.lane import LaidFile, Lane
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project


class NotContainedError(Exception):
    """This machine allows no lane that contains, so nothing was run."""


@asynccontextmanager
async def opened_lanes() -> AsyncIterator[Lanes]:
    """Lanes of an empty workspace. Raises NotContainedError if they would be plain copies."""
    with tempfile.TemporaryDirectory(prefix="dce-recorded-") as folder:
        lanes = Lanes(Project.init(Path(folder)), LaneSettings())
        if await lanes.find_kind() != "overlay":
            raise NotContainedError(f"lanes here do not contain what runs: {lanes.why}")
        yield lanes


@asynccontextmanager
async def contained(lanes: Lanes, files: Mapping[str, str]) -> AsyncIterator[Lane]:
    """A lane that holds these files."""
    laid = [LaidFile(path=path, data=text.encode()) for path, text in files.items()]
    async with lanes.opened(None, laid) as lane:
        yield lane
