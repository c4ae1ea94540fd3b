"""How the files of a Python project are imported. Pure: it knows the project's paths and its tests' imports, nothing is run."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import msgspec

_SOURCE_FOLDERS = ("src", "lib", "python")
"""Folders that hold importable packages and are, as a rule, no part of a module's name."""

_NOT_IMPORTED = frozenset({"setup.py", "noxfile.py", "__main__.py", "manage.py"})
"""Programs: importing them does something, and tests do not import them."""


class Importable(msgspec.Struct, frozen=True):
    """The dotted name of a module, and the folder from which it is found ("": the workspace)."""

    module: str
    root: str


def importable(path: str, paths: Iterable[str], imported: Iterable[str]) -> Importable | None:
    """How the file at `path` is imported; None if it is a program, or its name is not one of a module.

    `paths`: the files of the project, which say what is a package. `imported`: what its tests import, which decides where there is
    no package.
    """
    file = PurePosixPath(path)
    if file.name in _NOT_IMPORTED or not all(part.isidentifier() for part in (file.stem,)):
        return None
    known = frozenset(paths)
    folder = file.parent
    while folder.parts and f"{folder}/__init__.py" in known:
        folder = folder.parent
    choices = [one for one in _choices(file) if one.module]
    if folder != file.parent or file.name == "__init__.py":
        return next((one for one in choices if one.root == _text(folder)), None)
    seen = frozenset(imported)
    asked = [one for one in choices if one.module in seen]
    plain = [one for one in choices if one.root in _SOURCE_FOLDERS or not one.root]
    return (asked or plain[::-1] or choices)[0] if choices else None


def imported_names(text: str) -> frozenset[str]:
    """The modules that a file imports, and what it imports from them, as dotted names."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return frozenset()
    return frozenset(name for node in ast.walk(tree) for name in _names_of(node))


def _names_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _choices(file: PurePosixPath) -> list[Importable]:
    """Every way in which the file could be imported, the longest name first."""
    parts = (*file.parent.parts, *(() if file.name == "__init__.py" else (file.stem,)))
    found = []
    for at in range(len(parts)):
        name = parts[at:]
        if all(part.isidentifier() for part in name):
            found.append(Importable(".".join(name), "/".join(parts[:at])))
    return found


def _text(folder: PurePosixPath) -> str:
    return "/".join(folder.parts)
