"""Makes the probes for a set of answers from what is in the workspace: visible tests, examples in docstrings, the changed modules.

No model is asked and nothing is executed. The same material and seed give the same probes in the same order, and their number is
bounded.
"""

import ast
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

import msgspec

from dce.workspace.judging.behaviour.asked_words import asked_words
from dce.workspace.judging.behaviour.attributes import attributes_line, with_attributes
from dce.workspace.judging.behaviour.calls import call_snippets, hoisted, plain_tests
from dce.workspace.judging.behaviour.constants import constants, helper_options
from dce.workspace.judging.behaviour.docstrings import documented, examples
from dce.workspace.judging.behaviour.havoc import havoc
from dce.workspace.judging.behaviour.literals import sites
from dce.workspace.judging.behaviour.material_values import MaterialValues, material_values
from dce.workspace.judging.behaviour.objects import object_snippets
from dce.workspace.judging.behaviour.probe import Origin, Probe, Snippet, make_probe
from dce.workspace.judging.behaviour.scaling import scaled
from dce.workspace.judging.behaviour.surface import ANY, made_up_calls, public_functions
from dce.workspace.judging.behaviour.variations import pairs, sequences, singles
from dce.workspace.judging.behaviour.visible_tests import TestSource, read_test_file, snippets

SHARES: Mapping[Origin, int] = {"example": 40, "edge": 240, "pair": 560, "sequence": 400, "scale": 10, "surface": 100}
"""How many probes of each origin are made at most. Together they run on an answer in a second or two."""

MAX_SEEDS = 60
"""Maximum snippets that are varied: a large test file shows its variety in its first tests."""

PAIRS = 40
"""Most variations of one snippet with two values changed."""

MAX_IN_VAIN = 200
"""After so many variations in a row that are there already, or start one program too many, no more are looked for."""

MAX_WEIGHT = 60
"""Values of a snippet that count for how often it is varied."""

MAX_MADE = 4
"""Most calls that only make an object of a class."""

PROGRAM_COST = 2
"""A probe that starts a program takes far longer than a call: there are so many times fewer of them."""

ORDERS = 16
"""Most orders in which the steps of one test are done."""

MAX_NAMED = 24
"""Maximum values that the cycle's text and docstrings name."""

MAX_POOL = 40
"""Maximum values of other tests that may replace a value."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What probes are made from.

    `tests`: texts of the visible test files by path, the most telling first. `modules`: for each changed module (dotted
    name, as a test would import it), its versions: first the workspace's ("" if it is new), then one for each answer. `asked`: what the
    cycle asks for.
    """

    tests: Mapping[str, str]
    modules: Mapping[str, Sequence[str]]
    asked: str = ""


