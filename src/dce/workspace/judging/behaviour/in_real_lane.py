"""A lane as probes see it: `running.Lane` on top of the lanes in which checks run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dce.workspace.judging.lanes.lane import Lane, RunOptions


class ProbeLane:
    """Runs a script of probes in an open lane. How it ended does not matter: the results that it wrote say what there is."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    @property
    def tmp(self) -> Path:
        """The temporary folder, as commands see it."""
        return self._lane.tmp

    @property
    def written_tmp(self) -> Path:
        """The same folder, as DCE sees it."""
        return self._lane.written_tmp

    async def run(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> None:
        """Runs the command in the lane's root."""
        await self._lane.run(command, RunOptions(timeout_s=timeout_s, variables=variables))
