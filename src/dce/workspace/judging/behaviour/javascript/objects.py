"""Sequences of calls on objects and on functions that a function made: got the way the tests get them, used in orders that no test tries."""

import random
import re
from collections.abc import Iterator, Sequence

import msgspec

from dce.workspace.judging.behaviour.javascript.calls import assigned, free_names, project_root
from dce.workspace.judging.behaviour.javascript.syntax import parsed, walk
from dce.workspace.judging.behaviour.javascript.varying import changed
from dce.workspace.judging.behaviour.javascript.visible_tests import TestFile, defined
from dce.workspace.judging.behaviour.objects import CHANGED_SHARE, LENGTHS, MAX_SEQUENCES
from dce.workspace.judging.behaviour.probe import Snippet

SAME_SHARE = 0.5
"""How often a sequence asks again for what it asked before."""

_MADE = re.compile(
    r"^(?:var )?(?P<variable>[A-Za-z_$][\w$]*) = (?P<value>(?:await )?(?:new )?[\w$.]+\(.*\))$", re.DOTALL
)


class _Usage(msgspec.Struct):
    """How tests use one kind of object: the file with what they need, how they make one (with the steps before that), what they call."""

    file: TestFile
    made: dict[str, tuple[str, ...]]
    calls: dict[str, None]


def object_snippets(
    tests: Sequence[tuple[TestFile, Sequence[str], frozenset[str]]], rng: random.Random
) -> Iterator[Snippet]:
    """Sequences of calls on objects, kinds in turns. `tests`: file, steps and the project's names of each test."""
    usages: dict[str, _Usage] = {}
    for file, steps, own in tests:
        _add(usages, file, steps, own)
    used = [usage for usage in usages.values() if usage.calls]
    for _ in range(MAX_SEQUENCES):
        for usage in used:
            yield _sequence(usage, rng)


def _sequence(usage: _Usage, rng: random.Random) -> Snippet:
    made, calls = list(usage.made), list(usage.calls)
    chosen = [f"__record__({changed(rng.choice(calls), rng, CHANGED_SHARE)})" for _ in range(rng.choice(LENGTHS))]
    if rng.random() < SAME_SHARE:
        chosen += chosen[: rng.randrange(1, len(chosen))]  # what was asked before is asked again
    first = rng.choice(made)
    return usage.file.snippet((*usage.made[first], f"var it = {changed(first, rng, CHANGED_SHARE)}", *chosen))


def _add(usages: dict[str, _Usage], file: TestFile, steps: Sequence[str], own: frozenset[str]) -> None:
    values = assigned([*file.definitions.values(), *steps])
    known = own | frozenset(file.definitions) | {name for one in file.imports.found for name in one.names} | {"it"}
    variables: dict[str, str] = {}
    for step in steps:
        match = _MADE.match(step)
        source = parsed(match["value"] if match else "")
        call = next((node for node in walk(source.root) if node.type in {"call_expression", "new_expression"}), None)
        if match is None or call is None or source.root.has_error:
            continue
        function = call.child_by_field_name("function") or call.child_by_field_name("constructor")
        made = _with(match["value"], values)
        before = _before(made, steps, known)
        if project_root(source, function) in own and before is not None and "__" not in made:
            variables[match["variable"]] = key = source.text(function)
            usages.setdefault(key, _Usage(file=file, made={}, calls={})).made.setdefault(made, before)
    for step in steps:
        for variable, text in _calls_on(step, variables):
            call_text = _with(text, values)
            if free_names(call_text) <= known and "__" not in call_text:
                usages[variables[variable]].calls.setdefault(call_text)


def _before(text: str, steps: Sequence[str], known: frozenset[str]) -> tuple[str, ...] | None:
    """The steps that give the names in a piece of source their values; None if some have none."""
    given = {name: step for step in steps if step.startswith("var ") for name in defined(step)}
    wanted, needed = set(free_names(text) - known), set[str]()
    while wanted:
        name = wanted.pop()
        if name not in given or given[name] == text or text in given[name]:
            return None
        needed.add(given[name])
        wanted |= {one for one in free_names(given[name]) - known - {name} if given.get(one) not in needed}
    return tuple(step for step in steps if step in needed)


def _calls_on(step: str, variables: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Calls of these variables and of their methods, and the properties that are looked at, written on `it`."""
    source = parsed(step)
    for node in walk(source.root):
        at = node.child_by_field_name("function") if node.type == "call_expression" else node
        if node.type not in {"call_expression", "member_expression"} or at is None:
            continue
        parent = node.parent
        if (
            node.type == "member_expression"
            and parent is not None
            and parent.type in {"call_expression", "member_expression"}
        ):
            continue
        owner = at.child_by_field_name("object") if at.type == "member_expression" else at
        if owner is not None and owner.type == "identifier" and source.text(owner) in variables:
            yield source.text(owner), source.rewritten(node, [(owner, "it")])


def _with(text: str, values: dict[str, str]) -> str:
    """A piece of source with the values of names in their place."""
    source = parsed(text)
    changes = [
        (node, f"({values[name]})" if "=>" in values[name] else values[name])
        for node in walk(source.root)
        if node.type == "identifier" and (name := source.text(node)) in values and name != "it"
    ]
    return source.rewritten(source.root, changes)
