"""Makes the probes: each is a test with one or two things changed in it. Nothing is run.

A probe's `header` is the path of the test file and, for tests that stand in the changed file itself, a mark; its only step is the text.
For languages whose tests are functions (`functions.py`), the step is one test and the header names it.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.mutated.calling import new_tests, values_of
from dce.workspace.judging.behaviour.mutated.changes import Change, changed, label_of
from dce.workspace.judging.behaviour.mutated.dictionary import Dictionary, dictionary
from dce.workspace.judging.behaviour.mutated.functions import FUNCTION, inner_tests, test_functions
from dce.workspace.judging.behaviour.mutated.literals import edges, literals
from dce.workspace.judging.behaviour.mutated.shell_commands import (
    calls,
    looks,
    new_calls,
    other_arguments,
    other_lines,
    other_names,
    with_options,
)
from dce.workspace.judging.behaviour.mutated.shell_recording import SHELLS
from dce.workspace.judging.behaviour.mutated.signatures import signatures
from dce.workspace.judging.behaviour.mutated.statements import more_rows, moved_statements
from dce.workspace.judging.behaviour.mutated.trees import Tree, tree_of, walk
from dce.workspace.judging.behaviour.probe import Origin, Probe, Snippet, make_probe

MAX_WHOLE, MAX_SHELL, MAX_TOGETHER, MAX_NEW = 60, 220, 300, 240
"""Maximum probes: where each is a run of the tests with a compiler, or of a script, where many tests are compiled at once, and new tests
beside these. How many do run is a matter of time."""

NEW_CALLS = 50
"""Maximum tests with new calls in each of two streams: of shell probes they tell most, so they have two turns."""

MAX_FILES = 4
"""Maximum test files that are changed: those that say most of what the answers change."""

PAIR_SHARE = 4
"""One in so many probes has two things changed."""

INNER = "inner"
"""The mark of a probe whose text is the module of tests in a changed file."""

Changes = tuple[Change, ...]
Stream = Iterator[tuple[Changes, Origin]]


class Tests(msgspec.Struct, frozen=True):
    """Tests to change: a whole file, the module of tests in one (`node`), or one test of it (`name`)."""

    path: str
    tree: Tree
    node: Any
    is_inner: bool
    name: str = ""

    @property
    def header(self) -> tuple[str, ...]:
        """What a probe says of where its text goes."""
        if self.name:
            return self.path, FUNCTION, self.name
        return (self.path, INNER) if self.is_inner else (self.path,)


class Known(msgspec.Struct, frozen=True):
    """What is known of the answers: the names that they define, and the words in their code."""

    names: frozenset[str]
    words: Dictionary
    seed: int


def make_probes(changed_files: Mapping[str, Sequence[str]], tests: Mapping[str, str], seed: int) -> tuple[Probe, ...]:
    """The probes, the most telling first."""
    known = Known(names_of(changed_files), dictionary(changed_files), seed)
    files = sorted(_tests(changed_files, tests), key=lambda found: (-_mentions(found, known.names), found.path))[
        :MAX_FILES
    ]
    units = [unit for found in files if _mentions(found, known.names) for unit in _units(found, known.names)]
    streams = [_varied(unit, known) for unit in units]
    varied = _first(streams, _limit(units))
    called = [_called(found, changed_files, known) for found in files if _mentions(found, known.names)]
    written = _first(called, MAX_NEW) if any(unit.name for unit in units) else []
    # In turns, so that a short time does not leave out a kind.
    mixed = [probe for row in zip_longest(varied, written) for probe in row if probe is not None]
    return tuple({probe.id: probe for probe in mixed}.values())


def _first(streams: Sequence[Iterator[Probe]], limit: int) -> list[Probe]:
    """So many different probes of the streams, taken in turns."""
    probes: dict[str, Probe] = {}
    for row in zip_longest(*streams):
        for probe in (one for one in row if one is not None):
            if len(probes) < limit:
                probes.setdefault(probe.id, probe)
        if len(probes) >= limit:
            break
    return list(probes.values())


def _called(tests: Tests, changed_files: Mapping[str, Sequence[str]], known: Known) -> Iterator[Probe]:
    """Tests that were not there: calls of what the answers define."""
    rng = random.Random(f"{known.seed} {tests.path}")  # noqa: S311 - repeatable, not secret
    found = signatures(changed_files, PurePosixPath(tests.path).suffix)
    values = values_of(tests.tree, known.names, known.words)
    for label, source in new_tests(tests.tree, tests.path, found, values, rng):
        yield make_probe(
            Snippet(header=(tests.path, FUNCTION, ""), steps=(source,)),
            "sequence" if "; " in label else "surface",
            label,
        )


def names_of(changed_files: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The names that the versions of the changed files define."""
    return frozenset(
        word for path, versions in changed_files.items() for text in versions for word in _names(path, text)
    )


def _limit(units: Sequence[Tests]) -> int:
    if all(unit.name for unit in units):
        return MAX_TOGETHER
    return MAX_SHELL if all(unit.path.endswith(SHELLS) for unit in units) else MAX_WHOLE


