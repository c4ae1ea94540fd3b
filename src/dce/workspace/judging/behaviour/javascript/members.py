"""What an object of a module offers: the methods and getters of its exported classes, and of the objects that exported functions return."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.exports import (
    Function,
    Parameter,
    agreed,
    exported_nodes,
    parameters_of,
)
from dce.workspace.judging.behaviour.javascript.syntax import Source, grammar_of, parsed, walk


class Members(msgspec.Struct, frozen=True):
    """What an object offers. `name`: as people write the class or the function that makes it; `exported`: as the module exports it.

    `made_with`: the parameters of the constructor or the function. `is_class`: whether it is made with `new`.
    """

    name: str
    exported: str
    is_class: bool
    made_with: tuple[Parameter, ...]
    methods: tuple[Function, ...]
    getters: tuple[str, ...]


def offered(versions: Sequence[str], path: str) -> list[Members]:
    """The kinds of objects that more than half of these versions of a module make, with the methods that more than half of those have."""
    found = [one for text in versions for one in _offered(text, path)]
    kinds: dict[str, list[Members]] = {}
    for one in found:
        kinds.setdefault(one.exported, []).append(one)
    return [_agreed(kind) for kind in kinds.values() if 2 * len(kind) > len(versions)]


def _agreed(found: Sequence[Members]) -> Members:
    methods = Counter(method.name for one in found for method in one.methods)
    getters = Counter(getter for one in found for getter in one.getters)
    first = {
        name: agreed([one_method for one in found for one_method in one.methods if one_method.name == name])
        for name in methods
    }
    return msgspec.structs.replace(
        max(found, key=lambda one: len(one.made_with)),
        methods=tuple(first[name] for name, count in methods.items() if 2 * count > len(found)),
        getters=tuple(name for name, count in getters.items() if 2 * count > len(found)),
    )


def _offered(text: str, path: str) -> Iterator[Members]:
    source = parsed(text, grammar_of(path))
    for name, exported, node in exported_nodes(source, path):
        if node.type in {"class_declaration", "abstract_class_declaration", "class"}:
            yield _class(source, node, name, exported)
        elif (made := list(_made(source, node))) and any(isinstance(one, Function) for one in made):
            methods = tuple(one for one in made if isinstance(one, Function))
            getters = tuple(one for one in made if isinstance(one, str))
            yield Members(name, exported, False, parameters_of(source, node), methods, getters)


def _class(source: Source, node: Any, name: str, exported: str) -> Members:
    methods: list[Function] = []
    getters: list[str] = []
    made_with: tuple[Parameter, ...] = ()
    body = node.child_by_field_name("body")
    for one in body.named_children if body is not None else ():
        named = one.child_by_field_name("name")
        if one.type != "method_definition" or named is None or named.type != "property_identifier":
            continue
        words = {child.type for child in one.children if not child.is_named}
        member = source.text(named)
        if member == "constructor":
            made_with = parameters_of(source, one)
        elif member.startswith("_") or words & {"static", "set"} or _is_private(source, one):
            continue
        elif "get" in words:
            getters.append(member)
        else:
            methods.append(Function(member, member, parameters_of(source, one)))
    return Members(name, exported, True, made_with, tuple(methods), tuple(getters))


def _is_private(source: Source, method: Any) -> bool:
    return any(child.type == "accessibility_modifier" and source.text(child) != "public" for child in method.children)


def _made(source: Source, function: Any) -> Iterator[Function | str]:
    """The methods and values of an object that a function returns, if it returns one as it is written."""
    body = function.child_by_field_name("body")
    if body is None:
        return
    inner = {source.text(name): node for node in walk(body) if (name := node.child_by_field_name("name")) is not None}
    for node in [body, *walk(body)]:
        held = (
            node.named_children[0]
            if node.type in {"return_statement", "parenthesized_expression"} and node.named_children
            else None
        )
        if held is None or held.type != "object":
            continue
        for one in held.named_children:
            if one.type == "method_definition":
                name = source.text(one.child_by_field_name("name"))
                is_getter = any(child.type == "get" for child in one.children)
                yield name if is_getter else Function(name, name, parameters_of(source, one))
            elif one.type == "pair" and _is_function(one.child_by_field_name("value")):
                name = source.text(one.child_by_field_name("key"))
                yield Function(name, name, parameters_of(source, one.child_by_field_name("value")))
            elif one.type == "shorthand_property_identifier" and (name := source.text(one)) in inner:
                named = inner[name]
                value = named.child_by_field_name("value") or named
                if _is_function(value):
                    yield Function(name, name, parameters_of(source, value))
        return


def _is_function(node: Any) -> bool:
    return node.type in {
        "arrow_function",
        "function_expression",
        "function_declaration",
        "generator_function_declaration",
    }
