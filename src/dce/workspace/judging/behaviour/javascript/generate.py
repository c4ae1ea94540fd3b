"""Makes the probes for answers in JavaScript or TypeScript from tests, examples and the exports of the changed modules.

No model is asked and nothing is executed. The same sources and seed give the same probes in the same order.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import PurePosixPath

import msgspec

from dce.workspace.judging.behaviour.generate import MAX_POOL, MAX_SEEDS
from dce.workspace.judging.behaviour.javascript.calls import (
    aliased,
    call_snippets,
    hoisted,
    is_plain,
    literal_arguments,
)
from dce.workspace.judging.behaviour.javascript.dictionary import dictionary
from dce.workspace.judging.behaviour.javascript.examples import documented_calls, read_me_snippets
from dce.workspace.judging.behaviour.javascript.exports import Function, affected, exported_functions
from dce.workspace.judging.behaviour.javascript.imports import read_imports
from dce.workspace.judging.behaviour.javascript.made_up import made_up_calls
from dce.workspace.judging.behaviour.javascript.members import offered
from dce.workspace.judging.behaviour.javascript.objects import AT_ONCE, Offered, object_snippets
from dce.workspace.judging.behaviour.javascript.passing import handed_on, other_counts
from dce.workspace.judging.behaviour.javascript.reshaping import Known
from dce.workspace.judging.behaviour.javascript.syntax import is_broken, names_in, parsed, plain, walk
from dce.workspace.judging.behaviour.javascript.values import sites
from dce.workspace.judging.behaviour.javascript.varying import pairs, scaled, sequences, singles
from dce.workspace.judging.behaviour.javascript.visible_tests import TestFile, read_test_file
from dce.workspace.judging.behaviour.probe import Origin, Probe, Snippet, make_probe

SHARES: Mapping[Origin, int] = {"example": 60, "edge": 300, "pair": 260, "sequence": 280, "scale": 10, "surface": 90}
"""How many probes of each origin are made at most: node runs most of them in a tenth of a millisecond."""

MAX_TEST_FILES = 12
"""Most test files that are read: those that say most of what the answers change."""


VARIED_CALLS = 10
"""How many made-up calls of one function are varied: the first, which are plain."""

MAX_WORD = 40
"""Longest text of a module that is used as a value."""

PAIRS = 100
"""Most variations of one snippet with several values changed."""

MORE_PAIRS = 400
"""Most variations of one snippet with two values changed where there is room for more."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What probes are made from. `changed` and `tests` as in `language.Sources`; `documents`: README files by path; `packages`: the
    project's own names, from its package.json files."""

    changed: Mapping[str, Sequence[str]]
    tests: Mapping[str, str]
    documents: Mapping[str, str] = {}
    packages: frozenset[str] = frozenset()


class _Test(msgspec.Struct, frozen=True):
    """One test: its file, its steps, the names in it that stand for something of the project."""

    file: TestFile
    steps: tuple[str, ...]
    own: frozenset[str]


