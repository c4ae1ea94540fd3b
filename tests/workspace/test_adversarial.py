"""Answers damaged the way models damage them, in every format: no file is cut or invented, and repairs are reported."""

import html
import json
import re
from collections.abc import Callable, Mapping

import pytest

from dce.workspace.schema import Reading, read_answer

NONCE = "a1b2c3"
FILES: Mapping[str, str] = {
    "docs/how to.md": '# How\n\n```xml\n<file path="x.py">\nprint(1)\n</file>\n```\n\nEnd with a fence:\n\n```sh\nmake\n```\n',
    "src/a.py": 'def a():\n    """<summary>not yours</summary>"""\n    return "assistantfinal", "</file>"\n',
    "src/deep/b.html": "<html>\n<!-- <file path='no.txt'> -->\n<p>1 &lt; 2 &amp;&amp; 3</p>\n</html>\n",
    "LICENSE": "All rights.\n\n\n",
    "data.json": '{"files": [{"path": "c.py", "content": "x\\\\n"}], "n": 0}\n',
}
SAID = "I wrote docs/how to.md, src/a.py, src/deep/b.html, LICENSE and data.json."


def blocks(files: Mapping[str, str] = FILES) -> str:
    """An answer in the default format."""
    parts = "".join(
        f'<file path="{path}" nonce="{NONCE}">\n{text}</file nonce="{NONCE}">\n\n' for path, text in files.items()
    )
    return f"<summary>\n{SAID}\n</summary>\n<plan>\n1. Read it.\n</plan>\n\n{parts}"


def tags(files: Mapping[str, str] = FILES) -> str:
    """An answer in the original's format."""
    parts = "".join(f'<file path="{path}">\n{text}</file_artifact>\n\n' for path, text in files.items())
    return f"<summary>\n{SAID}\n</summary>\n\n<course_of_action>\n1. Read it.\n</course_of_action>\n\n{parts}"


def as_json(files: Mapping[str, str] = FILES) -> str:
    """An answer in the original's JSON format."""
    listed = [{"path": path, "content": text} for path, text in files.items()]
    return json.dumps({"summary": SAID, "course_of_action": [{"step": 1, "description": "Read it."}], "files": listed})


FORMS: Mapping[str, Callable[[], str]] = {"blocks": blocks, "tags": tags, "json": as_json}

SPOILT: Mapping[str, Callable[[str], str]] = {
    "as asked": lambda text: text,
    "a mark at the beginning": lambda text: "\ufeff" + text,
    "courtesy before and after": lambda text: f"Sure! Here is everything:\n\n{text}\n\nLet me know if you need more.\n",
    "all in a fence": lambda text: f"```\n{text}\n```\n",
    "all in a fence with a name": lambda text: f"Here you go:\n\n```xml\n{text}\n```\n\nDone.",
    "reasoning that leaked": lambda text: (
        f'analysisThe user wants <file path="x">. I must write it.assistantfinal{text}'
    ),
    "reasoning in tags": lambda text: f"<think>\nMaybe <summary>?\n</think>\n\n{text}",
    "channels of gpt-oss": lambda text: (
        f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{text}"
    ),
    "an end mark": lambda text: f"{text}<|im_end|>",
    "spaces at the line ends of tags": lambda text: re.sub(r'(nonce="a1b2c3">|</file_artifact>)\n', r"\1  \n", text),
    "windows' line ends": lambda text: text.replace("\n", "\r\n"),
    "a second opinion": lambda text: (
        f"{text}\n\nNote: I did not change `README.md`, and `x.py` in the example is only an example.\n"
    ),
}


def read(text: str, schema: str) -> Reading:
    """Reads the text as an answer to a prompt that asked for `schema`."""
    return read_answer(text, "tags" if schema == "json" else schema, NONCE)


def files(reading: Reading) -> dict[str, str]:
    """Path → text, whatever the line ends."""
    return {file.path: file.content.replace("\r\n", "\n") for file in reading.files}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("form", FORMS)
def test_no_file_is_cut_and_none_invented(form: str, spoilt: str) -> None:
    """H4: whatever surrounds an answer, its files are exactly those that it writes."""
    found = files(read(SPOILT[spoilt](FORMS[form]()), form))
    assert found == dict(FILES)


@pytest.mark.parametrize("form", ["blocks", "tags"])
def test_escaped_for_the_web(form: str) -> None:
    """An answer escaped as a whole is unescaped as a whole: names and contents come back."""
    plain = {"a.py": 'if a < b and c > "d":\n    pass\n', "b.md": "x & y\n"}
    escaped = (
        html.escape(FORMS[form](), quote=False)
        if form == "none"
        else html.escape({"blocks": blocks, "tags": tags}[form](plain), quote=False)
    )
    reading = read(escaped, form)
    assert {file.path for file in reading.files} == set(plain)
    assert reading.parse == "repaired"


@pytest.mark.parametrize("form", ["blocks", "tags"])
@pytest.mark.parametrize("cut", [1, 3, 20])
def test_a_missing_closer_is_told(form: str, cut: int) -> None:
    """An answer that stops inside its last file keeps the others whole and marks the last as truncated."""
    plain = {"a.py": "a = 1\n", "b.py": "b = 1\n" * 10}
    text = {"blocks": blocks, "tags": tags}[form](plain).rstrip()
    closer = text.rindex("</file")
    reading = read(text[: closer - cut], form)
    assert files(reading)["a.py"] == "a = 1\n"
    assert {file.path: file.status for file in reading.files} == {"a.py": "complete", "b.py": "truncated"}
    assert plain["b.py"].startswith(files(reading)["b.py"])


@pytest.mark.parametrize("form", ["blocks", "tags"])
def test_two_files_of_one_path_are_told(form: str) -> None:
    """Two texts for one path are reported."""
    write = {"blocks": blocks, "tags": tags}[form]
    both = (
        write({"a.py": "one\n"})
        + write({"a.py": "two\n"}).partition("</plan>" if form == "blocks" else "</course_of_action>")[2]
    )
    reading = read(both, form)
    assert {file.path for file in reading.files} == {"a.py"}
    assert "ambiguous_block" in reading.flags or any(file.status == "ambiguous" for file in reading.files)


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere_nothing_is_invented(form: str) -> None:
    """However early an answer ends, each of its files is a prefix of the real one, and a complete file equals it."""
    text = FORMS[form]()
    for at in range(0, len(text), 7):
        for file in read_answer(text[:at], "tags" if form == "json" else form, NONCE, is_truncated=True).files:
            assert file.path in FILES, (at, file)
            # Half a closing tag might also be the file's own text; then the file counts as cut off.
            text_so_far = file.content if file.status == "complete" else re.sub(r"<(?:/[\w =\"]*)?$", "", file.content)
            assert FILES[file.path].startswith(text_so_far.rstrip()), (at, file)
            if file.status == "complete":
                assert file.content == FILES[file.path], (at, file)
