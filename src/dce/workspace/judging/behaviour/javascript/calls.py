"""The calls in tests and examples, one by one: each as a snippet of its own if its arguments do not depend on what came before.

A single call leaves more room for other values than a whole test does. Rows of a table that a test goes through are put into its calls.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dce.workspace.judging.behaviour.javascript.syntax import Source, parsed, walk
from dce.workspace.judging.behaviour.javascript.values import NotLiteralError, value_of
from dce.workspace.judging.behaviour.javascript.visible_tests import TestFile, defined
from dce.workspace.judging.behaviour.probe import Snippet

MAX_ROWS = 40
"""Maximum rows of one table."""

MAX_CALL = 600
"""Longest call, in characters: in a longer one, no single value is seen."""

GLOBALS = frozenset(
    {
        *(
            "undefined",
            "NaN",
            "Infinity",
            "Array",
            "Object",
            "String",
            "Number",
            "Boolean",
            "BigInt",
            "Symbol",
            "Map",
            "Set",
        ),
        *(
            "Date",
            "RegExp",
            "Error",
            "TypeError",
            "RangeError",
            "JSON",
            "Math",
            "Promise",
            "Buffer",
            "URL",
            "URLSearchParams",
        ),
        *("Uint8Array", "Float64Array", "parseInt", "parseFloat", "isNaN", "console", "Reflect", "Proxy", "WeakMap"),
        *(
            "structuredClone",
            "Intl",
            "encodeURIComponent",
            "decodeURIComponent",
            "TextEncoder",
            "TextDecoder",
            "globalThis",
        ),
    }
)
"""Names that any snippet may use."""

Texts = Mapping[str, str]
"""Names and the source that they stand for."""


def call_snippets(file: TestFile, steps: Sequence[str], own: frozenset[str]) -> Iterator[Snippet]:
    """Every call of one test, with the steps that its arguments come from. `own`: the names that stand for something of the project."""
    for text, before in _calls(file, steps, own):
        yield file.snippet((*before, text))


def is_plain(file: TestFile, steps: Sequence[str], own: frozenset[str]) -> bool:
    """Whether a test only calls one function with values that are known: its calls say all that it says."""
    asked = [call for step in steps for call in _asked(parsed(step), own)]
    names = {name for name, _ in asked}
    known = {text for text, before in _calls(file, steps, own) if not before}
    values = assigned(steps)
    if any(step.startswith("var ") and step.split()[1] not in values for step in steps):
        return False  # what was called is used further
    return len(names) == 1 and 0 < len(asked) <= len(known) and not min(names).split(".")[-1][:1].isupper()


def hoisted(call: str) -> tuple[str, ...]:
    """The call with each array and object among its arguments under a name, so that a change to it is recorded."""
    source = parsed(call)
    node = _outer_call(source)
    if node is None:
        return (f"__record__({call})",)
    before: list[str] = []
    changes: list[tuple[Any, str]] = []
    for one in _arguments(node):
        if one.type in {"array", "object"}:
            name = f"given_{len(before) + 1}"
            before.append(f"var {name} = {source.text(one)}")
            changes.append((one, name))
    return (*before, f"__record__({source.rewritten(source.root, changes)})")


def aliased(call: str) -> tuple[str, ...]:
    """The call with one array or object in all places where it has one; nothing if there are not two."""
    source = parsed(call)
    node = _outer_call(source)
    for kind in ("array", "object"):
        same = [one for one in _arguments(node) if one.type == kind] if node is not None else []
        if len(same) > 1:
            changed = source.rewritten(source.root, [(one, "given_1") for one in same])
            return (f"var given_1 = {source.text(same[0])}", f"__record__({changed})")
    return ()


def literal_arguments(call: str) -> list[tuple[str, Any]] | None:
    """The source and the value of each argument; None if one is no literal."""
    source = parsed(call)
    node = _outer_call(source)
    if node is None:
        return None
    try:
        return [(source.text(one), value_of(source, one)) for one in _arguments(node)]
    except NotLiteralError:
        return None


def with_arguments(call: str, words: Sequence[str]) -> str:
    """The call with other arguments."""
    source = parsed(call)
    node = _outer_call(source)
    given = node.child_by_field_name("arguments") if node is not None else None
    return source.rewritten(source.root, [(given, f"({', '.join(words)})")]) if given is not None else call


def free_names(text: str) -> frozenset[str]:
    """The names that a piece of source uses and does not bind itself."""
    source = parsed(text)
    used: set[str] = set()
    bound: set[str] = set()
    for node in walk(source.root):
        if node.type in {"identifier", "shorthand_property_identifier"}:
            (bound if _is_bound(node) else used).add(source.text(node))
        elif node.type == "shorthand_property_identifier_pattern":
            bound.add(source.text(node))
    return frozenset(used - bound - GLOBALS)


def assigned(steps: Sequence[str]) -> dict[str, str]:
    """Names that get a value once and never again, with the value's source, where that stands for itself."""
    counted: dict[str, list[str]] = {}
    for step in steps:
        for name in re.findall(
            r"(?:^|[^.\w$])([A-Za-z_$][\w$]*)\s*(?:[-+*/%&|^]|\*\*|<<|>>|\?\?|&&|\|\|)?=(?![=>])|(?:\+\+|--)([A-Za-z_$][\w$]*)",
            step,
        ):
            counted.setdefault(name[0] or name[1], []).append(step)
    found = {}
    for name, places in counted.items():
        prefix = f"var {name} = "
        if len(places) == 1 and places[0].startswith(prefix):
            value = places[0][len(prefix) :]
            if _is_plain_value(value):
                found[name] = value
    return found


