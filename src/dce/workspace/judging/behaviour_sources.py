"""What probes are made from, read from the workspace and the answers: the versions of the changed files, and the workspace's own tests.

Invariants: nothing is run and nothing is written; no test of an answer is used, because an answer may have written it to fit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from dce.wire.errors import DceError
from dce.workspace.judging.behaviour.language import Language, Sources
from dce.workspace.judging.behaviour.languages import LANGUAGES, by_language
from dce.workspace.judging.lanes.answer import files_of
from dce.workspace.project import STATE_DIR, Project
from dce.workspace.schema.reading import Reading
from dce.workspace.tree.current import CurrentFiles
from dce.workspace.tree.files import listed_names

MAX_TEST_FILES = 200
"""Maximum test files that are read for one language: those nearest to the changed files. A large project has thousands."""

MAX_TEST_BYTES = 200_000
"""Largest test file that is read: a larger one is data."""

MAX_VERSION_BYTES = 1_000_000
"""Largest changed file that probes are made for; a larger one is generated."""

_WORD = re.compile(r"[A-Za-z0-9]+")


def sources_of(
    project: Project, readings: Sequence[Reading], languages: Iterable[Language] = LANGUAGES, *, asked: str = ""
) -> dict[str, Sources]:
    """What each language's probes are made from, by its name; only languages of files that some answer changes. `asked`: what the
    cycle asks for."""
    laid = [{file.path: file.data for file in files_of(project, reading)} for reading in readings]
    rows = {row.name: row for row in languages}
    grouped = by_language({path for files in laid for path in files}, rows.values())
    if not grouped:
        return {}
    names = [name for name in listed_names(project) if not name.startswith(f"{STATE_DIR}/")]
    current = CurrentFiles(project)
    found = {}
    for name, paths in grouped.items():
        changed = {path: _versions(path, laid, current) for path in paths}
        changed = {path: versions for path, versions in changed.items() if len(versions) > 1}
        if changed:
            tests = _nearest(project, [path for path in names if rows[name].is_test(path)], tuple(changed))
            documents = _nearest(project, [path for path in names if rows[name].is_document(path)], tuple(changed))
            found[name] = Sources(
                changed=changed, tests=tests, documents=documents, paths=frozenset(names), asked=asked
            )
    return found


def _versions(path: str, laid: Sequence[Mapping[str, bytes | None]], current: CurrentFiles) -> tuple[str, ...]:
    """The workspace's text, then the different texts of the answers; the first alone if no answer changes it or it is too large."""
    try:
        before = current.at(path).data or b""
    except DceError:
        before = b""
    versions = dict.fromkeys((before, *((files[path] or b"") if path in files else before for files in laid)))
    if any(len(data) > MAX_VERSION_BYTES for data in versions):
        return ("",)
    return tuple(data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n") for data in versions)


def _nearest(project: Project, paths: Sequence[str], changed: Sequence[str]) -> dict[str, str]:
    def distance(path: str) -> tuple[int, int, str]:
        words, folders = max(_nearness(path, other) for other in changed)
        return -words, -folders, path

    nearest = sorted(paths, key=distance)
    found = {}
    for path in nearest[:MAX_TEST_FILES]:
        text = _text(project.root / path)
        if text is not None:
            found[path] = text
    return found


def _nearness(path: str, changed: str) -> tuple[int, int]:
    """How much a test seems to belong to a file: words that their names share, then folders that their paths share."""
    one, other = PurePosixPath(path), PurePosixPath(changed)
    words = set(_WORD.findall(one.stem.lower())) & set(_WORD.findall(other.stem.lower()))
    return len(words), len(set(one.parents) & set(other.parents))


def _text(path: Path) -> str | None:
    """The text of a plain file of the workspace; None if it is too large, or not text."""
    try:
        if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_TEST_BYTES:
            return None
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        return None
