"""JavaScript's literals: where they are in a snippet, the same snippet with other ones, and values at the edge.

Edges come as source text, because JavaScript has values that no other language has: `undefined`, `NaN`, `-0`, holes in arrays. Those
of numbers, texts, arrays and objects are the ones that Python's probes use.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.edge_values import edges, related
from dce.workspace.judging.behaviour.javascript.syntax import parsed, spliced

FIRST_EDGES = 10
"""How many edges of one value come before those of all others get a turn."""

MAX_EDGES = 36
"""Maximum edges of one value."""

MAX_DEPTH = 40
"""How deep lists and objects may lie in each other."""

_NUMBER = re.compile(
    r"(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)$"
)


class Site(msgspec.Struct, frozen=True):
    """A literal in a snippet: the step's number, the bytes that it takes there, and its value as Python has it."""

    step: int
    start: int
    end: int
    value: Any

    def is_within(self, other: "Site") -> bool:
        """Whether this literal is `other` or a part of it."""
        return self.step == other.step and other.start <= self.start and self.end <= other.end


class NotLiteralError(ValueError):
    """An expression whose value only running it would tell."""


def sites(steps: Sequence[str]) -> list[Site]:
    """Every literal in the steps, containers before what they hold."""
    return [site for number, step in enumerate(steps) for site in _within(step, number)]


def replaced(steps: Sequence[str], values: Sequence[tuple[Site, str]]) -> tuple[str, ...]:
    """The steps with other source in place of these literals. None may lie within another."""
    out = list(steps)
    for number in {site.step for site, _ in values}:
        changes = [(site.start, site.end, new) for site, new in values if site.step == number]
        content = out[number].encode()
        out[number] = spliced(content, 0, len(content), changes)
    return tuple(out)


def value_of(source: Any, node: Any) -> Any:
    """The value of a literal: int, float, str, bool, None, list or dict. Raises NotLiteralError for anything else."""
    if node.type == "parenthesized_expression" and len(node.named_children) == 1:
        return value_of(source, node.named_children[0])
    reader = _READERS.get(node.type)
    if reader is None:
        raise NotLiteralError(node.type)
    try:
        value = reader(source, node)
    except RecursionError:
        raise NotLiteralError("too deep") from None
    if _is_deep(value):
        raise NotLiteralError("too deep")
    return value


