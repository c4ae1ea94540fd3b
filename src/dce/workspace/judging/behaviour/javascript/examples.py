"""Examples in JSDoc comments and README files: calls of what the changed modules export."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.javascript.calls import free_names
from dce.workspace.judging.behaviour.javascript.exports import Function, documents
from dce.workspace.judging.behaviour.javascript.imports import import_line, is_own, read_imports
from dce.workspace.judging.behaviour.javascript.syntax import is_broken, parsed, plain, statements, walk
from dce.workspace.judging.behaviour.probe import Snippet

MAX_EXAMPLES = 60
"""Maximum calls that are taken from all examples."""

MAX_PROSE = 300
"""Longest call in a comment's prose, in characters."""

_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(?:js|javascript|mjs|cjs|jsx|ts|typescript|node)\b[^\n]*\n(.*?)^[ \t]*(?:```|~~~)",
    re.DOTALL | re.MULTILINE,
)
_STARS = re.compile(r"^[ \t]*\*[ \t]?", re.MULTILINE)
_EXAMPLE = re.compile(r"@example\b(?:[ \t]*<caption>.*?</caption>)?(.*?)(?=^[ \t]*@\w|\Z)", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)


def documented_calls(path: str, versions: Sequence[str], functions: Sequence[Function]) -> Iterator[Snippet]:
    """The calls in a module's JSDoc: of the workspace's version, or of every answer's if the module is new."""
    names = {function.name: function for function in functions} | {
        function.exported: function for function in functions
    }
    for text in versions[:1] if versions and versions[0] else versions:
        for comment in documents(text, path):
            body = _STARS.sub("", comment.removeprefix("/**").removesuffix("*/"))
            for example in _EXAMPLE.findall(body):
                yield from _calls(_code(example), names, path)
            for call in _in_prose(_EXAMPLE.sub("", body), names):
                yield from _calls(call, names, path)


def read_me_snippets(text: str, packages: frozenset[str]) -> Iterator[tuple[Snippet, tuple[str, ...]]]:
    """The calls in a README's code, with the imports of all its code before them; and the names that each one calls."""
    blocks = [plain(block, "block.ts") for block in _FENCE.findall(text.replace("\r\n", "\n"))]
    imports = [read_imports(parsed(block)) for block in blocks]
    lines = {
        name: one.line for found in imports for one in found.found if is_own(one.module, packages) for name in one.names
    }
    for block in blocks:
        for call, names in _expressions(block):
            if free_names(call) <= set(lines) and set(lines) & names:
                header = (
                    '__at__("README.js");',
                    *dict.fromkeys(lines[name] for name in sorted(set(lines) & free_names(call))),
                )
                yield Snippet(header=header, steps=(call,)), tuple(sorted(names))


def _in_prose(text: str, names: Iterable[str]) -> Iterator[str]:
    """The calls of these functions in a text, each up to the bracket that closes it."""
    for match in re.finditer(rf"(?<![\w$.])(?:{'|'.join(map(re.escape, names)) or '(?!)'})\(", text):
        depth = 0
        for at in range(match.end() - 1, min(len(text), match.end() + MAX_PROSE)):
            depth += (text[at] in "([{") - (text[at] in ")]}")
            if not depth:
                yield text[match.start() : at + 1]
                break


def _calls(code: str, names: Mapping[str, Function], path: str) -> Iterator[Snippet]:
    for call, called in _expressions(code):
        free = free_names(call)
        if free and free <= set(names) and called & set(names):
            yield Snippet(header=header_of(path, [names[name] for name in sorted(free)], sorted(free)), steps=(call,))


def header_of(path: str, functions: Sequence[Function], names: Sequence[str]) -> tuple[str, ...]:
    """The lines that import these functions under these names from a module at this path."""
    lines = [
        import_line(name, function.exported, f"./{path}", is_default=function.is_default)
        for function, name in zip(functions, names, strict=True)
    ]
    return (f"__at__({json.dumps('probe.js')});", *lines)


def _code(example: str) -> str:
    """The code of an example: without its fence and prompts; a result written after the call (`f(1) // 2`) is a comment anyway."""
    fenced = re.findall(r"```[^\n]*\n(.*?)```", example, re.DOTALL)
    return _PROMPT.sub("", "\n".join(fenced) if fenced else example)


def _expressions(code: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The calls at the top of a piece of code, and the names at the root of what they call. What cannot be parsed is read by line."""
    for part in [code] if not is_broken(code) else code.split("\n"):
        source = parsed(re.split(r"\s(?:=>|->|→|⇒|===?)\s", part)[0] if is_broken(part) else part)
        if source.root.has_error:
            continue
        for node in statements(source.root):
            for call in _outer_calls(node):
                text = source.text(call)
                roots = {source.text(found) for found in walk(call) if found.type == "identifier"}
                yield " ".join(text.split()) if "`" not in text and "//" not in text else text, frozenset(roots)


def _outer_calls(node: object) -> Iterator[object]:
    """The outermost calls in a statement, without those that print."""
    found = node
    stack = [found]
    while stack:
        at = stack.pop()
        kind = getattr(at, "type", "")
        if kind == "call_expression":
            function = at.child_by_field_name("function")  # type: ignore[attr-defined]
            if not function.text.startswith((b"console.", b"assert", b"expect", b"require")):
                yield at
                continue
        if kind not in {"arrow_function", "function_declaration", "function_expression", "class_declaration"}:
            stack.extend(reversed(getattr(at, "named_children", [])))
