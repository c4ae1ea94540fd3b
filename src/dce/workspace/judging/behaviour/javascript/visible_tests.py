"""Reads a JavaScript test file: what it imports, what it defines, and its tests as steps that record.

Tests are found by their form (`test("name", () => {…})`, nested as deep as one likes), so node:test, mocha, jest, vitest, tap, tape,
ava and QUnit are alike. What stands beside the tests in a `describe`, and `beforeEach`, comes before each. A file without tests is one
test itself. Nothing is executed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.imports import Imports, read_imports
from dce.workspace.judging.behaviour.javascript.recording import changes, recorded, steps_of
from dce.workspace.judging.behaviour.javascript.syntax import (
    Source,
    has_markup,
    names_in,
    parsed,
    plain,
    statements,
    walk,
)
from dce.workspace.judging.behaviour.probe import Snippet

MAX_CASES = 40
"""Maximum cases of one table of tests."""

MAX_TESTS = 300
"""Maximum tests of one file."""

_TESTS = frozenset({"test", "it", "describe", "suite", "context", "specify", "module", "xtest", "xit", "xdescribe"})
_BEFORE = frozenset({"before", "beforeEach", "beforeAll", "setup", "suiteSetup"})
_DROPPED = frozenset({"after", "afterEach", "afterAll", "teardown", "suiteTeardown"})
_SKIPPED = frozenset({"skip", "todo", "xit", "xtest", "xdescribe", "failing", "fails"})
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "function"})
_DECLARATIONS = frozenset(
    {
        "lexical_declaration",
        "variable_declaration",
        "function_declaration",
        "class_declaration",
        "generator_function_declaration",
    }
)
_CALLBACKS = frozenset({"done", "cb", "callback", "next"})
"""Names of what a test calls when it is over."""

_NOT_PROVIDED = re.compile(r"\b(?:vi|jest)\.(?!fn\b|spyOn\b)\w+")
"""What only a test runner can do: modules replaced, clocks turned."""


class TestFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a test file holds. `tests`: the steps of each test; `definitions`: top-level statements by the names that they define."""

    __test__ = False

    path: str
    imports: Imports
    definitions: Mapping[str, str]
    tests: Sequence[tuple[str, ...]]

    def snippet(self, steps: Sequence[str]) -> Snippet:
        """These steps, with the definitions and the imports that they need before them."""
        before = self._needed(steps)
        lines = (*before, *steps)
        used = frozenset().union(*(names_in(step) for step in lines)) if lines else frozenset()
        return Snippet(header=(f"__at__({json.dumps(self.path)});", *self.imports.lines(used)), steps=lines)

    def _needed(self, steps: Sequence[str]) -> tuple[str, ...]:
        wanted = set().union(*(names_in(step) for step in steps)) if steps else set()
        kept: set[str] = set()
        while wanted - kept:
            name = min(wanted - kept)
            kept.add(name)
            if name in self.definitions:
                wanted |= names_in(self.definitions[name])
        return tuple(dict.fromkeys(text for name, text in self.definitions.items() if name in kept))


def read_test_file(text: str, path: str) -> TestFile:
    """The imports, definitions and tests of a file."""
    source = parsed(plain(text, path))
    imports = read_imports(source)
    reader = _Reader(source, imports.asserting)
    body = [node for node in statements(source.root) if node not in imports.nodes]
    definitions = {
        name: step
        for node in body
        if node.type in _DECLARATIONS and not _tests_in(source, node)
        for step in reader.steps([node])
        for name in defined(step)
    }
    rest = [node for node in body if node.type not in _DECLARATIONS or _tests_in(source, node)]
    tests = list(dict.fromkeys(tuple(steps) for steps in reader.tests(rest, ()) if steps))[:MAX_TESTS]
    return TestFile(path=path, imports=imports, definitions=definitions, tests=tests)


