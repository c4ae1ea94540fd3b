"""Turns assertions into recordings: `expect(f(x)).toBe(3)` and `assert.equal(f(x), 3)` become `__record__(f(x))`.

What a test expects is dropped on purpose: probes compare answers with each other, and the values that they run on are changed. Known are
node's assert, chai, jest and vitest, tap, tape, ava and QUnit, each by the form of its calls, not by its name.
"""

from collections.abc import Iterator
from typing import Any

from dce.workspace.judging.behaviour.javascript.syntax import Source, walk

_CALLED = frozenset(
    {
        *("throws", "doesNotThrow", "rejects", "doesNotReject", "throwsAsync", "notThrows", "notThrowsAsync"),
        *(
            "throw",
            "Throw",
            "toThrow",
            "toThrowError",
            "toThrowErrorMatchingSnapshot",
            "toThrowErrorMatchingInlineSnapshot",
        ),
        *("throwsException", "isRejected", "resolves"),
    }
)
"""Assertions about what happens when something is called."""

_SAY_NOTHING = frozenset(
    {
        *(
            "end",
            "plan",
            "pass",
            "done",
            "comment",
            "timeout",
            "slow",
            "retries",
            "setTimeout",
            "assertions",
            "hasAssertions",
        ),
        *("expect", "step", "log", "diagnostic", "teardown", "use", "extend", "useFakeTimers", "skip", "fail", "retry"),
    }
)
"""Calls on a test's own object that look at nothing."""

_FUNCTIONS = frozenset(
    {"arrow_function", "function_expression", "function_declaration", "method_definition", "generator_function"}
)


def recorded(source: Source, node: Any, asserting: frozenset[str]) -> str:
    """The source of a statement with the assertions in it replaced. `asserting`: the names that stand for assertion libraries."""
    return source.rewritten(node, changes(source, node, asserting))


def steps_of(source: Source, node: Any, asserting: frozenset[str]) -> list[str]:
    """A statement as steps of a probe: each value that an assertion looks at is one, and so is that of any other call."""
    if node.type != "expression_statement":
        return [recorded(source, node, asserting).rstrip().removesuffix(";")]
    inner = node.named_children[0]
    parts = looked_at(source, inner, asserting)
    if parts is not None:
        return [f"__record__({part})" for part in parts]
    text = source.rewritten(inner, changes(source, inner, asserting))
    called = inner.named_children[0] if inner.type == "await_expression" else inner
    is_recorded = called.type in {"call_expression", "new_expression", "member_expression", "binary_expression"}
    return [f"__record__({text})" if is_recorded else text]


def changes(source: Source, node: Any, asserting: frozenset[str]) -> Iterator[tuple[Any, str]]:
    """The assertions anywhere in a statement, and what comes in their place."""
    for found in walk(node):
        if found.type not in {"call_expression", "member_expression", "await_expression"}:
            continue
        if found.parent is not None and found.parent.type in {"member_expression", "await_expression"}:
            continue  # a part of a longer chain
        if (
            found.parent is not None
            and found.parent.type == "call_expression"
            and found.parent.child_by_field_name("function") == found
        ):
            continue
        parts = looked_at(source, found, asserting)
        if parts is not None:
            yield found, _joined(parts)


def looked_at(source: Source, node: Any, asserting: frozenset[str]) -> list[str] | None:
    """What an assertion looks at, as source; None if the expression is none."""
    is_awaited = node.type == "await_expression"
    inner = node.named_children[0] if is_awaited else node
    chain = list(_chain(inner))
    if not chain:
        return None
    found = _expected(source, chain, asserting) or _asserted(source, chain, asserting) or _should(source, chain)
    if found is None:
        return None
    parts, is_called = found
    words = [f"__call__({part})" if is_called else part for part in parts]
    is_promised = is_awaited or any(_property(source, one) in {"resolves", "rejects"} for one in chain)
    return [f"await ({word})" if is_promised and _is_in_async(node) else word for word in words]


def _joined(parts: list[str]) -> str:
    """Recordings as one expression."""
    made = [f"__record__({part})" for part in parts]
    return made[0] if len(made) == 1 else f"({', '.join(made)})" if made else "undefined"