def make_probes(material: Material, *, seed: int = 0, shares: Mapping[Origin, int] = SHARES) -> tuple[Probe, ...]:
    """The probes, most telling origins first, each once."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    names = _affected(material)
    functions = {path: _functions(versions, path, names) for path, versions in material.changed.items()}
    tests = _tests(material, names)
    single = _single_calls(material, tests, functions, names)[:MAX_SEEDS]
    whole = [test.file.snippet(test.steps) for test in tests if not is_plain(test.file, test.steps, test.own)][
        :MAX_SEEDS
    ]
    known = Known(
        dictionary=dictionary(material.changed, (test.steps for test in tests)),
        pool=_pool((*single, *whole), material),
    )
    seeds = (*single, *whole)
    seen = _seen_arguments(functions, single)
    made: tuple[tuple[Origin, bool, Iterator[Snippet]], ...] = (
        ("example", False, _in_turns([single, whole])),
        ("edge", False, _edges(seeds, functions, seen, rng, known)),
        ("pair", False, _varied(seeds, lambda steps: pairs(steps, rng, PAIRS, known))),
        ("sequence", False, _sequences(_Used(tests, single, whole), _offered(material, functions, seen), rng, known)),
        ("scale", False, _in_turns([_instead(snippet, scaled(snippet.steps[-1])) for snippet in single])),
        # What is left over goes to the functions that no test calls, then to more of the same.
        ("surface", True, _made_up(functions, tests, single, rng, known)),
        ("pair", True, _varied(seeds, lambda steps: pairs(steps, rng, MORE_PAIRS, known))),
    )
    probes: dict[str, Probe] = {}
    total = sum(shares.values())
    for origin, is_rest, candidates in made:
        wanted = total if is_rest else len(probes) + shares.get(origin, 0)
        for snippet in candidates:
            if len(probes) >= wanted:
                break
            probe = _probe(snippet, origin)
            if not any(is_broken(step) for step in probe.steps):
                probes.setdefault(probe.id, probe)
    return tuple(probes.values())


def _probe(snippet: Snippet, origin: Origin) -> Probe:
    """A single call is run with its arrays and objects under names, so that a change to them is seen; people read the call."""
    *before, last = snippet.steps
    if last.startswith("__") or not _is_call(last):
        return make_probe(snippet, origin, _label(snippet.steps))
    return make_probe(Snippet(header=snippet.header, steps=(*before, *hoisted(last))), origin, _label(snippet.steps))


def _label(steps: Sequence[str]) -> str:
    """The steps on one line, without what only records, waits or defines."""
    shown = [
        " ".join(step.split())
        for step in (step.removeprefix(AT_ONCE) for step in steps)
        if not re.match(r"var [\w$]+ = (?:async )?function|var [\w$]+ = class|var [\w$]+$", step)
    ]
    texts = [re.sub(r"^__record__\((.*)\)$", r"\1", step) for step in shown]
    texts = [re.sub(r"^__call__\((?:async )?\(\) => (.*)\)$", r"\1", text) for text in texts]
    return "; ".join(
        re.sub(r"__(?:record|call|later|seen|slow|fails)__", "", text.removeprefix("var ")) for text in texts
    )


def _is_call(step: str) -> bool:
    """Whether a step is one call."""
    source = parsed(step)
    body = source.root.named_children
    return (
        len(body) == 1
        and bool(body[0].named_children)
        and body[0].named_children[0].type in {"call_expression", "new_expression"}
    )


def _affected(material: Material) -> frozenset[str]:
    """The names that the answers change; those of the files if nothing else is known."""
    found = {name for path, versions in material.changed.items() for name in affected(versions, path)}
    return frozenset(found | {_stem(path) for path in material.changed}) - {""}


def _functions(versions: Sequence[str], path: str, names: frozenset[str]) -> list[Function]:
    """The exported functions that the answers may have changed; all of them if none is known to be."""
    found = exported_functions([text for text in versions if text], path)
    return [function for function in found if {function.name, function.exported} & names] or found


def _tests(material: Material, names: frozenset[str]) -> list[_Test]:
    """The tests of the files that say most of what is affected; in each file those that mention it first."""
    stems = {_stem(path) for path in material.changed}
    files = []
    for path, text in material.tests.items():
        words = _words(text)
        score = len(words & names) + 5 * any(f"/{stem}" in text or f'"{stem}' in text for stem in stems)
        files.append((-score, path))
    found = []
    for _, path in sorted(files)[:MAX_TEST_FILES]:
        file = read_test_file(material.tests[path], path)
        own = frozenset(file.imports.names(material.packages))
        local = names | {
            name for name, module in file.imports.names(material.packages).items() if _stem(module) in stems
        }
        ordered = sorted(file.tests, key=lambda steps: not any(_words(step) & local for step in steps))
        found += [_Test(file, steps, own) for steps in ordered]
    return found


def _single_calls(
    material: Material, tests: Sequence[_Test], functions: Mapping[str, Sequence[Function]], names: frozenset[str]
) -> list[Snippet]:
    """The calls in tests and examples, each once; those of what is affected first."""
    found = [snippet for test in tests for snippet in call_snippets(test.file, test.steps, test.own)]
    for path, versions in material.changed.items():
        found += documented_calls(path, versions, functions[path])
    for _, text in sorted(material.documents.items()):
        found += [snippet for snippet, _ in read_me_snippets(text, material.packages)]
    known: dict[str, Snippet] = {}
    for snippet in found:
        known.setdefault(snippet.steps[-1], snippet)
    local = names | {_stem(path) for path in material.changed}
    return sorted(known.values(), key=lambda snippet: not _words(snippet.steps[-1]) & local)


class _Used(msgspec.Struct, frozen=True):
    """What tests and examples do: whole tests, single calls, tests that are more than such calls."""

    tests: Sequence[_Test]
    single: Sequence[Snippet]
    whole: Sequence[Snippet]


def _offered(
    material: Material, functions: Mapping[str, Sequence[Function]], seen: Mapping[str, Sequence[str]]
) -> Offered:
    """What the changed modules offer besides functions."""
    members = {path: offered([text for text in versions if text], path) for path, versions in material.changed.items()}
    text = "\n".join(text for versions in material.changed.values() for text in versions)
    return Offered(members=members, functions=functions, text=text, seen=seen)


def _sequences(used: _Used, kinds: Offered, rng: random.Random, known: Known) -> Iterator[Snippet]:
    """Calls on objects in new orders, tests in another order, what a call gives handed on, every call made twice, one object in two
    places."""
    objects = object_snippets([(test.file, test.steps, test.own) for test in used.tests], kinds, rng, known)
    reordered = [_like(snippet, sequences(snippet.steps, rng, 6)) for snippet in used.whole]
    twice = []
    for snippet in used.single:
        steps = hoisted(snippet.steps[-1])
        twice.append(_instead(snippet, [(*steps, steps[-1]), *filter(None, [aliased(snippet.steps[-1])])]))
    again = handed_on(used.single, rng, known)
    return _in_turns([objects, objects, *reordered, again, again, *twice])


def _edges(
    seeds: Sequence[Snippet],
    functions: Mapping[str, Sequence[Function]],
    seen: Mapping[str, Sequence[str]],
    rng: random.Random,
    known: Known,
) -> Iterator[Snippet]:
    """One value changed; one argument more or less."""
    named = {function.name: function for found in functions.values() for function in found}
    counted = [
        _instead(snippet, other_counts(snippet.steps[-1], named, seen, rng, known))
        for snippet in seeds
        if not snippet.steps[-1].startswith("__")
    ]
    return _in_turns([*(_like(snippet, singles(snippet.steps, rng, known)) for snippet in seeds), *counted])


def _made_up(
    functions: Mapping[str, Sequence[Function]],
    tests: Sequence[_Test],
    single: Sequence[Snippet],
    rng: random.Random,
    known: Known,
) -> Iterator[Snippet]:
    """Made-up calls of each function that no test or example calls, then variations of them; then of the others too."""
    called = frozenset().union(
        *(_words(step) for test in tests for step in test.steps), *(_words(one.steps[-1]) for one in single)
    )
    seen = _seen_arguments(functions, single)
    made = [
        made_up_calls(function, path, seen)
        for path, found in functions.items()
        for function in sorted(found, key=lambda function: function.name in called)
        if function.name not in called or not tests
    ]
    yield from _in_turns(made)
    calls = [snippet for found in made for snippet in found[:VARIED_CALLS]]
    yield from _varied(calls, lambda steps: chain(pairs(steps, rng, PAIRS, known), singles(steps, rng, known)))


def _seen_arguments(functions: Mapping[str, Sequence[Function]], single: Sequence[Snippet]) -> dict[str, list[str]]:
    """Source of the values that calls gave to parameters, by the parameter's name."""
    known = {function.name: function for found in functions.values() for function in found}
    seen: dict[str, list[str]] = {}
    for snippet in single:
        call = snippet.steps[-1]
        function = known.get(call.split("(", 1)[0].split(".")[-1])
        values = literal_arguments(call) if function is not None else None
        for parameter, (text, _) in zip(function.parameters if function else (), values or (), strict=False):
            texts = seen.setdefault(parameter.name, [])
            if text not in texts:
                texts.append(text)
    return seen