class _Reader:
    """Walks through the statements of a file."""

    def __init__(self, source: Source, asserting: frozenset[str]) -> None:
        self._source = source
        self._asserting = asserting

    def tests(self, body: Sequence[Any], before: tuple[str, ...], depth: int = 0) -> Iterator[tuple[str, ...]]:
        """The tests among these statements, each with what comes before it; all of them as one test if there are none."""
        if depth > 8 or not any(_tests_in(self._source, node) for node in body):
            steps = tuple(self.steps(body))
            is_possible = not any(_NOT_PROVIDED.search(step) or has_markup(step) for step in steps)
            if is_possible and any("__record__(" in step for step in steps):
                yield (*before, *steps)
            return
        for node in body:
            call = _test_call(self._source, node)
            if call is not None:
                yield from self._test(call, before, depth)
            elif _tests_in(self._source, node):
                yield (*before, self._unrolled(node))
            elif (hook := _hook(self._source, node)) is not None:
                before = (*before, *self.steps(_body(hook)))
            elif node.type in _DECLARATIONS or "assert" not in self._source.text(node):
                before = (*before, *(step for step in self.steps([node]) if not step.startswith("__record__(")))

    def steps(self, body: Sequence[Any]) -> list[str]:
        """Statements as steps: functions first, names as variables of the whole probe."""
        ordered = sorted(body, key=lambda node: "function_declaration" not in node.type)
        return [step for node in ordered for step in self._step(node) if step]

    def _step(self, node: Any) -> Iterator[str]:
        if node.type in {"comment", "empty_statement", "return_statement"} and not node.named_children:
            return
        if node.type == "return_statement":
            value = node.named_children[0]
            yield f"__record__(await ({self._source.rewritten(value, changes(self._source, value, self._asserting))}))"
        elif node.type in {"lexical_declaration", "variable_declaration"}:
            for one in node.named_children:
                if one.type == "variable_declarator":
                    yield f"var {recorded(self._source, one, self._asserting)}"
        elif node.type in {"function_declaration", "generator_function_declaration", "class_declaration"}:
            name = node.child_by_field_name("name")
            yield f"var {self._source.text(name)} = {recorded(self._source, node, self._asserting)}"
        elif node.type == "statement_block":
            yield from self.steps(statements(node))
        else:
            yield from steps_of(self._source, node, self._asserting)

    def _test(self, call: Any, before: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
        """The tests in a call such as `test("name", () => {…})`, `describe(…)` or `test.each(rows)(…)`."""
        callback, rows = _callback(call), _rows(call)
        if callback is None or set(_words(self._source, call)) & _SKIPPED:
            return
        names = _parameters(callback)
        inner = _Reader(self._source, self._asserting | (self._own_object(callback) if rows is None else frozenset()))
        if rows is None:
            given = [self._source.text(name) for name in names if name.type == "identifier"]
            for steps in inner.tests(_body(callback), before, depth + 1):
                used = frozenset().union(*(names_in(step) for step in steps))
                yield (*(_given(name) for name in given if name in used), *steps)
            return
        for row in rows.named_children[:MAX_CASES] if rows.type == "array" else ():
            values = row.named_children if row.type == "array" else [row]
            given = [
                f"var {self._source.text(name)} = {self._source.text(value)}"
                for name, value in zip(names, values, strict=False)
            ]
            yield from inner.tests(_body(callback), (*before, *given), depth + 1)

    def _own_object(self, callback: Any) -> frozenset[str]:
        """The name of the object that a test is given to assert with: `t` of tap, ava and node:test."""
        names = [self._source.text(name) for name in _parameters(callback)[:1]]
        return frozenset(names) - _CALLBACKS

    def _unrolled(self, node: Any) -> str:
        """A loop around tests: the tests' bodies run in it, one after the other."""
        replaced = []
        for found in walk(node):
            call = _called(self._source, found)
            callback = _callback(call) if call is not None else None
            if callback is not None:
                body = "".join(
                    f"{recorded(self._source, statement, self._asserting | self._own_object(callback))};\n"
                    for statement in _body(callback)
                )
                replaced.append((found, f"__later__(async () => {{\n{body}}})"))
        return self._source.rewritten(node, [*replaced, *changes(self._source, node, self._asserting)])


def _given(name: str) -> str:
    return f"var {name} = __done__()" if name in _CALLBACKS else f"var {name} = __t__"


def _tests_in(source: Source, node: Any) -> bool:
    return any(_called(source, found) is not None for found in walk(node))


def _test_call(source: Source, node: Any) -> Any:
    """The call, if a statement is a test or a group of tests."""
    inner = node
    while inner.type in {"expression_statement", "await_expression", "return_statement"} and inner.named_children:
        inner = inner.named_children[0]
    return _called(source, inner)


def _called(source: Source, node: Any) -> Any:
    """The node, if it is a call that defines tests."""
    if node.type != "call_expression" or _callback(node) is None:
        return None
    words = _words(source, node)
    is_test = bool(words) and (words[0] in _TESTS or (len(words) == 2 and words[1] in {"test", "it"}))
    return node if is_test else None


def _hook(source: Source, node: Any) -> Any:
    """The function of `beforeEach(…)` and the like; else None."""
    inner = node.named_children[0] if node.type == "expression_statement" else node
    if inner.type != "call_expression":
        return None
    words = _words(source, inner)
    return _callback(inner) if words and words[-1] in _BEFORE else None


def _words(source: Source, call: Any) -> list[str]:
    """The names of what is called: `test.each(rows)("…")` → test, each."""
    at = call.child_by_field_name("function")
    while at is not None and at.type == "call_expression":
        at = at.child_by_field_name("function")
    text = source.text(at) if at is not None else ""
    return text.split(".") if re.fullmatch(r"[\w$.]+", text) else []


def _callback(call: Any) -> Any:
    """The function that a call is given, the last one."""
    given = call.child_by_field_name("arguments")
    found = [node for node in given.named_children if node.type in _FUNCTIONS] if given is not None else []
    return found[-1] if found else None


def _rows(call: Any) -> Any:
    """The table of `test.each(rows)("…", …)`; None for other tests."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "call_expression":
        return None
    given = function.child_by_field_name("arguments")
    return given.named_children[0] if given is not None and given.named_children else None


def _body(function: Any) -> Sequence[Any]:
    body = function.child_by_field_name("body")
    if body is None:
        return ()
    return statements(body) if body.type == "statement_block" else [_Expression(body)]


def _parameters(function: Any) -> list[Any]:
    one = function.child_by_field_name("parameter")
    found = function.child_by_field_name("parameters")
    return [one] if one is not None else list(found.named_children) if found is not None else []


class _Expression:
    """The body of `() => expression`, seen as a statement."""

    type = "expression_statement"

    def __init__(self, node: Any) -> None:
        self.named_children = [node]
        self.children = [node]
        self.start_byte, self.end_byte = node.start_byte, node.end_byte
        self.parent = node.parent


def defined(step: str) -> Iterator[str]:
    """The names that a `var` step defines."""
    source = parsed(step)
    for node in walk(source.root):
        if node.type == "variable_declarator":
            name = node.child_by_field_name("name")
            kinds = {"identifier", "shorthand_property_identifier_pattern"}
            yield from (source.text(found) for found in walk(name) if found.type in kinds)
            return
