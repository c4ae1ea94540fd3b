"""Sources of a selection other than file names: changes in git, changes since a cycle, and files named in a trace or a diff."""

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
"""Longest trace or diff that is searched for names: anything longer is a log, which names most of the workspace."""

MAX_SOUGHT_CHARS = 1_000
"""Longest text that can be searched for in files."""

MAX_SEARCHED_BYTES = 200_000_000
"""How much one search reads outside a repository, where git cannot search."""

_NAME = re.compile(r"[^\s\"'`()\[\]{}<>,;|*?=]+")
_POSITION = re.compile(r"(?:[:#]L?\d+)*:?$|(?:\.)+$")
_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")


def changed_in_git(project: Project, ref: str = "HEAD") -> tuple[str, ...]:
    """Files of the workspace that differ from a commit, and untracked files. Raises not_found if git has no such commit."""
    commit = git_output(
        project.root, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    ).strip()
    if not commit and ref == "HEAD" and git_output(project.root, ["rev-parse", "--is-inside-work-tree"]):
        return usable(project, git_names(project.root))  # a repository without commits: every file is new
    if not commit:
        raise DceError(
            "not_found", f"git finds no commit {ref} here.", hint="See `git log`; `HEAD` is the last commit."
        )
    # Names only, and without running any program that the repository configures for diffs.
    shown = git_output(
        project.root, ["diff", "--name-only", "--no-ext-diff", "--no-textconv", "--relative", "-z", commit, "--", "."]
    )
    untracked = git_output(project.root, ["ls-files", "--others", "--exclude-standard", "-z"])
    names = {name for name in (shown + untracked).split("\0") if name}
    return usable(project, names)


def git_status(project: Project) -> dict[str, str]:
    """The git status of files that differ from the last commit: path → modified, added, untracked, renamed or conflict.

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
            next(parts, None)  # the old path
        if path.startswith(prefix) and "D" not in code:
            found[path.removeprefix(prefix)] = _status_of(code)
    return found


def _status_of(code: str) -> str:
    """git's two-letter status (index and working tree) as one word."""
    if "U" in code or code == "AA":
        return "conflict"
    for letter, word in (("?", "untracked"), ("R", "renamed"), ("A", "added")):
        if letter in code:
            return word
    return "modified"


def containing(project: Project, text: str, entries: Iterable[FileEntry]) -> tuple[str, ...]:
    """Files that contain `text`, ignoring case. Raises invalid_input if `text` is empty, too long or more than one line."""
    if not 0 < len(text) <= MAX_SOUGHT_CHARS or "\n" in text:
        raise DceError(
            "invalid_input", f"the text to search for must be one line of 1 to {MAX_SOUGHT_CHARS} characters"
        )
    can = {entry.path: entry for entry in entries if not entry.excluded}
    if git_output(project.root, ["rev-parse", "--is-inside-work-tree"]):
        # Every file git can list, without running any program that the repository configures for reading files.
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
    """Files that differ from what a prompt showed (`manifest`, built at `moment`, in seconds since 1970), or were written since."""
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
    """Files named in a stack trace, a diff, or the output of a compiler or a search: by path, by the end of a path, or by a unique name.

    Paths from other machines (a container's `/app/src/a.py`) are matched by their longest suffix that is a file here.
    """
    by_path = {entry.path: entry for entry in entries if not entry.excluded}
    by_name: dict[str, list[str]] = {}
    for path in by_path:
        by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    found = {_file_of(word, by_path, by_name) for word in set(_words(text[:MAX_NAMED_BYTES]))}
    return tuple(sorted(found - {""}))


def usable(project: Project, names: Iterable[str]) -> tuple[str, ...]:
    """The given names that are files which can go into a prompt."""
    can = {entry.path for entry in list_files(project) if not entry.excluded}
    return tuple(sorted(can.intersection(names)))


def _words(text: str) -> Iterable[str]:
    """Words that may be paths: with forward slashes, and without position, drive or URL scheme."""
    for match in _NAME.finditer(text.replace("\\", "/")):
        word = _POSITION.sub("", match[0].rpartition("://")[2].partition("::")[0])
        word = _DRIVE.sub("", word)
        if word and word != ".":
            yield word


def _file_of(word: str, by_path: Mapping[str, FileEntry], by_name: Mapping[str, Sequence[str]]) -> str:
    """The file that a word refers to; "" if there is none."""
    parts = [part for part in word.split("/") if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        if tail in by_path and ("/" in tail or len(parts) == 1 or len(by_name.get(tail, ())) == 1):
            return tail
    candidates = by_name.get(parts[-1], ()) if parts else ()
    if len(candidates) == 1 and ("." in parts[-1]):
        return candidates[0]
    # Of several files with that name, the one whose path ends in the same two parts, if there is exactly one.
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
