"""The calls in a project's tests, one by one: each as a snippet of its own if its arguments do not depend on what the test did before.

A test that cannot run without its runner still gives inputs this way, and a single call leaves more room for other values than a
whole test does.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from dce.workspace.judging.behaviour.constants import (
    BUILTINS,
    Values,
    constants,
    fixture_values,
    is_value,
    written_out,
)
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.recording import recording
from dce.workspace.judging.behaviour.visible_tests import Function, TestSource, cases, names_in


def call_snippets(source: TestSource, modules: frozenset[str]) -> list[Snippet]:
    """Every call in the tests of something imported from `modules` (dotted names), each once, in the file's order."""
    imported = project_names(source, modules)
    found: dict[str, Snippet] = {}
    for _, test in source.tests:
        for case in cases(test) or [()]:
            for text in dict.fromkeys(map(ast.unparse, _asked(test, case, source, imported))):
                if text not in found:
                    found[text] = Snippet(header=source.header_for([text]), steps=(text,))
    return list(found.values())


def plain_tests(source: TestSource, modules: frozenset[str]) -> frozenset[str]:
    """The tests that only call one function with values that are known: their calls say all that they say."""
    imported = project_names(source, modules)
    plain = set()
    for _, test in source.tests:
        asked = [node for node in ast.walk(test) if isinstance(node, ast.Call) and _root(node.func) in imported]
        names = {ast.unparse(node.func) for node in asked}
        case = (cases(test) or [()])[0]
        is_known = len(list(_calls(test, case, source, imported))) == len(asked)
        if len(names) == 1 and is_known and not names.pop().split(".")[-1][:1].isupper():
            plain.add(test.name)
    return frozenset(plain)


def project_names(source: TestSource, modules: frozenset[str]) -> frozenset[str]:
    """The names in a test file that stand for something of the project."""
    tops = {name.split(".")[0] for name in modules} | {name.rsplit(".", 1)[-1] for name in modules}
    found = set()
    for name, node in source.definitions.items():
        origin = ""
        if isinstance(node, ast.ImportFrom):
            origin = node.module or ""
        elif isinstance(node, ast.Import):
            origin = node.names[0].name
        if origin.split(".")[0] in tops:
            found.add(name)
    return frozenset(found)


def hoisted(call: str) -> tuple[str, ...]:
    """The call with each list, dict or set among its arguments under a name, so that a change to it is recorded."""
    body = ast.parse(call).body
    tree = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(tree, ast.Call):
        return (call,)
    before: list[str] = []
    holders: list[ast.expr | ast.keyword] = [*tree.args, *tree.keywords]
    for holder in holders:
        value = holder.value if isinstance(holder, ast.keyword) else holder
        if isinstance(value, ast.List | ast.Dict | ast.Set):
            name = f"given_{len(before) + 1}"
            before.append(f"{name} = {ast.unparse(value)}")
            _put(tree, holder, ast.Name(name, ast.Load()))
    return (*before, ast.unparse(tree))


def _put(call: ast.Call, holder: ast.expr | ast.keyword, name: ast.Name) -> None:
    if isinstance(holder, ast.keyword):
        holder.value = name
    else:
        call.args[call.args.index(holder)] = name


def _asked(test: Function, case: Sequence[str], source: TestSource, imported: frozenset[str]) -> Iterator[ast.expr]:
    """What a test looks at, as a whole (`str(Money(5))`, `Money(5) + Money(2)`), where all of it is known; then the other calls."""
    values = _values(test, case, source)
    seen: set[str] = set()
    for statement in recording(test.body):
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "__record__":
                whole = written_out(node.args[0], values)
                called = [
                    part for part in ast.walk(whole) if isinstance(part, ast.Call) and _root(part.func) in imported
                ]
                if called and _is_known(whole, source, imported):
                    seen.update(ast.unparse(part) for part in called)
                    yield whole
    for call in _calls(test, case, source, imported):
        inner = [part for part in ast.walk(call) if part is not call and isinstance(part, ast.Call)]
        if ast.unparse(call) not in seen:
            seen.update(ast.unparse(part) for part in inner)
            yield call


def _is_known(node: ast.expr, source: TestSource, imported: frozenset[str]) -> bool:
    return names_in(node) - _bound_within(node) <= imported | set(source.definitions) | BUILTINS


def _calls(test: Function, case: Sequence[str], source: TestSource, imported: frozenset[str]) -> Iterator[ast.Call]:
    values = _values(test, case, source)
    decorating = {id(node) for found in ast.walk(test) for node in getattr(found, "decorator_list", ())}
    for node in ast.walk(ast.Module(test.body, [])):
        if not isinstance(node, ast.Call) or _root(node.func) not in imported or id(node) in decorating:
            continue
        resolved = written_out(node, values)
        if isinstance(resolved, ast.Call) and _is_known(resolved, source, imported):
            yield resolved


def _values(test: Function, case: Sequence[str], source: TestSource) -> Values:
    """What the names in a test stand for: values at the top of the file, fixtures, the case, what the test assigns once."""
    values = constants(source)
    given = {argument.arg for argument in test.args.args}
    values |= {name: value for name, value in fixture_values(source, values).items() if name in given}
    for name, value in _assigned(test, case):
        written = written_out(value, values) if value else None
        values.pop(name, None)  # of the same name at the top of the file
        if written is not None and is_value(written, frozenset(source.definitions)):
            values[name] = written
    return values


def _assigned(test: Function, case: Sequence[str]) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that a test gives a value once and never again, and the names of the parametrized case; None for what changes."""
    for line in case:
        statement = ast.parse(line).body[0]
        if not isinstance(statement, ast.Assign):
            continue
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Name):
            yield target.id, value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple | ast.List):
            pairs = zip(target.elts, value.elts, strict=False)
            yield from ((name.id, part) for name, part in pairs if isinstance(name, ast.Name))
    stores: dict[str, list[ast.expr | None]] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            stores.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.AugAssign | ast.For) and isinstance(node.target, ast.Name):
            stores.setdefault(node.target.id, []).extend((None, None))
    used = Counter(
        node.value.id for node in ast.walk(test) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    )
    for name, given in stores.items():
        if used[name] > 1:
            yield name, None  # an object with a life of its own
        elif len(given) == 1 and given[0] is not None:
            yield name, given[0]
        else:
            yield name, None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _bound_within(node: ast.AST) -> set[str]:
    """Names that a comprehension or lambda in the expression binds itself."""
    bound = {found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)}
    return bound | {found.arg for found in ast.walk(node) if isinstance(found, ast.arg)}
