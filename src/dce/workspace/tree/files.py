"""Lists a workspace's files, says which of them can go into a prompt, and reads their text.

Inside a git repository, git decides what belongs to it (tracked, or untracked and not ignored); elsewhere a walker that honours
.gitignore files does. Files that cannot go into a prompt are listed with the reason rather than silently left out. Listing reads
only the start of each file, so it stays fast on large trees; `read_text` has the final word on a single file.
"""

import codecs
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.project import STATE_DIR, PathRefused, Project
from dce.workspace.tree.declared import Declarations
from dce.workspace.tree.encodings import ESCAPED, UTF8, Certainty, Decoded, decode, is_binary, is_plain, marked
from dce.workspace.tree.exclude import Excludes
from dce.workspace.tree.extract import MAX_DOCUMENT_BYTES, extract, format_of
from dce.workspace.tree.git import git_output

MAX_TEXT_BYTES = 5_000_000
"""Largest file that goes into a prompt. 5 MB is over a million tokens, more than any context window; larger files are data."""

SNIFF_BYTES = 8_192
"""How many bytes from the start of a file decide whether it is text; git uses the same number."""

MAX_SNIFFED_FILES = 20_000
"""How many files one listing opens. At about 15 µs each, this takes a fraction of a second; the rest are assumed to be text."""

_PROMPT_START = b"<prompt.md>\n\n<M"
"""The start of every prompt that DCE writes. A prompt that includes the previous one would double with every cycle."""

_OLD_PROMPT = "prompt.md"
"""Where older versions wrote the prompt; always opened, however many files there are."""

_BINARY = "binary"
_WIDE = {("utf-16-le",), ("utf-16-be",), ("utf-32-le",), ("utf-32-be",)}
"""Declared encodings whose text has null characters."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+,=@ ()\[\]-]*[A-Za-z0-9_+,=@()\[\]-]|[A-Za-z0-9_]")
"""File names that need no further checks, which is most of them. (No leading or trailing dot, no `~`, ASCII only.)"""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the workspace. `size` is in bytes; `excluded` says why it cannot go into a prompt, "" if it can.

    `encoding` is "" for UTF-8 (judged by the start of the file), "older" for another one that only `read_text` determines, or a
    document's format.
    """

    path: str
    size: int
    excluded: str = ""
    encoding: str = ""


class FileText(msgspec.Struct, frozen=True, kw_only=True):
    """A file's text without a byte-order mark; `sha256` and `size` are of the bytes on disk, mark included.

    Text in an `encoding` other than UTF-8 is shown to a model as Unicode, and an accepted answer is written back in that encoding. A
    document's `encoding` is its format; accepting never overwrites a document. `certainty`: how far the encoding can be relied on.
    """

    path: str
    text: str
    sha256: str
    size: int
    encoding: str = UTF8
    certainty: Certainty = "known"


def list_files(project: Project) -> list[FileEntry]:
    """The workspace's files, sorted by path, without ignored files, `.git` and `.dce`."""
    return entries_of(project, listed_names(project))


def listed_names(project: Project) -> list[str]:
    """The names of the files that are not ignored, sorted, as git or the walk gives them: none has been looked at."""
    names = git_names(project.root)
    # git also lists nothing in a folder that its own repository ignores. It is still a workspace.
    return sorted(set(names or _walked_names(project.root)))


def entries_of(project: Project, names: Iterable[str]) -> list[FileEntry]:
    """Sorted entries for the given names, without files that no longer exist or that DCE never opens."""
    paths = sorted(set(names))
    excludes = Excludes.of(project)
    kept_out = excludes.among(paths)
    entries, sniffs = [], 0
    folders: dict[str, str] = {}
    declarations = Declarations(project)
    for path in paths:
        entry = _entry(project, path, folders, is_sniffed=sniffs < MAX_SNIFFED_FILES and path not in kept_out)
        if entry is not None and entry.excluded == _BINARY and declarations.of(path).encodings[:1] in _WIDE:
            entry = FileEntry(path=entry.path, size=entry.size, encoding=declarations.of(path).encodings[0])
        if entry is None:
            continue
        sniffs += not entry.excluded
        if path in kept_out:
            entry = FileEntry(path=entry.path, size=entry.size, excluded=excludes.reason(path))
        entries.append(entry)
    return entries


def read_text(project: Project, path: str, pages: str = "", declarations: Declarations | None = None) -> FileText:
    """The text of one file. For a document: the extracted text (only `pages`, such as "1-3,7"), or a line that says why there is none.

    `declarations`: those of the workspace, for a caller that reads many files.

    Raises outside_workspace, not_found, or invalid_input for a file that is not text or too large.
    """
    real = project.resolve(path)
    form = format_of(path)
    limit = MAX_DOCUMENT_BYTES if form else MAX_TEXT_BYTES
    try:
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DceError("invalid_input", f"{path} is not text (it is not a regular file).")
        if status.st_size > limit:
            raise DceError("invalid_input", f"{path} cannot go into a prompt ({_too_large(status.st_size, limit)}).")
        content = real.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DceError("not_found", f"There is no file {path} in the workspace.") from error
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        if form:
            decoded = Decoded(extract(project, path, content, pages).text, form)
        elif is_plain(content):
            decoded = Decoded(content.decode("ascii"), UTF8)
        else:
            declarations = declarations or Declarations(project)
            decoded = decode(content, declarations.of(project.relative(real)))
    except ValueError as error:
        raise DceError("invalid_input", f"{path} is not text ({error}).") from error
    return FileText(
        path=project.canonical(path),
        text=decoded.text,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        encoding=decoded.encoding,
        certainty=decoded.certainty,
    )


