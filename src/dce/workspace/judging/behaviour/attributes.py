"""Which attributes of an object are a result: those that tests look at, and those that nearly every version of the code has, if its class
only holds values.

Any other public attribute is how one answer does it (`data`, `items`, `hooks`). Compared, it would set families of implementations apart,
and the largest family would win.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.literals import module_of
from dce.workspace.judging.behaviour.probe import Snippet

ENOUGH = 0.8
"""Share of versions that must have an attribute."""


def attributes_line(tests: Iterable[str], modules: Mapping[str, Sequence[str]]) -> str:
    """A statement that tells the script in the lane: the modules whose objects it is about, and the attributes."""
    if not any("class " in text for versions in modules.values() for text in versions):
        return ""
    names = {name for text in tests for name in _looked_at(text)}
    names |= {name for versions in modules.values() for name in _in_nearly_all(versions)}
    return f"__attributes__ = {sorted(modules)!r}, {sorted(names)!r}"


def with_attributes(snippet: Snippet, line: str) -> Snippet:
    """The snippet with that statement first."""
    return Snippet(header=(line, *snippet.header), steps=snippet.steps) if line else snippet


def _looked_at(text: str) -> Iterator[str]:
    for node in ast.walk(module_of(text)):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            yield node.attr


def _in_nearly_all(versions: Sequence[str]) -> Iterator[str]:
    """What an object holds is a result if its class does nothing else, and nearly all versions have it. An object with methods is known by
    what they return: what it holds counts only if the workspace's version has it and every answer kept it."""
    texts = [text for text in versions if text]
    counted = Counter(name for text in texts for name in set(_held(text, is_active=False)))
    yield from (name for name, count in counted.items() if count >= ENOUGH * len(texts))
    if versions[0]:
        yield from set.intersection(*(set(_held(text, is_active=True)) for text in texts))


def _held(text: str, *, is_active: bool) -> Iterator[str]:
    """Public attributes that classes give their objects: fields and properties; and what is set on `self`, in classes that have public
    methods (`is_active`) or in those that have none."""
    for owner in ast.walk(module_of(text)):
        if not isinstance(owner, ast.ClassDef):
            continue
        has_methods = any(_is_method(node) for node in owner.body)
        for node in ast.walk(owner):
            name = ""
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
                name = node.attr if is_own and has_methods is is_active else ""
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
            elif isinstance(node, ast.FunctionDef) and _is_property(node):
                name = node.name
            if name and not name.startswith("_"):
                yield name


def _is_method(node: ast.stmt) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not node.name.startswith("_") and not _is_property(node)


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(one) for one in node.decorator_list)