def make_probes(material: Material, *, seed: int = 0, shares: Mapping[Origin, int] = SHARES) -> tuple[Probe, ...]:
    """The probes, most telling origins first, each once."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    sources = _test_sources(material.tests)
    modules = frozenset(material.modules)
    whole = [snippet for source in sources for snippet in snippets(source, plain_tests(source, modules))][:MAX_SEEDS]
    single = _single_calls(material, sources)[:MAX_SEEDS]
    pool = _pool((*single, *whole))
    known = _known((*single, *whole), sources, material)
    made: tuple[tuple[Origin, Iterator[Snippet]], ...] = (
        ("example", _in_turns([single, whole])),
        ("edge", _varied((*single, *whole), lambda steps: singles(steps, rng, pool))),
        (
            "pair",
            _in_turns(
                [
                    _varied((*single, *whole), lambda steps: pairs(steps, rng, PAIRS, pool)),
                    *[_several_changes((*single, *whole), rng, known)] * 3,
                ]
            ),
        ),
        (
            "sequence",
            _in_turns(
                [object_snippets([*whole, *single], material.modules, known, rng), *_sequences(single, whole, rng)]
            ),
        ),
        ("scale", _in_turns([_scaled(snippet) for snippet in single])),
        ("surface", _made_up(_uncalled(material, single, sources), rng, known)),
    )
    line = attributes_line(material.tests.values(), material.modules)
    probes: dict[str, Probe] = {}
    total = sum(shares.values())
    for origin, candidates in made:
        # Without tests, all goes to the functions that no test calls, which come last: made-up values show less than a test's.
        wanted = total if origin == "surface" and not probes else len(probes) + shares.get(origin, 0)
        programs = in_vain = 0
        for snippet in candidates:
            if len(probes) >= wanted or in_vain > MAX_IN_VAIN:
                break
            in_vain += 1
            if _starts_program(snippet):
                programs += 1
                if programs > shares.get(origin, 0) // PROGRAM_COST:
                    continue
            probe = _probe(with_attributes(snippet, line), origin)
            if probe.id not in probes:
                probes[probe.id] = probe
                in_vain = 0
    return tuple(probes.values())


def _starts_program(snippet: Snippet) -> bool:
    return any("subprocess" in line for line in (*snippet.header, *snippet.steps))


def _probe(snippet: Snippet, origin: Origin) -> Probe:
    """A single call is run with its lists and dicts under names, so that a change to them is seen; people read the call."""
    if len(snippet.steps) > 1:
        return make_probe(snippet, origin)
    call = snippet.steps[0]
    return make_probe(Snippet(header=snippet.header, steps=hoisted(call)), origin, call)


def _single_calls(material: Material, sources: Sequence[TestSource]) -> list[Snippet]:
    """The calls in tests and docstrings, each once."""
    modules = frozenset(material.modules)
    found = [snippet for source in sources for snippet in call_snippets(source, modules)]
    found += _documented_calls(material)
    each = list({snippet.steps: snippet for snippet in reversed(found)}.values())[::-1]
    # What only makes an object shows little: a few of each class, and after everything else.
    made = [snippet for snippet in each if _makes_object(snippet)]
    return [snippet for snippet in each if not _makes_object(snippet)] + made[:MAX_MADE]


def _makes_object(snippet: Snippet) -> bool:
    last = ast.parse(snippet.steps[-1]).body[-1]
    call = last.value if isinstance(last, ast.Expr) else last
    return isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1][:1].isupper()


def _test_sources(tests: Mapping[str, str]) -> list[TestSource]:
    conftests = [text for path, text in tests.items() if path.endswith("conftest.py")]
    others = [text for path, text in tests.items() if not path.endswith("conftest.py")]
    return [found for text in others if (found := read_test_file(text, conftests))]


def _documented_calls(material: Material) -> list[Snippet]:
    """Calls in docstrings. Every version's docstrings count: an answer often writes the examples of what it adds."""
    found = []
    for module, versions in material.modules.items():
        known = {function.name for function in public_functions([text for text in versions if text])}
        for text in versions[:1] if versions and versions[0] else versions:
            for name, docstring in documented(text):
                calls = [example.call for example in examples(docstring, name)] if name in known else []
                found += [Snippet(header=(f"from {module} import {name}",), steps=(call,)) for call in calls]
    return found


def _uncalled(material: Material, single: Sequence[Snippet], sources: Sequence[TestSource]) -> list[Sequence[Snippet]]:
    """Made-up calls of the public functions that no test or example calls, for each function."""
    called = {name for snippet in single for name in _called_names(snippet.steps[-1])}
    called |= {name for source in sources for _, test in source.tests for name in _called_names(ast.unparse(test))}
    seen = {**_seen_arguments(material, single), ANY: _named_values(material)}
    return [
        made_up_calls(found, module, seen)
        for module, versions in material.modules.items()
        for found in public_functions([text for text in versions if text])
        if found.name not in called
    ]


def _made_up(uncalled: Sequence[Sequence[Snippet]], rng: random.Random, known: MaterialValues) -> Iterator[Snippet]:
    """Made-up calls of each function, then variations of them."""
    yield from _in_turns(uncalled)
    calls = [snippet for found in uncalled for snippet in found]
    plain = _varied(calls, lambda steps: chain(pairs(steps, rng, PAIRS), singles(steps, rng)))
    yield from _in_turns([plain, *[_several_changes(calls, rng, known)] * 2])


def _seen_arguments(material: Material, single: Sequence[Snippet]) -> dict[str, list[str]]:
    """Source of the values that calls gave to parameters, by the parameter's name."""
    functions = {
        found.name: found
        for versions in material.modules.values()
        for found in public_functions([text for text in versions if text])
    }
    seen: dict[str, list[str]] = {}
    for snippet in single:
        call = ast.parse(snippet.steps[-1], mode="eval").body
        if not isinstance(call, ast.Call) or (name := ast.unparse(call.func).split(".")[-1]) not in functions:
            continue
        named = zip((parameter.name for parameter in functions[name].parameters), call.args, strict=False)
        for parameter, value in (*named, *((keyword.arg or "", keyword.value) for keyword in call.keywords)):
            values = seen.setdefault(parameter, [])
            if (text := ast.unparse(value)) not in values:
                values.append(text)
    return seen


