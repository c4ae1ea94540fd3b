"""Which attributes of an object are a result: those that tests look at, and those that nearly every version of the code has.

Any other public attribute is how one answer does it (`data`, `items`, `hooks`). Compared, it would set families of implementations apart,
and the largest family would win.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.probe import Snippet

ENOUGH = 0.8
"""Share of versions that must have an attribute."""


def attributes_line(tests: Iterable[str], modules: Mapping[str, Sequence[str]]) -> str:
    """A statement that tells the script in the lane: the modules whose objects it is about, and the attributes."""
    texts = {name: [text for text in versions if text] for name, versions in modules.items()}
    if not any("class " in text for found in texts.values() for text in found):
        return ""
    names = {name for text in tests for name in _looked_at(text)}
    names |= {name for found in texts.values() for name in _in_nearly_all(found)}
    return f"__attributes__ = {sorted(modules)!r}, {sorted(names)!r}"


def with_attributes(snippet: Snippet, line: str) -> Snippet:
    """The snippet with that statement first."""
    return Snippet(header=(line, *snippet.header), steps=snippet.steps) if line else snippet


def _looked_at(text: str) -> Iterator[str]:
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            yield node.attr


def _in_nearly_all(texts: Sequence[str]) -> list[str]:
    counted = Counter(name for text in texts for name in set(_held(text)))
    return [name for name, count in counted.items() if count >= ENOUGH * len(texts)]


def _held(text: str) -> Iterator[str]:
    """Public attributes that classes give their objects: set on `self`, fields, properties."""
    for owner in ast.walk(_parsed(text)):
        if not isinstance(owner, ast.ClassDef):
            continue
        for node in ast.walk(owner):
            name = ""
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                name = node.attr if isinstance(node.value, ast.Name) and node.value.id == "self" else ""
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
            elif isinstance(node, ast.FunctionDef) and any(
                "property" in ast.unparse(one) for one in node.decorator_list
            ):
                name = node.name
            if name and not name.startswith("_"):
                yield name


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])
