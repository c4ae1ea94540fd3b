"""Edits of files that the prompt showed: edit blocks and unified diffs, where they apply, and the error when they do not."""

import difflib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.schema import FileBlock, Reading, read_answer
from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.edit_blocks import BIG_FILE_LINES, edit_block
from dce.workspace.schema.edits import Edit, EditError, apply_edits
from dce.workspace.schema.reading import PromptFile

NONCE = "3f9a1c"
HEAD = "<summary>\nDid it.\n</summary>\n\n"
CODE = "def one():\n    a = 1\n\n    return a\n\n\ndef two():\n    a = 1\n    return a + 1\n"


def edit(search: str, replace: str) -> Edit:
    return Edit(search=search, replace=replace)


def read(text: str, schema: str = "blocks", **shown: str) -> Reading:
    files = {name.replace("_", "."): content for name, content in shown.items()}
    return read_answer(text, schema, NONCE, shown=files.get)


def test_exact_edits_change_nothing_else() -> None:
    """Each edit replaces its lines; all other bytes are unchanged."""
    edits = [edit("def two():\n", "def zwei():\n"), edit("    a = 1\n\n", "    a = 2\n\n")]
    assert apply_edits(CODE, edits).text == CODE.replace("two", "zwei").replace("a = 1\n\n", "a = 2\n\n")
    assert apply_edits(CODE, edits).repairs == ()


@settings(deadline=None)
@given(st.data())
def test_any_changed_lines_are_found_again(data: st.DataObject) -> None:
    """Property: random lines removed from a file are put back exactly, if their place is unique."""
    lines = data.draw(
        st.lists(st.text("ab \t", max_size=6), min_size=1, max_size=12).map(
            lambda x: [f"{i}{t}\n" for i, t in enumerate(x)]
        )
    )
    start = data.draw(st.integers(0, len(lines) - 1))
    stop = data.draw(st.integers(start + 1, len(lines)))
    new = data.draw(st.lists(st.text("xyz ", max_size=5).map("{}\n".format), max_size=4))
    made = apply_edits("".join(lines), [edit("".join(lines[start:stop]), "".join(new))])
    assert made.text == "".join(lines[:start] + new + lines[stop:])


def test_indentation_is_overlooked_and_given_back() -> None:
    """Lines with a different indentation are found, and the new ones get the file's indentation."""
    made = apply_edits(CODE, [edit("a = 1\nreturn a + 1\n", "a = 2\nif a:\n    return a\n")])
    assert made.text == CODE.replace("    a = 1\n    return a + 1\n", "    a = 2\n    if a:\n        return a\n")
    assert "indentation" in made.repairs[0]


def test_blank_lines_are_overlooked() -> None:
    """A search that lacks a blank line of the file matches only in the last comparison."""
    made = apply_edits(CODE, [edit("def one():\n    a = 1\n    return a\n", "def one():\n    return 1\n")])
    assert made.text == "def one():\n    return 1\n" + CODE[CODE.index("\n\ndef two") :]
    assert "blank lines" in made.repairs[0]


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([edit("    a = 1\n", "")], "matches 2 places, at lines 2, 8"),
        ([edit("def three():\n    a = 1\n", "")], "nearest lines are 1 to 2"),
        ([edit("nowhere at all\n", "")], "Nothing in the file is similar"),
        ([edit("\n", "x\n")], "has no lines to search for"),
        ([edit("def one():\n    a = 1\n", ""), edit("    a = 1\n\n", "")], "change the same lines"),
    ],
)
def test_loud_failures(edits: list[Edit], said: str) -> None:
    """An edit that matches nowhere or in several places, or overlaps another, is refused, naming the lines."""
    with pytest.raises(EditError, match=said):
        apply_edits(CODE, edits)


def test_line_ends_and_the_last_newline() -> None:
    """LF lines match a CRLF file; a file without a final newline stays without one."""
    assert apply_edits("a\r\nb\r\n", [edit("b\n", "c\n")]).text == "a\nc\n"
    assert apply_edits("a\nb", [edit("b\n", "c\n")]).text == "a\nc"
    assert apply_edits("a\nb\n", [edit("a\n", "")]).text == "b\n"


def test_an_edit_block_is_a_whole_file_in_the_reading() -> None:
    """An answer may mix edits and whole files; what is accepted is always a whole file."""
    block = edit_block("big.py", [edit("def two():\n", "def zwei():\n")], NONCE)
    reading = read(HEAD + block + f'\n<file path="b" nonce="{NONCE}">\nb\n</file nonce="{NONCE}">', big_py=CODE)
    assert reading.parse == "ok"
    assert {file.path: file.content for file in reading.files} == {"big.py": CODE.replace("two", "zwei"), "b": "b\n"}


@pytest.mark.parametrize("wrap", ["{}", "```python\n{}```\n"])
def test_marks_without_the_nonce(wrap: str) -> None:
    """Markers without the nonce, or in a fence, are understood."""
    pair = "<<<<<<< SEARCH\ndef two():\n=======\ndef zwei():\n>>>>>>> REPLACE\n"
    text = f'{HEAD}<edit path="a" nonce="{NONCE}">\n{wrap.format(pair)}</edit nonce="{NONCE}">'
    assert [file.content for file in read(text, a=CODE).files] == [CODE.replace("two", "zwei")]