def _varied(seeds: Sequence[Snippet], vary: Callable[[Sequence[str]], Iterable[tuple[str, ...]]]) -> Iterator[Snippet]:
    """Variations of every snippet in turns, so that each is varied before any is varied often."""
    return _in_turns(_like(snippet, vary(snippet.steps)) for snippet in seeds)


def _like(snippet: Snippet, found: Iterable[tuple[str, ...]]) -> Iterator[Snippet]:
    """Snippets with these steps."""
    for steps in found:
        yield Snippet(header=snippet.header, steps=steps)


def _instead(snippet: Snippet, found: Iterable[tuple[str, ...]]) -> Iterator[Snippet]:
    """Snippets with these steps in place of the call; the definitions before it stay."""
    return _like(snippet, ((*snippet.steps[:-1], *steps) for steps in found))


def _in_turns(streams: Iterable[Iterable[Snippet]]) -> Iterator[Snippet]:
    """One of each, then the next of each."""
    for row in zip_longest(*streams):
        yield from (snippet for snippet in row if snippet is not None)


def _pool(found: Sequence[Snippet], material: Material) -> list[object]:
    """Values in the tests and in the changed modules themselves, each once: what code compares with is where it changes its way."""
    values: dict[str, object] = {}
    for snippet in found:
        for site in sites(snippet.steps):
            values.setdefault(repr(site.value), site.value)
        if len(values) > MAX_POOL:
            break
    written: dict[str, object] = {}
    for path, versions in sorted(material.changed.items()):
        for text in versions:
            found_here = (site.value for site in sites([plain(text, path)]))
            written |= {repr(value): value for value in found_here if _is_short(value)}
    return [*list(values.values())[:MAX_POOL], *list(written.values())[:MAX_POOL]]


