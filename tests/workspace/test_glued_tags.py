"""Tags and fences glued to anything: a matrix of wrappings in which no file may swallow its neighbour."""

import itertools
import random
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

CLOSERS = (
    "</file_artifact>",
    "</file>",
    "</filepath>",
    '</file path="{path}">',
    "</{path}>",
    " </ file>",
    "</ file_path >",
)


def info(path: str) -> str:
    """What a model writes after a fence around a file."""
    return {".md": "markdown", ".py": "python", ".ts": "ts", ".html": "html"}.get(PurePosixPath(path).suffix, "")


def fenced(fence: str, before: str = "\n", after: str = "\n") -> Callable[[str, str, str], str]:
    """A fence inside the tags: `before` is between opening tag and fence, `after` between fence and closing tag."""
    return lambda path, body, closer: f'<file path="{path}">{before}{fence}{info(path)}\n{body}{fence}{after}{closer}'


Wrapping = Callable[[str, str, str], str]
WRAPPINGS: Mapping[str, Wrapping] = {
    "plain": lambda path, body, closer: f'<file path="{path}">\n{body}{closer}',
    "no newline before the closer": lambda path, body, closer: f'<file path="{path}">\n{body[:-1]}{closer.strip()}',
    "a fence": fenced("````"),
    "a fence glued to the opener": fenced("````", before=""),
    "a fence glued to the closer": fenced("````", after=""),
    "a fence glued to both": fenced("````", "", ""),
    "a fence glued to the last line": lambda path, body, closer: (
        f'<file path="{path}">\n````{info(path)}\n{body[:-1]}````\n{closer}'
    ),
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
    """The files, all in the same wrapping."""
    write = WRAPPINGS[wrapping]
    return HEAD + separator.join(write(path, body, closer.format(path=path)) for path, body in files.items()) + "\n"


def found(reading: Reading) -> dict[str, str]:
    """Path → text without its final newline, which some wrappings omit."""
    return {file.path: file.content.replace("\r\n", "\n").removesuffix("\n") for file in reading.files}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", SETS)
def test_no_wrapping_swallows_a_neighbour(name: str, wrapping: str, end: str) -> None:
    """Whatever the closer and the separator, every file has its own text."""
    files = SETS[name]
    expected = {path: body.removesuffix("\n") for path, body in files.items()}
    for closer, separator in itertools.product(CLOSERS, SEPARATORS):
        text = answer(files, closer, wrapping, separator).replace("\n", ENDS[end])
        assert found(read(text)) == expected, text


MIXES = 150


def test_no_mix_of_wrappings_loses_a_file_silently() -> None:
    """An answer that wraps each file differently is read exactly, or the reading is flagged."""
    everything = [pair for files in SETS.values() for pair in files.items()]
    for seed in range(MIXES):
        chance = random.Random(seed)
        files = dict(chance.sample(everything, chance.randint(2, 5)))
        text = HEAD
        for path, body in files.items():
            write = WRAPPINGS[chance.choice(list(WRAPPINGS))]
            text += write(path, body, chance.choice(CLOSERS).format(path=path)) + chance.choice(SEPARATORS)
        reading = read(text)
        expected = {path: body.removesuffix("\n") for path, body in files.items()}
        assert found(reading) == expected or reading.flags, text


@pytest.mark.parametrize(
    "text",
    [
        '<file path="a.ts">\na\n<file path="b.ts">\nb\n</file>\n</file>',
        '<file path="a.md">\n```\n<file path="b.ts">\nb\n</file>\n```\n</file>',
        '<file path="a.ts">\na<file path="b.ts">\nb\n</file>\n',
    ],
)
def test_a_file_that_opens_another_is_ambiguous(text: str) -> None:
    """An opener of a file opened nowhere else may be a swallowed file, even in a fence; the note names it."""
    reading = read(HEAD + text)
    assert reading.files[0].status == "ambiguous" or {file.path for file in reading.files} == {"a.ts", "b.ts"}
    assert "ambiguous_block" in reading.flags


def test_an_opener_that_belongs_to_no_file_is_flagged() -> None:
    """A tag outside every file that was read is named: nothing is lost silently."""
    text = '<file path="a.md">\n# A\n </ file> That was it.\nNow the next file:\n    <file path="b">\nx\n    </file_artifact>\n---\n'
    reading = read(HEAD + text)
    assert found(reading) == {"a.md": "# A"}
    assert reading.flags == ("missing_files",)
    assert any("Outside the files" in note and "b" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("body", "content", "status"),
    [
        ("```ts\nx\n```\n", "x\n", "repaired"),
        ("```ts\nx```", "x\n", "repaired"),
        ("````ts\n```\nx\n```\n````", "```\nx\n```\n", "repaired"),
        ("```ts\nx\n```\nThen:\n```ts\ny\n```\n", "x\n```\nThen:\n```ts\ny\n", "ambiguous"),
        ("~~~\nx\n~~~\n", "x\n", "repaired"),
        ("```ts\n```js\nx\n```\n", "```js\nx\n", "ambiguous"),
    ],
)
def test_only_one_fence_around_a_file_is_surely_none_of_it(body: str, content: str, status: str) -> None:
    """Two fences in a row are not a wrapper; the file is ambiguous."""
    file = read(HEAD + f'<file path="a.ts">\n{body}</file>\n').files[0]
    assert (file.content, file.status) == (content, status)


def test_a_block_in_a_list_loses_the_lists_indentation() -> None:
    """Indentation shared by the tags and all lines is removed; if one line lacks it, nothing is."""
    text = HEAD + '1. First:\n\n    <file path="a.py">\n    def a():\n        return 1\n\n    </file>\n'
    assert read(text).files[0].content == "def a():\n    return 1\n\n"
    assert read(text).files[0].status == "repaired"
    assert read(text.replace("    def", "def")).files[0].content == "def a():\n        return 1\n\n"


def test_reading_grows_with_the_answer() -> None:
    """Ten times the answer gives ten times the events: glued tags, fences and quotes add none."""
    unit = '````ts</file>`x` <file path="a.ts">````ts\n"</file>" text <file path="b"> text\n'
    few, many = len(find_events(unit * 20)), len(find_events(unit * 200))
    assert many <= 10 * few
    assert len(find_spans(unit * 200)) <= 200 * unit.count("<file")