def _named_values(material: Material) -> list[str]:
    """Source of the values that the cycle's text and the docstrings name: for a parameter of which nothing else is known."""
    told = [
        docstring for versions in material.modules.values() for text in versions for _, docstring in documented(text)
    ]
    found = [asked_words(text) for text in (material.asked, *dict.fromkeys(told))]
    return list(dict.fromkeys(source for one in found for source in (*map(repr, one.words), *one.values)))[:MAX_NAMED]


def _called_names(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    return {ast.unparse(node.func).split(".")[-1] for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _varied(seeds: Sequence[Snippet], vary: Callable[[Sequence[str]], Iterator[tuple[str, ...]]]) -> Iterator[Snippet]:
    """Variations of every snippet in turns, so that each is varied before any is varied often. Calls come before whole tests."""
    return _in_turns(_with_header(snippet.header, vary(snippet.steps)) for snippet in seeds)


def _with_header(header: tuple[str, ...], found: Iterable[tuple[str, ...]]) -> Iterator[Snippet]:
    for steps in found:
        yield Snippet(header=header, steps=steps)


def _scaled(snippet: Snippet) -> list[Snippet]:
    return [Snippet(header=snippet.header, steps=steps) for steps in scaled(snippet.steps[-1])]


def _sequences(single: Sequence[Snippet], whole: Sequence[Snippet], rng: random.Random) -> Iterator[Sequence[Snippet]]:
    """Tests in another order, every other one with a value at the edge too; and every call made twice in a row, or
    again after its result was changed."""
    for snippet in whole:
        orders = sequences(snippet.steps, rng, ORDERS)
        changed = [next(singles(steps, rng), steps) if number % 2 else steps for number, steps in enumerate(orders)]
        yield [Snippet(header=snippet.header, steps=steps) for steps in changed]
    for snippet in single:
        steps = hoisted(snippet.steps[-1])
        twice = Snippet(header=snippet.header, steps=(*steps, steps[-1]))
        given = [step.split(" = ")[0] for step in steps[:-1]]
        # What is done to a result must not reach what was given, nor the next result.
        spoiled = (*steps[:-1], f"result = {steps[-1]}", "__spoil__(result)", *given, steps[-1])
        yield [twice, Snippet(header=snippet.header, steps=spoiled)] if given else [twice]


def _in_turns(streams: Iterable[Iterable[Snippet]]) -> Iterator[Snippet]:
    """One of each, then the next of each."""
    for row in zip_longest(*streams):
        yield from (snippet for snippet in row if snippet is not None)


def _several_changes(seeds: Sequence[Snippet], rng: random.Random, known: MaterialValues) -> Iterator[Snippet]:
    """Endlessly, variations with several changes: of what has more values to change, more."""
    sized = [(seed, len(sites(seed.steps))) for seed in seeds if not _only_makes(seed)]
    found = [(havoc(seed, rng, known), math.sqrt(1 + min(size, MAX_WEIGHT))) for seed, size in sized if size]
    while found:
        number = rng.choices(range(len(found)), [weight for _, weight in found])[0]
        snippet = next(found[number][0], None)
        if snippet is None:
            del found[number]
        else:
            yield snippet


def _only_makes(snippet: Snippet) -> bool:
    return len(snippet.steps) == 1 and _makes_object(snippet)


def _known(found: Sequence[Snippet], sources: Sequence[TestSource], material: Material) -> MaterialValues:
    """The values of the tests and the words of all versions of the code."""
    steps = [ast.parse(step) for snippet in found for step in snippet.steps]
    named = [value for source in sources for value in constants(source).values()]
    helpers = [option for source in sources for option in helper_options(source)]
    values = material_values([*named, *steps], material.modules.values(), asked_words(material.asked))
    return msgspec.structs.replace(values, options={**values.options, **dict(helpers)})


def _pool(found: Sequence[Snippet]) -> list[object]:
    """Values in the tests, each once."""
    values: dict[str, object] = {}
    for snippet in found:
        for site in sites(snippet.steps):
            values.setdefault(repr(site.value), site.value)
    return list(values.values())[:MAX_POOL]
