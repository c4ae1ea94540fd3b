"""Sequences of method calls on an object: made the way the tests make it, then used in orders that no test tries.

The calls are those that the tests make on objects of this class, on what stands beside them (a clock, a store), and made-up ones of its
public methods that no test calls. A class that no test makes is made with made-up values.
"""

import ast
import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.edge_values import edges
from dce.workspace.judging.behaviour.literals import literal, replaced, sites
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.surface import (
    OPERATORS,
    Callable,
    made_up_words,
    operators,
    public_classes,
    public_methods,
)
from dce.workspace.judging.behaviour.visible_tests import names_in

LENGTHS = (3, 5, 8)
"""How many calls are made on one object."""

MAX_SEQUENCES = 24
"""Maximum sequences for one class."""

MAX_EDGES = 6
"""How many edges of a value are tried on objects, besides None: their calls make their own variety."""

_PLAIN = frozenset({"__spoil__", "list", "len", "str", "bool", "hash", "dict", "set", "tuple", "float", "int"})

CHANGED_SHARE = 0.35
"""How often a call gets another value than the test's."""


class Usage(msgspec.Struct):
    """How tests use a class: the header that they need, how they make an object (what comes before, and the call), what they do with it.

    An act is a call on `it`, or on something that `made` has a name for.
    """

    header: tuple[str, ...] = ()
    made: dict[tuple[tuple[str, ...], str], None] = {}
    acts: dict[str, None] = {}
    seen: dict[str, list[str]] = {}


def object_snippets(
    whole: Sequence[Snippet], modules: Mapping[str, Sequence[str]], rng: random.Random
) -> Iterator[Snippet]:
    """Sequences of calls on objects, classes in turns. `modules`: versions of the changed modules, for methods no test calls."""
    usages = _usages(whole)
    for module, versions in modules.items():
        texts = [text for text in versions if text]
        for found in public_classes(texts):
            known = [usage for name, usage in usages.items() if name.split(".")[-1] == found.name]
            if not known and any(found.name in line for snippet in whole for line in snippet.steps):
                continue  # the tests make it in a way that is not read here
            usage = known[0] if known else _unused(module, found)
            usages.setdefault(found.name, usage) if not known else None
            _add_methods(usage, public_methods(texts, found.name))
            usage.acts.update(dict.fromkeys(OPERATORS[name] for name in operators(texts, found.name)))
    for _ in range(MAX_SEQUENCES):
        for usage in usages.values():
            if usage.acts and usage.made:
                yield _sequence(usage, rng)


def _unused(module: str, found: Callable) -> Usage:
    usage = Usage(header=(f"from {module} import {found.name}",))
    for words in made_up_words(found, {}):
        usage.made[(), f"{found.name}({words})"] = None
    return usage


def _add_methods(usage: Usage, methods: Sequence[Callable]) -> None:
    """Made-up calls of the methods that no test calls, with the values that tests give to parameters of the same name."""
    seen: dict[str, list[str]] = {}
    called = set()
    for act in usage.acts:
        call = ast.parse(act, mode="eval").body
        if not (
            isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "it"
        ):
            continue
        called.add(call.func.attr)
        for method in methods:
            if method.name == call.func.attr:
                for parameter, value in zip(method.parameters, call.args, strict=False):
                    values = seen.setdefault(parameter.name, [])
                    values += [text for text in [ast.unparse(value)] if text not in values]
    for method in methods:
        if method.name not in called:
            usage.acts.update(dict.fromkeys(f"it.{method.name}({words})" for words in made_up_words(method, seen)[:4]))


def _sequence(usage: Usage, rng: random.Random) -> Snippet:
    before, first = rng.choice(list(usage.made))
    bound = {"it", "other", *(name for line in before for name in _bound(line))}
    acts = [act for act in usage.acts if names_in(ast.parse(act)) <= bound | _PLAIN] or list(usage.acts)
    chosen = [_perhaps_changed(rng.choice(acts), rng) for _ in range(rng.choice(LENGTHS))]
    objects = [f"it = {_perhaps_changed(first, rng)}"]
    if any("other" in act for act in chosen):
        objects.append(f"other = {_perhaps_changed(first, rng)}")
    return Snippet(header=usage.header, steps=(*before, *objects, *chosen))


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
        made = {variable: (number, call) for number, tree in enumerate(trees) for variable, call in _made(tree)}
        for variable, (number, call) in made.items():
            before = _before(snippet.steps[:number], trees[:number], call)
            if before is None:
                continue
            usage = found.setdefault(ast.unparse(call.func), Usage())
            usage.header = tuple(dict.fromkeys((*usage.header, *snippet.header)))
            usage.made.setdefault((before, ast.unparse(call)))
            bound = {name for line in before for name in _bound(line)}
            for tree in trees[number + 1 :]:
                usage.acts.update(dict.fromkeys(_acts(tree, variable, bound)))
        for tree in trees:
            for call, act in _inline(tree):
                usage = found.setdefault(ast.unparse(call.func), Usage())
                usage.header = tuple(dict.fromkeys((*usage.header, *snippet.header)))
                usage.made.setdefault(((), ast.unparse(call)))
                usage.acts.update(dict.fromkeys([act] if act else []))
    return found


def _inline(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Objects made on the spot (`Money(5).split(2)`), and what is called on them."""
    for node in ast.walk(tree):
        made = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else node
        if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name) or not made.func.id[:1].isupper():
            continue
        parts = [*made.args, *(keyword.value for keyword in made.keywords)]
        if not all(literal(part)[0] for part in parts):
            continue
        act = ""
        if made is not node and isinstance(node, ast.Call) and not names_in(ast.Tuple([*node.args])):
            words = [ast.unparse(part) for part in (*node.args, *node.keywords)]
            act = f"it.{node.func.attr}({', '.join(words)})" if isinstance(node.func, ast.Attribute) else ""
        yield made, act


def _made(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Variables that are given a new object (`it = Name(…)`): a class starts with a capital letter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
            name = ast.unparse(node.value.func).split(".")[-1]
            if name[:1].isupper() and isinstance(node.targets[0], ast.Name):
                yield node.targets[0].id, node.value


def _before(steps: Sequence[str], trees: Sequence[ast.Module], call: ast.Call) -> tuple[str, ...] | None:
    """The steps that give names to what the call is given; None if one of them is bound in a way that is not understood."""
    wanted = names_in(call)
    kept: list[str] = []
    for step, tree in zip(reversed(steps), reversed(trees), strict=True):
        names = set(_bound(step))
        if names & wanted:
            if not isinstance(tree.body[0], ast.Assign | ast.FunctionDef | ast.AnnAssign):
                return None
            kept.append(step)
            wanted |= names_in(tree)
    return tuple(reversed(kept))


def _bound(step: str) -> list[str]:
    """The names that a step binds at its top level."""
    found = []
    for node in ast.parse(step).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        else:
            found += [
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            ]
    return found


def _acts(tree: ast.Module, variable: str, bound: set[str]) -> Iterator[str]:
    """Calls on the object (written on `it`) or on what was there before it, if all their names are known; and attributes looked at."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            free = set().union(*(names_in(part) for part in (*node.args, *node.keywords)))
            if owner in {variable, *bound} and not node.func.attr.startswith("__") and free <= bound:
                words = [ast.unparse(part) for part in (*node.args, *node.keywords)]
                yield f"{'it' if owner == variable else owner}.{node.func.attr}({', '.join(words)})"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == variable and id(node) not in called:
            yield from (f"it.{node.attr}", f"__spoil__(it.{node.attr})")
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == variable and not names_in(node.slice):
            yield f"it[{ast.unparse(node.slice)}]"
