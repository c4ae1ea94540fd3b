"""Manifests (`package.json`, `pyproject.toml`, `Cargo.toml`, …): which of their sections are test configuration, and an answer's manifest
with the workspace's sections in place of its own.

An answer may well add a dependency, so its manifest counts; it may not say which tests run, so these sections are the workspace's. A
manifest whose sections for the runner are as before is no change of the exam. What cannot be read stays the answer's: the runner
cannot read it either.
"""

import configparser
import io
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import tomli_w

Tree = dict[str, Any]


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of one kind of manifest that belong to the exam: paths of keys, in which `*` at the end of a key stands for the rest.

    `hooks`: the section whose entries the answer may add to, but not change, nor hook into with `pre…` and `post…`."""

    sections: tuple[tuple[str, ...], ...]
    hooks: str = ""


_TASKS = ("hatch", "pdm", "poe", "taskipy", "rye", "nox", "tox", "invoke", "doit")
OWNED: Mapping[str, Owned] = {
    "package.json": Owned(
        sections=tuple((name,) for name in ("jest", "mocha", "ava", "vitest", "nyc", "c8", "tap", "wtr", "eslintConfig")),
        hooks="scripts",
    ),
    "composer.json": Owned(sections=(), hooks="scripts"),
    "deno.json": Owned(sections=(("test",), ("lint",)), hooks="tasks"),
    "deno.jsonc": Owned(sections=(("test",), ("lint",)), hooks="tasks"),
    "bunfig.toml": Owned(sections=(("test",), ("preload",))),
    "pyproject.toml": Owned(
        sections=(
            *(("tool", name) for name in ("pytest", "pytest-*", "coverage", "unittest", "nose", "nose2", "ward", *_TASKS)),
            *(("tool", name) for name in ("ruff", "mypy", "pyright", "basedpyright", "pylint", "flake8", "isort", "black")),
            ("project", "entry-points", "pytest11"),
        ),
    ),
    "setup.cfg": Owned(
        sections=tuple(
            (name,)
            for name in ("tool:*", "pytest", "coverage:*", "unittest", "nosetests", "aliases", "flake8", "mypy*", "pylint*", "tox*", "testenv*")
        )
    ),
    "cargo.toml": Owned(
        sections=(
            *(("lib", name) for name in ("test", "doctest", "harness", "bench")),
            *(("package", name) for name in ("autotests", "autobenches")),
            *(("workspace", name) for name in ("exclude", "default-members", "lints")),
            *((name,) for name in ("test", "bench", "lints")),
            *(("profile", name) for name in ("test", "bench")),
        ),
    ),
}  # fmt: skip
"""By the file's name, in lower case."""


def laid_over(name: str, before: str, after: str) -> str | None:
    """The answer's manifest (`after`) with the workspace's sections for the runner; None if they are the same. `before` "": there is none.

    `name`: the file's name. Comments and layout may be lost: a runner reads the result, nobody else does.
    """
    owned = OWNED[name.lower()]
    read, written = _FORMS[name.lower().rpartition(".")[2]]
    new = _read(read, after)
    if new is None:
        return None
    old = (_read(read, before) if before.strip() else None) or {}
    made = _merged(owned, old, new)
    return None if made == new else written(made)


def differing(name: str, before: str, after: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The entries of these sections that only one of the two has, as `path = value`: the workspace's, the answer's."""
    owned = OWNED[name.lower()]
    read, _ = _FORMS[name.lower().rpartition(".")[2]]
    old, new = ((_read(read, text) if text.strip() else None) or {} for text in (before, after))
    ours, theirs = _paths(_merged(owned, old, new)), _paths(new)
    return tuple(entry for entry in ours if entry not in theirs), tuple(entry for entry in theirs if entry not in ours)


def has_sections(name: str, text: str) -> bool:
    """Whether a manifest configures the runner at all."""
    return any(differing(name, text, ""))


def _merged(owned: Owned, old: Tree, new: Tree) -> Tree:
    made: Tree = msgspec.convert(new, Tree)
    for section in owned.sections:
        made = _with(made, old, section)
    if owned.hooks:
        made = _with_hooks(made, old, owned.hooks)
    return made


def _with(new: Tree, old: Any, section: tuple[str, ...]) -> Tree:
    """`new` with the section of `old`, or without it if `old` has none."""
    head, rest = section[0], section[1:]
    before = old if isinstance(old, dict) else {}
    names = [name for name in {**new, **before} if _fits(name, head)]
    made = dict(new)
    for name in names:
        if not rest:
            made.pop(name, None)
            if name in before:
                made[name] = before[name]
            continue
        inner = new.get(name, {})
        if not isinstance(inner, dict):
            continue
        found = _with(inner, before.get(name), rest)
        if found or name in new:
            made[name] = found
    return made


def _with_hooks(new: Tree, old: Tree, key: str) -> Tree:
    """`new` with the entries of `old`; others stay, unless they hook into one of those."""
    before, after = _tree(old.get(key)), _tree(new.get(key))
    hooks = {f"{when}{name}" for name in before for when in ("pre", "post")}
    kept = {name: value for name, value in after.items() if name in before or name not in hooks}
    both = {**kept, **before}
    return {**new, key: both} if both or key in new else new


def _tree(value: Any) -> Tree:
    return value if isinstance(value, dict) else {}


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _paths(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf as "path = value"; lists are leaves."""
    if not isinstance(tree, dict):
        return {f"{prefix} = {tree!r}": None}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _paths(value, f"{prefix}.{name}" if prefix else str(name))
    return found


def _read(read: Callable[[str], Tree], text: str) -> Tree | None:
    try:
        found = read(text.removeprefix("\ufeff"))
    except (ValueError, configparser.Error, RecursionError):
        return None
    return found if isinstance(found, dict) else None


_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


def _read_json(text: str) -> Tree:
    return msgspec.json.decode(_COMMENT.sub(lambda found: found[1] or "", text), type=Tree)


def _write_json(tree: Tree) -> str:
    return msgspec.json.format(msgspec.json.encode(tree)).decode()


def _parser() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, default_section="\0none")
    parser.optionxform = lambda optionstr: optionstr  # type: ignore[method-assign] # names keep their case
    return parser


def _read_ini(text: str) -> Tree:
    parser = _parser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _write_ini(tree: Tree) -> str:
    parser = _parser()
    parser.read_dict(tree)
    out = io.StringIO()
    parser.write(out)
    return out.getvalue()


_FORMS: Mapping[str, tuple[Callable[[str], Tree], Callable[[Tree], str]]] = {
    "json": (_read_json, _write_json),
    "jsonc": (_read_json, _write_json),
    "toml": (tomllib.loads, tomli_w.dumps),
    "cfg": (_read_ini, _write_ini),
}
