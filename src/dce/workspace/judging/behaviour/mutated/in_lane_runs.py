"""The script that runs a project's tests many times in a lane, each time with another text in one file. It imports nothing of DCE.

It is given two paths: of a JSON job, and of the file to which it writes one JSON line for each run. One process does it all, because
starting one in a lane takes longer than many a shell test. Where the job asks for it, the files of the folder are put back after every
run, so that no run sees what another left.
Python 3.8 or later: this runs on whatever Python the project has.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MAX_FILES = 2000
MAX_BYTES = 16 * 1024**2
MAX_OUTPUT = 64 * 1024
MAX_SAID = 64 * 1024
MAX_SHOWN_FILES = 40
MAX_TEXT = 4000
_UNSEEN = {".git", ".hg", ".dce", "node_modules", ".venv", "venv", "__pycache__", "target"}


def main(asked: str, answered: str) -> None:
    """Runs the job until it is done or its time is up."""
    job = json.loads(Path(asked).read_text("utf-8"))
    root = Path.cwd()
    kept = Kept(root) if job["is_kept"] else None
    end = time.monotonic() + job["total_s"]
    with Path(answered).open("w", encoding="utf-8") as out:
        for run in job["runs"]:
            if time.monotonic() > end:
                break
            with _laid(root / run["path"], run["text"]):
                result = {"id": run["id"], **_run(job)}
            if kept is not None:
                result["files"] = kept.restore()
            out.write(json.dumps(result) + "\n")
            out.flush()


@contextlib.contextmanager
def _laid(target: Path, text: str) -> Any:
    """Another text in a file. The file stays, so that its mode does; tools see a new time, and the old one afterwards."""
    is_new = not target.exists()
    before, status = (b"", None) if is_new else (target.read_bytes(), target.stat())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode("utf-8", "replace"))
    try:
        yield
    finally:
        _clear(target) if is_new or target.is_symlink() or target.is_dir() else None
        if status is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(before)
            target.chmod(status.st_mode & 0o7777)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _run(job: dict[str, Any]) -> dict[str, Any]:
    said = Path(job["said"])
    _clear(said)
    ended = []
    for command in job["commands"]:
        reports = [Path(path) for path in command["reports"]]
        for path in reports:
            _clear(path)
        one = _command(command, job["run_s"])
        one["reports"] = {path.name: _text(path, MAX_BYTES) for path in reports if path.is_file()}
        ended.append(one)
    return {"ended": ended, "said": _text(said, MAX_SAID)}


def _command(command: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command["argv"],
                cwd=command["cwd"] or None,
                env={**os.environ, **command["variables"]},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return {"exit": 127, "output": "", "s": 0.0}
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout_s)
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - MAX_OUTPUT))
        printed = output.read().decode("utf-8", "replace")
    return {"exit": code, "output": printed, "s": time.monotonic() - began}


def _text(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _clear(path: Path) -> None:
    """Removes whatever has this name: an answer may have put a link or a folder there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


class Kept:
    """The files below a folder as they are, to put them back; nothing is kept of a folder with too much in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before: dict[str, tuple[tuple[int, int, int], bytes]] = {}
        self.folders: set[str] = set()
        self.is_whole = False
        left = MAX_BYTES
        for path, status in self._scan():
            left -= status.st_size
            if left < 0 or len(self.before) >= MAX_FILES:
                return
            with contextlib.suppress(OSError):
                self.before[path] = (_stamp(status), (root / path).read_bytes())
        self.is_whole = True
        self.known = set(self.folders)

    def restore(self) -> dict[str, str]:
        """Puts everything back; gives the texts of the files that were new or different, "" with a mark for those that were gone."""
        if not self.is_whole:
            return {}
        self.folders = set()
        found: dict[str, str] = {}
        now = dict(self._scan())
        for path in sorted(now.keys() | self.before.keys()):
            status, before = now.get(path), self.before.get(path)
            if status is not None and before is not None and _stamp(status) == before[0]:
                continue
            if len(found) < MAX_SHOWN_FILES:
                found[path] = "is gone" if status is None else "is " + _text(self.root / path, MAX_TEXT)
            with contextlib.suppress(OSError):
                self._put(path, before)
        for folder in sorted(self.folders - self.known, reverse=True):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        return found

    def _put(self, path: str, before: tuple[tuple[int, int, int], bytes] | None) -> None:
        target = self.root / path
        if before is None:
            target.unlink()
            return
        if target.is_symlink() or target.is_dir():
            _clear(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(before[1])
        target.chmod(before[0][2] & 0o7777)
        self.before[path] = (_stamp(target.lstat()), before[1])

    def _scan(self) -> Any:
        """Plain files and links below the folder."""
        for folder, names, files in os.walk(self.root):
            names[:] = sorted(name for name in names if name not in _UNSEEN)
            self.folders.update(os.path.relpath(os.path.join(folder, name), self.root) for name in names)  # noqa: PTH118
            for name in sorted(files):
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    yield os.path.relpath(path, self.root), path.lstat()


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_mode


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
