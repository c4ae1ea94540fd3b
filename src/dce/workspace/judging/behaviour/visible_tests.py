"""Reads a Python test file: each test becomes a snippet whose steps record what its assertions look at, without what they expect.

Covers plain functions and classes in pytest's and unittest's style, parametrized cases, fixtures that need no plugin, and
`setUp`. A test that needs anything else gives no snippet: its calls may still be taken one by one (`calls.py`).
Invariant: nothing is executed or imported.
"""

import ast
from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.recording import recording, recording_helper

MAX_CASES = 40
"""Maximum cases of one parametrized test: a table of a thousand rows needs no mutation to show behaviour."""

_PROVIDED = frozenset({"tmp_path", "tmpdir", "tmp_path_factory", "monkeypatch", "capsys", "capfd", "caplog"})
"""Fixtures that the script in the lane provides (`stand_ins.py`)."""

_BUILTIN_FIXTURES = frozenset({"request", "mocker", "benchmark"})
"""Fixtures that only a test runner can provide."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class TestSource(msgspec.Struct, frozen=True):
    """What a test file (with the conftest files above it) defines at its top level, by name."""

    __test__ = False

    definitions: Mapping[str, ast.stmt]
    fixtures: Mapping[str, ast.FunctionDef]
    tests: tuple[tuple[ast.ClassDef | None, Function], ...]

    def header_for(self, steps: Sequence[str]) -> tuple[str, ...]:
        """The top-level statements that the steps need, in the file's order."""
        wanted = set().union(*(names_in(ast.parse(step)) for step in steps)) if steps else set()
        kept: set[str] = set()
        while wanted - kept:
            name = (wanted - kept).pop()
            kept.add(name)
            if name in self.definitions:
                wanted |= names_in(self.definitions[name])
        needed = dict.fromkeys(ast.unparse(node) for name, node in self.definitions.items() if name in kept)
        return tuple(needed)


def read_test_file(text: str, conftests: Sequence[str] = ()) -> TestSource | None:
    """The definitions and tests of a file; None if it is not Python. `conftests`: texts of the conftest files that apply."""
    definitions: dict[str, ast.stmt] = {}
    fixtures: dict[str, ast.FunctionDef] = {}
    tests: list[tuple[ast.ClassDef | None, Function]] = []
    for number, source in enumerate((*conftests, text)):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            if number < len(conftests):
                continue
            return None
        for node in tree.body:
            _sort_in(node, definitions, fixtures, tests)
    return TestSource(definitions, fixtures, tuple(tests))


def snippets(source: TestSource, skipped: Container[str] = ()) -> list[Snippet]:
    """One snippet for each test and each of its parametrized cases that can run without a test runner."""
    found = []
    for owner, test in source.tests:
        if test.name in skipped:
            continue
        for case in cases(test):
            steps = _steps(source, owner, test, case)
            if steps:
                found.append(Snippet(header=source.header_for(steps), steps=steps))
    return found


def cases(test: Function) -> list[tuple[str, ...]]:
    """The assignments that each parametrized case makes; one empty case without parametrization, none if it cannot be read."""
    made: list[tuple[str, ...]] = [()]
    for decorator in test.decorator_list:
        if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize")):
            continue
        names, rows = _parametrized(decorator)
        if not names or not rows:
            return []
        made = [(*case, *row) for case in made for row in rows]
    return made[:MAX_CASES]


