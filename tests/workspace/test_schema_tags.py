"""The reader of the original's tag format: no file is cut, none invented."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.spans import MAX_EVENTS, find_spans

HEAD = """<summary>
Did it.
</summary>

<course_of_action>
1. Step
</course_of_action>

"""

GUIDE = """# How to answer

Write like this:

```
<summary>
What I did.
</summary>

<file path="src/views/list.tsx">
// all of list.tsx
</file_artifact>

<file path="src/views/list.scss">
/* all of list.scss */
</file_artifact>
```
"""

SHOP = "src/shop.ts"
SHOP_TEXT = "export const shop = 1;\n"
SHOP_BLOCK = f'<file path="{SHOP}">\n{SHOP_TEXT}</file_artifact>\n'


def read(text: str) -> Reading:
    return read_answer(text, "tags", "")


def files(reading: Reading) -> dict[str, str]:
    return {file.path: file.content for file in reading.files}


BODIES = {
    "an example in a fence": GUIDE,
    "an example without a fence": 'So:\n\n<file path="src/x.ts">\nx\n</file_artifact>\n\nThat is all.\n',
    "two examples": 'So:\n<file path="a.ts">\nx\n</file_artifact>\n<file path="b.ts">\ny\n</file_artifact>\nEnd\n',
    "an example at the very end": 'like\n<file path="src/real.ts">\nx\n</file_artifact>\n',
    "a closer as text": "The closer is\n</file_artifact>\non its own line.\n",
    "a placeholder opener as text": 'The opener is\n<file path="path/to/file">\non its own line.\n',
    "an opener in a fence": '```\n<file path="src/real.ts">\n```\nmore\n',
    "tags within lines": ' in <file path="x.md"></file_artifact> tags.\n<file path="y">z</file_artifact> too\nend\n',
    "XML with files in it": '<files>\n  <file>\n    x\n  </file>\n  <file name="q">\n  </file>\n</files>\n',
    "a template literal": 'const s = `\n<file path="${path}">\n${content}\n</file_artifact>\n`;\n',
    "a parser's source": 'const R = /<file path="([^"]+)">([\\s\\S]*?)(?:<\\/file>|<\\/file_artifact>)/g;\n'
    'if (s.endsWith("</file_artifact>"))\nout += "</file>"\nreturn x + \'</file_artifact>\'\n// closes with </file_artifact>\n',
    "a prompt quoted": '<M7. Flattened Repo>\n<file path="one.ts">\n1\n</file_artifact>\n\n<file path="two.ts">\n2\n</file_artifact>\n'
    "\n</M7. Flattened Repo>\n",
    "a fence that never closes": "```js\nx\n",
    "a fence at its end": "# Install\n\n```bash\nnpm i\n```\n",
    "a fence at both ends and a rule": "```js\nx\n```\ntext\n\n***\n",
    "summary tags": "<summary>\nnot the answer's\n</summary>\n",
    "the marker of leaked reasoning": 'if "assistantfinal" in text:\n    # assistantfinal<summary>\n    pass\n<think>\n</think>\n',
    "nothing": "",
    "indentation and empty lines": "    x\n\n\n",
}


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("shape", BODIES)
def test_a_file_that_holds_the_tags_is_read_whole(shape: str, place: str) -> None:
    """Whatever a file's text contains, the file and its neighbour are read byte for byte, and no file is made from the text."""
    block = f'<file path="docs/guide.md">\n{BODIES[shape]}</file_artifact>\n'
    text = HEAD + (f"{block}\n{SHOP_BLOCK}" if place == "first" else f"{SHOP_BLOCK}\n{block}")
    reading = read(text)
    assert files(reading) == {"docs/guide.md": BODIES[shape], SHOP: SHOP_TEXT}
    assert (reading.summary, reading.plan) == ("Did it.", "1. Step")
    assert "truncated" not in reading.flags


