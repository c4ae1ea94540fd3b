"""What a JavaScript file imports, in both forms, as lines that a probe can run: `const { a } = await __import__("./a.js");`."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.syntax import Source, names_in, statements, walk

_ASSERTING = re.compile(
    r"(?:node:)?assert(?:/strict)?|chai|tap|tape|ava|uvu(?:/assert)?|power-assert|should|node:test|qunit|@std/assert|t"
)
_RUNNERS = re.compile(
    r"(?:node:)?test|node:test|vitest|@jest/globals|mocha|chai|tap|tape|ava|uvu|bun:test|jest|qunit|@japa/.*|should|expect"
)
"""Modules that only tests use: what of them is needed is provided."""


class Imported(msgspec.Struct, frozen=True):
    """One line of imports: the names that it gives, where they come from, and whether that is a part of the project."""

    names: tuple[str, ...]
    module: str
    line: str


class Imports(msgspec.Struct, frozen=True, kw_only=True):
    """All imports of a file. `nodes`: their statements. `asserting`: the names that stand for assertions."""

    found: tuple[Imported, ...]
    nodes: tuple[Any, ...]
    asserting: frozenset[str]

    def lines(self, used: frozenset[str]) -> list[str]:
        """The lines that give these names, and those that only run a module."""
        return [
            one.line
            for one in self.found
            if (not one.names or used & set(one.names)) and not _RUNNERS.fullmatch(one.module)
        ]

    def names(self, packages: frozenset[str]) -> dict[str, str]:
        """The names that stand for something of the project, and their modules. `packages`: the project's own names."""
        return {name: one.module for one in self.found if is_own(one.module, packages) for name in one.names}


def is_own(module: str, packages: frozenset[str]) -> bool:
    """Whether a module is a part of the project: named by a path or an alias, or by the project's own name."""
    if module.startswith((".", "/", "#", "~", "@/", "src/")):
        return True
    return any(module == name or module.startswith(f"{name}/") for name in packages)


def read_imports(source: Source) -> Imports:
    """The imports at the top of a file."""
    found: list[Imported] = []
    nodes = []
    for node in statements(source.root):
        made = list(_imported(source, node))
        if made:
            found += made
            nodes.append(node)
    names = [name for one in found if _ASSERTING.fullmatch(one.module) for name in one.names]
    return Imports(
        found=tuple(found),
        nodes=tuple(nodes),
        asserting=frozenset({"assert", "t", *names}) - {"test", "it", "describe"},
    )


def _imported(source: Source, node: Any) -> Iterator[Imported]:
    if node.type == "import_statement":
        yield from _import(source, node)
    elif node.type in {"lexical_declaration", "variable_declaration"}:
        for one in node.named_children:
            if one.type == "variable_declarator":
                yield from _require(source, one)
    elif node.type == "expression_statement":
        call = node.named_children[0]
        if call.type == "call_expression" and (module := _required(source, call)):
            yield Imported((), module, f"await __load__({json.dumps(module)});")


def _import(source: Source, node: Any) -> Iterator[Imported]:
    origin = node.child_by_field_name("source")
    if origin is None:
        return
    module = source.text(origin)[1:-1]
    whole = f"await __import__({json.dumps(module)})"
    clause = next((child for child in node.named_children if child.type == "import_clause"), None)
    if clause is None:
        yield Imported((), module, f"{whole};")
        return
    for part in clause.named_children:
        if part.type == "identifier":
            name = source.text(part)
            yield Imported((name,), module, f"const {name} = __default__({whole});")
        elif part.type == "namespace_import":
            name = source.text(part.named_children[-1])
            yield Imported((name,), module, f"const {name} = __names__({whole});")
        elif part.type == "named_imports":
            for one in part.named_children:
                yield from _named(source, one, module, whole)


def _named(source: Source, node: Any, module: str, whole: str) -> Iterator[Imported]:
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    if name is not None:
        given = source.text(alias if alias is not None else name)
        yield Imported((given,), module, f"const {{ {source.text(name)}: {given} }} = __names__({whole});")


def _require(source: Source, node: Any) -> Iterator[Imported]:
    """`const x = require("y")`, `const { a } = require("y")`, `const a = require("y").b(…)`."""
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None or value is None:
        return
    calls = [found for found in walk(value) if found.type == "call_expression" and _required(source, found)]
    if not calls or any(found.type in {"arrow_function", "function_expression"} for found in walk(value)):
        return
    module = _required(source, calls[-1])
    text = source.rewritten(
        value, [(call, f"(await __load__({json.dumps(_required(source, call))}))") for call in calls]
    )
    kinds = {"identifier", "shorthand_property_identifier_pattern"}
    names = tuple(source.text(found) for found in walk(name) if found.type in kinds)
    yield Imported(names, module, f"const {source.text(name)} = {text};")


def _required(source: Source, call: Any) -> str:
    """The module of `require("module")`; "" for another call."""
    function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or given is None or source.text(function) != "require" or len(given.named_children) != 1:
        return ""
    word = given.named_children[0]
    return source.text(word)[1:-1] if word.type == "string" else ""


def import_line(name: str, exported: str, module: str, *, is_default: bool) -> str:
    """A line that gives a name to what a module exports."""
    whole = f"await __import__({json.dumps(module)})"
    return (
        f"const {name} = __default__({whole});"
        if is_default
        else f"const {{ {exported}: {name} }} = __names__({whole});"
    )


def free_names(text: str, known: Mapping[str, object]) -> frozenset[str]:
    """The names in a piece of source that are not known."""
    return names_in(text) - frozenset(known)