def _is_deep(value: object) -> bool:
    """Whether lists and objects lie in each other deeper than what works on values may recurse."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            held
            for one in level
            if isinstance(one, list | dict)
            for held in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def written(value: object) -> str:
    """The source of a value."""
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return (
            repr(value)
            if value != int(value) or abs(value) >= 1e15
            else ("-0" if math.copysign(1, value) < 0 and not value else str(int(value)))
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key_source(key)}: {written(held)}' for key, held in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def edge_sources(value: object) -> list[str]:
    """Source of other values in the place of this one, the most telling first."""
    plain = [written(edge) for edge in edges(value)]
    odd = [text for kinds, maker in _EXTRAS if type(value) in kinds for text in maker(value)]
    found = dict.fromkeys((*plain[:7], *odd[:3], *plain[7:], *odd[3:]))
    found.pop(written(value), None)
    return list(found)[:MAX_EDGES]


def related_sources(value: object, other: object) -> list[str]:
    """Source of edges at the boundary that another value draws."""
    return [written(edge) for edge in related(value, other)]


def _within(step: str, number: int) -> Iterator[Site]:
    source = parsed(step)
    stack = [source.root]
    while stack:
        node = stack.pop()
        if node.type in {"import_statement", "formal_parameters", "jsx_element"} or _has_holes(node):
            continue
        try:
            value = value_of(source, node)
        except NotLiteralError:
            value = None
        if value is not None:
            yield Site(number, node.start_byte, node.end_byte, value)
        if node.type == "unary_expression" and value is not None:
            continue  # a negative number is one literal
        stack.extend(child for child in reversed(node.named_children) if not _is_fixed(node, child))


def _has_holes(node: Any) -> bool:
    return node.type == "template_string" and any(child.type == "template_substitution" for child in node.children)


def _is_fixed(parent: Any, child: Any) -> bool:
    """Whether a literal is no value of its own: a key, or an index, which belongs to the result."""
    if parent.type == "pair":
        return bool(child == parent.child_by_field_name("key"))
    if parent.type == "subscript_expression":
        return bool(child == parent.child_by_field_name("index"))
    if parent.type in {"import_statement", "export_statement"} and child == parent.child_by_field_name("source"):
        return True
    return parent.type == "call_expression" and child.type == "arguments" and _is_import(parent)


def _is_import(call: Any) -> bool:
    function = call.child_by_field_name("function")
    return function is not None and function.text in {b"require", b"__import__", b"__load__", b"import"}


def _number(source: Any, node: Any) -> int | float:
    text = source.text(node).replace("_", "")
    if not _NUMBER.fullmatch(text) or text.endswith("n"):
        raise NotLiteralError(text)
    if text[:2].lower() in {"0x", "0o", "0b"}:
        return int(text, 0)
    found = float(text)
    if math.isinf(found):
        raise NotLiteralError(text)
    return int(found) if found == int(found) and not re.search(r"[.eE]", text) else found


def _string(source: Any, node: Any) -> str:
    text = source.text(node)[1:-1]
    if "\\" not in text:
        return str(text)
    return (
        re.sub(r"\\(u\{[\da-fA-F]+\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|\r?\n|.)", _unescaped, text, flags=re.DOTALL)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "ux" and len(code) > 1:
        return chr(min(int(code[1:].strip("{}"), 16), 0x10FFFF))
    return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}.get(
        code, "" if "\n" in code else code
    )


def _template(source: Any, node: Any) -> str:
    if _has_holes(node):
        raise NotLiteralError("template")
    return _string(source, node)


def _unary(source: Any, node: Any) -> int | float:
    operand = node.child_by_field_name("argument")
    if source.text(node)[:1] != "-" or operand is None or operand.type != "number":
        raise NotLiteralError("unary")
    value = _number(source, operand)
    return -value if value else -0.0


def _array(source: Any, node: Any) -> list[Any]:
    return [value_of(source, child) for child in node.named_children if child.type != "comment"]


def _object(source: Any, node: Any) -> dict[str, Any]:
    out = {}
    for child in node.named_children:
        if child.type == "comment":
            continue
        key, value = (child.child_by_field_name(name) for name in ("key", "value"))
        if child.type != "pair" or key is None or key.type not in {"property_identifier", "string", "number"}:
            raise NotLiteralError(child.type)
        name = _string(source, key) if key.type == "string" else source.text(key)
        out[name] = value_of(source, value)
    return out


_READERS: Mapping[str, Any] = {
    "number": _number,
    "string": _string,
    "template_string": _template,
    "true": lambda *_: True,
    "false": lambda *_: False,
    "null": lambda *_: None,
    "unary_expression": _unary,
    "array": _array,
    "object": _object,
}


def key_source(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_$][\w$]*", key) and key != "__proto__" else json.dumps(key, ensure_ascii=False)


def _odd_numbers(value: float) -> Iterator[str]:
    yield from (
        "NaN",
        "-0",
        "undefined",
        f"{written(value)}.5" if type(value) is int else "0.1",
        "Infinity",
        json.dumps(written(value)),
    )


def _odd_texts(value: str) -> Iterator[str]:
    first = re.search(r"[A-Za-z]+", value)
    yield from (
        written(value + "😀"),
        "undefined",
        written(value.replace(first[0], "__proto__", 1) if first else "__proto__"),
    )
    yield from (written(f"{value[:1]}e\u0301{value[1:]}"), '"constructor"', '"toString"', "12")
    middle = (first.end() if first else len(value)) if value else 0
    for char in (
        "+",
        "%",
        "%20",
        '"',
        "'",
        "\\",
        "<b>",
        "$1",
        "\r\n",
        "=",
        "&",
        "/",
        ".",
        "-",
        "0",
        "\u00a0",
        "ß",
        "{}",
        "[0]",
    ):
        yield written(f"{value[:middle]}{char}{value[middle:]}")


def _odd_arrays(value: list[object]) -> Iterator[str]:
    items = [written(item) for item in value]
    yield from (f"[{', '.join([*items, 'undefined'])}]", f"[{', '.join([*items, 'NaN', 'NaN'])}]", "undefined")
    yield f"[, {', '.join(items)}]"
    yield f"Object.freeze([{', '.join(items)}])"


def _odd_objects(value: dict[str, object]) -> Iterator[str]:
    pairs = [f"{key_source(key)}: {written(held)}" for key, held in value.items()]
    yield from (f"{{{', '.join([*pairs, f'{name}: undefined'])}}}" for name in ("extra",))
    yield f"Object.assign(Object.create(null), {{{', '.join(pairs)}}})"
    yield f"Object.freeze({{{', '.join(pairs)}}})"
    yield from (f"{{{', '.join([*pairs, text])}}}" for text in ('["__proto__"]: 1', "constructor: 1"))
    yield "undefined"


_EXTRAS: tuple[tuple[frozenset[type], Any], ...] = (
    (frozenset({int, float}), _odd_numbers),
    (frozenset({str}), _odd_texts),
    (frozenset({list}), _odd_arrays),
    (frozenset({dict}), _odd_objects),
)
