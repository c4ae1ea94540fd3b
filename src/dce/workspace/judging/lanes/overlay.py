"""The overlay lane: the workspace at its own path, copy-on-write, in namespaces of its own (bubblewrap).

What must always hold: nothing that a command writes reaches the workspace or anything else outside its lane; it sees no process, no
network but its own loopback, nothing of the home but tool folders, and nothing of `.dce`; it has no capability, gains none and makes no namespaces of its own.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from dce.workspace.judging.lanes.command import Spawn, execute
from dce.workspace.judging.lanes.environment import (
    OFFLINE,
    Python,
    Variables,
    find_python,
    lane_variables,
    needed_folders,
    search_path,
)
from dce.workspace.judging.lanes.folders import LaneFolder, write_layer
from dce.workspace.judging.lanes.lane import Ended, Kind, LaidFile, RunOptions
from dce.workspace.judging.lanes.mount_point import base_mounts
from dce.workspace.judging.lanes.processes import NamespaceProcesses
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.judging.lanes.toolchains import Shown, repository_folders, tool_folders
from dce.workspace.project import STATE_DIR

SHARED_MEMORY_BYTES = 512 * 1024**2
"""Size of /dev/shm: browsers and databases under test need some, and it is memory that no process is charged for."""

_TMP, _VAR_TMP, _RUN = Path("/tmp"), Path("/var/tmp"), Path("/run")  # noqa: S108 - a lane's own, mounted over the system's


_DOORS = tuple(map(Path, ("/var/snap/lxd", "/var/lib/lxd", "/var/lib/incus", "/mnt/wslg", "/mnt/wsl")))
"""Folders outside `/run` with sockets of services that act for the user, or give a member of their group the whole machine."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine as lanes need to know it. `bwrap`: the program; `place`: the folder for lane folders; `home`: without symlinks.
    `has_own_caches`: whether what commands write to tool folders goes to layers of the lane; otherwise these are read-only. `shown`: what
    a lane found to show of the home, for the lanes after it: it is a hundred looks at the disk."""

    bwrap: str
    place: Path
    environ: Mapping[str, str]
    home: Path
    has_own_caches: bool = True
    shown: tuple[tuple[Path, bool], ...] | None = None


class OverlayLane:
    """One lane. Making it writes its layers and looks at the disk: not in an event loop. Its folder is thrown away with it. `source`: the
    folder that holds the workspace's files, if that is not the workspace itself."""

    kind: Kind = "overlay"

    node = ""

    def __init__(
        self,
        root: Path,
        host: Host,
        settings: LaneSettings,
        folder: LaneFolder,
        files: Iterable[LaidFile],
        source: Path | None = None,
    ) -> None:
        self._root = root
        self._source = source or root
        self._host = host
        self._settings = settings
        self._folder = folder
        self._found = find_python(host.environ, self._source)
        self._python = self._in_lane(self._found)
        self._python_path = self._search_path()
        self.shown = tuple(self._shown()) if host.shown is None else host.shown
        upper, work = folder.new_layer()
        self.tmp = _TMP
        self.written_tmp = folder.tmp
        self.written_root = upper
        write_layer(self._source, upper, files)
        upper.chmod(self._source.stat().st_mode & 0o7777)
        system, closed = base_mounts(root, (host.home, _TMP, _VAR_TMP))
        self._mounts = (
            *system,
            *_system_mounts(folder),
            *self._home_mounts(),
            *("--overlay-src", str(self._source), "--overlay", str(upper), str(work), str(root)),
            *_hidden_state(self._source, root),
            *closed,
            *(("--share-net", *_name_service()) if settings.network else ()),
        )

    async def run(self, command: Sequence[str], options: RunOptions) -> Ended:
        """See `Lane.run`."""
        processes = NamespaceProcesses()
        words = (self._python.program, *command[1:]) if command[0] == "python" else tuple(command)
        home = Path(self._host.environ.get("HOME") or self._host.home)
        own = Variables(home=home, tmp=_TMP, python=self._python, python_path=self._python_path)
        variables = lane_variables(self._host.environ, (*self._settings.env, *options.env), own)
        variables = {**({} if self._settings.network else OFFLINE), **variables}
        return await execute(
            Spawn(
                command=words,
                name=command[0],
                folder=self._folder,
                root=Path("/"),
                cwd=options.cwd,
                variables={**variables, **options.variables},
                timeout_s=options.timeout_s,
                limits=self._settings.limits(),
                processes=processes,
                wrapper=self._wrapper(processes),
            )
        )

    def _wrapper(self, processes: NamespaceProcesses) -> tuple[str, ...]:
        (info,) = processes.passed_fds
        return (
            *(
                self._host.bwrap,
                "--unshare-user",
                "--unshare-all",
                "--disable-userns",
                "--die-with-parent",
                "--new-session",
                "--cap-drop",
                "ALL",
            ),
            *self._mounts,
            *("--chdir", str(self._root), "--info-fd", str(info), "--"),
        )

    def _home_mounts(self) -> tuple[str, ...]:
        """An empty home with the tool folders in it, and everything else that is hidden but needed to start a command."""
        mounts = ["--bind", str(self._folder.home), str(self._host.home)] if self._host.home.is_dir() else []
        for path, is_writable in self.shown:
            if path.is_relative_to(self._root) or self._root.is_relative_to(path):
                continue
            source = os.path.realpath(path)
            if is_writable and self._host.has_own_caches:
                upper, work = self._folder.new_layer()
                mounts += ["--overlay-src", source, "--overlay", str(upper), str(work), str(path)]
            else:
                mounts += ["--ro-bind", source, str(path)]
        return tuple(mounts)

    def _shown(self) -> list[tuple[Path, bool]]:
        """The folders to show, an outer one before those in it, and whether each is writable."""
        found: dict[Path, bool] = {}
        for shown in (*tool_folders(self._host.home, self._host.environ), *self._needed(), *self._named()):
            found[shown.path] = found.get(shown.path, False) or shown.is_writable
        return sorted(found.items(), key=lambda item: len(item[0].parts))

    def _needed(self) -> list[Shown]:
        hidden = (self._host.home, _TMP, _VAR_TMP, _RUN)
        return [
            Shown(path=path)
            for path in (*needed_folders(self._host.environ, self._found), *repository_folders(self._source))
            if path not in hidden and any(path.is_relative_to(folder) for folder in hidden)
            if not path.is_relative_to(self._source)
        ]

    def _named(self) -> list[Shown]:
        """What the project's `link` and `copy` show from outside the workspace; what is in it is there already."""
        found = []
        for names, is_writable in ((self._settings.link, False), (self._settings.copy, True)):
            for name in names:
                path = outside(name, self._root, self._host.home)
                if path is not None and path.exists():
                    found.append(Shown(path=path, is_writable=is_writable and path.is_dir()))
        return found

    def _search_path(self) -> tuple[Path, ...]:
        """Where Python searches first. A project without an environment of its own is not installed: its folders are searched."""
        own = ("", "src") if self._python.environment is None else ()
        folders = (self._root / name for name in own if (self._source / name).is_dir())
        return (*folders, *search_path(self._host.environ))

    def _in_lane(self, found: Python) -> Python:
        """The interpreter by its path in the lane, if it is the workspace's own."""
        if found.environment is None or not found.environment.is_relative_to(self._source):
            return found
        environment, program = (
            self._root / path.relative_to(self._source) for path in (found.environment, Path(found.program))
        )
        return Python(program=str(program), environment=environment)


