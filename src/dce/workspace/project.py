"""The workspace folder, and the one gate every path passes before a disk access.

Paths come from models, shared files and browsers, so a path is refused unless it is proven to be inside the workspace: relative,
POSIX, without `..`, and still inside after all symlinks are resolved. `.git` and `.dce` are off limits, however they are spelled.
"""

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

from dce import durable
from dce.wire.errors import DceError

STATE_DIR = ".dce"
"""The folder that makes its parent a workspace: the store, settings and everything DCE writes for itself."""

PROMPT_FILE = f"{STATE_DIR}/prompt.md"
"""Where the prompt is written: among DCE's own files, which git ignores, because a prompt can hold the text of ignored files."""

_GITIGNORE = """\
# DCE's own state. Only what a team shares is committed.
*
!.gitignore
!config.toml
!selections.toml
!checks.toml
"""
_CLOSED = frozenset({".git", STATE_DIR})
_SHORT_NAME = re.compile(r"git~\d+", re.IGNORECASE)  # the short name of `.git` on file systems with 8.3 names
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class PathRefused(DceError):
    """A path that leads outside the workspace, or to a closed part of it. `reason` says why without naming the path."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__("outside_workspace", message)
        self.reason = reason


class Project:
    """A workspace folder. Immutable; `root` is absolute with symlinks resolved."""

    __slots__ = ("root",)
    root: Path

    def __init__(self, root: Path) -> None:
        object.__setattr__(self, "root", Path(os.path.realpath(root)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Project is immutable: {name}")

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Project) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)

    @property
    def state_dir(self) -> Path:
        """The workspace's `.dce` folder."""
        return self.root / STATE_DIR

    @classmethod
    def find(cls, start: Path) -> "Project":
        """The workspace that contains `start`: the nearest parent folder (or itself) with a `.dce` folder. Raises not_a_workspace."""
        here = Path(os.path.realpath(start))
        for folder in (here, *here.parents):
            if (folder / STATE_DIR).is_dir():
                return cls(folder)
        raise DceError(
            "not_a_workspace",
            f"{start} is not in a DCE workspace: neither it nor a parent folder contains {STATE_DIR}/.",
        )

    @classmethod
    def init(cls, root: Path) -> "Project":
        """Makes `root` a workspace by creating `.dce/` with its own .gitignore. Existing files are not changed."""
        project = cls(root)
        if not project.root.is_dir():
            raise DceError("not_a_workspace", f"{root} is not a folder.", hint="Create the folder first.")
        try:
            project.state_dir.mkdir(exist_ok=True)
        except FileExistsError as error:
            raise DceError("not_a_workspace", f"{project.state_dir} is a file.", hint="Move it away.") from error
        ignore = project.state_dir / ".gitignore"
        if not ignore.exists():
            durable.write(ignore, _GITIGNORE.encode())
        return project

    def canonical(self, path: str) -> str:
        """`path` without `./`, double and trailing slashes. Raises outside_workspace if the text alone rules the path out."""
        reason = _refusal(path)
        if reason:
            raise _refused(path, reason)
        return str(PurePosixPath(path))

    def resolve(self, path: str) -> Path:
        """The real file behind a relative POSIX path; it need not exist. Raises outside_workspace naming the path.

        Symlinks that stay inside are followed, so the result is never a link: writing to it changes the file, not the link.
        """
        try:
            real = Path(os.path.realpath(self.root / self.canonical(path)))
            is_link = real.is_symlink()
        except (OSError, ValueError) as error:
            raise _refused(path, f"it cannot be resolved ({error})") from error
        if not real.is_relative_to(self.root):
            raise _refused(path, "it leads outside the workspace through a symlink")
        if is_link:
            raise _refused(path, "its symlinks form a loop")
        if any(_is_closed(part) for part in real.relative_to(self.root).parts):
            raise _refused(path, f"it leads into .git or {STATE_DIR}")
        return real

    def relative(self, path: Path) -> str:
        """`path` (absolute, or relative to the root) as a POSIX path relative to the root. Raises outside_workspace."""
        absolute = Path(os.path.normpath(self.root / path))
        if not absolute.is_relative_to(self.root):
            absolute = Path(os.path.realpath(absolute))
        if not absolute.is_relative_to(self.root):
            raise PathRefused(f"{path} is not in the workspace {self.root}.", "it is not in the workspace")
        return absolute.relative_to(self.root).as_posix()


def _refused(path: str, reason: str) -> PathRefused:
    return PathRefused(f"{path!r} is refused: {reason}.", reason)


def _refusal(path: str) -> str:
    """Why the text alone rules a path out; "" if it does not."""
    parts = path.split("/")
    if not path.strip() or not PurePosixPath(path).parts:
        return "it names no file"
    if _CONTROL.search(path):
        return "it contains a control character"
    if path.startswith("/") or parts[0] == "~" or _DRIVE.match(path):
        return "it is not relative to the workspace"
    if "\\" in path:
        return "it contains a backslash; use / in paths"
    if ".." in parts:
        return "it leads upwards (`..`)"
    if any(_is_closed(part) for part in parts):
        return f".git and {STATE_DIR} are closed"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return ""


def _is_closed(part: str) -> bool:
    """Whether some file system treats this name as `.git` or `.dce`.

    Windows drops trailing dots and spaces, and a colon with what follows (a stream); macOS ignores case and format characters.
    """
    visible = "".join(char for char in part if unicodedata.category(char) != "Cf")
    name = visible.split(":")[0].rstrip(". ").casefold()
    return name in _CLOSED or _SHORT_NAME.fullmatch(name) is not None
