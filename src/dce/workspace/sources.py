"""Where a selection can come from besides names: what git says changed, what changed since a cycle, what a trace or a diff names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.files import FileEntry, git_names, git_output, list_files, read_text
from dce.workspace.project import Project
from dce.workspace.prompt import ManifestEntry

MAX_NAMED_BYTES = 2_000_000
"""Longest trace or diff that is read for names: beyond it is a log, and most of the workspace is in it."""

_NAME = re.compile(r"[^\s\"'`()\[\]{}<>,;|*?=]+")
_POSITION = re.compile(r"(?:[:#]L?\d+)*:?$|(?:\.)+$")
_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")


def changed_in_git(project: Project, ref: str = "HEAD") -> tuple[str, ...]:
    """Files of the workspace that differ from a commit, and untracked ones. not_found if git knows no such commit."""
    commit = git_output(
        project.root, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    ).strip()
    if not commit and ref == "HEAD" and git_output(project.root, ["rev-parse", "--is-inside-work-tree"]):
        return usable(project, git_names(project.root))  # a repository without a commit yet: everything is new
    if not commit:
        raise DceError(
            "not_found", f"git knows no commit {ref} here.", hint="See `git log`; `HEAD` is the last commit."
        )
    # git is told to show names only, and none of the programs that a repository can name for diffs.
    shown = git_output(
        project.root, ["diff", "--name-only", "--no-ext-diff", "--no-textconv", "--relative", "-z", commit, "--", "."]
    )
    untracked = git_output(project.root, ["ls-files", "--others", "--exclude-standard", "-z"])
    names = {name for name in (shown + untracked).split("\0") if name}
    return usable(project, names)


def changed_since(project: Project, manifest: Sequence[ManifestEntry], moment: float) -> tuple[str, ...]:
    """Files that are not what a prompt showed (`manifest`, built at `moment`, in seconds since 1970), or were written since."""
    shown = {entry.path: entry.sha256 for entry in manifest}
    found = set()
    for entry in list_files(project):
        if entry.excluded:
            continue
        if entry.path in shown:
            is_changed = _sha256(project, entry.path) != shown[entry.path]
        else:
            is_changed = _written(project, entry.path) > moment
        if is_changed:
            found.add(entry.path)
    return tuple(sorted(found))


def named_in(text: str, entries: Iterable[FileEntry]) -> tuple[str, ...]:
    """Files that a stack trace, a diff, a compiler's or a search's output names: by path, by the end of a path, or by a unique name.

    Paths of other machines (a container's `/app/src/a.py`) are found by the longest end that is a file here.
    """
    by_path = {entry.path: entry for entry in entries if not entry.excluded}
    by_name: dict[str, list[str]] = {}
    for path in by_path:
        by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    found = {_file_of(word, by_path, by_name) for word in set(_words(text[:MAX_NAMED_BYTES]))}
    return tuple(sorted(found - {""}))


def usable(project: Project, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are files which can go into a prompt."""
    can = {entry.path for entry in list_files(project) if not entry.excluded}
    return tuple(sorted(can.intersection(names)))


def _words(text: str) -> Iterable[str]:
    """What may be a path: with slashes, without a position, a drive or a URL's beginning."""
    for match in _NAME.finditer(text.replace("\\", "/")):
        word = _POSITION.sub("", match[0].rpartition("://")[2].partition("::")[0])
        word = _DRIVE.sub("", word)
        if word and word != ".":
            yield word


def _file_of(word: str, by_path: Mapping[str, FileEntry], by_name: Mapping[str, Sequence[str]]) -> str:
    """The file that a word means; "" for none."""
    parts = [part for part in word.split("/") if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        if tail in by_path and ("/" in tail or len(parts) == 1 or len(by_name.get(tail, ())) == 1):
            return tail
    candidates = by_name.get(parts[-1], ()) if parts else ()
    if len(candidates) == 1 and ("." in parts[-1]):
        return candidates[0]
    # Of several of that name, the one that shares the most of the path's end, if it is one.
    longest = [path for path in candidates if len(parts) > 1 and path.endswith("/".join(parts[-2:]))]
    return longest[0] if len(longest) == 1 else ""


def _sha256(project: Project, path: str) -> str:
    try:
        return read_text(project, path).sha256
    except DceError:
        return ""


def _written(project: Project, path: str) -> float:
    try:
        return Path(project.root / path).stat().st_mtime
    except OSError:
        return 0.0
