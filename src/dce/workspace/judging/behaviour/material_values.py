"""The values that tests use, by kind, and the words and numbers that the code under test names: where behaviour changes is written in it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self, TypeGuard

import msgspec

from dce.workspace.judging.behaviour.asked_words import NOTHING_ASKED, AskedWords
from dce.workspace.judging.behaviour.constants import BUILTINS
from dce.workspace.judging.behaviour.literals import literal, module_of
from dce.workspace.judging.behaviour.surface import Parameter, public_classes, public_functions, public_methods
from dce.workspace.judging.behaviour.visible_tests import names_in

MAX_OF_KIND = 24
MAX_WORDS, MAX_NUMBERS = 60, 40
"""How many values, words and numbers are kept: the first ones."""

MAX_PARTS = 80
"""How many words of the tests' texts are kept."""

_PART = re.compile(r"[^\s,;=()\[\]{}\"']+")

MAX_NUMBER = 2**40
"""Largest number: a larger one is a mask or the like."""

MAX_WORD = 24
"""Longest word of the code, in characters: a longer text is a sentence for people."""


class Value(msgspec.Struct, frozen=True):
    """An expression, and the names in it."""

    node: ast.expr
    names: frozenset[str]

    @classmethod
    def of(cls, node: ast.expr) -> Self:
        """The expression as a value."""
        return cls(node, frozenset(names_in(node)))


class MaterialValues(msgspec.Struct, frozen=True):
    """`values`: expressions by `kind_of`. `words`, `numbers`: what stands in the code under test and in what the cycle asks for. `texts`: the
    tests' texts, and `parts` the words in them. `options`:
    the parameters of functions, methods and classes by name, where one has a default."""

    values: Mapping[str, Sequence[Value]]
    words: Sequence[str]
    numbers: Sequence[int | float]
    texts: Sequence[str]
    parts: Sequence[str] = ()
    options: Mapping[str, Sequence[Parameter]] = {}

    def of_kind(self, kind: str, usable: frozenset[str]) -> list[ast.expr]:
        """The values of a kind of which all names are usable; none for what has no kind."""
        return [value.node for value in self.values.get(kind, ()) if value.names <= usable] if kind else []

    def with_near(self, trees: Iterable[ast.AST]) -> Self:
        """The same, with the values of one snippet more likely: where two of them are equal, something happens."""
        near: dict[str, list[Value]] = {}
        for node in (node for tree in trees for node in ast.walk(tree)):
            if isinstance(node, ast.expr) and (kind := kind_of(node)):
                near.setdefault(kind, []).append(Value.of(node))
        more = {kind: (*self.values.get(kind, ()), *found, *found) for kind, found in near.items()}
        return msgspec.structs.replace(self, values={**self.values, **more})


def material_values(
    expressions: Iterable[ast.AST], modules: Iterable[Sequence[str]], asked: AskedWords = NOTHING_ASKED
) -> MaterialValues:
    """Collected from the tests' own expressions, the versions of each changed module, and what the cycle asks for."""
    modules = [[text for text in versions if text] for versions in modules]
    values: dict[str, dict[str, ast.expr]] = {}
    texts: dict[str, None] = {}
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.expr) and (kind := kind_of(node)):
                held = values.setdefault(kind, {})
                if len(held) < MAX_OF_KIND:
                    held.setdefault(ast.unparse(node), node)
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(texts) < MAX_WORDS:
                    texts.setdefault(node.value)
    words: dict[str, None] = dict.fromkeys(asked.words)
    numbers: dict[int | float, None] = dict.fromkeys(asked.numbers)
    for source in asked.values:
        node = ast.parse(source, mode="eval").body
        values.setdefault(kind_of(node), {}).setdefault(source, node)
    for node in (node for versions in modules for text in versions for node in _written_values(text)):
        held = values.setdefault(kind_of(node), {})
        if len(held) < MAX_OF_KIND:
            held.setdefault(ast.unparse(node), node)
    for value in (value for versions in modules for text in versions for value in _literals(text)):
        if isinstance(value, str):
            words.setdefault(value)
        else:
            numbers.setdefault(value)
    return MaterialValues(
        {kind: tuple(map(Value.of, held.values())) for kind, held in values.items()},
        tuple(words)[:MAX_WORDS],
        tuple(numbers)[:MAX_NUMBERS],
        tuple(texts),
        tuple(dict.fromkeys(part for text in texts for part in _PART.findall(text)))[:MAX_PARTS],
        {name: found for versions in modules for name, found in _options(versions)},
    )


def kind_of(node: ast.AST) -> str:
    """What a value is: one may stand in the place of another of the same kind. "" for what is no value of its own."""
    if isinstance(node, ast.UnaryOp):
        return kind_of(node.operand) if isinstance(node.operand, ast.Constant) else ""
    if isinstance(node, ast.Constant):
        return type(node.value).__name__ if node.value is not None and node.value is not ... else ""
    if isinstance(node, ast.List | ast.Set):
        return f"{type(node).__name__}<{kind_of(node.elts[0]) if node.elts else ''}>"
    if isinstance(node, ast.Tuple):
        return f"Tuple<{', '.join(map(kind_of, node.elts))}>"
    if isinstance(node, ast.Dict):
        return f"Dict<{kind_of(node.values[0]) if node.values else ''}>"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        name = ast.unparse(node.func)
        return "" if name in BUILTINS or name.startswith("__") else f"call {name}"
    return ""


def _options(versions: Sequence[str]) -> Iterator[tuple[str, Sequence[Parameter]]]:
    classes = public_classes(versions)
    methods = [method for one in classes for method in public_methods(versions, one.name)]
    for found in (*methods, *classes, *public_functions(versions)):
        if any(parameter.default for parameter in found.parameters):
            yield found.name, found.parameters


def _written_values(text: str) -> Iterator[ast.expr]:
    """The tables of the code: what its containers hold."""
    for node in ast.walk(module_of(text)):
        if isinstance(node, ast.List | ast.Tuple | ast.Dict) and kind_of(node) and literal(node)[0]:
            yield node


def _literals(text: str) -> Iterator[str | int | float]:
    """Short texts and numbers in code, docstrings and messages left out."""
    tree = module_of(text)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    skipped |= {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.JoinedStr) for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in skipped:
            continue
        if _is_telling(value := node.value):
            yield value


def _is_telling(value: object) -> TypeGuard[str | int | float]:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_WORD and value.count(" ") < 2
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and value not in (0, 1, -1)
        and abs(value) < MAX_NUMBER
    )
