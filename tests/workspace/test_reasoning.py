"""Reasoning in an answer: drafts in it are not files, and text that only mentions the tags is kept."""

from pathlib import Path

import pytest

from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.reading import file_block
from dce.workspace.schema.reasoning import thoughts

NONCE = "3f9a1c"
FIXTURE = Path(__file__).parents[1] / "fixtures/faults/04-reasoning-draft-read-as-answer/answer.txt"
DRAFT = "I could change util.py:\n" + file_block("util.py", "draft\n", NONCE) + "\nNo.\n"
ANSWER = "<summary>\nDid it.\n</summary>\n\n" + file_block("a.py", 'if x == "</think>":\n    pass\n', NONCE) + "\n"


def read(text: str) -> Reading:
    """An answer with the nonce."""
    return read_answer(text, "blocks", NONCE)


def paths(reading: Reading) -> list[str]:
    """The paths of the files that were read."""
    return [file.path for file in reading.files]


def test_a_draft_before_an_unpaired_closing_tag_is_no_file() -> None:
    """[04] Only the answer's file is read, with a note that reasoning was left out."""
    reading = read(FIXTURE.read_text(encoding="utf-8").replace("{n}", NONCE))
    assert paths(reading) == ["a.py"]
    assert reading.summary == "Wrote `a.py`."
    assert any("Reasoning" in note for note in reading.notes)


@pytest.mark.parametrize(
    "following", ["", "\n\nHere is my answer.\n\n", "Here it is: ", "```xml\n", "\n---\n# Answer\n"]
)
@pytest.mark.parametrize("tag", ["</think>", "</thinking>", "</reasoning>", "</THINK>", "</thought>"])
@pytest.mark.parametrize(
    "draft",
    [
        DRAFT,
        DRAFT.replace(f' nonce="{NONCE}"', ""),
        "<summary>\nA draft.\n</summary>\n" + DRAFT,
        "So <summary> it is.\n" + DRAFT,
        DRAFT.replace(f'</file nonce="{NONCE}">', ""),
        "<think>\nFirst.\n</think>\nThen:\n" + DRAFT,
        "Fine.",
    ],
)
def test_text_before_it_is_reasoning_whatever_follows(draft: str, tag: str, following: str) -> None:
    """Whole drafts, open ones, drafts of parts: nothing before the tag reaches the reading."""
    reading = read(draft + tag + following + ANSWER)
    assert paths(reading) == ["a.py"]
    assert reading.summary == "Did it."
    assert all(file.status in {"complete", "repaired"} for file in reading.files)


@pytest.mark.parametrize("schema", ["tags", "json", "diff"])
def test_every_form_leaves_reasoning_out(schema: str) -> None:
    """Drafts in the original's tags, in JSON and in diffs before the closing tag are not files."""
    forms = {
        "tags": ('<file path="{}">\nx\n</file_artifact>\n', "{}"),
        "json": ('{{"summary": "s", "files": [{{"path": "{}", "content": "x\\n"}}]}}\n', "{}"),
        "diff": ("--- /dev/null\n+++ b/{}\n@@ -0,0 +1 @@\n+x\n", "{}"),
    }
    form, _ = forms[schema]
    reading = read_answer(form.format("draft.py") + "No.\n</think>\nSo:\n\n" + form.format("a.py"), schema, NONCE)
    assert paths(reading) == ["a.py"]


@pytest.mark.parametrize(
    "mention",
    [
        "I now strip `</think>` from answers.",
        'The tag "</think>" ends it.',
        "Use `a </think> b`.",
        "<summary>\nIt ends at\n</think>\nnow.\n</summary>",
    ],
)
def test_a_mention_hides_nothing(mention: str) -> None:
    """Quoted, in inline code or in a part, the tag is only a mention."""
    reading = read(mention + "\n" + file_block("a.py", "x\n", NONCE))
    assert paths(reading) == ["a.py"]
    assert thoughts(mention + "\n").end == 0
    assert "now" in reading.summary or "ends it" in reading.summary or "Use" in reading.summary


@pytest.mark.parametrize("opener", [f'<file path="a.py" nonce="{NONCE}">', '<file path="a.py">'])
def test_a_file_may_hold_the_tag(opener: str) -> None:
    """Inside a whole file the tag is the file's text, even alone on a line."""
    closer = opener.replace("<file", "</file").replace(' path="a.py"', "")
    text = f"{opener}\na\n</think>\nb\n{closer}\n"
    reading = read(text)
    assert [(file.path, file.content) for file in reading.files] == [("a.py", "a\n</think>\nb\n")]


def test_reasoning_between_files_is_left_out() -> None:
    """If a model thinks again after its first file, a draft in that reasoning is not a file."""
    reading = read(ANSWER + f"<think>\n{DRAFT}</think>\n" + file_block("b.py", "y\n", NONCE))
    assert paths(reading) == ["a.py", "b.py"]


def test_reasoning_that_never_ends_makes_its_files_ambiguous() -> None:
    """Files that may be drafts are shown and marked as doubtful."""
    reading = read("<think>\nHm.\n" + DRAFT)
    assert [(file.path, file.status) for file in reading.files] == [("util.py", "ambiguous")]
    assert "ambiguous_block" in reading.flags


def test_json_strings_may_hold_the_tag() -> None:
    """A tag inside a JSON string belongs to the file."""
    text = '{"summary": "s", "files": [{"path": "a.py", "content": "x = \'</think>\'\\n<think>\\n"}]}'
    assert read_answer(text, "json", NONCE).files[0].content == "x = '</think>'\n<think>\n"


def test_many_tags_cost_little() -> None:
    """The number of regions grows with the tags, and never faster."""
    unit = "x\n<think>\n</think>\n"
    assert len(thoughts("a\n" + unit * 300).regions) <= 300
