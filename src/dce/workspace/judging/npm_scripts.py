"""Which checks fit a JavaScript project, by its package.json: rows of `proposing.py`."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.workspace.judging.place import MAX_PLACES, MAX_PLACES_LOOKED_AT, Command, Found, Place

_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})


def _package(place: Place) -> dict[str, object]:
    return _read_package(place.text("package.json"))


def _read_package(text: str) -> dict[str, object]:
    try:
        found = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
    return found


def _test_script(place: Place) -> str:
    return _script_of(place.text("package.json"))


def _script_of(text: str) -> str:
    scripts = _read_package(text).get("scripts")
    script = str(scripts.get("test", "")) if isinstance(scripts, dict) else ""
    return "" if "no test specified" in script else script.strip()


def _depends_on(place: Place, name: str) -> bool:
    package = _package(place)
    groups = [package.get(key) for key in ("dependencies", "devDependencies")]
    return any(isinstance(group, dict) and name in group for group in groups)


def runner(name: str, *arguments: str) -> Callable[[Place], Found | None]:
    """A runner that npm installs: its own command, if the test script is nothing else, so that it can be asked for a report."""

    def find(place: Place) -> Found | None:
        script = _test_script(place)
        words = script.split()
        if words[:1] == [name] and not re.search(r"[&|;<>$`\"'()*]", script):
            given = tuple(word for word in words[1:] if word not in {"run", "--watch", "watch", "--watchAll"})
            return ("npx", "--no-install", name, *arguments, *given), f'package.json: "test": "{script}"'
        if not script and not _tested_packages(place) and _depends_on(place, name):
            return ("npx", "--no-install", name, *arguments), f"package.json depends on {name}"
        return None

    return find


def _tested_packages(place: Place) -> list[str]:
    """The folders of a JavaScript monorepo's packages that have a test script, if this is its root."""
    if "workspaces" not in _package(place) and "pnpm-workspace.yaml" not in place.names:
        return []
    packages = place.matching(r"(^|/)[^/]+/package\.json$")[:MAX_PLACES_LOOKED_AT]
    return [str(PurePosixPath(name).parent) for name in packages if _script_of(place.text(name))]


_OWN_RUNNERS = (runner("vitest", "run"), runner("jest"), runner("mocha"))


def node(place: Place) -> Found | None:
    script = _test_script(place)
    if re.fullmatch(r"node (--\S+ )*--test( [\w./*-]+)*", script) and "*" not in script:
        return tuple(script.split()), f'package.json: "test": "{script}"'
    if script or _tested_packages(place) or any(find(place) for find in _OWN_RUNNERS):
        return None
    for test in place.matching(r"(\.test|_test|-test)\.[cm]?js$|(^|/)test/[^/]+\.[cm]?js$")[:20]:
        if "node:test" in place.text(test):
            return ("node", "--test"), f"{test} uses node:test"
    return None


def npm(place: Place) -> Found | None:
    script = _test_script(place)
    if not script and len(packages := _tested_packages(place)) > MAX_PLACES:
        every = ("pnpm", "-r", "--no-bail") if "pnpm-workspace.yaml" in place.names else ("npm", "--workspaces")
        return (*every, "--if-present", "run", "test"), f"{len(packages)} packages have a test script"
    if not script or node(place) or any(find(place) for find in _OWN_RUNNERS):
        return None
    manager = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "bun.lockb": "bun"}.get(
        place.first("pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"), "npm"
    )
    return (manager, "run", "test") if manager == "bun" else (manager, "test"), f'package.json: "test": "{script}"'


def npm_parts(place: Place) -> tuple[tuple[str, Command], ...]:
    """The programs of a test script `a && b && c`, each by name as a check of its own: one that fails hides none of the others, and a
    runner among them can be asked for a report. Nothing if a part needs a shell or is not installed."""
    parts = [part.split() for part in _test_script(place).split("&&")]
    if len(parts) < 2 or any(not _is_plain(part) for part in parts) or not npm(place):
        return ()
    commands = [_command(place, part) for part in parts]
    if not all(commands):
        return ()
    programs = Counter(part[0] for part in parts)
    names = [part[0] if programs[part[0]] == 1 and part[0] not in _MANAGERS else " ".join(part) for part in parts]
    return tuple(dict(zip(names, commands, strict=True)).items())


def _is_plain(words: Sequence[str]) -> bool:
    """Whether these are a program and its words, with nothing for a shell to do."""
    return bool(words) and "=" not in words[0] and not re.search(r"[&|;<>$`\"'()*\\~?]", " ".join(words))


def _command(place: Place, words: Sequence[str]) -> Command:
    """How a program of a script is started outside of it; () if it is not there."""
    if words[0] == "node" or words[0] in _MANAGERS:
        return tuple(words)
    return ("npx", "--no-install", *words) if place.is_installed(words[0]) else ()