def names_in(node: ast.AST) -> set[str]:
    """Every name that the source mentions."""
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _sort_in(
    node: ast.stmt,
    definitions: dict[str, ast.stmt],
    fixtures: dict[str, ast.FunctionDef],
    tests: list[tuple[ast.ClassDef | None, Function]],
) -> None:
    if isinstance(node, Function) and node.name.startswith("test"):
        tests.append((None, node))
    elif isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(made) for made in node.decorator_list):
        fixtures[node.name] = node
    elif isinstance(node, ast.ClassDef) and _is_test_class(node):
        tests.extend((node, item) for item in node.body if isinstance(item, Function) and item.name.startswith("test"))
    elif isinstance(node, Function | ast.ClassDef):
        definitions[node.name] = recording_helper(node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            one = (
                ast.Import(names=[alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], node.level)
            )
            definitions[(alias.asname or alias.name).split(".")[0]] = one
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for name in set().union(*(names_in(target) for target in targets)):
            definitions[name] = node


def _is_test_class(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)


def _parametrized(decorator: ast.Call) -> tuple[list[str], list[tuple[str, ...]]]:
    """The names, and the assignments that each row makes; nothing if they are computed."""
    if len(decorator.args) < 2 or not isinstance(decorator.args[1], ast.List | ast.Tuple):
        return [], []
    first = decorator.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        names = [name.strip() for name in first.value.split(",") if name.strip()]
    elif isinstance(first, ast.List | ast.Tuple):
        names = [str(item.value) for item in first.elts if isinstance(item, ast.Constant)]
    else:
        return [], []
    return names, [_row(row, names) for row in decorator.args[1].elts]


def _row(row: ast.expr, names: Sequence[str]) -> tuple[str, ...]:
    """One assignment for each name, so that a name that is only compared with can be left out."""
    if isinstance(row, ast.Call) and ast.unparse(row.func).endswith("param"):
        values = row.args
    else:
        values = row.elts if len(names) > 1 and isinstance(row, ast.Tuple | ast.List) else [row]
    if len(values) == len(names):
        return tuple(f"{name} = {ast.unparse(value)}" for name, value in zip(names, values, strict=True))
    return (f"{', '.join(names)} = {ast.unparse(row)}",)


def _steps(source: TestSource, owner: ast.ClassDef | None, test: Function, case: Sequence[str]) -> tuple[str, ...]:
    """The test as steps; empty if it needs what cannot be provided."""
    given = set().union(*(names_in(ast.parse(line)) for line in case)) if case else set()
    wanted = [argument.arg for argument in test.args.args if argument.arg not in {"self", "cls", *given}]
    try:
        before = [line for name in wanted for line in _fixture(source, name, ())]
    except LookupError:
        return ()
    if owner is not None:
        before = ["self = __namespace__()", *_class_values(owner), *before, *_methods(owner, {"setUp", "setup_method"})]
    if isinstance(test, ast.AsyncFunctionDef):
        inner = ast.AsyncFunctionDef(
            name="_body",
            args=ast.arguments([], [], None, [], [], None, []),
            body=recording(test.body, is_nested=True),
            decorator_list=[],
        )
        body = [ast.unparse(ast.fix_missing_locations(inner)), "__run__(_body())"]
    else:
        body = [ast.unparse(node) for node in recording(test.body)]
    used = set().union(*(names_in(ast.parse(line)) for line in (*before, *body)))
    return (*before, *(line for line in case if names_in(ast.parse(line)) & used), *body)


def _class_values(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield f"self.{node.targets[0].id} = {ast.unparse(node.value)}"


def _methods(owner: ast.ClassDef, names: set[str]) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield from (ast.unparse(item) for item in recording(node.body))


def _fixture(source: TestSource, name: str, asking: tuple[str, ...]) -> Iterator[str]:
    """The steps that give a name the value of its fixture. Raises LookupError if only a test runner can."""
    if name in _PROVIDED:
        return
    if name in _BUILTIN_FIXTURES or name not in source.fixtures or name in asking:
        raise LookupError(name)
    made = source.fixtures[name]
    parameters = [argument.arg for argument in made.args.args if argument.arg != "self"]
    for parameter in parameters:
        yield from _fixture(source, parameter, (*asking, name))
    plain = ast.FunctionDef(name=f"_make_{name}", args=made.args, body=made.body, decorator_list=[])
    yield ast.unparse(ast.fix_missing_locations(plain))
    call = f"_make_{name}({', '.join(parameters)})"
    has_yield = any(isinstance(node, ast.Yield) for node in ast.walk(made))
    yield f"{name} = next({call})" if has_yield else f"{name} = {call}"
