"""What the answers change, by name, and what depends on that in the same file: only there can they behave differently.

Pure. Probes are few, and a large project has many tests: if some mention what is affected, only those are used.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.visible_tests import Function, names_in

_WORD = re.compile(r"\w+")


def affected(versions: Sequence[str]) -> frozenset[str]:
    """The names that are not defined alike in all versions of a module, with all that mention those, directly or not.

    A method counts with its class. Empty if the versions are the same but for comments and layout.
    """
    found = [_definitions(text) for text in versions]
    names = {name for definitions in found for name in definitions}
    changed = {name for name in names if len({ast.dump(node[name]) if name in node else "" for node in found}) > 1}
    changed |= {method for definitions in found for method in _changed_methods(definitions, found, changed)}
    while True:
        more = {
            name
            for definitions in found
            for name, node in definitions.items()
            if name not in changed and _mentioned(node) & changed
        }
        if not more:
            return frozenset(changed)
        changed |= more


def only(text: str, names: frozenset[str]) -> str:
    """A module with these definitions only; as it is if it defines none of them."""
    kept = [node for name, node in _definitions(text).items() if name in names]
    return "\n".join(ast.unparse(node) for node in dict.fromkeys(kept)) if kept else text


def telling_tests(text: str, names: frozenset[str]) -> str:
    """A test file with only the tests that mention these names; "" if none does or it cannot be parsed."""
    tree = _parsed(text)
    if tree is None:
        return ""
    body: list[ast.stmt] = []
    kept = 0
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            tests = [item for item in node.body if _is_test(item)]
            telling = [item for item in tests if _mentioned(item) & names]
            node.body = [item for item in node.body if item not in tests or item in telling] or [ast.Pass()]
            kept += len(telling)
        elif _is_test(node):
            if not _mentioned(node) & names:
                continue
            kept += 1
        body.append(node)
    return ast.unparse(ast.Module(body, [])) if kept else ""


def mentions(text: str, names: frozenset[str]) -> int:
    """How many of these names a file mentions, in whatever way."""
    return len(names.intersection(_WORD.findall(text)))


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, Function) and node.name.startswith("test")


def _definitions(text: str) -> dict[str, ast.stmt]:
    tree = _parsed(text)
    return dict(_named(tree.body)) if tree is not None else {}


def _named(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((name, node) for target in targets for name in sorted(names_in(target)))
        elif isinstance(node, ast.If | ast.Try):
            yield from _named(node.body)


def _changed_methods(
    definitions: Mapping[str, ast.stmt], versions: Sequence[Mapping[str, ast.stmt]], changed: set[str]
) -> Iterator[str]:
    """The methods of changed classes that differ between versions."""
    for name in changed:
        owner = definitions.get(name)
        for method in _methods(owner):
            others = [_methods(version.get(name)) for version in versions]
            if len({ast.dump(found[method]) if method in found else "" for found in others}) > 1:
                yield method


def _methods(node: ast.stmt | None) -> dict[str, ast.stmt]:
    if not isinstance(node, ast.ClassDef):
        return {}
    return {
        item.name: item
        for item in node.body
        if isinstance(item, Function) and not (item.name.startswith("__") and item.name.endswith("__"))
    }


def _mentioned(node: ast.AST) -> frozenset[str]:
    """Every name and attribute in it."""
    return frozenset(
        found.id if isinstance(found, ast.Name) else found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Name | ast.Attribute)
    ) | frozenset(alias.name for found in ast.walk(node) if isinstance(found, ast.ImportFrom) for alias in found.names)


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
