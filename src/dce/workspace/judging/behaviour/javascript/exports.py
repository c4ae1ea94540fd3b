"""What JavaScript and TypeScript modules export: functions with their parameters, and what changed between versions of a module."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.syntax import Source, grammar_of, parsed, statements, walk

_METHODS = frozenset(
    {"map", "set", "get", "test", "match", "keys", "values", "entries", "date", "text", "data", "options"}
)
"""Names of parameters that are also names of methods."""


class Parameter(msgspec.Struct, frozen=True):
    """A parameter. `kind`: its type as the source or its JSDoc writes it; `default`: source, "" if there is none; `keys`: the
    names that it takes apart, with their defaults."""

    name: str
    kind: str
    default: str
    is_optional: bool = False
    keys: tuple[tuple[str, str], ...] = ()


class Function(msgspec.Struct, frozen=True):
    """An exported function. `name`: as people write it; `exported`: as the module exports it, "default" for the default."""

    name: str
    exported: str
    parameters: tuple[Parameter, ...]

    @property
    def is_default(self) -> bool:
        """Whether the module exports it as its default, or as a whole."""
        return self.exported == "default"


class _Seen(msgspec.Struct):
    """What was found in a module: its definitions by name, and the names (or functions) that it exports."""

    defined: dict[str, Any]
    exported: dict[str, tuple[str, Any]]


def exported_functions(versions: Sequence[str], path: str) -> list[Function]:
    """The functions that more than half of these versions of a module export, in the first one's order, each with the parameters that
    most versions give it: what answers add is what was asked for, so of equally many the longer ones."""
    found: dict[tuple[str, str], list[Function]] = {}
    for text in versions:
        for function in dict.fromkeys(_functions(text, path)):
            found.setdefault((function.name, function.exported), []).append(function)
    return [agreed(same) for same in found.values() if 2 * len(same) > len(versions)]


def agreed(found: Sequence[Function]) -> Function:
    """Of several definitions of a function, one with as many parameters as most have, the one that says most about them."""
    counted = Counter(len(function.parameters) for function in found)
    length = max(counted, key=lambda count: (counted[count], count))
    alike = [function for function in found if len(function.parameters) == length]
    return max(alike, key=lambda function: sum(len(one.keys) + bool(one.kind) for one in function.parameters))


def affected(versions: Sequence[str], path: str) -> frozenset[str]:
    """The names that are not defined alike in all versions of a module, with all that mention those, directly or not."""
    found = [_definitions(text, path) for text in versions]
    names = {name for definitions in found for name in definitions}
    changed = {name for name in names if len({definitions.get(name, ()) for definitions in found}) > 1}
    while True:
        more = {
            name
            for definitions in found
            for name, tokens in definitions.items()
            if name not in changed and changed & set(tokens)
        }
        if not more:
            return frozenset(changed)
        changed |= more


def documents(text: str, path: str) -> Iterator[str]:
    """The JSDoc comments of a module."""
    source = parsed(text, grammar_of(path))
    for node in walk(source.root):
        if node.type == "comment" and source.text(node).startswith("/**"):
            yield source.text(node)


def exported_nodes(source: Source, path: str) -> Iterator[tuple[str, str, Any]]:
    """What a module exports: the name that people write, the name that it exports, the node."""
    seen = _seen(source)
    for exported, (name, node) in seen.exported.items():
        found = seen.defined.get(name) if node is None else node
        if found is not None:
            yield name or _stem(path) if exported == "default" else exported, exported, found


def parameters_of(source: Source, function: Any) -> tuple[Parameter, ...]:
    """The parameters of a function, those that take all the rest left out."""
    found = _parameters(source, function, _documented(source, function))
    return tuple(parameter for parameter in found if not parameter.name.startswith("..."))


def _functions(text: str, path: str) -> Iterator[Function]:
    source = parsed(text, grammar_of(path))
    for name, exported, node in exported_nodes(source, path):
        function = _function(node)
        if function is None:
            continue
        parameters = tuple(_parameters(source, function, _documented(source, function)))
        if not any(parameter.name.startswith("...") for parameter in parameters):
            yield Function(name, exported, parameters)


def _seen(source: Source) -> _Seen:
    seen = _Seen({}, {})
    for node in statements(source.root):
        if node.type == "export_statement":
            _export(source, node, seen)
        elif node.type == "expression_statement":
            _common(source, node.named_children[0], seen)
        else:
            seen.defined |= dict(_named(source, node))
    return seen


def _export(source: Source, node: Any, seen: _Seen) -> None:
    """`export …` in all its forms."""
    declaration, value = node.child_by_field_name("declaration"), node.child_by_field_name("value")
    is_default = any(child.type == "default" for child in node.children)
    if declaration is not None:
        for name, defined in _named(source, declaration):
            seen.defined[name] = defined
            seen.exported["default" if is_default else name] = (name, None)
        if is_default and _function(declaration) is not None and not list(_named(source, declaration)):
            seen.exported["default"] = ("", declaration)
    elif is_default and value is not None:
        name = source.text(value) if value.type == "identifier" else ""
        seen.exported["default"] = (name, None if name else value)
    for clause in (child for child in node.named_children if child.type == "export_clause"):
        for one in clause.named_children:
            name, alias = one.child_by_field_name("name"), one.child_by_field_name("alias")
            if name is not None and node.child_by_field_name("source") is None:
                seen.exported[source.text(alias if alias is not None else name)] = (source.text(name), None)


def _common(source: Source, node: Any, seen: _Seen) -> None:
    """`module.exports = …`, `exports.name = …`."""
    if node.type != "assignment_expression":
        return
    left, right = source.text(node.child_by_field_name("left")), node.child_by_field_name("right")
    while right.type == "assignment_expression":
        right = right.child_by_field_name("right")
    match = re.fullmatch(r"(?:module\.)?exports\.([\w$]+)", left)
    name = source.text(right) if right.type == "identifier" else ""
    if match:
        seen.exported[match[1]] = (name, None if name else right)
    elif left == "module.exports" and right.type == "object":
        for one in right.named_children:
            if one.type == "shorthand_property_identifier":
                seen.exported[source.text(one)] = (source.text(one), None)
            elif one.type == "pair":
                key, value = source.text(one.child_by_field_name("key")), one.child_by_field_name("value")
                is_name = value.type == "identifier"
                seen.exported[key] = (source.text(value), None) if is_name else ("", value)
            elif one.type == "method_definition":
                seen.exported[source.text(one.child_by_field_name("name"))] = ("", one)
    elif left == "module.exports":
        seen.exported["default"] = (name, None if name else right)


def _named(source: Source, node: Any) -> Iterator[tuple[str, Any]]:
    """What a declaration defines."""
    if node.type in {"lexical_declaration", "variable_declaration"}:
        for one in node.named_children:
            name, value = (one.child_by_field_name(field) for field in ("name", "value"))
            if one.type == "variable_declarator" and name.type == "identifier" and value is not None:
                yield source.text(name), value
    elif node.type.endswith("_declaration") and (name := node.child_by_field_name("name")) is not None:
        yield source.text(name), node


def _function(node: Any) -> Any:
    """The node, if it is a function; what is wrapped in a call (`debounce(function () {})`) is none."""
    kinds = {
        "function_declaration",
        "arrow_function",
        "function_expression",
        "method_definition",
        "generator_function_declaration",
    }
    if node is not None and node.type == "parenthesized_expression":
        node = node.named_children[0]
    return node if node is not None and node.type in kinds else None


def _definitions(text: str, path: str) -> dict[str, tuple[str, ...]]:
    """The words of each definition, without comments and layout."""
    source = parsed(text, grammar_of(path))
    seen = _seen(source)
    found = {name: tuple(_words(source, node)) for name, node in seen.defined.items()}
    for exported, (_, node) in seen.exported.items():
        if node is not None:
            found.setdefault(exported if exported != "default" else _stem(path), tuple(_words(source, node)))
    rest = [
        word
        for node in statements(source.root)
        if not any(node.start_byte <= one.start_byte <= node.end_byte for one in seen.defined.values())
        for word in _words(source, node)
    ]
    return {**found, "": tuple(rest)}


def _words(source: Source, node: Any) -> Iterator[str]:
    for found in walk(node):
        if found.type != "comment" and not found.named_children:
            yield source.text(found)
        elif found.type != "comment":
            yield from (child.type for child in found.children if not child.is_named)


def _stem(path: str) -> str:
    parts = re.sub(r"\.[^./]*$", "", path).split("/")
    stem = parts[-2] if parts[-1] == "index" and len(parts) > 1 else parts[-1]
    return re.sub(r"[-_. ]+(\w)", lambda match: match[1].upper(), stem)


def _documented(source: Source, function: Any) -> dict[str, str]:
    """The types of parameters in the JSDoc comment before a function."""
    at = function
    while at.parent is not None and at.parent.type != "program":
        at = at.parent
    before = at.prev_named_sibling
    if before is None or before.type != "comment":
        return {}
    return {name: kind for kind, name in re.findall(r"@param\s+\{([^}]*)\}\s+\[?([\w$]+)", source.text(before))}


def _parameters(source: Source, function: Any, documented: dict[str, str]) -> Iterator[Parameter]:
    one = function.child_by_field_name("parameter")
    held = function.child_by_field_name("parameters")
    for node in [one] if one is not None else held.named_children if held is not None else []:
        if node.type == "comment":
            continue
        yield _parameter(source, node, documented)


def _parameter(source: Source, node: Any, documented: dict[str, str]) -> Parameter:
    kind, default, is_optional = "", "", node.type == "optional_parameter"
    if node.type in {"required_parameter", "optional_parameter"}:
        typed, value = node.child_by_field_name("type"), node.child_by_field_name("value")
        kind = source.text(typed).lstrip(": ") if typed is not None else ""
        default = source.text(value) if value is not None else ""
        node = node.child_by_field_name("pattern")
    elif node.type == "assignment_pattern":
        default = source.text(node.child_by_field_name("right"))
        node = node.child_by_field_name("left")
    name = source.text(node) if node.type == "identifier" else "options"
    if node.type == "rest_pattern":
        name = source.text(node)
    kind = kind or documented.get(name, "") or ("Function" if _is_called(source, name) else "")
    keys = tuple(_keys(source, node)) if node.type == "object_pattern" else ()
    return Parameter(name, kind.rstrip("="), default, is_optional or bool(default) or kind.endswith("="), keys)


def _is_called(source: Source, name: str) -> bool:
    """Whether a parameter is a function, going by the module: something of its name is called there."""
    if name in _METHODS or not re.fullmatch(r"[\w$]+", name):
        return False
    call = rf"(?<![\w$])(?<!function )(?<!async ){re.escape(name)}(?:\(|\?\.\(|\.(?:call|apply)\()(?![^()]*\)\s*\{{)"
    return re.search(call, source.content.decode("utf-8", "replace")) is not None


def _keys(source: Source, node: Any) -> Iterator[tuple[str, str]]:
    for one in node.named_children:
        if one.type == "shorthand_property_identifier_pattern":
            yield source.text(one), ""
        elif one.type == "object_assignment_pattern":
            left, right = (one.child_by_field_name(field) for field in ("left", "right"))
            yield source.text(left), source.text(right)
        elif one.type == "pair_pattern":
            yield source.text(one.child_by_field_name("key")), ""
