"""Tags and fences glued to anything: a matrix of wrappings, in which no file may swallow its neighbour."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import pytest

from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.spans import find_spans
from dce.workspace.schema.tag_events import find_events

HEAD = "<summary>\nDid it.\n</summary>\n\n"

SETS: Mapping[str, Mapping[str, str]] = {
    "code": {
        "src/a.py": "def a():\n    return '<b>' + \"</b>\"\n",
        "src/b.ts": "export const b = `x`;\nif (1 < 2 && b) {\n}\n",
        "web/c.html": "<div>\n  <file-list>\n  </file-list>\n</div>\n",
    },
    "documents": {
        "README.md": "# Title\n\nText with `code`.\n\n```sh\nmake test\n```\n\nEnd.\n",
        "docs/guide.md": "# Guide\n\n- one\n- two\n",
        "data.json": '{\n  "path": "x"\n}\n',
    },
    "small": {"x": "x\n", "empty line.txt": "\n\nx\n", "LICENSE": "All rights.\n", "d.css": "p{}\n"},
}

CLOSERS = ("</file_artifact>", "</file>", "</filepath>", '</file path="{path}">', "</{path}>", " </ file>", "</ file_path >")


def info(path: str) -> str:
    """What a model writes after a fence around a file."""
    return {".md": "markdown", ".py": "python", ".ts": "ts", ".html": "html"}.get(PurePosixPath(path).suffix, "")


def fenced(fence: str, before: str = "\n", after: str = "\n") -> Callable[[str, str, str], str]:
    """A fence inside the tags: `before` stands between opening tag and fence, `after` between fence and closing tag."""
    return lambda path, body, closer: f'<file path="{path}">{before}{fence}{info(path)}\n{body}{fence}{after}{closer}'


Wrapping = Callable[[str, str, str], str]
WRAPPINGS: Mapping[str, Wrapping] = {
    "plain": lambda path, body, closer: f'<file path="{path}">\n{body}{closer}',
    "no newline before the closer": lambda path, body, closer: f'<file path="{path}">\n{body[:-1]}{closer.strip()}',
    "a fence": fenced("````"),
    "a fence glued to the opener": fenced("````", before=""),
    "a fence glued to the closer": fenced("````", after=""),
    "a fence glued to both": fenced("````", "", ""),
    "a fence of tildes glued to both": fenced("~~~~", "", ""),
    "a fence around": lambda path, body, closer: f'````xml\n<file path="{path}">\n{body}{closer}\n````',
    "a fence around, glued": lambda path, body, closer: f'````<file path="{path}">\n{body}{closer}````',
    "words before": lambda path, body, closer: f'Here it is: <file path="{path}">\n{body}{closer}',
    "words after": lambda path, body, closer: f'<file path="{path}">\n{body}{closer} That was it.',
    "quoted with '": lambda path, body, closer: f"< file path='{path}' >\n{body}{closer}",
    "indented": lambda path, body, closer: f'    <file path="{path}">\n{body}    {closer}',
}
SEPARATORS = ("", "\n", "\n\n", " ", "\n---\n", "\nNow the next file:\n", "\n```\n\n```\n", "\n\n### Next\n\n")
ENDS = {"LF": "\n", "CRLF": "\r\n"}


def read(text: str) -> Reading:
    """An answer in the original's tags."""
    return read_answer(text, "tags", "")


def answer(files: Mapping[str, str], closer: str, wrapping: str, separator: str) -> str:
    """The files, each in the same wrapping."""
    write = WRAPPINGS[wrapping]
    return HEAD + separator.join(write(path, body, closer.format(path=path)) for path, body in files.items()) + "\n"


def found(reading: Reading) -> dict[str, str]:
    """Path → text without its last newline, which some wrappings leave out."""
    return {file.path: file.content.replace("\r\n", "\n").removesuffix("\n") for file in reading.files}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", SETS)
def test_no_wrapping_swallows_a_neighbour(name: str, wrapping: str, end: str) -> None:
    """Whatever the closer and the separator, every file comes out with its own text."""
    files = SETS[name]
    expected = {path: body.removesuffix("\n") for path, body in files.items()}
    for closer, separator in itertools.product(CLOSERS, SEPARATORS):
        text = answer(files, closer, wrapping, separator).replace("\n", ENDS[end])
        assert found(read(text)) == expected, text