def test_a_file_with_conflict_marks_can_be_edited() -> None:
    """Only markers with the nonce count: the file's own are text."""
    content = "a\n<<<<<<< SEARCH\nours\n=======\ntheirs\n>>>>>>> REPLACE\n"
    block = edit_block("c", [edit(content[2:], "merged\n")], NONCE)
    assert [file.content for file in read(HEAD + block, c=content).files] == ["a\nmerged\n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (edit_block("a", [edit("nope\n", "x\n")], NONCE), "matches nowhere"),
        (edit_block("other", [edit("nope\n", "x\n")], NONCE), "did not show"),
        (edit_block("a", [edit("def two():\n", "x\n")], NONCE)[:60], "no end"),
        (edit_block("a", [], NONCE), "its markers"),
        (edit_block("a", [edit("a\n=======\n", "b\n")], NONCE).replace(f" {NONCE}\n", "\n"), "its markers"),
    ],
)
def test_edits_that_fail_are_no_files(text: str, said: str) -> None:
    """A file whose edits do not apply is left out and named with the reason: nothing is changed in part."""
    reading = read(HEAD + text, a=CODE)
    assert (reading.files, reading.flags, reading.parse) == ((), ("unapplied_edit",), "repaired")
    assert said in reading.unapplied[0].reason
    assert said in reading.notes[-1]


def test_edits_are_offered_for_big_files_only() -> None:
    """The instructions mention edits only if a big file is shown whole, and the reader can read their example."""
    big = PromptFile(path="a", text="x\n" * (BIG_FILE_LINES + 1), sha256="")
    small = PromptFile(path="a", text="x\n" * BIG_FILE_LINES, sha256="")
    assert "<edit" not in BlocksSchema().instructions(NONCE, (small,))
    text = BlocksSchema().instructions(NONCE, (big,))
    example = text[text.index("<edit") : text.index("   The searched")]
    reading = read(HEAD + example, **{"path/to/big/file_ext": "the current lines\n"})
    assert reading.files == (FileBlock(path="path/to/big/file.ext", content="the new lines\n"),)


LINES = st.lists(st.sampled_from(["a", "b", "", "  c", "-- d", "++ e", "@@ f"]), max_size=10).map(
    lambda x: "".join(f"{t}{i if t.strip() else ''}\n" for i, t in enumerate(x))
)


@settings(deadline=None)
@given(LINES, LINES)
def test_any_unified_diff_is_read_back(old: str, new: str) -> None:
    """Property: the diff of two texts, applied to the first, gives the second or is refused as not unique, never anything else."""
    rows = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "a/f", "b/f")
    reading = read("Changed it.\n\n```diff\n" + "".join(rows) + "```\n", f=old)
    if old == new:
        assert reading.files == ()
    elif reading.unapplied:
        assert "places" in reading.unapplied[0].reason or not old or "no lines to search" in reading.unapplied[0].reason
    else:
        assert [file.content for file in reading.files] == [new]
        assert (reading.summary, reading.parse) == ("Changed it.", "repaired")


def test_diffs_of_new_and_deleted_files() -> None:
    """A new file consists of its added lines, `No newline` is respected, and a file whose new side is /dev/null is deleted."""
    text = (
        f"{HEAD}--- /dev/null\n+++ b/n.py\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n"
        "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
    )
    reading = read(text, "diff", old_py="gone\n")
    assert reading.files == (
        FileBlock(path="n.py", content="one\ntwo"),
        FileBlock(path="old.py", content="", action="delete"),
    )


def test_wrong_line_numbers_only_hint() -> None:
    """Line numbers choose between equal places and are otherwise ignored."""
    text = "--- a/f\n+++ b/f\n@@ -8,1 +90,1 @@\n-    a = 1\n+    a = 3\n"
    (file,) = read(text, "diff", f=CODE).files
    assert file.content == CODE.replace("    a = 1\n    return", "    a = 3\n    return")


@pytest.mark.parametrize(
    "escape",
    [
        lambda text: text.replace("<", "\\<").replace(">", "\\>"),
        lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    ],
)
def test_escaped_tags(escape: Callable[[str], str]) -> None:
    """Tags escaped by an editor or a web page are unescaped, with a note."""
    text = escape(f'{HEAD}<file path="a.py" nonce="{NONCE}">\n') + "x = 1\n" + escape(f'</file nonce="{NONCE}">')
    reading = read(text)
    assert (reading.files, reading.parse) == ((FileBlock(path="a.py", content="x = 1\n"),), "repaired")


def test_escaped_tags_in_a_file_stay() -> None:
    """An answer with files is never unescaped."""
    content = '\\<file path="x"\\>\n&lt;file path="x"&gt;\n'
    reading = read(f'{HEAD}<file path="a" nonce="{NONCE}">\n{content}</file nonce="{NONCE}">')
    assert reading.files == (FileBlock(path="a", content=content),)


@pytest.mark.parametrize(
    ("hunk", "is_flagged"),
    [
        ("@@ -1,2 +1,2 @@\n one\n-two\n+two\n\\ No newline at end of file\n", True),
        ("@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline at end of file\n", True),
        ("@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+2\n\\ No newline at end of file\n", False),
        ("@@ -1,2 +1,2 @@\n-one\n+1\n two\n\\ No newline at end of file\n", False),
        ("@@ -1,2 +1,2 @@\n one\n-two\n+2\n", False),
    ],
)
def test_a_diff_that_removes_the_last_newline_is_doubtful(hunk: str, is_flagged: bool) -> None:
    """Accepting keeps the newline at a file's end, so a diff that removes it is flagged and a note says so."""
    text = f"{HEAD}--- a/n.py\n+++ b/n.py\n{hunk}"
    reading = read(text, "diff", n_py="one\ntwo\n")
    assert ("unapplied_edit" in reading.files[0].flags) == is_flagged
    assert any("removes the newline" in note for note in reading.notes) == is_flagged
    assert not read(text, "diff", n_py="one\ntwo").files[0].flags
