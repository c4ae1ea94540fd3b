"""Which files a workspace has, which of them can go into a prompt, and their text.

Inside a git repository git says what belongs to it (tracked, or untracked and not ignored); elsewhere a walker that honours
.gitignore files does. What cannot go in is listed with its reason rather than left out in silence. Listing only peeks at files,
so it stays quick on big trees; `read_text` is the judge of a single file.
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
from dce.workspace.tree.encodings import UTF8, decode, is_binary, marked
from dce.workspace.tree.exclude import Excludes
from dce.workspace.tree.extract import MAX_DOCUMENT_BYTES, extract, format_of
from dce.workspace.tree.git import git_output

MAX_TEXT_BYTES = 5_000_000
"""Largest file that goes into a prompt. 5 MB are over a million tokens, beyond every context window; bigger files are data."""

SNIFF_BYTES = 8_192
"""How much of a file's start decides whether it is text: what git looks at, too."""

MAX_SNIFFED_FILES = 20_000
"""How many files one listing opens. At some 15 µs each this bounds the time to a fraction of a second; the rest are taken for text."""

_PROMPT_START = b"<prompt.md>\n\n<M"
"""How every prompt begins that DCE writes. A prompt that holds the previous prompt would double with every cycle."""

_OLD_PROMPT = "prompt.md"
"""Where older versions wrote it; always looked into, however many files there are."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+,=@ ()\[\]-]*[A-Za-z0-9_+,=@()\[\]-]|[A-Za-z0-9_]")
"""File names of which nothing needs to be checked: most of them. (No dot first or last, no `~`, nothing beyond ASCII.)"""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the workspace. `size` in bytes; `excluded` says why it cannot go into a prompt, "" if it can.

    `encoding` is "" for UTF-8 (as far as a peek tells), "older" for one that only `read_text` finds out, and a document's format.
    """

    path: str
    size: int
    excluded: str = ""
    encoding: str = ""


class FileText(msgspec.Struct, frozen=True, kw_only=True):
    """A file's text without a byte-order mark; `sha256` and `size` are of the bytes on disk, mark included.

    Text in another `encoding` than UTF-8 is shown to a model as Unicode, and an accepted answer is written back in that encoding. A
    document's `encoding` is its format; accepting never writes over one.
    """

    path: str
    text: str
    sha256: str
    size: int
    encoding: str = UTF8


def list_files(project: Project) -> list[FileEntry]:
    """The workspace's files, sorted by path. Ignored files, `.git` and `.dce` are not among them."""
    names = git_names(project.root)
    # An empty answer also comes from a folder that its own repository ignores: a workspace all the same.
    return entries_of(project, names or _walked_names(project.root))


def entries_of(project: Project, names: Iterable[str]) -> list[FileEntry]:
    """Listed names as entries, sorted; without those that are gone or closed."""
    paths = sorted(set(names))
    excludes = Excludes.of(project)
    kept_out = excludes.among(paths)
    entries, sniffs = [], 0
    folders: dict[str, str] = {}
    for path in paths:
        entry = _entry(project, path, folders, is_sniffed=sniffs < MAX_SNIFFED_FILES and path not in kept_out)
        if entry is None:
            continue
        sniffs += not entry.excluded
        if path in kept_out:
            entry = FileEntry(path=entry.path, size=entry.size, excluded=excludes.reason(path))
        entries.append(entry)
    return entries


def read_text(project: Project, path: str, pages: str = "") -> FileText:
    """The text of one file; of a document, what was extracted (of `pages` "1-3,7" only), or a line that says why there is none.

    Raises outside_workspace, not_found, or invalid_input for what is not text of a sane size.
    """
    real = project.resolve(path)
    form = format_of(path)
    limit = MAX_DOCUMENT_BYTES if form else MAX_TEXT_BYTES
    try:
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DceError("invalid_input", f"{path} is not text (it is not a regular file).")
        if status.st_size > limit:
            raise DceError("invalid_input", f"{path} is not text to send ({_too_large(status.st_size, limit)}).")
        content = real.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DceError("not_found", f"There is no file {path} in the workspace.") from error
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        text, encoding = (extract(project, path, content, pages).text, form) if form else decode(content)
    except ValueError as error:
        raise DceError("invalid_input", f"{path} is not text ({error}).") from error
    return FileText(
        path=project.canonical(path),
        text=text,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        encoding=encoding,
    )


