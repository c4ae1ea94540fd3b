"""Makes the probes: each is a test file with one or two other values in it. Nothing is run.

A probe's `header` is the path of the test file and, for tests that stand in the changed file itself, a mark; its only step is the text.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.mutated.literals import Literal, edges, literals, replaced
from dce.workspace.judging.behaviour.mutated.trees import Tree, tree_of, walk
from dce.workspace.judging.behaviour.probe import Origin, Probe, Snippet, make_probe

MAX_PROBES = 36
"""Maximum probes: each is a whole run of the tests. How many do run is a matter of time."""

MAX_FILES = 4
"""Maximum test files that are changed: those that say most of what the answers change."""

PAIR_SHARE = 3
"""One in so many probes has two values changed."""

INNER = "inner"
"""The mark of a probe whose text is the module of tests in a changed file."""


class Tests(msgspec.Struct, frozen=True):
    """Tests to change: a whole file, or the module of tests in one (`node`)."""

    path: str
    tree: Tree
    node: Any
    is_inner: bool


def make_probes(changed: Mapping[str, Sequence[str]], tests: Mapping[str, str], seed: int) -> tuple[Probe, ...]:
    """The probes, the most telling first."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    names = frozenset(word for path, versions in changed.items() for text in versions for word in _names(path, text))
    files = sorted(_tests(changed, tests), key=lambda found: (-_mentions(found, names), found.path))[:MAX_FILES]
    streams = [_varied(found, names, rng) for found in files if _mentions(found, names)]
    probes: dict[str, Probe] = {}
    for row in zip_longest(*streams):
        for probe in (one for one in row if one is not None):
            if len(probes) < MAX_PROBES:
                probes.setdefault(probe.id, probe)
        if len(probes) >= MAX_PROBES:
            break
    return tuple(probes.values())


def inner_tests(tree: Tree) -> Any:
    """The module of tests in a file that is not a test file (`#[cfg(test)] mod tests`); None if there is none."""
    for node in tree.root.named_children:
        before = node.prev_named_sibling
        if node.type == "mod_item" and before is not None and re.search(r"cfg\s*\(\s*test\s*\)", tree.text(before)):
            return node
    return None


def _tests(changed: Mapping[str, Sequence[str]], tests: Mapping[str, str]) -> Iterator[Tests]:
    for path, text in tests.items():
        tree = tree_of(text, path)
        if tree is not None:
            yield Tests(path, tree, tree.root, is_inner=False)
    for path, versions in changed.items():
        tree = tree_of(versions[0], path) if versions else None
        inner = inner_tests(tree) if tree is not None else None
        if tree is not None and inner is not None:
            yield Tests(path, tree, inner, is_inner=True)


def _varied(tests: Tests, names: frozenset[str], rng: random.Random) -> Iterator[Probe]:
    """One value changed, values in turns, and now and then two."""
    found = [literal for literal in literals(tests.tree, names, tests.node) if literal.weight]
    best = [literal for literal in found if literal.weight == 2] or found
    ways = [[(literal, new) for new in edges(literal)] for literal in best]
    single = [change for row in zip_longest(*ways) for change in row if change is not None]
    for number, change in enumerate(single, start=1):
        yield _probe(tests, [change], "edge")
        if number % (PAIR_SHARE - 1) == 0 and len(best) > 1:
            one, two = rng.sample(best, 2)
            if not one.overlaps(two) and edges(one) and edges(two):
                yield _probe(tests, [(one, rng.choice(edges(one)[:4])), (two, rng.choice(edges(two)[:4]))], "pair")


def _probe(tests: Tests, changes: Sequence[tuple[Literal, str]], origin: Origin) -> Probe:
    content, start = tests.tree.content, 0
    if tests.is_inner:
        start, end = tests.node.start_byte, tests.node.end_byte
        content = content[start:end]
    moved = [
        (Literal(literal.start - start, literal.end - start, literal.source, literal.kind, literal.weight), new)
        for literal, new in changes
    ]
    label = "; ".join(_label(tests.tree, literal, new) for literal, new in changes)
    header = (tests.path, INNER) if tests.is_inner else (tests.path,)
    return make_probe(Snippet(header=header, steps=(replaced(content, moved),)), origin, label)


def _label(tree: Tree, literal: Literal, new: str) -> str:
    """The line of a literal with the new value in it, or the call around it if that is shorter."""
    first = tree.content.rfind(b"\n", 0, literal.start) + 1
    last = tree.content.find(b"\n", literal.end)
    line = tree.content[first : last if last >= 0 else len(tree.content)]
    text = line[: literal.start - first] + new.encode() + line[literal.end - first :]
    return " ".join(text.decode("utf-8", "replace").split()).rstrip(";")


def _names(path: str, text: str) -> frozenset[str]:
    """The names of what a file defines, and its own."""
    tree = tree_of(text, path)
    found = {PurePosixPath(path).stem}
    for node in walk(tree.root) if tree is not None else ():
        name = node.child_by_field_name("name")
        if name is not None and re.search(
            r"function|method|item|struct|class|type_spec|definition|declaration", node.type
        ):
            found.add(tree.text(name) if tree is not None else "")
        declarator = node.child_by_field_name("declarator")
        if node.type == "function_definition" and declarator is not None and tree is not None:
            found.add(re.split(r"[\s(*&]+", tree.text(declarator).lstrip("*& "))[0])
    return frozenset(found) - {""}


def _mentions(tests: Tests, names: frozenset[str]) -> int:
    words = set(re.findall(r"\w+", tests.tree.text(tests.node)))
    return len(words & names)
