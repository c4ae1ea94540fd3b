"""What the answers change, by name, and what depends on that in the same file: only there can they behave differently.

Pure. Probes are few, and a large project has many tests: if some mention what is affected, only those are used.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.visible_tests import Function, names_in

_WORD = re.compile(r"\w+")


def affected(versions: Sequence[str]) -> frozenset[str]:
    """The names that are not defined alike in all versions of a module, with all that mention those, directly or not: functions,
    classes, methods, values. Empty if the versions are the same but for comments and layout.
    """
    found = [_definitions(text) for text in versions]
    names = {name for definitions in found for name in definitions}
    changed = {name for name in names if len({ast.dump(node[name]) if name in node else "" for node in found}) > 1}
    changed |= {method for definitions in found for method in _changed_methods(definitions, found, changed)}
    everything = [pair for definitions in found for pair in _with_methods(definitions)]
    return _closed(changed, everything)


def only(text: str, names: frozenset[str]) -> str:
    """A module with these definitions only; as it is if it defines none of them."""
    kept = [node for name, node in _definitions(text).items() if name in names]
    return "\n".join(ast.unparse(node) for node in dict.fromkeys(kept)) if kept else text


def telling_tests(text: str, names: frozenset[str], shared: Sequence[str] = ()) -> str:
    """A test file with only the tests that reach these names, through fixtures and helpers too (`shared`: the conftest files); "" if none
    does or it cannot be parsed."""
    tree = _parsed(text)
    if tree is None:
        return ""
    around = [pair for other in (*shared, text) for pair in _definitions(other).items() if not _is_test(pair[1])]
    reached = _closed(set(names), [pair for pair in around if not isinstance(pair[1], ast.ClassDef)])
    body: list[ast.stmt] = []
    kept = 0
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            kept += _keep_telling(node, reached)
        elif _is_test(node):
            if not _mentioned(node) & reached:
                continue
            kept += 1
        body.append(node)
    return ast.unparse(ast.Module(body, [])) if kept else ""


def _keep_telling(owner: ast.ClassDef, reached: frozenset[str]) -> int:
    """Leaves of a test class the tests that reach these names, or what its other methods make of them; gives their number."""
    tests = [item for item in owner.body if _is_test(item)]
    made = {
        name
        for item in owner.body
        if item not in tests and _mentioned(item) & reached
        for name in (*_stored(item), *([item.name] if isinstance(item, Function) else []))
    }
    telling = [item for item in tests if _mentioned(item) & (reached | made)]
    owner.body = [item for item in owner.body if item not in tests or item in telling] or [ast.Pass()]
    return len(telling)


def mentions(text: str, names: frozenset[str]) -> int:
    """How many of these names a file mentions, in whatever way."""
    return len(names.intersection(_WORD.findall(text)))


def _closed(names: set[str], definitions: Sequence[tuple[str, ast.stmt]]) -> frozenset[str]:
    """The names with those of all definitions that mention them, directly or not."""
    mentioned = [(name, _mentioned(node)) for name, node in definitions]
    while True:
        more = {name for name, found in mentioned if name not in names and found & names}
        if not more:
            return frozenset(names)
        names |= more


def _with_methods(definitions: Mapping[str, ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for name, node in definitions.items():
        yield name, node
        yield from _methods(node).items()


def _stored(node: ast.stmt) -> frozenset[str]:
    """The attributes that a statement sets."""
    return frozenset(
        found.attr for found in ast.walk(node) if isinstance(found, ast.Attribute) and isinstance(found.ctx, ast.Store)
    )


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
    """Every name, attribute and parameter in it, and what it imports."""
    names: set[str] = set()
    for found in ast.walk(node):
        if isinstance(found, ast.Name):
            names.add(found.id)
        elif isinstance(found, ast.Attribute):
            names.add(found.attr)
        elif isinstance(found, ast.arg):
            names.add(found.arg)
        elif isinstance(found, ast.ImportFrom):
            names.update(alias.name for alias in found.names)
    return frozenset(names)


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