@pytest.mark.parametrize("shape", ["an example without a fence", "a closer as text"])
def test_a_guess_is_flagged(shape: str) -> None:
    """If the text does not show which closer is the file's, the file is ambiguous."""
    reading = read(HEAD + f'<file path="docs/guide.md">\n{BODIES[shape]}</file_artifact>\n{SHOP_BLOCK}')
    assert [file.status for file in reading.files] == ["ambiguous", "complete"]
    assert "ambiguous_block" in reading.flags
    assert reading.parse == "repaired"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '<file path="a.ts">\na\n</file path="a.ts">\n<file path="b.ts">\nb\n</b.ts>\n',
            {"a.ts": "a\n", "b.ts": "b\n"},
        ),
        ("<file path='a.ts'>\na\n</filepath>\n<file path=b.ts>\nb\n</file_path>", {"a.ts": "a\n", "b.ts": "b\n"}),
        (
            '<file path="a.ts">\na\n</file_artifact><file path="b.ts">\nb\n</file_artifact>',
            {"a.ts": "a\n", "b.ts": "b\n"},
        ),
        (
            '<file path="a.ts">\na }</file_artifact>\n<file path="b.ts">\nb\n</file_artifact>',
            {"a.ts": "a }", "b.ts": "b\n"},
        ),
        ('<file path="a.txt">hello</file_artifact>\n' + SHOP_BLOCK, {"a.txt": "hello", SHOP: SHOP_TEXT}),
        ('<file path="a.ts">\na\n</file_path>\n</file_artifact>\n' + SHOP_BLOCK, {"a.ts": "a\n", SHOP: SHOP_TEXT}),
        ('<file path="./a.ts">\r\na\r\n</file_artifact>\r\n', {"a.ts": "a\r\n"}),
        ('```xml\n<file path="a.ts">\na\n</file_artifact>\n```\n', {"a.ts": "a\n"}),
    ],
)
def test_openers_and_closers_come_in_many_forms(text: str, expected: dict[str, str]) -> None:
    """Quotes, closers with a path, glued and doubled tags, and tags that share a line with content are all understood."""
    assert files(read(HEAD + text)) == expected


def test_chat_between_files_is_no_part_of_them() -> None:
    """In an answer without summary tags, files and the remarks around them are separated and neither is hidden."""
    text = f"I will.\n\n{SHOP_BLOCK}\nNow the second.\nWith words.\n\n<file path='b.ts'>\nb\n</file_artifact>\n\nDone!"
    reading = read(text)
    assert files(reading) == {SHOP: SHOP_TEXT, "b.ts": "b\n"}
    assert all(words in reading.summary for words in ("I will.", "With words.", "Done!"))
    assert reading.parse == "repaired"


def test_headings_serve_where_tags_are_forgotten() -> None:
    """Summary and plan under Markdown headings are found."""
    reading = read(f"## Summary\nDid it.\n\n### Course of Action\n1. Step\n\n### Files\n- shop\n\n{SHOP_BLOCK}")
    assert (reading.summary, reading.plan) == ("Did it.", "1. Step")


def test_a_summary_that_quotes_the_form_opens_no_file() -> None:
    """Text inside the summary and plan is never a file."""
    text = '<summary>\nUse\n<file path="x">\nthen\n</file_artifact>\n</summary>\n' + SHOP_BLOCK
    assert files(read(text)) == {SHOP: SHOP_TEXT}


def test_a_file_whose_closer_was_forgotten_ends_where_the_next_begins() -> None:
    """A missing closer in the middle loses no file, and is reported."""
    reading = read(HEAD + '<file path="a.ts">\na\n\n<file path="b.ts">\nb\n</file_artifact>\n\n' + SHOP_BLOCK)
    assert files(reading) == {"a.ts": "a\n\n", "b.ts": "b\n", SHOP: SHOP_TEXT}
    assert [file.status for file in reading.files] == ["ambiguous", "complete", "complete"]


@pytest.mark.parametrize("rest", ["c\nd", GUIDE + "and", ""])
def test_a_cut_off_answer_keeps_its_last_file_as_truncated(rest: str) -> None:
    """The text up to the cut is kept; the file is marked as truncated, even if examples in it are whole."""
    reading = read(HEAD + SHOP_BLOCK + f'<file path="docs/guide.md">\n{rest}')
    assert files(reading) == {SHOP: SHOP_TEXT, "docs/guide.md": rest}
    assert reading.files[-1].status == "truncated"
    assert "truncated" in reading.flags


@pytest.mark.parametrize(
    ("path", "body", "content"),
    [
        ("a.ts", "```typescript\nx\n```\n", "x\n"),
        ("a.ts", "\n```\nx\n```\n\n", "x\n"),
        ("a.ts", '```ts\nconst s = `\n<file path="q.ts">\n</file_artifact>\n`;\n```\n', None),
        ("a.md", "```markdown\n# x\n```sh\ny\n```\n```\n", "# x\n```sh\ny\n```\n"),
        ("a.md", "```sh\ny\n```\n", "```sh\ny\n```\n"),
        ("a.ts", "x\n```\n", "x\n```\n"),
        ("a.ts", "```\n", "```\n"),
    ],
)
def test_only_a_fence_around_the_whole_file_is_taken_off(path: str, body: str, content: str | None) -> None:
    """A wrapping fence is removed, with a note; a fence that is the file's own text is kept."""
    expected = 'const s = `\n<file path="q.ts">\n</file_artifact>\n`;\n' if content is None else content
    reading = read(HEAD + f'<file path="{path}">\n{body}</file_artifact>\n' + SHOP_BLOCK)
    assert files(reading) == {path: expected, SHOP: SHOP_TEXT}
    assert (reading.files[0].status != "complete") == (expected != body)


