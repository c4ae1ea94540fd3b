"""What a check report is a verdict on, as digests; and whether it still is one.

Invariants: equal digests mean equal checks, listed files and answer; a report whose key is not known is never called current. Ignored
files (dependencies, build output) are not part of the key, but when packages were last installed is (`installed.py`).
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.checks_file import ChecksFile, load_checks_file
from dce.workspace.judging.installed import installed_stamp
from dce.workspace.judging.lanes.environment import current_variables
from dce.workspace.judging.lanes.settings import DEFAULT_PARALLEL
from dce.workspace.project import STATE_DIR, Project
from dce.workspace.record.check_reports import ReportKey
from dce.workspace.schema.reading import Reading
from dce.workspace.tree.files import listed_names

Stale = Literal["", "checks", "workspace", "answer", "unknown"]
"""What has changed since the checks ran; "" if nothing has. `unknown`: the report is imported, or of an earlier version."""

_CHUNK = 1 << 20


def checks_key(file: ChecksFile) -> str:
    """A digest of the checks, and of the lanes in which they run. When and how many at once is no part of it."""
    lane = msgspec.to_builtins(msgspec.structs.replace(file.lane, parallel=DEFAULT_PARALLEL))
    if not file.lane.on:
        del lane["on"]  # reports from before there were clusters still hold
    return hashlib.sha256(msgspec.json.encode((file.check, lane))).hexdigest()


def answer_key(reading: Reading) -> str:
    """A digest of what an answer does to the files; answers that do the same have the same one."""
    blocks = sorted(
        (block.path, block.action, block.from_path, block.mode, block.content, block.status) for block in reading.files
    )
    return hashlib.sha256(msgspec.json.encode(blocks)).hexdigest()


def base_key(project: Project) -> str:
    """A digest of the workspace's listed files without DCE's own: names, contents, links and whether they can be executed."""
    total = hashlib.sha256()
    for name, path, status in _files(project):
        content = os.fsencode(Path(path).readlink()) if stat.S_ISLNK(status.st_mode) else b""
        kind = f"{stat.S_IFMT(status.st_mode):o} {bool(status.st_mode & stat.S_IXUSR)}"
        digest = hashlib.sha256(content)
        if stat.S_ISREG(status.st_mode):
            _add_file(digest, path)
        total.update(f"{kind} {digest.hexdigest()} {name}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def base_stamp(project: Project) -> str:
    """A digest of the files' names, sizes and times: cheap, and if it is the same, so is `base_key`."""
    total = hashlib.sha256()
    for name, _, status in _files(project):
        facts = (
            f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {name}\0"
        )
        total.update(facts.encode("utf-8", "surrogateescape"))
    return total.hexdigest()


class Current:
    """The checks and files as they are now, each digested once and only if needed."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._checks: str | None = None
        self._stamp = ""
        self._base = ""

    def why_stale(self, key: ReportKey, reading: Reading) -> Stale:
        """What has changed since the report with this key was made."""
        if not key.base:
            return "unknown"
        if key.checks != self.checks():
            return "checks"
        if key.answer != answer_key(reading):
            return "answer"
        return "" if key.stamp == self.stamp() or key.base == self.base() else "workspace"

    def checks(self) -> str:
        """The digest of the checks; that of none if they cannot be read."""
        if self._checks is None:
            try:
                self._checks = checks_key(load_checks_file(self._project))
            except DceError:
                self._checks = ""
        return self._checks

    def stamp(self) -> str:
        """The stamp of the files, and of what is installed."""
        self._stamp = self._stamp or f"{base_stamp(self._project)}{self._installed()}"
        return self._stamp

    def base(self) -> str:
        """The digest of the files, and of what is installed."""
        self._base = self._base or f"{base_key(self._project)}{self._installed()}"
        return self._base

    def _installed(self) -> str:
        return f"-{installed_stamp(self._project.root, current_variables())[:16]}"

    def refreshed(self) -> "Current":
        """This, if the checks and files still are the same; otherwise a new one. The files are only looked at, not read."""
        now = Current(self._project)
        return self if now.checks() == self._checks and now.stamp() == self._stamp else now

    def key(self, reading: Reading) -> ReportKey:
        """What a report made now would be a verdict on."""
        return ReportKey(checks=self.checks(), base=self.base(), answer=answer_key(reading), stamp=self.stamp())


def _files(project: Project) -> Iterator[tuple[str, str, os.stat_result]]:
    root = str(project.root)
    for name in listed_names(project):
        if name.startswith(f"{STATE_DIR}/"):
            continue  # settings and checks: no check sees them
        path = f"{root}/{name}"
        try:
            yield name, path, os.lstat(path)
        except OSError:
            continue  # deleted since it was listed


def _add_file(digest: "hashlib._Hash", path: str) -> None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of files
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        digest.update(b"\0unreadable")