def _entry(project: Project, path: str, folders: dict[str, str], *, is_sniffed: bool) -> FileEntry | None:
    """One listed name as an entry; None for a file that git still tracks but the disk no longer has, and for closed names.

    `folders` keeps where each folder really is, so that links on the way are followed once a folder, not once a file.
    """
    folder, _, leaf = path.rpartition("/")
    if folder in folders and PLAIN_NAME.fullmatch(leaf):
        # A folder that one name has shown to be fine, and a name without anything to check: a system call and no more.
        real = f"{folders[folder]}/{leaf}"
        try:
            status = os.lstat(real)
        except OSError:
            return None
        if stat.S_ISREG(status.st_mode):
            return _looked_at(path, real, status, is_sniffed=is_sniffed)
    name = path.rstrip("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "replace")
        return FileEntry(path=shown, size=0, excluded="its name is not UTF-8")
    if any(char in name for char in '"<>') or not name.isprintable():
        return FileEntry(path=name, size=0, excluded="its name cannot be written in a prompt")
    if _is_closed(name):
        return None
    try:
        real = _real(project, name, folders)
        status = os.stat(real)  # noqa: PTH116 - a Path for each of many thousand files costs more than the call
    except PathRefused as error:
        return FileEntry(path=name, size=0, excluded=error.reason)
    except OSError:
        return None
    return _looked_at(name, real, status, is_sniffed=is_sniffed)


def _real(project: Project, name: str, folders: dict[str, str]) -> str:
    """Where a listed file really is. Raises outside_workspace as `Project.resolve` does, OSError if it is not there."""
    folder, _, leaf = name.rpartition("/")
    project.canonical(leaf)
    if folder not in folders:
        folders[folder] = str(project.resolve(folder)) if folder else str(project.root)
    real = os.path.join(folders[folder], leaf)  # noqa: PTH118 - as above
    return str(project.resolve(name)) if stat.S_ISLNK(os.lstat(real).st_mode) else real


def _is_closed(name: str) -> bool:
    return any(part.casefold() in {".git", STATE_DIR} for part in name.split("/"))


def _looked_at(name: str, real: str, status: os.stat_result, *, is_sniffed: bool) -> FileEntry:
    """The entry of what is there, as far as a peek tells."""
    excluded, encoding = "", ""
    if stat.S_ISDIR(status.st_mode):
        excluded = "a repository or a linked folder of its own"
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
    """Why a file is no text ("" if it looks like text), and its encoding unless that is UTF-8, from its start."""
    descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0))
    try:
        head = os.read(descriptor, SNIFF_BYTES)
    finally:
        os.close(descriptor)
    if head.startswith(_PROMPT_START):
        return "a prompt that DCE wrote", ""
    if head.isascii() and b"\0" not in head:
        return "", ""
    if name := marked(head):
        return "", name
    if b"\0" in head:
        return "binary", ""
    try:
        codecs.getincrementaldecoder(UTF8)().decode(head)
    except UnicodeDecodeError:
        return ("binary", "") if is_binary(head) else ("", "older")
    return "", ""


def _too_large(size: int, limit: int) -> str:
    return f"too large ({size / 1_000_000:.1f} MB; at most {limit // 1_000_000} MB)"


def git_names(root: Path, paths: Sequence[str] = ()) -> list[str]:
    """What git lists below `root` (of `paths` only, if given): tracked, or untracked and not ignored.

    Empty without git or outside a repository.
    """
    output = git_output(
        root, ["--literal-pathspecs", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *paths]
    )
    return [name for name in output.split("\0") if name]


def _walked_names(root: Path) -> Iterable[str]:
    """Every file below `root` that no .gitignore of the workspace excludes; hidden ones too."""
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
