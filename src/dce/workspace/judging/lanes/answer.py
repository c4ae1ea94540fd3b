"""The files of an answer as they would be in the workspace: what a lane lays over it. Nothing is written here."""

import contextlib
from collections.abc import Iterable
from pathlib import PurePosixPath

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.lane import LaidFile
from dce.workspace.project import Project
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.tree.current import Current, look, with_executable

_EXECUTABLE = {"755": True, "644": False}


def files_of(project: Project, reading: Reading) -> tuple[LaidFile, ...]:
    """What the workspace's files become with this answer, each path once. A path that accepting would refuse is left out: the board's
    flags say so."""
    answer = _Answer(project)
    for block in reading.files:
        with contextlib.suppress(DceError):
            answer.add(block)
    return tuple(answer.laid.values())


def merged(below: Iterable[LaidFile], above: Iterable[LaidFile]) -> tuple[LaidFile, ...]:
    """Both layers in one; a file of the upper one wins."""
    return tuple({file.path: file for file in (*below, *above)}.values())


class _Answer:
    """The files so far: a block sees what those before it did."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.laid: dict[str, LaidFile] = {}

    def add(self, block: FileBlock) -> None:
        current = self._at(block.path)
        if current.is_blocked:
            return
        source = self._at(block.from_path) if block.from_path else current
        data = source.data if block.action in {"rename", "mode"} else source.form.bytes_to_write(block.content)
        if block.action == "delete" or data is None or block.from_path:
            self._lay(source, None, 0)
        if block.action != "delete" and data is not None:
            mode = 0o644 if source.mode is None else source.mode
            self._lay(current, data, with_executable(mode, _EXECUTABLE.get(block.mode)))

    def _lay(self, current: Current, data: bytes | None, mode: int) -> None:
        path = self._project.relative(current.target)
        self.laid[path] = LaidFile(path=path, data=data, mode=mode)

    def _at(self, path: str) -> Current:
        current = look(self._project, path)
        relative = self._project.relative(current.target)
        laid = self.laid.get(relative)
        if laid is not None:
            data, mode = laid.data, None if laid.data is None else laid.mode
            return msgspec.structs.replace(current, data=data, mode=mode, obstacle="", inode=None)
        if any(self._is_removed(parent.as_posix()) for parent in PurePosixPath(relative).parents):
            return Current(target=current.target)
        return current

    def _is_removed(self, path: str) -> bool:
        return path in self.laid and self.laid[path].data is None
