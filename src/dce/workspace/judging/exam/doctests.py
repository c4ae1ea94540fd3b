"""Examples in the docstrings of a Python source, where the project runs them as tests (doctest).

A docstring is documentation and exam in one. Only where examples of the workspace are gone or have another result, the whole docstring is
the workspace's; examples that an answer adds stay, but no rank comes from them, since runners count the docstring as one test.
"""

import ast
import doctest
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.exam.test_facts import KEPT
from dce.workspace.judging.place import beginning

CONFIGURATION = ("pytest.ini", ".pytest.ini", "pytest.toml", "pyproject.toml", "setup.cfg", "tox.ini", "conftest.py")
"""Where a project says that its examples are tests, at its root."""

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def are_run(root: Path, checks: Iterable[Check]) -> bool:
    """Whether the project runs the examples in its docstrings."""
    if any("doctest" in word for check in checks for word in check.command):
        return True
    return any("doctest" in beginning(root / name) for name in CONFIGURATION)


@lru_cache(maxsize=KEPT)
def examples_of(source: str) -> dict[str, list[tuple[str, str]]]:
    """The examples (source, result) of each docstring that has some, by the name of what it documents ("" is the module)."""
    found = {}
    for name, node in _documented(_parsed(source)):
        examples = _examples(ast.get_docstring(node) or "")
        if examples:
            found[name] = examples
    return found


def lost(before: str, after: str) -> dict[str, tuple[int, int]]:
    """Of each docstring whose examples are not all still there: how many are gone or changed, and how many there are now."""
    new = examples_of(after)
    differing = {}
    for name, examples in examples_of(before).items():
        now = list(new.get(name, []))
        gone = [example for example in examples if example not in now]
        if gone:
            differing[name] = (len(gone), len(now) - (len(examples) - len(gone)))
    return differing


@lru_cache(maxsize=KEPT)
def laid_over(before: str, after: str) -> str | None:
    """The answer's source (`after`) with the workspace's docstrings where examples are lost; None if none are. What a lost docstring
    documented may be gone too: then its examples are missing by name."""
    names = lost(before, after)
    if not names:
        return None
    lines = before.splitlines(keepends=True)
    texts = {name: _text(lines, node) for name, node in _documented(_parsed(before)) if name in names}
    result = after.splitlines(keepends=True)
    wanted = [_edit(result, node, texts[name]) for name, node in _documented(_parsed(after)) if name in texts]
    edits = [edit for edit in wanted if edit is not None]
    if not edits:
        return None
    for start, end, text in sorted(edits, reverse=True):
        result[start:end] = [text]
    return "".join(result)


def _parsed(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _documented(node: _Documented, prefix: str = "") -> Iterator[tuple[str, _Documented]]:
    yield prefix, node
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _documented(inner, f"{prefix}.{inner.name}" if prefix else inner.name)


def _examples(docstring: str) -> list[tuple[str, str]]:
    try:
        return [
            (example.source.strip(), example.want.strip())
            for example in doctest.DocTestParser().get_examples(docstring)
        ]
    except ValueError:
        return []


def _docstring(node: _Documented) -> ast.Expr | None:
    first = node.body[0] if node.body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if isinstance(first, ast.Expr) and is_text else None


def _text(lines: list[str], node: _Documented) -> str:
    """A docstring's lines as they are; "" without one, or if other code shares a line with it."""
    expression = _docstring(node)
    if expression is None or not _is_alone(lines, expression):
        return ""
    text = "".join(lines[expression.lineno - 1 : expression.end_lineno])
    return text if text.endswith("\n") else f"{text}\n"


def _is_alone(lines: list[str], node: ast.stmt) -> bool:
    """Whether a statement has its lines to itself. Columns are bytes."""
    first, last = lines[node.lineno - 1].encode(), lines[(node.end_lineno or node.lineno) - 1].encode()
    return not first[: node.col_offset].strip() and not last[node.end_col_offset or 0 :].strip()


def _edit(lines: list[str], node: _Documented, text: str) -> tuple[int, int, str] | None:
    """Which lines of the answer the docstring replaces; an empty range puts it before the body. None if it cannot be fitted in."""
    first = node.body[0] if node.body else None
    if first is None or not text or not _is_alone(lines, first):
        return None
    decorators = getattr(first, "decorator_list", [])
    start = min([first.lineno, *(made.lineno for made in decorators)]) - 1
    indent = re.match(r"[ \t]*", text)
    fitted = text if first.col_offset == len(indent[0] if indent else "") else _indented(text, first.col_offset)
    return start, (first.end_lineno or start) if _docstring(node) is not None else start, fitted


def _indented(text: str, width: int) -> str:
    lines = text.splitlines(keepends=True)
    own = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join(" " * width + line[own:] if line.strip() else line for line in lines)