@pytest.mark.parametrize(
    "reasoning",
    [
        '<think>\nI could write <file path="x">\n<file path="y.ts">\nno\n</file_artifact>\n</think>\n',
        "The user wants a shop.\n</think>\n",
        'analysisWe need <file path="a.py"> … Let me.assistantfinal',
        "<thinking>\nHm.\n</thinking>",
    ],
)
def test_reasoning_before_the_answer_is_not_the_answer(reasoning: str) -> None:
    """Leaked reasoning is left out, including drafts of files in it, and a note says so."""
    reading = read(reasoning + HEAD + SHOP_BLOCK)
    assert files(reading) == {SHOP: SHOP_TEXT}
    assert reading.summary == "Did it."
    assert any("Reasoning" in note for note in reading.notes)


def test_two_answers_in_one_text_give_the_later_one() -> None:
    """Of two blocks for one path the later whole one is used; a difference is flagged."""
    second = HEAD.replace("Did it.", "Did it better.") + f'<file path="{SHOP}">\nbetter\n</file_artifact>\n'
    reading = read(HEAD + SHOP_BLOCK.rstrip("\n") + second)
    assert files(reading) == {SHOP: "better\n"}
    assert reading.summary == "Did it better."
    assert reading.files[0].status == "ambiguous"
    assert "ambiguous_block" in reading.flags
    same = read(HEAD + SHOP_BLOCK + SHOP_BLOCK)
    assert (files(same), same.flags) == ({SHOP: SHOP_TEXT}, ())
    cut = read(HEAD + SHOP_BLOCK + f'<file path="{SHOP}">\nhalf')
    assert files(cut) == {SHOP: SHOP_TEXT}


FENCED_OR_PLAIN = [
    "const x = 1;\n", "\n", "# Title\n\ntext\n", "```ts\ncode\n```\n", GUIDE, "---\n", "    if (x) {\n    }\n", "<div>\n</div>\n",
    '  in <file path="src/[Name].md"></file_artifact> tags.\n', "The tag `</file_artifact>` ends.\n",
    '```\n<file path="src/q.ts">\nq\n</file_artifact>\n```\n', "<summary>\nS\n</summary>\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(150))
def test_random_answers_of_well_formed_files_are_read_exactly(seed: int) -> None:
    """Any mix of code, prose and fenced examples in any number of files is read byte for byte.

    A file is ambiguous exactly if it contains an opener, on a line of its own, for a file that the answer opens nowhere else.
    """
    chance = random.Random(seed)
    expected = {
        f"src/f{number}.ts": "x\n" + "".join(chance.choices(FENCED_OR_PLAIN, k=chance.randint(0, 6)))
        for number in range(chance.randint(1, 6))
    }
    gaps = ["", "\n", "\n\n"]
    blocks = [f'<file path="{path}">\n{body}</file_artifact>\n{chance.choice(gaps)}' for path, body in expected.items()]
    reading = read(HEAD + "".join(blocks))
    assert files(reading) == expected
    doubted = {path for path, body in expected.items() if "\n<file path=" in body}
    assert {file.path for file in reading.files if file.status == "ambiguous"} == doubted
    assert reading.parse == ("repaired" if doubted else "ok")


LINES = [
    '<file path="a.py">',
    "<file path='b'>",
    "</file>",
    "</file_artifact>",
    "</a.py>",
    "```",
    "```py",
    "<summary>",
    "</summary>",
]
LINES += [
    "text",
    "",
    "<think>",
    "</think>",
    "assistantfinal",
    '<file path="a.py" nonce="3f9a1c">',
    '</file nonce="3f9a1c">',
    "# plan",
]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(LINES) | st.text(max_size=20), max_size=30),
    st.sampled_from(["tags", "blocks", "fill", "?"]),
    st.booleans(),
)
def test_reading_never_raises_and_invents_no_text(lines: list[str], schema: str, is_truncated: bool) -> None:
    """Any text has a reading; every file's lines are lines of the text; a failed reading still shows all the text."""
    text = "\n".join(lines)
    reading = read_answer(text, schema, "3f9a1c", is_truncated)
    for file in reading.files:
        assert all(line in text for line in file.content.split("\n"))
    if reading.parse == "failed":
        assert reading.summary == text
    if is_truncated:
        assert "truncated" in reading.flags
        assert reading.parse != "ok"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(LINES), max_size=40))
def test_spans_lie_apart_and_in_order(lines: list[str]) -> None:
    """Whatever the tags, spans never overlap and hold their content."""
    text, at = "\n".join(lines), 0
    for span in find_spans(text):
        assert at <= span.start < span.body_start <= span.body_end <= span.end <= len(text)
        at = span.end


def test_a_text_of_nothing_but_tags_is_given_up() -> None:
    """Beyond the limit on tags a text does not count as an answer, so that reading time is bounded."""
    assert find_spans('<file path="a">\n' * (MAX_EVENTS + 1)) == ()
