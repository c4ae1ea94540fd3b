"""Properties of the schema `fill`: any text that the grammar allows is read back exactly, and exactly the stubs are found."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.schema import SCHEMAS, read_answer
from dce.workspace.schema.fill import MAX_HOLE_CHARS, FillSchema, find_stubs
from dce.workspace.schema.reading import PromptFile

NONCE = "a1b2c3"
HOLE = re.compile(rf"[^ \t\r\n<](?:[^\r\n<]|<<?[^</\r\n]){{0,{MAX_HOLE_CHARS - 1}}}")
"""The grammar's own hole, as a regular expression."""

STUBS = '''\
"""A module."""

import math


def area(width, height):
    """Return the area of a rectangle."""
    raise NotImplementedError


class Shape:
    async def name(self):
        raise NotImplementedError("later")  # not yet
'''

# Pieces likely to cause faults: every kind of line end, tags, quotes, escapes, text that is almost a closer.
PIECES = st.sampled_from(
    [
        *('"""Doc."""\n', "x = 1\n", "# \u00e9\u4e16\U0001f389\u2028\x85\n", "\n", "\r\n", "\x0c\n", "s = '\\\\'\n"),
        *("t = '</file>'\n", "# <summary>\n", "# \t\x07\x7f\n", "u = 'root ::= hole'\n", "    \n", "v = 2  \n"),
    ]
)
STUB = st.sampled_from(
    [
        "def f(a):\n    raise NotImplementedError\n",
        'def g(a):\n    """Return a."""\n    raise NotImplementedError("no")  # yet\n',
        "async def h():\r\n\traise NotImplementedError \t\r\n",
        "class C:\n    def m(self):\n        '''Two\n        lines.'''\n        raise NotImplementedError()\n",
    ]
)
TAIL = st.sampled_from(["", "def last():\n    raise NotImplementedError", "# no line end", "if 1:\n    pass\n    "])


@st.composite
def sources(draw: st.DrawFn) -> str:
    """The text of a Python file with at least one stub."""
    parts = draw(st.lists(st.one_of(PIECES, STUB), max_size=8))
    return "".join([*parts, draw(STUB), *draw(st.lists(PIECES, max_size=3)), draw(TAIL)])


def prompt_file(path: str, text: str) -> PromptFile:
    """A file as in a prompt."""
    return PromptFile(path=path, text=text, sha256="")


def elements(grammar: str) -> list[str]:
    """The elements of a grammar's root: literal texts, and `hole`."""
    root = grammar.split("\n", 1)[0].removeprefix("root ::= ")
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|hole', root)
    assert " ".join(tokens) == root
    return [token if token == "hole" else unescaped(token[1:-1]) for token in tokens]


def unescaped(literal: str) -> str:
    """The text of a GBNF or EBNF literal; only escapes that both dialects know are accepted."""
    known = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
    pattern = re.compile(r"\\(?:u([0-9a-f]{4})|(.))", re.DOTALL)
    return pattern.sub(lambda match: chr(int(match[1], 16)) if match[1] else known[match[2]], literal)


def filled(text: str, holes: list[str]) -> str:
    """A file with its stubs replaced, in the simplest way."""
    pieces, at = [], 0
    for (start, end, _), hole in zip(find_stubs(text), holes, strict=True):
        pieces += [text[at:start], "return ", hole]
        at = end
    return "".join([*pieces, text[at:]])