def _is_short(value: object) -> bool:
    return (isinstance(value, str) and len(value) <= MAX_WORD and value != "use strict") or type(value) in {int, float}


def _words(text: str) -> frozenset[str]:
    """Every name and property in a piece of source."""
    source = parsed(text)
    return names_in(text) | {source.text(node) for node in walk(source.root) if node.type == "property_identifier"}


def _stem(path: str) -> str:
    file = PurePosixPath(path)
    name = (
        file.parent.name
        if file.name.split(".")[0] == "index" and file.parent.name not in {"", "src", ".."}
        else file.name
    )
    return name.split(".")[0] or name


def package_names(texts: Iterable[str]) -> frozenset[str]:
    """The names in package.json files."""
    found = set()
    for text in texts:
        try:
            name = json.loads(text).get("name")
        except (ValueError, AttributeError):
            continue
        if isinstance(name, str) and name:
            found.add(name)
    return frozenset(found)


def script_snippet(text: str) -> Snippet | None:
    """A script as a snippet: its imports, then the rest as one step; None if it cannot be parsed."""
    source = parsed(plain(text, "script.ts"))
    imports = read_imports(source)
    rest = source.rewritten(source.root, [(node, "") for node in imports.nodes]).strip()
    if source.root.has_error or not rest:
        return None
    return Snippet(header=('__at__("script.js");', *imports.lines(names_in(rest))), steps=(rest,))
