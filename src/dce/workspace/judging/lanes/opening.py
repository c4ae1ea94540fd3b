"""Opens lanes: finds out once which kind this machine allows for this workspace, then opens one for each answer.

What must always hold: a lane that cannot contain is never used unsaid: `Lanes.why` says why it is only a copy, and how to have more.
"""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

from dce.workspace.judging.lanes.answer import files_of, merged
from dce.workspace.judging.lanes.copied import CopyLane
from dce.workspace.judging.lanes.environment import current_variables
from dce.workspace.judging.lanes.finishing import in_thread
from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.hosting import Site, find_host, home_of, lane_folder, unwritable
from dce.workspace.judging.lanes.lane import Ended, Kind, LaidFile, Lane, RunOptions
from dce.workspace.judging.lanes.overlay import Host, OverlayLane
from dce.workspace.judging.lanes.proof import Proofs
from dce.workspace.judging.lanes.settings import DEFAULT_PARALLEL, SETUP_TIMEOUT_S, LaneSettings
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading


class Lanes:
    """The lanes of one workspace on this machine. `find_kind` comes first; `kind` and `why` are what it found. `parallel`: how many may be
    open at once."""

    def __init__(
        self,
        project: Project,
        settings: LaneSettings,
        environ: Mapping[str, str] | None = None,
        programs: Sequence[str] | None = None,
    ) -> None:
        self.project = project
        self.settings = settings
        self.environ = current_variables() if environ is None else environ
        self._programs = programs
        self._host: Host | None = None
        self._proofs = Proofs(project.root)
        self._is_known = False
        self.kind: Kind = "copy"
        self.why = ""
        self.parallel = settings.parallel or DEFAULT_PARALLEL

    async def find_kind(self) -> Kind:
        """Tries, once, what this machine allows. Nothing of the project's runs."""
        if not self._is_known:
            site = Site(root=self.project.root, source=self.project.root)
            self._host, self.why = await find_host(site, self.settings, self.environ, self._programs)
            self.kind = "copy" if self._host is None else "overlay"
            self._is_known = True
        return self.kind

    async def begin(self) -> None:
        """Prepares whatever lanes need, once the user has agreed to the commands; `parallel` is known then."""
        await self.find_kind()

    @contextlib.asynccontextmanager
    async def opened(self, reading: Reading | None, laid: Iterable[LaidFile] = ()) -> AsyncIterator[Lane]:
        """A lane with an answer's files in it (None: the workspace as it is), and `laid` over those. Its setup has run.

        Raises SetupFailed, LaneUnfit if a verdict from it would mean nothing, and DceError if it cannot be made.
        """
        await self.begin()
        place = self._host.place if self._host else await in_thread(lambda: Path(tempfile.gettempdir()))
        async with lane_folder(place) as folder:
            try:
                files = await in_thread(lambda: self._files(reading, laid))
            except OSError as error:
                raise unwritable(place, error) from error
            async with self._lane(folder, files) as lane:
                for command in self.settings.setup:
                    ended = await lane.run(command, RunOptions(timeout_s=SETUP_TIMEOUT_S))
                    if ended.exit_code != 0:
                        raise SetupFailed(command, ended)
                if reading is not None and (why := await self._proofs.why_unproven(lane, files)):
                    raise LaneUnfit(why)
                yield lane

    def _files(self, reading: Reading | None, laid: Iterable[LaidFile]) -> tuple[LaidFile, ...]:
        return merged(files_of(self.project, reading) if reading is not None else (), laid)

    @contextlib.asynccontextmanager
    async def _lane(self, folder: LaneFolder, files: tuple[LaidFile, ...]) -> AsyncIterator[Lane]:
        """The lane that is made in a folder, with these files over the workspace."""
        try:
            lane = await in_thread(lambda: self._made(folder, files))
        except OSError as error:
            raise unwritable(folder.path.parent, error) from error
        yield lane

    def _made(self, folder: LaneFolder, files: tuple[LaidFile, ...]) -> Lane:
        lane: Lane
        if self._host is not None:
            lane = OverlayLane(self.project.root, self._host, self.settings, folder, files)
        else:
            lane = copy = CopyLane(self.project, self.settings, folder, self.environ, home_of(self.environ))
            copy.fill(files)
        folder.made()
        return lane


class LaneUnfit(Exception):
    """A lane in which no verdict would mean anything, and why."""


class SetupFailed(Exception):
    """A setup command failed in a lane: the workspace's fault if it fails without an answer too, otherwise the answer's."""

    def __init__(self, command: Sequence[str], ended: Ended) -> None:
        said = ended.problem or ended.output.decode("utf-8", "replace").strip()[-1000:]
        super().__init__(f"the setup command `{' '.join(command)}` failed (exit {ended.exit_code}): {said}")
        self.ended = ended
