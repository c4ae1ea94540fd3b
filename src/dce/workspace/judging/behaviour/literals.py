"""The literal values in a piece of source: where they are, and the same source with other values in their place."""

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec


class Made(msgspec.Struct, frozen=True):
    """A value that a call makes (`datetime(2024, 3, 4)`, `at(9)`, `Money(5, "EUR")`): it is replaced as a whole by another of its kind.
    Its representation is its source, as that of any literal."""

    callee: str
    source: str

    def __repr__(self) -> str:
        return self.source


_PLAIN = frozenset(
    {
        *(
            "list",
            "sorted",
            "str",
            "set",
            "len",
            "tuple",
            "dict",
            "repr",
            "sum",
            "next",
            "float",
            "int",
            "bool",
            "iter",
        ),
        *("print", "__record__", "__run__", "range", "frozenset", "max", "min", "enumerate", "zip", "type", "round"),
    }
)
"""Calls whose result is not a value of a kind of its own."""

Path = tuple[str | int, ...]
"""The way from a snippet to one of its nodes: the step's number, then fields and list positions."""


class Site(msgspec.Struct, frozen=True):
    """A literal in a snippet."""

    path: Path
    value: object

    def is_within(self, other: "Site") -> bool:
        """Whether this literal is `other` or a part of it, so that replacing `other` would remove it."""
        return self.path[: len(other.path)] == other.path


def sites(steps: Sequence[str]) -> list[Site]:
    """Every literal in the steps, containers before what they hold. Steps that do not parse have none."""
    return [site for number, step in enumerate(steps) for site in _within(module_of(step), (number,))]


def replaced(steps: Sequence[str], values: Mapping[Path, object]) -> tuple[str, ...]:
    """The steps with other literals at these paths. No path may lie within another."""
    out = list(steps)
    for number in {path[0] for path in values}:
        assert isinstance(number, int)
        tree = ast.parse(out[number])
        for path, value in values.items():
            if path[0] == number:
                _replace(tree, path[1:], value)
        out[number] = ast.unparse(tree)
    return tuple(out)


def module_of(text: str) -> ast.Module:
    """The syntax tree of a text; an empty one if it does not parse."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def literal(node: ast.expr) -> tuple[bool, object]:
    """Whether an expression is a literal, and its value."""
    try:
        return True, ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False, None


def _within(node: ast.AST, path: Path, *, is_argument: bool = False) -> Iterator[Site]:
    if isinstance(node, ast.JoinedStr | ast.arg):
        return  # a part of an f-string or a default: changing it breaks the snippet
    if isinstance(node, ast.Subscript):
        yield from _within(node.value, (*path, "value"), is_argument=is_argument)
        return  # an index belongs to the result: changing it gives errors, not behaviour
    if isinstance(node, ast.expr):
        is_literal, value = literal(node)
        if is_literal and value is not None and value is not ...:
            yield Site(path, value)
    if isinstance(node, ast.UnaryOp):
        return  # a negative number is one literal
    if is_argument and (made := _made(node)):
        yield Site(path, made)
    inside = is_argument or (isinstance(node, ast.Call) and ast.unparse(node.func) not in _PLAIN)
    for field, child in ast.iter_fields(node):
        if isinstance(child, ast.AST):
            yield from _within(child, (*path, field), is_argument=inside and field != "func")
        elif isinstance(child, list):
            for position, item in enumerate(child):
                if isinstance(item, ast.AST):
                    yield from _within(item, (*path, field, position), is_argument=inside)


def _made(node: ast.AST) -> Made | None:
    """The value that a call with nothing but literals makes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return None
    callee = ast.unparse(node.func)
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    if callee in _PLAIN or not values or not all(literal(value)[0] or _made(value) for value in values):
        return None
    return Made(callee, ast.unparse(node))


def _replace(tree: ast.AST, path: Path, value: object) -> None:
    *way, last = path
    at: object = tree
    for part in way:
        at = at[part] if isinstance(at, list) and isinstance(part, int) else getattr(at, str(part))
    new = ast.parse(repr(value), mode="eval").body
    if isinstance(at, list) and isinstance(last, int):
        at[last] = new
    else:
        setattr(at, str(last), new)
