"""Turns the statements of a test into statements that record: `assert f(x) == 3` becomes `__record__(f(x))`.

What a test expects is dropped on purpose: probes compare answers with each other, and the values that they run on are changed.
"""

import ast
import copy
from collections.abc import Iterator, Sequence

_SECOND_IS_CALLED = frozenset({"assertRaises", "assertRaisesRegex", "assertWarns"})

_BLOCKS = ast.For | ast.While | ast.If | ast.With | ast.Try | ast.AsyncFor | ast.AsyncWith


def recording(body: Sequence[ast.stmt], *, is_nested: bool = False, is_helper: bool = False) -> list[ast.stmt]:
    """The statements with every assertion replaced. An expected exception is recorded where it is raised. `is_helper`: they are the
    body of a function that tests call, so what it returns stays."""
    out: list[ast.stmt] = []
    for node in body:
        out.extend(ast.fix_missing_locations(made) for made in _made(node, is_nested=is_nested, is_helper=is_helper))
    return out


def recording_helper(node: ast.stmt) -> ast.stmt:
    """A test file's own function with its assertions replaced, if it has any: what it looks at is what the tests look at."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node
    if not any(isinstance(found, ast.Assert) for found in ast.walk(node)):
        return node
    changed = copy.copy(node)
    changed.body = recording(changed.body, is_nested=True, is_helper=True) or [ast.Pass()]
    return ast.fix_missing_locations(changed)


def _made(node: ast.stmt, *, is_nested: bool, is_helper: bool) -> Iterator[ast.stmt]:
    if isinstance(node, ast.Assert):
        yield from (_record(value) for value in looked_at(node.test))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    elif isinstance(node, ast.Expr) and (method := _assert_method(node.value)):
        yield from (_record(value) for value in _unittest_looks_at(method, node.value))
    elif isinstance(node, ast.Expr):
        yield _record(node.value)
    elif isinstance(node, ast.With) and _expects_exception(node.items[0].context_expr):
        body = recording(node.body, is_nested=is_nested)
        yield from [_caught(body)] if is_nested else body
        yield from _named_error(node.items[0].optional_vars)
    elif isinstance(node, ast.Pass) or (isinstance(node, ast.Return) and not is_helper):
        return
    elif isinstance(node, _BLOCKS):
        yield _with_recorded_blocks(node, is_helper=is_helper)
    else:
        yield node


def looked_at(test: ast.expr) -> list[ast.expr]:
    """The parts of an assertion that the code under test made: not the literals that it is compared with."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return looked_at(test.operand)
    if isinstance(test, ast.BoolOp):
        return [part for value in test.values for part in looked_at(value)]
    if (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.In | ast.NotIn)
        and _is_worded(test.comparators[0])
    ):
        return [test]
    if isinstance(test, ast.Compare):
        return _telling((test.left, *test.comparators)) or [test]
    return [ast.Call(ast.Name("bool", ast.Load()), [test], [])] if _is_worded(test) else [test]


_WORDED = frozenset({"err", "stderr", "message", "msg", "text", "messages"})


def _is_worded(node: ast.expr) -> bool:
    """Whether an expression is text for people, which every answer words differently: standard error, an exception's message."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"str", "repr"} and node.args:
        inner = node.args[0]
        return isinstance(inner, ast.Attribute) and inner.attr in {"value", "exception"}
    if isinstance(node, ast.Attribute):
        return node.attr in _WORDED - {"text"} or (node.attr == "text" and ast.unparse(node.value) == "caplog")
    return isinstance(node, ast.Name) and node.id in _WORDED - {"text"}


def _telling(parts: Sequence[ast.expr]) -> list[ast.expr]:
    """The parts that come from somewhere, not what is put together by hand: that is what the test expects. Of several, those that call
    something."""
    made = [part for part in parts if _is_made(part)]
    made = [part for part in made if not _is_put_together(part)] or made
    return [part for part in made if any(isinstance(found, ast.Call) for found in ast.walk(part))] or made


def _is_put_together(node: ast.expr) -> bool:
    """A list of calls, an object made on the spot, a day."""
    if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
        return True
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func).split(".")[-1][:1].isupper() or ast.unparse(node.func) in _VALUES


_VALUES = frozenset(
    f"{module}{name}"
    for module in ("", "datetime.")
    for name in ("date", "datetime", "time", "timedelta", "date.fromisoformat")
)
"""Calls of the standard library that write down a value."""


def _is_made(node: ast.expr) -> bool:
    """Whether a value comes from somewhere: it calls something or names something."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("approx"):
        return False
    return any(isinstance(part, ast.Call | ast.Name | ast.Attribute) for part in ast.walk(node))


def _assert_method(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert"):
        return node.func.attr if ast.unparse(node.func.value) == "self" else ""
    return ""


def _unittest_looks_at(method: str, call: ast.expr) -> list[ast.expr]:
    assert isinstance(call, ast.Call)
    if method in _SECOND_IS_CALLED and len(call.args) > 1:
        skipped = 3 if method.endswith("Regex") else 2
        return [ast.Call(call.args[skipped - 1], list(call.args[skipped:]), call.keywords)]
    return _telling(call.args[:2])


def _expects_exception(context: ast.expr) -> bool:
    return isinstance(context, ast.Call) and ast.unparse(context.func).split(".")[-1] in {
        *("raises", "warns", "assertRaises", "assertRaisesRegex", "assertWarns"),
    }


def _record(value: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Name("__record__", ast.Load()), [value], []))


def _caught(body: list[ast.stmt]) -> ast.stmt:
    """The body in a `try` that records the exception, for a place from which it must not escape."""
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "_error", [_record(ast.Name("_error", ast.Load()))])
    return ast.Try(body, [handler], [], [])


def _named_error(name: ast.expr | None) -> Iterator[ast.stmt]:
    """The name that an expected exception is caught under: what a test says of it afterwards was recorded where it was raised."""
    if isinstance(name, ast.Name):
        yield ast.Assign([ast.Name(name.id, ast.Store())], ast.Constant(None))


def _with_recorded_blocks(node: ast.stmt, *, is_helper: bool) -> ast.stmt:
    """A compound statement whose blocks record."""
    changed = copy.copy(node)
    for field, value in ast.iter_fields(node):
        if field in {"body", "orelse", "finalbody"} and isinstance(value, list):
            recorded = recording(value, is_nested=True, is_helper=is_helper) or (
                [ast.Pass()] if field == "body" else []
            )
            setattr(changed, field, recorded)
    return changed
