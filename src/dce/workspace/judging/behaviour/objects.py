"""Sequences of method calls on an object: made the way the tests make it, then used in orders that no test tries.

The calls are those that the tests make on objects of this class, and made-up ones of its public methods that no test calls.
"""

import ast
import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.edge_values import edges
from dce.workspace.judging.behaviour.literals import literal, replaced, sites
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.surface import made_up_words, public_methods

LENGTHS = (3, 5, 8)
"""How many calls are made on one object."""

MAX_SEQUENCES = 12
"""Maximum sequences for one class."""

MAX_EDGES = 6
"""How many edges of a value are tried on objects, besides None: their calls make their own variety."""

CHANGED_SHARE = 0.35
"""How often a call gets another value than the test's."""


class Usage(msgspec.Struct):
    """How tests use a class: the header that they need, how they make an object, what they call on it."""

    header: tuple[str, ...]
    made: dict[str, None]
    calls: dict[str, None]


def object_snippets(
    whole: Sequence[Snippet], modules: Mapping[str, Sequence[str]], rng: random.Random
) -> Iterator[Snippet]:
    """Sequences of calls on objects, classes in turns. `modules`: versions of the changed modules, for methods no test calls."""
    usages = _usages(whole)
    for name, usage in usages.items():
        methods = public_methods([text for versions in modules.values() for text in versions if text], name)
        for method in methods:
            if not any(call.startswith(f"it.{method.name}(") for call in usage.calls):
                usage.calls.update(
                    dict.fromkeys(f"it.{method.name}({words})" for words in made_up_words(method, {})[:3])
                )
    for _ in range(MAX_SEQUENCES):
        for usage in usages.values():
            if usage.calls:
                yield _sequence(usage, rng)


def _sequence(usage: Usage, rng: random.Random) -> Snippet:
    made, calls = list(usage.made), list(usage.calls)
    chosen = [_perhaps_changed(rng.choice(calls), rng) for _ in range(rng.choice(LENGTHS))]
    first = rng.choice(made)
    return Snippet(header=usage.header, steps=(f"it = {_perhaps_changed(first, rng)}", *chosen))


def _perhaps_changed(source: str, rng: random.Random) -> str:
    found = sites([source])
    if not found or rng.random() > CHANGED_SHARE:
        return source
    site = rng.choice(found)
    candidates = [*edges(site.value)[:MAX_EDGES], None]
    return replaced([source], {site.path: rng.choice(candidates)})[0]


def _usages(whole: Sequence[Snippet]) -> dict[str, Usage]:
    """How each class that the tests make objects of is used, by the class's name as the tests write it."""
    found: dict[str, Usage] = {}
    for snippet in whole:
        trees = [ast.parse(step) for step in snippet.steps]
        made = dict(_made(trees))
        for call in made.values():
            name = ast.unparse(call.func)
            usage = found.setdefault(name, Usage(header=snippet.header, made={}, calls={}))
            usage.header = tuple(dict.fromkeys((*usage.header, *snippet.header)))
            usage.made.setdefault(ast.unparse(call))
        for tree in trees:
            for variable, written in _method_calls(tree, made):
                found[ast.unparse(made[variable].func)].calls.setdefault(written)
    return found


def _made(trees: Sequence[ast.Module]) -> Iterator[tuple[str, ast.Call]]:
    """Variables that are given a new object (`it = Name(…)` with literal arguments): a class starts with a capital letter."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
                name = ast.unparse(node.value.func).split(".")[-1]
                if name[:1].isupper() and _has_literal_arguments(node.value):
                    yield ast.unparse(node.targets[0]), node.value


def _method_calls(tree: ast.Module, made: Mapping[str, ast.Call]) -> Iterator[tuple[str, str]]:
    """Calls on these variables with literal arguments, written on `it`."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _has_literal_arguments(node)):
            continue
        variable = ast.unparse(node.func.value)
        if variable in made and not node.func.attr.startswith("__"):
            words = [ast.unparse(part) for part in (*node.args, *node.keywords)]
            yield variable, f"it.{node.func.attr}({', '.join(words)})"


def _has_literal_arguments(call: ast.Call) -> bool:
    return all(literal(value)[0] for value in (*call.args, *(keyword.value for keyword in call.keywords)))
