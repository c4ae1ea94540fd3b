"""Sequences of calls on an object: made the way the tests make it, then used in orders that no test tries.

The calls are those that any test makes on objects of this class, on what stands beside them (a clock, a store), functions that are given the
object, and made-up calls of public methods that no test calls. What a call is given is exchanged with what other calls give to
parameters of the same name. At the end the object is looked at in every way that is known. A class that no test makes is made with
made-up values.
"""

import ast
import random
from collections.abc import Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.arguments import Arguments
from dce.workspace.judging.behaviour.havoc import changed_call
from dce.workspace.judging.behaviour.material_values import MaterialValues
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.surface import (
    OPERATORS,
    Callable,
    made_up_words,
    operators,
    public_classes,
    public_methods,
)
from dce.workspace.judging.behaviour.usage import Usage, bound_names, defined_names, usages
from dce.workspace.judging.behaviour.visible_tests import names_in

LENGTHS = (2, 4, 6, 9, 12)
"""How many calls are made on one object."""

MAX_SEQUENCES = 400
"""Maximum sequences for one class."""

MADE_UP = 4
"""How many calls are made up of a method that no test calls."""

BEGUN_SHARE = 0.6
"""How often a sequence begins with what a test does: it comes to where there is something to do."""

MAX_LOOKS = 8
"""In how many ways an object is looked at in the end."""

SPOILED_SHARE = 0.1
"""How often what the object shows is changed by a careless caller."""

CHANGED_SHARE = 0.4
"""How often something of what a call is given is changed."""


_PLAIN = frozenset({"__spoil__", "print", "list", "len", "str", "bool", "hash", "dict", "set", "tuple", "float", "int"})


def object_snippets(
    whole: Sequence[Snippet], modules: Mapping[str, Sequence[str]], known: MaterialValues, rng: random.Random
) -> Iterator[Snippet]:
    """Sequences of calls on objects, classes in turns. `modules`: versions of the changed modules, for methods no test calls."""
    found = usages(whole)
    ready: list[tuple[Usage, Arguments]] = []
    for module, versions in modules.items():
        texts = [text for text in versions if text]
        for one in public_classes(texts):
            methods = public_methods(texts, one.name)
            alike = [usage for usage in found if usage.is_of(one.name, {method.name for method in methods})]
            if not alike and any(one.name in line for snippet in whole for line in snippet.steps):
                continue  # the tests make it in a way that is not read here
            usage = Usage.together(alike) if alike else _unused(module, one)
            found = [other for other in found if other not in alike]
            arguments = Arguments(methods, usage.acts)
            usage.acts.update(dict.fromkeys(_uncalled(usage, methods, arguments)))
            usage.acts.update(dict.fromkeys(OPERATORS[name] for name in operators(texts, one.name)))
            usage.looks.update(dict.fromkeys(_looks(methods, operators(texts, one.name))))
            ready.append((usage, arguments))
    ready += [(usage, Arguments((), usage.acts)) for usage in found if usage.is_imported()]
    for _ in range(MAX_SEQUENCES):
        for usage, arguments in ready:
            if usage.acts and usage.made:
                yield _sequence(usage, arguments, known, rng)


def _unused(module: str, found: Callable) -> Usage:
    usage = Usage(header=(f"from {module} import {found.name}",))
    for words in made_up_words(found, {}):
        usage.made[(), f"{found.name}({words})"] = None
    return usage


def _uncalled(usage: Usage, methods: Sequence[Callable], arguments: Arguments) -> Iterator[str]:
    """Made-up calls of the methods that no test calls, with the values that tests give to parameters of the same name."""
    called = usage.called()
    for method in methods:
        if method.name not in called:
            given = arguments.words(method, MADE_UP) or made_up_words(method, arguments.seen)[:MADE_UP]
            yield from (f"it.{method.name}({words})" for words in given)


def _looks(methods: Sequence[Callable], special: Sequence[str]) -> Iterator[str]:
    """Ways to look at an object that change nothing in all likelihood: what a method without parameters returns may be anything."""
    yield from (OPERATORS[name] for name in special if name in {"__len__", "__iter__", "__str__", "__bool__"})
    yield from (
        f"it.{method.name}()" for method in methods if not [one for one in method.parameters if not one.default]
    )


def _sequence(usage: Usage, arguments: Arguments, known: MaterialValues, rng: random.Random) -> Snippet:
    before, first = rng.choice(list(usage.made))
    bound = {"it", "other", *(name for line in before for name in bound_names(line))}
    usable = bound | _PLAIN | defined_names(usage.header) | set(usage.needs)
    acts = [act for act in (*usage.acts, *usage.looks) if names_in(ast.parse(act)) <= usable] or list(usage.acts)

    def changed(source: str) -> str:
        return changed_call(source, rng, known, frozenset(usable)) if rng.random() < CHANGED_SHARE else source

    focus = arguments.focus(usable, rng)
    stories = [story for story in usage.stories if story and names_in(ast.parse("\n".join(story))) <= usable]
    begun = list(rng.choice(stories)) if stories and rng.random() < BEGUN_SHARE else []
    begun = begun[: rng.randrange(1, len(begun) + 1)] if begun else []
    drawn = [rng.choice(acts) for _ in range(rng.choice(LENGTHS))]
    chosen = [*begun, *(changed(arguments.exchanged(act, usable, focus, rng)) for act in drawn)]
    if looks := [look for look in usage.looks if "." in look and "(" not in look]:
        at = rng.randrange(len(chosen) + 1)
        chosen[at:at] = [f"__spoil__({rng.choice(looks)})"] if rng.random() < SPOILED_SHARE else []
    looks = [look for look in usage.looks if names_in(ast.parse(look)) <= usable]
    looks = rng.sample(looks, min(len(looks), MAX_LOOKS))
    objects = [f"it = {changed(first)}"]
    if any("other" in act for act in chosen):
        objects.append(f"other = {changed(first)}")
    asked = names_in(ast.parse("\n".join((*chosen, *looks)))) - bound
    needed = [step for name, step in usage.needs.items() if name in asked]
    shown = [name for name in usage.needs if name in asked]
    return Snippet(header=usage.header, steps=(*before, *needed, *objects, *chosen, *looks, *shown))
