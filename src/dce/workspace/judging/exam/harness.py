"""The scripts that start a project's tests: files that checks run, directly or through npm, make and scripts, and whose names say that
they test (`scripts/test.sh`, `run_tests.py`, `ci/check`).

Invariants: only files of the workspace count; nothing is executed; a program under test (`app.py --selftest`) is none, so its name must say that
it tests.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.place import beginning

MAX_FILES = 50
"""How many scripts are followed: a project has a few."""

_WORD = re.compile(r"[\w./@+-]+")
_TESTS = re.compile(r"(?:^|[-_.])(?:run)?(?:tests?|testing|checks?|specs?|ci|verify)(?:[-_.]|$)", re.IGNORECASE)
_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_RECIPES = {
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "gmake": ("GNUmakefile", "makefile", "Makefile"),
    "just": ("justfile", ".justfile", "Justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "rake": ("Rakefile",),
    "tox": ("tox.ini",),
    "nox": ("noxfile.py",),
}
"""Programs that run what a file of the project says."""


def harness_of(root: Path, checks: Sequence[Check]) -> frozenset[str]:
    """The paths of these scripts, relative to the workspace."""
    found: dict[str, None] = {}
    for check in checks:
        found |= dict.fromkeys(_named(root, check.cwd, _commands(root, check)))
    for path in found.copy():  # what such a script starts in turn
        if len(found) < MAX_FILES and PurePosixPath(path).suffix in {"", ".sh", ".bash"}:
            text = beginning(root / path)
            found |= dict.fromkeys(_named(root, "", [text])) | dict.fromkeys(
                _named(root, str(PurePosixPath(path).parent), [text])
            )
    return frozenset(list(found)[:MAX_FILES])


def _commands(root: Path, check: Check) -> Iterator[str]:
    """The check's command, and what the files say that it makes run."""
    yield " ".join(check.command)
    words = {PurePosixPath(word).name for word in _WORD.findall(" ".join(check.command))}
    if words & _MANAGERS:
        yield from _scripts(beginning(root / check.cwd / "package.json"))
    for program in words & _RECIPES.keys():
        yield from (beginning(root / check.cwd / name) for name in _RECIPES[program])


def _scripts(manifest: str) -> Iterator[str]:
    try:
        scripts = msgspec.json.decode(manifest or "{}", type=dict[str, object]).get("scripts")
    except msgspec.DecodeError:
        return
    if isinstance(scripts, dict):
        yield from (str(script) for script in scripts.values())


def _named(root: Path, folder: str, texts: Iterable[str]) -> Iterator[str]:
    """The files of the workspace among the words of a text, if their names say that they test."""
    for word in dict.fromkeys(word for text in texts for word in _WORD.findall(text)):
        path = PurePosixPath(folder, word)
        is_path = bool(path.suffix) or "/" in word
        if (
            is_path
            and not path.is_absolute()
            and ".." not in path.parts
            and _TESTS.search(path.name)
            and (root / path).is_file()
        ):
            yield path.as_posix()