def _tests(changed_files: Mapping[str, Sequence[str]], tests: Mapping[str, str]) -> Iterator[Tests]:
    for path, text in tests.items():
        tree = tree_of(text, path)
        if tree is not None:
            yield Tests(path, tree, tree.root, is_inner=False)
    for path, versions in changed_files.items():
        tree = tree_of(versions[0], path) if versions else None
        inner = inner_tests(tree) if tree is not None else None
        if tree is not None and inner is not None:
            yield Tests(path, tree, inner, is_inner=True)


def _units(tests: Tests, names: frozenset[str]) -> list[Tests]:
    """What is changed at a time: the tests that say something of the change, where tests are functions; else the file."""
    found = [
        Tests(tests.path, tests.tree, node, is_inner=tests.is_inner, name=name)
        for name, node in test_functions(tests.tree, tests.path, tests.node)
    ]
    return [one for one in found if _mentions(one, names)] or found or [tests]


def _varied(tests: Tests, known: Known) -> Iterator[Probe]:
    """The kinds of changes in turns, and now and then two at once."""
    rng = random.Random(f"{known.seed} {tests.path} {tests.name}")  # noqa: S311 - repeatable, not secret
    end = ""
    if tests.path.endswith(SHELLS):
        found = calls(tests.tree, tests.node, known.names)
        end = looks(tests.tree, found)
    streams = [list(islice(stream, MAX_TOGETHER)) for stream in _streams(tests, known, rng)]
    single = [one for row in zip_longest(*streams) for one in row if one is not None]
    for number, (changes, origin) in enumerate(single, start=1):
        yield _probe(tests, changes, origin, end)
        if number % (PAIR_SHARE - 1) == 0 and len(single) > 1:
            (one, _), (two, _) = rng.sample(single[: max(40, number)], 2)
            if not any(first.overlaps(second) or first.start == second.start for first in one for second in two):
                yield _probe(tests, (*one, *two), "pair", end)


def _streams(tests: Tests, known: Known, rng: random.Random) -> Iterator[Stream]:
    yield _literal_changes(tests, known)
    yield (((), "example") for _ in range(1))
    yield ((changes, "sequence") for changes in moved_statements(tests.tree, tests.node))
    if tests.path.endswith(SHELLS):
        found = calls(tests.tree, tests.node, known.names)
        new: Stream = ((changes, "surface") for changes in new_calls(tests.tree, found, known.words, known.names, rng))
        yield from (islice(new, number) for number in (NEW_CALLS, NEW_CALLS))
        yield ((changes, "edge") for changes in other_arguments(found, known.words))
        yield ((changes, "edge") for changes in with_options(found, known.words))
        yield ((changes, "edge") for changes in other_lines(tests.tree, tests.node, known.words))
        yield ((changes, "edge") for changes in other_names(tests.tree, found))
    else:
        yield ((changes, "edge") for changes in more_rows(tests.tree, tests.node))


def _literal_changes(tests: Tests, known: Known) -> Stream:
    """One value changed, values in turns; for a test, also the constants that it names."""
    found = [literal for literal in literals(tests.tree, known.names, tests.node) if literal.weight]
    ways: list[list[Changes]] = [
        [(Change(one.start, one.end, new),) for new in edges(one, known.words)] for one in found
    ]
    ways += _constants(tests, known) if tests.name else []
    for row in zip_longest(*ways):
        yield from ((changes, "edge") for changes in row if changes is not None)


def _constants(tests: Tests, known: Known) -> list[list[Changes]]:
    """Constants of the file that a test names, declared anew in it with another value."""
    body = tests.node.child_by_field_name("body")
    mentioned = set(re.findall(r"\w+", tests.tree.text(tests.node)))
    ways: list[list[Changes]] = []
    for node in walk(tests.tree.root):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if (
            node.type not in {"const_spec", "const_item", "static_item"}
            or name is None
            or value is None
            or body is None
        ):
            continue
        if tests.tree.text(name) not in mentioned or (
            node.start_byte >= body.start_byte and node.end_byte <= body.end_byte
        ):
            continue
        for one in literals(tests.tree, known.names, node):
            source = tests.tree.content[node.start_byte : node.end_byte]
            at, end = one.start - node.start_byte, one.end - node.start_byte
            texts = [
                (source[:at] + new.encode() + source[end:]).decode("utf-8", "replace")
                for new in edges(one, known.words)
            ]
            before = "const " if node.type == "const_spec" else ""
            place = body.start_byte + 1
            ways.append([(Change(place, place, f"\n{before}{text}\n"),) for text in texts])
    return ways


def _probe(tests: Tests, changes: Changes, origin: Origin, end: str) -> Probe:
    content, start = tests.tree.content, 0
    if tests.is_inner or tests.name:
        start = tests.node.start_byte
        content = content[start : tests.node.end_byte]
    text = changed(content, changes, start)
    label = label_of(tests.tree, changes) or f"{tests.name or tests.path} as it is"
    return make_probe(
        Snippet(header=tests.header, steps=(text.rstrip("\n") + end + "\n" if end else text,)), origin, label
    )


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