@given(data=st.data(), texts=st.lists(sources(), min_size=1, max_size=3))
def test_whatever_the_grammar_allows_is_read_back_as_exactly_the_filled_files(
    data: st.DataObject, texts: list[str]
) -> None:
    """For any files with stubs and any text in the holes, the answer is read as those files, byte for byte, and as `ok`."""
    files = tuple(prompt_file(f"src/file{number}.py", text) for number, text in enumerate(texts))
    with_stubs = [file for file in files if find_stubs(file.text)]
    grammar = FillSchema().grammar(NONCE, files)
    assert (grammar is None) == (not with_stubs)
    if grammar is None:
        return
    holes = {
        file.path: [data.draw(st.from_regex(HOLE, fullmatch=True)) for _ in find_stubs(file.text)]
        for file in with_stubs
    }
    flat = iter([hole for file in with_stubs for hole in holes[file.path]])
    answer = "".join(next(flat) if element == "hole" else element for element in elements(grammar))
    reading = read_answer(answer, "fill", NONCE)
    assert reading.parse == "ok"
    assert {block.path: block.content for block in reading.files} == {
        file.path: filled(file.text, holes[file.path]) for file in with_stubs
    }
    assert all(block.status == "complete" for block in reading.files)
    assert reading.summary.startswith("Filled in `")


def test_stubs_are_functions_whose_whole_body_raises() -> None:
    """Functions and methods count, with or without a docstring, sync or async, whatever the exception's text."""
    assert [(name, STUBS[start:end]) for start, end, name in find_stubs(STUBS)] == [
        ("area", "raise NotImplementedError"),
        ("name", 'raise NotImplementedError("later")  # not yet'),
    ]


def test_a_raise_that_is_not_a_whole_body_is_left_alone() -> None:
    """A branch, a module-level line, a string, a one-liner and a body with more code are not stubs, nor is anything in a broken file."""
    for text in (
        "def f(a):\n    if a:\n        raise NotImplementedError\n    return 1\n",
        "raise NotImplementedError\n",
        'x = """\ndef f():\n    raise NotImplementedError\n"""\n',
        "def f(): raise NotImplementedError\n",
        "def f():\n    raise NotImplementedError; print(1)\n",
        "def f():\n    raise NotImplementedError(\n        1)\n",
        "def f():\n    raise NotImplementedErrors\n",
        "def f(:\n    raise NotImplementedError\n",
    ):
        assert find_stubs(text) == (), text


def test_the_grammar_holds_only_files_with_stubs() -> None:
    """Files with nothing to fill are not in the answer; in a file that is not Python there are no stubs."""
    files = (prompt_file("a.py", "x = 1\n"), prompt_file("b.py", STUBS), prompt_file("c.md", STUBS))
    grammar = FillSchema().grammar(NONCE, files)
    assert grammar is not None
    assert "b.py" in grammar
    assert "a.py" not in grammar
    assert "c.md" not in grammar


def test_the_instructions_name_every_stub_and_the_form() -> None:
    """A model without the grammar can answer too: the instructions have the stubs, the format and the nonce."""
    text = FillSchema().instructions(NONCE, (prompt_file("b.py", STUBS),))
    assert "`area` in b.py and `name` in b.py" in text
    assert f'<file path="path/to/file.py" nonce="{NONCE}">' in text


def test_without_stubs_it_asks_and_reads_as_blocks() -> None:
    """A prompt without stubs is an ordinary one."""
    files = (prompt_file("a.py", "x = 1\n"),)
    assert FillSchema().grammar(NONCE, files) is None
    assert FillSchema().instructions(NONCE, files) == SCHEMAS["blocks"].instructions(NONCE, files)


def test_an_answer_that_no_grammar_held_is_read_as_blocks() -> None:
    """An answer that follows the format without the grammar loses nothing, and a truncated one is marked as such."""
    answer = f'<summary>\nDone: b.py.\n</summary>\n\nHere.\n\n<file path="b.py" nonce="{NONCE}">\nx = 2\n</file nonce="{NONCE}">\n'
    reading = read_answer(answer, "fill", NONCE)
    assert [(block.path, block.content) for block in reading.files] == [("b.py", "x = 2\n")]
    cut = read_answer(answer[: answer.index("</file")], "fill", NONCE, is_truncated=True)
    assert cut.files[0].status == "truncated"
    assert "truncated" in cut.flags