def _entry(project: Project, path: str, folders: dict[str, str], *, is_sniffed: bool) -> FileEntry | None:
    """The entry for one listed name; None for a tracked file that is no longer on disk, and for names that DCE never opens.

    `folders` caches the real path of each folder, so that links are followed once per folder, not once per file.
    """
    folder, _, leaf = path.rpartition("/")
    if folder in folders and PLAIN_NAME.fullmatch(leaf):
        # The folder is already resolved and the name needs no checks, so one system call suffices.
        real = f"{folders[folder]}/{leaf}"
        try:
            status = os.lstat(real)
        except OSError:
            return None
        if stat.S_ISREG(status.st_mode):
            return _entry_of(path, real, status, is_sniffed=is_sniffed)
    name = path.rstrip("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "replace")
        return FileEntry(path=shown, size=0, excluded="its name is not UTF-8")
    if any(char in name for char in '"<>') or not name.isprintable():
        return FileEntry(path=name, size=0, excluded="its name cannot be represented in a prompt")
    if _is_closed(name):
        return None
    try:
        real = _real(project, name, folders)
        status = os.stat(real)  # noqa: PTH116 - creating a Path for each of thousands of files costs more than the call
    except PathRefused as error:
        return FileEntry(path=name, size=0, excluded=error.reason)
    except OSError:
        return None
    return _entry_of(name, real, status, is_sniffed=is_sniffed)


def _real(project: Project, name: str, folders: dict[str, str]) -> str:
    """The real path of a listed file. Raises outside_workspace as `Project.resolve` does, OSError if it does not exist."""
    folder, _, leaf = name.rpartition("/")
    project.canonical(leaf)
    if folder not in folders:
        folders[folder] = str(project.resolve(folder)) if folder else str(project.root)
    real = os.path.join(folders[folder], leaf)  # noqa: PTH118 - as above
    return str(project.resolve(name)) if stat.S_ISLNK(os.lstat(real).st_mode) else real


def _is_closed(name: str) -> bool:
    return any(part.casefold() in {".git", STATE_DIR} for part in name.split("/"))


def _entry_of(name: str, real: str, status: os.stat_result, *, is_sniffed: bool) -> FileEntry:
    """The entry for an existing path, judged by its status and its first bytes."""
    excluded, encoding = "", ""
    if stat.S_ISDIR(status.st_mode):
        excluded = "a nested repository or a link to a folder"
    elif not stat.S_ISREG(status.st_mode):
        excluded = "not a regular file"
    elif form := format_of(name):
        excluded = _too_large(status.st_size, MAX_DOCUMENT_BYTES) if status.st_size > MAX_DOCUMENT_BYTES else ""
        encoding = form
    elif status.st_size > MAX_TEXT_BYTES:
        excluded = _too_large(status.st_size, MAX_TEXT_BYTES)
    elif (is_sniffed or name == _OLD_PROMPT) and status.st_size:
        try:
            excluded, encoding = _peek(real)
        except OSError as error:
            excluded = f"unreadable: {error.strerror}"
    return FileEntry(path=name, size=status.st_size, excluded=excluded, encoding=encoding)


def _peek(real: str) -> tuple[str, str]:
    """Why a file is not text ("" if it looks like text), and its encoding unless UTF-8; both judged by its first bytes."""
    descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0))
    try:
        head = os.read(descriptor, SNIFF_BYTES)
    finally:
        os.close(descriptor)
    if head.startswith(_PROMPT_START):
        return "a prompt that DCE wrote", ""
    if head.isascii() and b"\0" not in head:
        return "", "older" if ESCAPED in head else ""
    if name := marked(head):
        return "", name
    if b"\0" in head:
        return _BINARY, ""
    try:
        codecs.getincrementaldecoder(UTF8)().decode(head)
    except UnicodeDecodeError:
        return (_BINARY, "") if is_binary(head) else ("", "older")
    return "", ""


def _too_large(size: int, limit: int) -> str:
    return f"too large ({size / 1_000_000:.1f} MB; at most {limit // 1_000_000} MB)"


def git_names(root: Path, paths: Sequence[str] = ()) -> list[str]:
    """The files git lists below `root` (only `paths`, if given): tracked, or untracked and not ignored.

    Empty without git or outside a repository.
    """
    output = git_output(
        root, ["--literal-pathspecs", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *paths]
    )
    return [name for name in output.split("\0") if name]


def _walked_names(root: Path) -> Iterable[str]:
    """Every file below `root` that no .gitignore of the workspace excludes, including hidden files."""
    import rignore  # noqa: PLC0415 - seldom needed

    walker = rignore.walk(
        root,
        ignore_hidden=False,
        read_parents_ignores=False,
        read_global_git_ignore=False,
        require_git=False,
        follow_links=False,
        should_exclude_entry=_is_closed_entry,
    )
    for path in walker:
        if path != root and (path.is_symlink() or not path.is_dir()):
            yield path.relative_to(root).as_posix()


def _is_closed_entry(path: Path) -> bool:
    return path.name.casefold() in {".git", STATE_DIR}