def _chain(node: Any) -> Iterator[Any]:
    """The calls and properties of `a.b(c).d(e)`, the last one first; the innermost is the root."""
    at = node
    while at is not None:
        yield at
        if at.type == "call_expression":
            at = at.child_by_field_name("function")
        elif at.type == "member_expression":
            at = at.child_by_field_name("object")
        elif at.type in {"parenthesized_expression", "await_expression"} and len(at.named_children) == 1:
            at = at.named_children[0]
        else:
            return


def _expected(source: Source, chain: list[Any], asserting: frozenset[str]) -> tuple[list[str], bool] | None:
    """`expect(actual).….matcher(…)`, also `expect.soft(actual)` and `t.expect(actual)`."""
    for at, node in enumerate(chain):
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is None or at == 0:
            continue
        names = source.text(function).split(".")
        is_expect = names[0] == "expect" or (names[0] in asserting and names[-1] == "expect")
        if is_expect and len(names) <= 2 and "(" not in source.text(function):
            actual = _arguments(node)[:1]
            matchers = {_property(source, one) for one in chain[:at]}
            return [source.text(one) for one in actual], bool(matchers & _CALLED) and "resolves" not in matchers
    root, first = chain[-1], source.text(chain[-1])
    if root.type == "identifier" and first == "expect" and chain[0].type == "call_expression":
        return [], False  # `expect.assertions(2)`
    return None


def _asserted(source: Source, chain: list[Any], asserting: frozenset[str]) -> tuple[list[str], bool] | None:
    """`assert(…)`, `assert.equal(…)`, `t.is(…)`, `assert.strict.equal(…)`."""
    root = chain[-1]
    if chain[0].type != "call_expression" or root.type != "identifier" or source.text(root) not in asserting:
        return None
    if sum(node.type == "call_expression" for node in chain) > 1:
        return None
    name = _property(source, chain[1]) if len(chain) > 1 else ""
    values = _arguments(chain[0])
    if any(node.type in _FUNCTIONS for node in values[1:]) or name in {"test", "mock"}:
        return None  # a subtest
    if name in _SAY_NOTHING:
        return [], False
    if name in _CALLED:
        return [source.text(node) for node in values[:1]], True
    return [source.text(node) for node in _telling(values[:2])], False


def _should(source: Source, chain: list[Any]) -> tuple[list[str], bool] | None:
    """`actual.should.equal(…)`."""
    for node in chain[1:]:
        if node.type == "member_expression" and _property(source, node) == "should":
            matchers = {_property(source, one) for one in chain}
            return [source.text(node.child_by_field_name("object"))], bool(matchers & _CALLED)
    return None


def _telling(values: list[Any]) -> list[Any]:
    """The parts that call something; if none does, those that come from somewhere."""
    made = [
        node for node in values if _has(node, {"call_expression", "new_expression", "identifier", "member_expression"})
    ]
    return [node for node in made if _has(node, {"call_expression", "new_expression"})] or made or values[:1]


def _has(node: Any, kinds: set[str]) -> bool:
    return any(found.type in kinds for found in walk(node))


def _arguments(call: Any) -> list[Any]:
    given = call.child_by_field_name("arguments")
    return [node for node in given.named_children if node.type != "comment"] if given is not None else []


def _property(source: Source, node: Any) -> str:
    found = node.child_by_field_name("property") if node.type == "member_expression" else None
    return source.text(found) if found is not None else ""


def _is_in_async(node: Any) -> bool:
    """Whether `await` may stand here: in an async function, or in a test's own statements, which run in one."""
    at = node.parent
    while at is not None:
        if at.type in _FUNCTIONS:
            return any(child.type == "async" for child in at.children) or _is_test_body(at)
        at = at.parent
    return True


def _is_test_body(function: Any) -> bool:
    """Whether a function is the last argument of a call that begins with a text, as tests are."""
    given = function.parent
    if given is None or given.type != "arguments":
        return False
    first = given.named_children[0]
    return first != function and first.type in {"string", "template_string"}
