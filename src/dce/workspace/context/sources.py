"""Where a selection can come from besides names: what git says changed, what changed since a cycle, what a trace or a diff names."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.tree.files import FileEntry, git_names, list_files
from dce.workspace.tree.git import git_output
from dce.workspace.tree.text_reader import TextReader

MAX_NAMED_BYTES = 2_000_000
"""Longest trace or diff that is read for names: beyond it is a log, and most of the workspace is in it."""

MAX_SOUGHT_CHARS = 1_000
"""Longest text looked for in files."""

MAX_SEARCHED_BYTES = 200_000_000
"""Outside a repository, where git cannot search: how much is read for one look."""

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


def git_status(project: Project) -> dict[str, str]:
    """What git says of files that differ from the last commit: path → modified, added, untracked, renamed or conflict.

    Empty without git or outside a repository.
    """
    prefix = git_output(project.root, ["rev-parse", "--show-prefix"]).strip("\n")
    output = git_output(project.root, ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--", "."])
    found, parts = {}, iter(output.split("\0"))
    for part in parts:
        code, path = part[:2], part[3:]
        if not path:
            continue
        if "R" in code or "C" in code:
            next(parts, None)  # where it was before
        if path.startswith(prefix) and "D" not in code:
            found[path.removeprefix(prefix)] = _status_of(code)
    return found


def _status_of(code: str) -> str:
    """Index and working tree in two letters, as one word."""
    if "U" in code or code == "AA":
        return "conflict"
    for letter, word in (("?", "untracked"), ("R", "renamed"), ("A", "added")):
        if letter in code:
            return word
    return "modified"


def containing(project: Project, text: str, entries: Iterable[FileEntry]) -> tuple[str, ...]:
    """Files that hold `text`, upper or lower case alike. Raises invalid_input for none or too much to look for."""
    if not 0 < len(text) <= MAX_SOUGHT_CHARS or "\n" in text:
        raise DceError("invalid_input", f"what files shall hold is one line of 1 to {MAX_SOUGHT_CHARS} characters")
    can = {entry.path: entry for entry in entries if not entry.excluded}
    if git_output(project.root, ["rev-parse", "--is-inside-work-tree"]):
        # Everything git could list; what a repository names as programs for reading files is not run.
        options = [
            "--untracked",
            "--files-with-matches",
            "-I",
            "--ignore-case",
            "--fixed-strings",
            "-z",
            "--no-textconv",
        ]
        output = git_output(project.root, ["grep", *options, "-e", text, "--", "."])
        return tuple(sorted(can.keys() & set(output.split("\0"))))
    reader = TextReader(project)
    sought, size, found = text.casefold(), 0, []
    for path, entry in can.items():
        size += entry.size
        if size > MAX_SEARCHED_BYTES:
            break
        with contextlib.suppress(DceError):
            if sought in reader.read(path).text.casefold():
                found.append(path)
    return tuple(sorted(found))


def changed_since(project: Project, manifest: Sequence[ManifestEntry], moment: float) -> tuple[str, ...]:
    """Files that are not what a prompt showed (`manifest`, built at `moment`, in seconds since 1970), or were written since."""
    shown = {entry.path: entry.sha256 for entry in manifest}
    reader, found = TextReader(project), set()
    for entry in list_files(project):
        if entry.excluded:
            continue
        if entry.path in shown:
            is_changed = _sha256(reader, entry.path) != shown[entry.path]
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


def _sha256(reader: TextReader, path: str) -> str:
    try:
        return reader.read(path).sha256
    except DceError:
        return ""


def _written(project: Project, path: str) -> float:
    try:
        return Path(project.root / path).stat().st_mtime
    except OSError:
        return 0.0
