"""The original's JSON format as models write it, whole and broken. Numbers in brackets refer to the original's faults."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.schema import FileBlock, Reading, read_answer

STEPS = [{"step": 1, "description": "Look"}, {"step": 2, "description": "Write"}]


def read(text: str, *, is_truncated: bool = False) -> Reading:
    return read_answer(text, "json", "abc123", is_truncated)


def answer(**files: str) -> dict[str, object]:
    items = [{"path": path, "content": content} for path, content in files.items()]
    return {"summary": "Did it.", "course_of_action": STEPS, "files": items}


def test_a_well_formed_answer_is_taken_apart() -> None:
    """Summary, numbered plan, activity and files are read from the object, without notes."""
    text = json.dumps(answer(a="x = 1\n") | {"curator_activity": "Run it.", "files_updated": ["a"]})
    assert read(text) == Reading(
        summary="Did it.",
        plan="1. Look\n2. Write",
        activity="Run it.",
        files=(FileBlock(path="a", content="x = 1\n"),),
    )


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_strings_are_decoded_once(content: str, is_ascii: bool) -> None:
    r"""(H2) Any file with a newline is read byte for byte: `\n` in code, `C:\new` and `\\` are not unescaped again."""
    content = 'print("a\\nb")\npath = "C:\\new\\\\x"\n' + content + "\n"
    reading = read(json.dumps(answer(a=content), ensure_ascii=is_ascii))
    assert (reading.files, reading.parse) == ((FileBlock(path="a", content=content),), "ok")


def test_only_strong_evidence_makes_it_decode_twice() -> None:
    r"""(H2) A file without one newline but with many `\n` was escaped twice: decoded again and marked; two `\n` are its own."""
    twice = read(json.dumps(answer(a='x = "\\"\\n\\ty = 2\\nz = 3\\n')))
    assert twice.files == (FileBlock(path="a", content='x = ""\n\ty = 2\nz = 3\n', status="repaired"),)
    assert (twice.parse, "escaped twice" in twice.notes[0]) == ("repaired", True)
    once = read(json.dumps(answer(a='print("a\\nb\\n")')))
    assert once.files == (FileBlock(path="a", content='print("a\\nb\\n")'),)


@pytest.mark.parametrize(
    "value",
    [
        {"files": [{"content": "x\n", "path": "a"}], "summary": "s"},
        {"summary": "s", "course_of_action": ["One", "Two"], "files": [{"path": "a", "content": "x\n"}]},
        {"files": [{"path": "a", "content": "x\n"}]},
    ],
)
def test_key_order_missing_keys_and_steps(value: dict[str, object]) -> None:
    """(H4) Reordered keys, missing keys and a plan of plain texts are read; no step is `undefined`."""
    reading = read(json.dumps(value))
    assert reading.files == (FileBlock(path="a", content="x\n"),)
    assert "undefined" not in reading.plan
    if "course_of_action" in value:
        assert reading.plan == "1. One\n2. Two"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Here you are {as asked}:\n\n", "\n\nGood luck!"),
        ("```json\n", "\n```"),
        ("<think>Shall I {do} it?</think>\n", ""),
        ("analysisI should answer {so}.assistantfinal", ""),
    ],
)
def test_text_around_the_object(before: str, after: str) -> None:
    """(H4) Prose, fences and leaked reasoning around the object do not hide it."""
    reading = read(before + json.dumps(answer(a="x\n"), indent=2) + after)
    assert reading.files == (FileBlock(path="a", content="x\n"),)
    assert reading.summary == "Did it."


def test_assistantfinal_in_a_file_is_its_text() -> None:
    """(H4) The marker inside a file discards nothing."""
    content = "split('assistantfinal')\n{\n<summary>no</summary>\n<file path='x'>\n"
    for schema in ("json", "blocks", "tags"):
        reading = read_answer(json.dumps(answer(a=content)), schema, "abc123")
        assert (reading.summary, reading.files) == ("Did it.", (FileBlock(path="a", content=content),))


@settings(deadline=None)
@given(st.integers(0, 300))
def test_a_cut_off_object(length: int) -> None:
    """Wherever the answer breaks off, earlier files are whole and the last one, if it has any text, is marked as truncated."""
    text = json.dumps(answer(a="one\n" * 20, b='"two"\n' * 20), indent=1)
    cut = text[: max(len(text) - length, text.index("one"))]
    reading = read(cut, is_truncated=True)
    assert "truncated" in reading.flags
    whole = {"a": "one\n" * 20, "b": '"two"\n' * 20}
    for file in reading.files:
        assert whole[file.path].startswith(file.content.removesuffix("\\"))
        assert (file.content == whole[file.path]) or file.status == "truncated"


def test_bare_quotes_and_raw_newlines() -> None:
    """Raw newlines are repaired; unescaped quotes make a file ambiguous; notes report both."""
    raw = '{"summary": "s", "course_of_action": "p", "files": [{"path": "a", "content": "x\ny\n"},]}'
    assert read(raw).files == (FileBlock(path="a", content="x\ny\n"),)
    assert read(raw).parse == "repaired"
    bare = '{"summary": "s", "files": [{"path": "a", "content": "say "hi" to\\nall \\d"}]}'
    assert read(bare).files == (FileBlock(path="a", content='say "hi" to\nall \\d', status="ambiguous"),)


def test_files_listed_but_absent() -> None:
    """(H6) Files listed in files_updated must be in the answer."""
    reading = read(json.dumps(answer(a="x\n") | {"files_updated": ["a", "gone.py"]}))
    assert reading.flags == ("missing_files",)
    assert "gone.py" in reading.notes[-1]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(['{"files": [', '{"path": "a", ', '"content": "', "\\", '"', "}", "]", ",", "x\n", "é"])
    ).map("".join)
)
def test_no_text_breaks_it(text: str) -> None:
    """Whatever the text, it never raises."""
    assert read(text).parse in {"ok", "repaired", "failed"}


def test_other_forms_that_quote_json_are_not_json() -> None:
    """An answer in another format whose files contain such JSON is read in its own format."""
    text = f'<summary>\ns\n</summary>\n<file path="a.json">\n{json.dumps(answer(x="y"))}\n</file>\n'
    assert [file.path for file in read_answer(text, "blocks", "abc123").files] == ["a.json"]


CODE = "def a():\n    return 1\n"


@pytest.mark.parametrize(
    "value",
    [
        {"src/a.py": CODE},
        {"files": {"src/a.py": CODE}},
        {"files": {"src/a.py": {"content": CODE}}, "summary": "s"},
        {"path": "src/a.py", "content": CODE},
        [{"path": "src/a.py", "content": CODE}],
        [{"filename": "src/a.py", "code": CODE}],
        {"files": [{"file_path": "src/a.py", "contents": CODE}]},
        {"changes": [{"file": "src/a.py", "new_content": CODE}], "explanation": "x"},
        {"name": "write_file", "arguments": {"path": "src/a.py", "content": CODE}},
        {"tool_calls": [{"function": {"arguments": {"file_path": "src/a.py", "content": CODE}}}]},
        {"files": [{"path": "src/a.py", "content": CODE.splitlines()}]},
    ],
)
@pytest.mark.parametrize("around", ["{}", "Here:\n\n```json\n{}\n```\n\nDone.", "Sure. {}"])
def test_files_in_other_shapes_of_json(value: object, around: str) -> None:
    """A map from path to text, a bare list, one object and a tool call are all read, also with words or a fence around them."""
    reading = read_answer(around.replace("{}", json.dumps(value, indent=1)), "blocks", "abc123")
    assert [(file.path, file.content) for file in reading.files] == [("src/a.py", CODE)]


@pytest.mark.parametrize(
    "value",
    [
        {"name": "x"},
        {"a": 1},
        {"version": "1.0.0"},
        [{"id": 1}],
        {"main": "src/a.py"},
        {"name": "Widget", "text": "hello"},
        [{"file": "none", "code": "x"}],
        {"e.g.": "x"},
    ],
)
def test_ordinary_json_is_no_answer(value: object) -> None:
    """JSON that does not map paths to texts remains plain text."""
    assert read_answer(json.dumps(value), "json", "").files == ()


def test_a_json_file_in_a_named_fence_is_one_file() -> None:
    """JSON that looks like a map of files is a file's own text if a fence names the file."""
    text = 'config.json\n```json\n{"src/a.py": "text"}\n```\n'
    assert [file.path for file in read_answer(text, "blocks", "abc123").files] == ["config.json"]


@pytest.mark.parametrize(
    "text",
    [
        '{"summary": "s", "files": [{"path": "a.py", "content": "x\n"},]}',
        '{"summary": "say "hi"", "course_of_action": [{"step": 1, "description": "y\n"}], "files": [{"path": "a.py", "content": "x "y" z"}]}',
        '{"summary": "s", "curator_activity": "do\nit", "files": [{"path": "a.py", "content": "x',
        '{"summary": "\\ud800", "files": [{"path": "a.py", "content": "\\ud83d"}]}',
        '{"summary": "s\n", "files_updated": ["gone.py\n"], "files": [{"path": "a.py", "content": "\\udc00\n"}]}',
        '{"src/a.py": "raw\nnewline", "src/b.py": "\\ud800"}',
    ],
)
@pytest.mark.parametrize("is_truncated", [False, True])
def test_every_reading_can_be_encoded(text: str, is_truncated: bool) -> None:
    """With repaired strings, guessed ends and half characters, the reading is valid text, so `--json` and the panel can send it."""
    reading = read_answer(text, "json", "", is_truncated)
    again = msgspec.json.decode(msgspec.json.encode(reading), type=Reading)
    assert again == reading
    assert all(type(part) is str for file in reading.files for part in (file.path, file.content))