def needed_steps(text: str, steps: Sequence[str], known: frozenset[str]) -> tuple[str, ...] | None:
    """The steps that give the names in a piece of source their values; None if some have none."""
    wanted, seen, needed = set(free_names(text) - known), set[str](), set[int]()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        if name.startswith("__"):
            continue  # provided
        giving = {number for number, step in enumerate(steps) if _gives(step, name)}
        if not any(steps[number].startswith("var ") for number in giving):
            return None
        needed |= giving
        wanted |= {one for number in giving for one in free_names(steps[number]) - known - seen}
    return tuple(step for number, step in enumerate(steps) if number in needed)


def _gives(step: str, name: str) -> bool:
    if step.startswith("var "):
        return name in defined(step)
    return re.match(rf"{re.escape(name)} = ", step) is not None


def project_root(source: Source, node: Any) -> str:
    """The name at the root of what a call calls: `a` in `a.b.c(1)` and in `new a.B()`."""
    at = node
    while at is not None and at.type == "member_expression":
        at = at.child_by_field_name("object")
    return source.text(at) if at is not None and at.type == "identifier" else ""


def _calls(file: TestFile, steps: Sequence[str], own: frozenset[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    values = assigned([*file.definitions.values(), *steps])
    known = own | frozenset(file.definitions) | {name for one in file.imports.found for name in one.names}
    found: dict[str, tuple[str, ...]] = {}
    for number, step in enumerate(steps):
        for texts, root, source in _readings(step, values):
            for _, call in _asked(source, own, root):
                text = source.rewritten(call, [*_put(source, call, texts)])
                if len(text) > MAX_CALL or "__" in text or "await" in text:
                    continue
                before = needed_steps(text, steps[:number], known) if free_names(text) - known else ()
                if before is not None:
                    found.setdefault(" ".join(text.split()) if "`" not in text else text, before)
    yield from found.items()


def _readings(step: str, values: Texts) -> Iterator[tuple[Texts, Any, Source]]:
    """The step with the values of its names, and once more for every row of each table that it goes through."""
    source = parsed(step)
    yield values, source.root, source
    for node in walk(source.root):
        for pattern, named, body in _loops(source, node):
            at, rows = _table(source, named, values)
            if rows.type != "array":
                continue
            for row in [one for one in rows.named_children if one.type != "comment"][:MAX_ROWS]:
                bound = _bound(source, pattern, at, row)
                if bound:
                    yield {**values, **bound}, body, source


def _table(source: Source, rows: Any, values: Texts) -> tuple[Source, Any]:
    """The table itself, if rows are only named here."""
    if rows.type != "identifier" or source.text(rows) not in values:
        return source, rows
    at = parsed(values[source.text(rows)])
    return at, at.root.named_children[0].named_children[0] if at.root.named_children else rows


def _loops(source: Source, node: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Pattern, rows and body of `for (const pattern of rows)` and `rows.forEach((pattern) => …)`."""
    if node.type == "for_in_statement":
        parts = tuple(node.child_by_field_name(name) for name in ("left", "right", "body"))
        if all(part is not None for part in parts) and any(child.type == "of" for child in node.children):
            yield parts
    elif node.type == "call_expression":
        function = node.child_by_field_name("function")
        if function is None or function.type != "member_expression":
            return
        name, rows = function.child_by_field_name("property"), function.child_by_field_name("object")
        callback = next((one for one in _arguments(node) if one.type == "arrow_function"), None)
        if callback is None or source.text(name) not in {"forEach", "map"}:
            return
        pattern = callback.child_by_field_name("parameter") or callback.child_by_field_name("parameters")
        if pattern.type == "formal_parameters":
            pattern = pattern.named_children[0] if pattern.named_children else None
        if pattern is not None:
            yield pattern, rows, callback.child_by_field_name("body")


def _bound(source: Source, pattern: Any, at: Source, row: Any) -> dict[str, str]:
    """What the names of a pattern become for one row."""
    if pattern.type == "identifier":
        return {source.text(pattern): at.text(row)}
    out: dict[str, str] = {}
    if pattern.type == "array_pattern" and row.type == "array":
        for one, value in zip(pattern.named_children, row.named_children, strict=False):
            out |= _bound(source, one, at, value)
    elif pattern.type == "object_pattern" and row.type == "object":
        held = {
            at.text(pair.child_by_field_name("key")).strip("\"'"): pair.child_by_field_name("value")
            for pair in row.named_children
            if pair.type == "pair"
        }
        for one in pattern.named_children:
            if source.text(one) in held:
                out[source.text(one)] = at.text(held[source.text(one)])
    return out


def _asked(source: Source, own: frozenset[str], root: Any = None) -> Iterator[tuple[str, Any]]:
    """The calls of the project's names, each with the name that is called; not those inside the arguments of `new`."""
    for node in walk(source.root if root is None else root):
        if node.type == "call_expression":
            function = node.child_by_field_name("function")
            if function is not None and project_root(source, function) in own:
                yield source.text(function), node


def _put(source: Source, call: Any, values: Texts) -> Iterator[tuple[Any, str]]:
    """The values of names in their place."""
    for node in walk(call):
        if node.type == "identifier" and not _is_bound(node) and (name := source.text(node)) in values:
            is_owner = node.parent.type == "member_expression" and node.parent.child_by_field_name("object") == node
            if not is_owner or values[name][:1] in "[\"'`(":
                yield node, values[name]
        elif node.type == "shorthand_property_identifier" and (name := source.text(node)) in values:
            yield node, f"{name}: {values[name]}"


def _is_bound(node: Any) -> bool:
    """Whether a name is a parameter or defined here."""
    at, parent = node, node.parent
    while parent is not None and parent.type in {
        "array_pattern",
        "object_pattern",
        "pair_pattern",
        "rest_pattern",
        "assignment_pattern",
    }:
        at, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type == "formal_parameters":
        return True
    name = "parameter" if parent.type == "arrow_function" else "name"
    return parent.type in {
        "arrow_function",
        "variable_declarator",
        "function_expression",
        "function_declaration",
    } and bool(parent.child_by_field_name(name) == at)


def _is_plain_value(text: str) -> bool:
    source = parsed(f"({text})")
    body = source.root.named_children
    if source.root.has_error or len(body) != 1 or not body[0].named_children:
        return False
    inner = body[0].named_children[0].named_children[0]
    if inner.type == "arrow_function":
        return not free_names(text)
    try:
        value_of(source, inner)
    except NotLiteralError:
        return inner.type in {"array", "object"} and not free_names(text)
    return True


def _outer_call(source: Source) -> Any:
    """The call, if the whole text is one."""
    body = source.root.named_children
    if len(body) != 1 or body[0].type != "expression_statement":
        return None
    inner = body[0].named_children[0]
    return inner if inner.type in {"call_expression", "new_expression"} else None


def _arguments(call: Any) -> list[Any]:
    given = call.child_by_field_name("arguments") if call is not None else None
    return [one for one in given.named_children if one.type != "comment"] if given is not None else []