def outside(name: str, root: Path, home: Path) -> Path | None:
    """The absolute path that `link` or `copy` names outside the workspace; None for one inside."""
    path = home / name[2:] if name.startswith("~/") else root / name
    path = Path(os.path.normpath(path))
    return None if path.is_relative_to(root) else path


def _system_mounts(folder: LaneFolder) -> tuple[str, ...]:
    """Over the system, which is read-only, devices, processes and temporary folders of the lane's own. `/run` holds the sockets of services
    that act for the user (containers, keyrings, agents), so it is empty."""
    return (
        *("--dev", "/dev"),
        *("--perms", "1777", "--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"),  # noqa: S108 - mounted here
        *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"),
        *(word for door in (_RUN, *_DOORS) if door.is_dir() for word in ("--size", str(1 << 20), "--tmpfs", str(door))),
        *("--bind", str(folder.tmp), str(_TMP), "--bind", str(folder.var_tmp), str(_VAR_TMP)),
    )


def _hidden_state(source: Path, root: Path) -> tuple[str, ...]:
    state = root / STATE_DIR
    is_there = (source / STATE_DIR).is_dir()
    return ("--size", "4096", "--tmpfs", str(state), "--remount-ro", str(state)) if is_there else ()


def _name_service() -> tuple[str, ...]:
    """The file that says who resolves names, where the system keeps it below `/run`."""
    real = os.path.realpath("/etc/resolv.conf")
    return ("--ro-bind", real, real) if Path(real).is_relative_to(_RUN) and Path(real).exists() else ()
