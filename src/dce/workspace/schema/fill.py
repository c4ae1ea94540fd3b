"""The interaction schema for small models: the files exist, and the model only fills in their stubs.

A stub is a Python function whose body, after the docstring, is one line `raise NotImplementedError`. The grammar spells out the whole
answer except for the expression after `return` in each stub, so that an answer always parses, whatever the model; the answer itself
has the form of schema `blocks`. What must hold: a text that the grammar allows is read as exactly the files with their holes filled,
byte for byte.
"""

import ast
import re
from collections.abc import Iterator

from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.reading import FileBlock, PromptFile, Reading, Shown, file_block, nothing_shown

MAX_HOLE_CHARS = 60
"""Longest expression for a stub: one line beside its `return`; a model that loses its way cannot write for long."""

_HOLE = rf"""hole ::= [^ \t\r\n<] rest{{0,{MAX_HOLE_CHARS - 1}}}
rest ::= [^\r\n<] | "<" "<"? [^</\r\n]"""
"""One line that is not blank and holds no `</`, so that it can end neither its file nor the answer."""

_STUB = re.compile(r"(?:\A|(?<=[\r\n]))[ \t]*(?P<body>raise[ \t]+NotImplementedError\b[^\r\n]*?)[ \t]*(?=[\r\n]|\Z)")

_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

_INSTRUCTIONS = """\
Fill in the stubs: {stubs}.
Each stub's body is one line, `raise NotImplementedError`. Replace that line by one `return` with the expression that the function's
docstring asks for, and change nothing else. Answer in exactly this form, a block for each file that holds stubs:

<summary>
{summary}
</summary>

{example}

A block holds the whole file, from the first line to the last, and its opening and closing line carry nonce="{nonce}"."""


class FillSchema:
    """Schema `fill`. Where no file holds a stub there is nothing to fill, and it is schema `blocks`."""

    name = "fill"

    def __init__(self) -> None:
        self._blocks = BlocksSchema()

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:
        """The text of section M3."""
        with_stubs = _with_stubs(files)
        if not with_stubs:
            return self._blocks.instructions(nonce, files)
        named = [f"`{name}` in {file.path}" for file, stubs in with_stubs for _, _, name in stubs]
        return _INSTRUCTIONS.format(
            stubs=_listed(named),
            summary=_summary(with_stubs),
            example=file_block("path/to/file.py", "the whole file\n", nonce),
            nonce=nonce,
        )

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:
        """Every answer that fills the stubs, in the subset that llama.cpp (GBNF) and xgrammar (EBNF) share."""
        with_stubs = _with_stubs(files)
        if not with_stubs:
            return None
        parts = [_literal(_opening(_summary(with_stubs)))]
        for file, stubs in with_stubs:
            texts = _around(file.text, stubs)
            opener, closer = file_block(file.path, "\0", nonce).split("\0")
            parts += [_literal("\n" + opener + texts[0])]
            for text in texts[1:-1]:
                parts += ["hole", _literal(text)]
            parts += ["hole", _literal(texts[-1] + closer + "\n")]
        return f"root ::= {' '.join(parts)}\n{_HOLE}\n"

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The answer: exact in the grammar's own form, else as schema `blocks` reads it."""
        return _exact(text, nonce) or self._blocks.read(text, nonce)


_Stub = tuple[int, int, str]
"""Where in a file's text a stub's one statement begins and ends, and the function's name."""


def find_stubs(text: str) -> tuple[_Stub, ...]:
    """The stubs of a Python file, in order; none if it does not parse."""
    candidates = {_line_of(text, match.start("body")): match.span("body") for match in _STUB.finditer(text)}
    try:
        tree = ast.parse(text) if candidates else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = []
    for function in ast.walk(tree) if tree else ():
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            line = _stub_line(function)
            if line in candidates:
                found.append((*candidates.pop(line), function.name))
    return tuple(sorted(found))


def _stub_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The line of a function's only statement besides the docstring, if it is a one-line `raise`; else 0."""
    body = function.body
    has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    rest = body[1:] if has_docstring else body
    if len(rest) != 1 or not isinstance(rest[0], ast.Raise) or rest[0].lineno != rest[0].end_lineno:
        return 0
    return rest[0].lineno


def _line_of(text: str, at: int) -> int:
    """The number of the line at an offset, counted as Python's tokenizer does."""
    return 1 + len(re.findall(r"\r\n|\r|\n", text[:at]))


def _with_stubs(files: tuple[PromptFile, ...]) -> list[tuple[PromptFile, tuple[_Stub, ...]]]:
    found = [(file, find_stubs(file.text)) for file in files if file.path.endswith(".py")]
    return [(file, stubs) for file, stubs in found if stubs]


def _around(text: str, stubs: tuple[_Stub, ...]) -> list[str]:
    """A file's text around its holes: one more piece than there are stubs. Each piece before a hole ends with `return `."""
    pieces, at = [], 0
    for start, end, _ in stubs:
        pieces.append(text[at:start] + "return ")
        at = end
    return [*pieces, text[at:]]


def _summary(with_stubs: list[tuple[PromptFile, tuple[_Stub, ...]]]) -> str:
    parts = [f"{_listed([f'`{name}`' for _, _, name in stubs])} in {file.path}" for file, stubs in with_stubs]
    return f"Filled in {_listed(parts)}."


def _listed(names: list[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _opening(summary: str) -> str:
    return f"<summary>\n{summary}\n</summary>\n"


def _literal(text: str) -> str:
    """A string of the grammar: characters that either dialect might misread are written as escapes that both know."""
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _exact(text: str, nonce: str) -> Reading | None:
    """The reading of an answer that matches the grammar exactly; None if anything differs."""
    mark = re.escape(nonce)
    opening = re.match(r"<summary>\n(?P<summary>[^\n]*)\n</summary>\n", text)
    files = tuple(_blocks(text, opening.end(), mark)) if opening else ()
    if opening is None or not files:
        return None
    form = _opening(opening["summary"]) + "".join(f"\n{file_block(f.path, f.content, nonce)}\n" for f in files)
    return Reading(summary=opening["summary"], files=files) if text == form else None


def _blocks(text: str, at: int, mark: str) -> Iterator[FileBlock]:
    block = re.compile(rf'\n<file path="([^"\n]*)" nonce="{mark}">\n(.*?)</file nonce="{mark}">\n', re.DOTALL)
    while match := block.match(text, at):
        yield FileBlock(path=match[1], content=match[2])
        at = match.end()
