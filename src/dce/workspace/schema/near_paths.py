"""Maps the paths that models write to the files they mean: `a/src/a.py`, `src/a.py:7`, `src\\a.py`, `/home/me/project/src/a.py`.

Otherwise a path that almost matches a shown file would become a new file beside it: the shown file would stay as it is, every check
would pass, and the answer would look good. Invariants: a path that names a shown or an existing file is never changed; a path is
changed only to a file that the prompt showed, or if its text has no other meaning (an absolute path inside the workspace,
backslashes); every change is reported, and so is every doubt about a likely one. The result is still only text: `Project` decides
whether it may be written.
"""

import html
import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.schema.look_alikes import folded, has_look_alike, visible
from dce.workspace.schema.typo_paths import near_misses

MAX_PATH_CHARS = 1_000
"""Longest path that is examined: no file system supports longer ones."""

MAX_STEPS = 4
"""How many slips are undone in one path, as in "`C:\\ws\\src\\a.py:7`"."""

MAX_SPELLINGS = 200
"""Maximum spellings tried for a path."""

_MARKS = "`'\"*\u201c\u201d\u2018\u2019«»"
_BRACKETS = "<>()[]{}"
_LABEL = re.compile(r"(?:file|path|filename|name)\s*[:=]\s*(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_LINE = re.compile(
    r"(?:[:#@,]\s*L?\d+(?:[-:.,–]L?\d+)*:?|\(\d+(?:[,:]\s*\d+)?\)|,?\s+lines?\s+\d+(?:\s*[-–]\s*\d+)?|:)$"
)
_REMARK = re.compile(r"\s+[(\[][^()\[\]]{0,60}[)\]]$|\s+(?:#|//|--|—|–|-|<-|←)\s.{0,80}$")
_SURE_TAIL = re.compile(
    r"(?::\d+(?:[:-]\d+)?:?|#L\d+(?:-L?\d+)?|\s+\((?:new|modified|updated|changed|unchanged|created)\b[^()]*\))$",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([_*\-.\[\]()#~`+!{}&])")
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_VARIABLE = re.compile(r"(?:\$\{?\w+\}?|%\w+%|<[^<>/]+>|\{\w+\}|\[\w+\]|~)/")
_DIFF_FRONTS = frozenset("abciow")
"""What git writes before a diff's paths."""
_STAND_INS = frozenset({"workspace", "workspaces", "repo", "repository", "project", "root", "path/to", "your-project"})
"""Names that models use for a workspace whose real name they do not know."""
_GENERIC = re.compile(
    r"__\w+__\.|(?:index|main|mod|setup|conftest|package|tsconfig|test\w*)\.|readme|license|changelog|\.", re.IGNORECASE
)
"""Names that occur in many folders of one project: a second one does not suggest a slip."""


class NamedPath(NamedTuple):
    """The file that an answer means. `doubt`: why that is uncertain, as a sentence; "" if it is certain.

    `near`: the shown files that it may be a slip for. If the answer moves or deletes them, there is no doubt.
    """

    path: str
    doubt: str = ""
    near: tuple[str, ...] = ()


class NearPaths:
    """The files that a path in an answer may mean: those that the prompt showed, and those in the workspace now."""

    def __init__(self, project: Project, shown: Iterable[str]) -> None:
        self._project = project
        self._shown = frozenset(shown)
        self._padded = frozenset(path for path in self._shown if path != path.strip())
        self._folded: dict[str, list[str]] | None = None
        self._known: dict[str, NamedPath] = {}

    def named(self, path: str) -> NamedPath:
        """The file that `path` means."""
        if path not in self._known:
            self._known[path] = self._named(path)
        return self._known[path]

    def _named(self, path: str) -> NamedPath:
        if len(path) > MAX_PATH_CHARS or not path.strip():
            return NamedPath(path)
        spaced = sorted(shown for shown in self._padded if shown.strip() == path)
        if spaced:  # readers take the blanks around a path for the answer's own
            if len(spaced) == 1 and path not in self._shown and not self._exists(path):
                return NamedPath(spaced[0])
            return NamedPath(path, f"It can also mean {' or '.join(map(repr, spaced))}.")
        if path in self._shown:
            return NamedPath(path)
        if self._exists(path):
            return NamedPath(self._shown_as(self._project.canonical(path)))
        return self._of_shown(path) or self._of_none(path)

    def _shown_as(self, path: str) -> str:
        """The spelling under which the prompt showed an existing file: some file systems accept several for one file."""
        here = self._project.root
        alike = [name for name in self._alike(path) if (here / name).exists() and (here / name).samefile(here / path)]
        return alike[0] if alike and path not in self._shown else path

    def _of_shown(self, path: str) -> NamedPath | None:
        """The shown file closest to the path; None if none is similar."""
        for spellings in self._spellings(path):
            for near in (self._same, self._alike):
                found = {name: is_risky for spelling, is_risky in spellings for name in near(spelling)}
                if len(found) > 1:
                    return NamedPath(path, f"It can mean {' or '.join(sorted(found))}.")
                for name, is_risky in found.items():
                    if is_risky and _GENERIC.match(name):
                        return None  # `docs/README.md` is not a slip for the `README.md` beside `docs/`
                    if is_risky:
                        return NamedPath(path, f"It may mean {name}, which the prompt showed.")
                    return NamedPath(name)
        return None

    def _same(self, spelling: str) -> list[str]:
        return [spelling] if spelling in self._shown else []

    def _alike(self, spelling: str) -> list[str]:
        if self._folded is None:  # most answers spell every path as it was shown
            self._folded = {}
            for path in sorted(self._shown):
                self._folded.setdefault(folded(path), []).append(path)
        return self._folded.get(folded(spelling), [])

    def _of_none(self, path: str) -> NamedPath:
        """A path unlike any shown file's: cleaned of what no path contains, and doubted if it may mean a file in the workspace."""
        plain = self._plain(path)
        if self._is_refused(plain):
            return NamedPath(path)  # the refusal quotes the path from the answer
        if plain in self._shown or self._exists(plain):
            return NamedPath(plain)
        bare = _undressed(plain)
        if bare != plain and not self._is_refused(bare):
            return NamedPath(bare, "Quotes, labels, remarks and line numbers are no part of a path.")
        for front, rest in self._fronts(plain):
            if "/" in rest and self._is_folder(posixpath.dirname(rest)) and not self._is_folder(front):
                return NamedPath(
                    rest, f"{front}/ is no folder of the workspace, and {posixpath.dirname(rest)}/ is one."
                )
        doubt = self._doubt(plain)
        near = [] if doubt else self._near(plain)
        return NamedPath(plain, f"The prompt showed {' and '.join(near[:3])}." if near else doubt, tuple(near))

    def _plain(self, path: str) -> str:
        """The path relative to the workspace and with forward slashes, if its text is unambiguous."""
        path = visible(path).strip() if visible(path).isascii() else path
        if "\\" in path and "/" not in path and not _ESCAPED.search(path):
            path = path.replace("\\", "/")
        for root in self._roots():
            if path.startswith(root + "/"):
                return posixpath.normpath(path[len(root) + 1 :])
        return path

    def _roots(self) -> list[str]:
        root = self._project.root.as_posix()
        return [root, f"file://{root}", f"file:{root}"]

    def _doubt(self, path: str) -> str:
        """Why the path may not mean a new file; "" if there is no reason for doubt."""
        there = self._nearest_on_disk(path)
        if there:
            return f"The workspace has {there}."
        parts = path.split("/")
        if any(has_look_alike(part) for part in parts):
            return "It mixes letters of two scripts that look alike."
        for at in range(1, len(parts) - 1):
            rest = "/".join(parts[at:])
            if rest in self._shown and not self._is_folder(parts[0]):
                return f"The prompt showed {rest}, and the workspace has no folder {parts[0]}/."
        return ""

    def _near(self, path: str) -> list[str]:
        """The shown files that the path may be a slip for: its end, its name in a folder that does not exist, or a misspelling."""
        name = path.rpartition("/")[2]
        is_telling = not _GENERIC.match(name)
        ends = [shown for shown in sorted(self._shown) if shown.endswith(f"/{path}")]
        if ends and ("/" in path or is_telling):
            return ends
        if "/" in path and is_telling and not self._is_folder(path.partition("/")[0]):
            alike = [shown for shown in sorted(self._shown) if shown.rpartition("/")[2] == name]
            if alike:
                return alike
        return near_misses(path, self._shown, self._is_folder)

    def _nearest_on_disk(self, path: str) -> str:
        """The first part of the path that the workspace spells differently; "" if there is none."""
        here = ""
        for part in path.split("/"):
            following = f"{here}/{part}" if here else part
            if not self._exists(following):
                wanted = folded(part)
                alike = [name for name in self._names_in(here) if name != part and folded(name) == wanted]
                return f"{here}/{alike[0]}" if alike and here else alike[0] if alike else ""
            here = following
        return ""

    def _names_in(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._project.resolve(folder) if folder else self._project.root))  # noqa: PTH208
        except (DceError, OSError):
            return []

    def _exists(self, path: str) -> bool:
        try:
            return self._project.resolve(path).exists()
        except (DceError, OSError):
            return False

    def _is_folder(self, path: str) -> bool:
        try:
            return self._project.resolve(path).is_dir()
        except (DceError, OSError):
            return False

    def _is_refused(self, path: str) -> bool:
        try:
            self._project.canonical(path)
        except DceError:
            return True
        return False

    def _spellings(self, path: str) -> Iterator[list[tuple[str, bool]]]:
        """The path as written, then with one slip undone, then with two …; and whether each is only likely."""
        seen = {path}
        layer = [(path, False)]
        for _ in range(MAX_STEPS + 1):
            yield layer
            following = []
            for spelling, is_risky in layer:
                steps = [(each, False) for change in _CHANGES for each in change(spelling)]
                steps += [(rest, self._is_folder(front)) for front, rest in self._fronts(spelling)]
                for each, is_step_risky in steps:
                    if each and each not in seen and len(seen) < MAX_SPELLINGS:
                        seen.add(each)
                        following.append((each, is_risky or is_step_risky))
            layer = following

    def _fronts(self, path: str) -> Iterator[tuple[str, str]]:
        """Possible prefixes of a workspace path, and the rest: the workspace's name, a diff's `a/`, the path to its folder."""
        name = folded(self._project.root.name)
        is_absolute = path.startswith(("/", "~", "..")) or bool(_DRIVE.match(path))
        parts = path.split("/")
        for at, part in enumerate(parts[:-1]):
            if folded(part) == name and (at == 0 or is_absolute):
                yield "" if is_absolute else "/".join(parts[: at + 1]), "/".join(parts[at + 1 :])
        for at in (1, 2):
            front, rest = "/".join(parts[:at]), "/".join(parts[at:])
            if rest and (front in _DIFF_FRONTS or front.casefold() in _STAND_INS):
                yield front, rest


def _undressed(path: str) -> str:
    """The path without what never belongs to one: quotes around it, `file:` before it, a line number or a remark after it."""
    for _ in range(MAX_STEPS):
        bare = _LABEL.sub("", path.strip(), count=1) if _LABEL.match(path.strip()) else path.strip()
        bare = _SURE_TAIL.sub("", bare.strip(_MARKS)).strip()
        if not bare or bare == path:
            break
        path = bare
    return path


def _without_marks(path: str) -> Iterator[str]:
    yield path.strip().strip(_MARKS + ",;").strip()
    yield path.strip(_BRACKETS)
    yield path.rstrip(".")


def _without_label(path: str) -> Iterator[str]:
    found = _LABEL.match(path)
    if found:
        yield path[found.end() :]


def _without_line(path: str) -> Iterator[str]:
    yield _LINE.sub("", path)
    yield _REMARK.sub("", path)


def _with_slashes(path: str) -> Iterator[str]:
    if "\\" in path:
        yield path.replace("\\", "/")
        yield _ESCAPED.sub(r"\1", path)


def _decoded(path: str) -> Iterator[str]:
    if "%" in path:
        yield unquote(path)
    if "&" in path:
        yield html.unescape(path)


def _relative(path: str) -> Iterator[str]:
    """The path without a leading slash, drive or variable, and with `..` and doubled slashes resolved."""
    if path.startswith("/"):
        yield path.lstrip("/")
    found = _DRIVE.match(path) or _VARIABLE.match(path)
    if found:
        yield path[found.end() :]
    if not path.startswith("/"):
        yield posixpath.normpath(path)


def _seen(path: str) -> Iterator[str]:
    yield re.sub(r"\s*/\s*", "/", visible(path).strip())
    yield unicodedata.normalize("NFC", path)


_CHANGES: tuple[Callable[[str], Iterator[str]], ...] = (
    _seen,
    _without_marks,
    _without_label,
    _without_line,
    _with_slashes,
    _decoded,
    _relative,
)
"""The slips that are undone in a path, one row for each kind."""
