"""Names that a test file gives a value once, and what they stand for: `ANN = Member(1, "Ann")`, a fixture that returns an object.

Tests often name their values. Only what is written out can be changed, so a probe is made of the values.
"""

import ast
import copy
from collections.abc import Iterator, Mapping

import msgspec

from dce.workspace.judging.behaviour.surface import Parameter, parameters_of
from dce.workspace.judging.behaviour.visible_tests import TestSource, names_in

MAX_CHARS = 400
"""Longest value that is written out in the place of its name."""

BUILTINS = frozenset(
    {
        *("abs", "bool", "bytes", "chr", "dict", "enumerate", "float", "frozenset", "int", "len", "list", "map", "max"),
        *("min", "None", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip", "object"),
        *("Exception", "ValueError", "TypeError", "KeyError", "print", "iter", "next", "isinstance", "type"),
    }
)
"""Built-in names that may stand in a value."""

_PARTS = (
    ast.Constant
    | ast.List
    | ast.Tuple
    | ast.Dict
    | ast.Set
    | ast.UnaryOp
    | ast.BinOp
    | ast.Call
    | ast.Name
    | ast.Attribute
)

Values = Mapping[str, ast.expr]
"""Names and the expressions that they stand for."""


def constants(source: TestSource) -> dict[str, ast.expr]:
    """The values at the top of the file that consist of literals, calls and each other."""
    found: dict[str, ast.expr] = {}
    for name, value in _given(source):
        written = written_out(value, found)
        if is_value(written, frozenset(source.definitions)):
            found[name] = written
    return found


def fixture_values(source: TestSource, known: Values) -> dict[str, ast.expr]:
    """The fixtures that only return such a value."""
    found = {}
    for name, made in source.fixtures.items():
        body = [node for node in made.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
        if len(body) == 1 and isinstance(body[0], ast.Return | ast.Expr) and not made.args.args:
            value = body[0].value
            value = value.value if isinstance(value, ast.Yield) else value
            if value is not None and is_value(written := written_out(value, known), frozenset(source.definitions)):
                found[name] = written
    return found


def helper_options(source: TestSource) -> Iterator[tuple[str, tuple[Parameter, ...]]]:
    """The parameters of the test file's own functions that have a default, with its value written out."""
    known = constants(source)
    for name, node in source.definitions.items():
        if not isinstance(node, ast.FunctionDef):
            continue
        defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
        if defaults:
            values = {ast.unparse(value): ast.unparse(written_out(value, known)) for value in defaults}
            found = parameters_of(node.args)
            yield (
                name,
                tuple(msgspec.structs.replace(one, default=values.get(one.default, "")) for one in found),
            )


def written_out(node: ast.expr, values: Values) -> ast.expr:
    """A copy of the expression with the values of names in their place."""
    changed: ast.expr = _WrittenOut(values).visit(copy.deepcopy(node))
    return changed


def is_value(node: ast.expr, defined: frozenset[str]) -> bool:
    """Whether an expression only consists of literals and calls of what is defined, and is short enough to be read."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
    return (
        all(isinstance(part, _PARTS) for part in parts)
        and names_in(node) <= defined | BUILTINS
        and len(ast.unparse(node)) <= MAX_CHARS
    )


def _given(source: TestSource) -> Iterator[tuple[str, ast.expr]]:
    for name, node in source.definitions.items():
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield name, node.value
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name):
                yield name, value
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                pairs = zip(target.elts, value.elts, strict=True)
                yield from ((name, part) for one, part in pairs if isinstance(one, ast.Name) and one.id == name)


class _WrittenOut(ast.NodeTransformer):
    def __init__(self, values: Values) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._values[node.id]) if node.id in self._values else node
