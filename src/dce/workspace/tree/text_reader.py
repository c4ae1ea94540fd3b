"""Reads the text of many files of one workspace in one pass.

What must always hold: every result and every error is what `read_text` would give for that path. A folder is resolved, and checked
to be inside the workspace, once for all its files; files are opened without following links, so only the folders of one run are
trusted. Every unusual path is passed to `read_text`.
"""

import hashlib
import os
import stat

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.tree.declared import Declarations
from dce.workspace.tree.encodings import UTF8, Decoded, decode, is_plain
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import MAX_TEXT_BYTES, PLAIN_NAME, FileText, read_text

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | _NO_LINK


class TextReader:
    """Use one per run. Runs are short, so folders moved during a run need not be noticed."""

    def __init__(self, project: Project) -> None:
        """Raises DceError invalid_input for settings that declare an encoding that does not exist."""
        self._project = project
        self._folders: dict[str, tuple[str, str] | None] = {}
        self._declarations = Declarations(project)

    def read(self, path: str, pages: str = "") -> FileText:
        """Like `read_text`, with the same errors."""
        return self._plain(path) or read_text(self._project, path, pages, self._declarations)

    def _plain(self, path: str) -> FileText | None:
        """The text of an ordinary file with an ordinary name; None if anything needs a closer look."""
        folder, slash, leaf = path.rpartition("/")
        if not _NO_LINK or (slash and not folder) or not PLAIN_NAME.fullmatch(leaf) or format_of(leaf):
            return None
        if folder not in self._folders:
            self._folders[folder] = self._resolved(folder)
        known = self._folders[folder]
        content = _content(known[1] + leaf) if known else None
        if known is None or content is None:
            return None
        try:
            if is_plain(content):
                decoded = Decoded(content.decode("ascii"), UTF8)
            else:
                real = (known[1] + leaf).removeprefix(f"{self._project.root}/")
                decoded = decode(content, self._declarations.of(real))
        except ValueError:
            return None
        return FileText(
            path=known[0] + leaf,
            text=decoded.text,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            encoding=decoded.encoding,
            certainty=decoded.certainty,
        )

    def _resolved(self, folder: str) -> tuple[str, str] | None:
        """A folder's canonical path and its real path, both ready to be followed by a file name; None if it is refused."""
        if not folder:
            return "", f"{self._project.root}/"
        above, slash, leaf = folder.rpartition("/")
        known = self._folders.get(above) if slash else ("", f"{self._project.root}/")
        if known and PLAIN_NAME.fullmatch(leaf) and _is_folder(known[1] + leaf):
            return f"{known[0]}{leaf}/", f"{known[1]}{leaf}/"
        try:
            return f"{self._project.canonical(folder)}/", f"{self._project.resolve(folder)}/"
        except DceError:
            return None


def _is_folder(real: str) -> bool:
    """Whether the path is a folder itself, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(real).st_mode)
    except OSError:
        return False


def _content(real: str) -> bytes | None:
    """The bytes of a regular file that is not a link and not too large; None for anything else."""
    try:
        if not stat.S_ISREG(os.lstat(real).st_mode):
            return None  # opening a device may have side effects
        descriptor = os.open(real, _FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_TEXT_BYTES:
            return None
        content = os.read(descriptor, status.st_size + 1)
        while piece := os.read(descriptor, MAX_TEXT_BYTES):
            content += piece  # a read may be short, and a file may grow
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content
