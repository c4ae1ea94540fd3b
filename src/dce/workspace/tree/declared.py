"""The encodings that people declare for their files: in DCE's settings, in the file itself, in .editorconfig.

    encoding = { "*.py" = "cp1251", "legacy/**" = "gbk" }      # .dce/config.toml: patterns as in .gitignore, the last match counts

What must always hold: the settings win over the file, and the file over .editorconfig; a declaration names only encodings of text; an
unknown name in the settings is an error, elsewhere it is ignored.
"""

import configparser
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from dce.wire.errors import DceError
from dce.workspace.encoding_names import encodings_of, problem_of
from dce.workspace.project import Project
from dce.workspace.settings import CONFIG_FILE, read_config

if TYPE_CHECKING:
    import pathspec

CONFIGURED, IN_FILE, EDITORCONFIG = "config.toml", "the file", ".editorconfig"

_EDITORCONFIG = ".editorconfig"
MAX_EDITORCONFIG_BYTES = 100_000
"""Largest .editorconfig that is read; real ones have a few kilobytes."""

MAX_ALTERNATIVES = 200
"""Most patterns that the braces of one section may stand for."""

_HEAD_BYTES = 1_024
"""Where a declaration inside a file must be, as browsers have it."""

_BY_LINE = re.compile(
    rb"^[ \t\f]*(?:#|//|/\*|--|;|%|<!--|rem\b).*?(?:coding|charset)[:=][ \t]*[\"']?([-\w.]+)", re.IGNORECASE
)
"""A comment as in PEP 263, which Ruby, Emacs and Vim share: `# -*- coding: cp1251 -*-`, `// vim: set fileencoding=gbk`."""

_BY_HEAD = (
    re.compile(rb"\A\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([-\w.:]+)"),
    re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?([-\w.:]+)", re.IGNORECASE),
    re.compile(rb"\A@charset \"([-\w.:]+)\";"),
    re.compile(rb"^\"Content-Type: text/plain; charset=([-\w.:]+)", re.MULTILINE),
)
"""XML, HTML, CSS and gettext."""


class Declared(NamedTuple):
    """The encoding that something declares: the first of `encodings` that fits. `source` says what declares it, "" nothing."""

    encodings: tuple[str, ...]
    source: str


NOTHING = Declared((), "")


def declared_in(content: bytes) -> Declared:
    """The encoding that a file names in its first lines."""
    head = content[:_HEAD_BYTES]
    names = [found[1] for line in head.splitlines()[:2] if (found := _BY_LINE.match(line))]
    names += [found[1] for pattern in _BY_HEAD if (found := pattern.search(head))]
    for name in names:
        if encodings := encodings_of(name.decode("ascii", "replace")):
            return Declared(encodings, IN_FILE)
    return NOTHING


def how_to_declare(path: str, guess: str) -> str:
    """The words that tell a user how to name the encoding of one file."""
    pattern = json.dumps("/" + re.sub(r"([*?\[\\])", r"\\\1", path), ensure_ascii=False)
    return f"Name its encoding in .dce/{CONFIG_FILE}, above any table: encoding = {{{pattern} = {json.dumps(guess)}}}, if that is right"


class Declarations:
    """What a workspace declares of its files' encodings. Reads the settings once, and each .editorconfig when it is first needed."""

    def __init__(self, project: Project) -> None:
        """Raises DceError invalid_input naming what is wrong in the settings."""
        self._root = project.root
        self._configured = _configured(project.state_dir / CONFIG_FILE)
        self._editorconfigs: dict[str, tuple[bool, Sequence[tuple[pathspec.GitIgnoreSpec, Declared]]]] = {}

    def of(self, path: str) -> Declared:
        """What is declared for a file, beside what it says itself. `path`: relative to the root, links followed."""
        for spec, declared in reversed(self._configured):
            if spec.match_file(path):
                return declared
        for folder in PurePosixPath(path).parents:
            is_root, sections = self._editorconfig(folder.as_posix())
            inner = PurePosixPath(path).relative_to(folder).as_posix()
            for spec, declared in reversed(sections):
                if spec.match_file(inner):
                    return declared
            if is_root:
                break
        return NOTHING

    def _editorconfig(self, folder: str) -> "tuple[bool, Sequence[tuple[pathspec.GitIgnoreSpec, Declared]]]":
        if folder not in self._editorconfigs:
            self._editorconfigs[folder] = _read_editorconfig(self._root / folder / _EDITORCONFIG)
        return self._editorconfigs[folder]


def _configured(path: Path) -> "list[tuple[pathspec.GitIgnoreSpec, Declared]]":
    values = read_config(path).get("encoding", {})
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values.values()):
        raise DceError(
            "invalid_input",
            f"encoding in {CONFIG_FILE} is not a table of patterns and encodings",
            hint='Write it as `encoding = {"*.py" = "cp1251"}`.',
        )
    found = []
    for pattern, name in values.items():
        if problem := problem_of(name):
            raise DceError(
                "invalid_input", f"encoding in {CONFIG_FILE}: {problem[0]} (for {pattern!r})", hint=problem[1]
            )
        found.append((_spec(pattern), Declared(encodings_of(name), CONFIGURED)))
    return found


def _spec(*patterns: str) -> "pathspec.GitIgnoreSpec":
    import pathspec  # noqa: PLC0415 - most workspaces have none

    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise DceError("invalid_input", f"encoding in {CONFIG_FILE} contains an invalid pattern: {error}.") from error


def _read_editorconfig(path: Path) -> "tuple[bool, Sequence[tuple[pathspec.GitIgnoreSpec, Declared]]]":
    """Whether the search for others ends here, and the charsets by section. A file that cannot be read declares nothing."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, default_section="\0", interpolation=None)
    try:
        if path.is_symlink() or path.stat().st_size > MAX_EDITORCONFIG_BYTES:
            return False, ()
        parser.read_string("[\1]\n" + path.read_text("utf-8-sig"))  # the lines before the first section
    except (OSError, UnicodeDecodeError, configparser.Error):
        return False, ()
    is_root = (parser.get("\1", "root", fallback="") or "").strip().lower() == "true"
    found = []
    for section in parser.sections():
        name = (parser.get(section, "charset", fallback="") or "").strip().lower()
        encodings = encodings_of("utf-8" if name == "utf-8-bom" else name) if name else ()
        try:
            if encodings:
                found.append((_spec(*_alternatives(section)), Declared(encodings, EDITORCONFIG)))
        except DceError:
            continue
    return is_root, found


def _alternatives(section: str) -> Iterator[str]:
    """A section's patterns in .gitignore syntax, which has no braces."""
    waiting, given = [section], 0
    while waiting and given < MAX_ALTERNATIVES:
        pattern = waiting.pop()
        braces = re.search(r"\{([^{}]*)\}", pattern)
        if braces is None:
            given += 1
            yield pattern
        elif numbers := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", braces[1]):
            low, high = sorted((int(numbers[1]), int(numbers[2])))
            inner = [str(number) for number in range(low, min(high, low + MAX_ALTERNATIVES) + 1)]
            waiting += [pattern[: braces.start()] + one + pattern[braces.end() :] for one in inner]
        else:
            inner = braces[1].split(",")
            waiting += [pattern[: braces.start()] + one + pattern[braces.end() :] for one in inner]
