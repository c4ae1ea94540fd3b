"""Answers that were read wrongly without a word: quoted ones, hunks and separators that fit several places, fences in Markdown."""

import pytest

from dce.workspace.schema import read_answer
from dce.workspace.schema.edits import Edit, EditError, apply_edits
from dce.workspace.schema.reading import Reading, file_block

N = "3f9a1c"
CODE = "def f():\n    if x > 1:\n\n        return '> a'\n"
ANSWER = f"<summary>\nDone.\n</summary>\n<plan>\n1. x\n</plan>\n\n{file_block('a.py', CODE, N)}\n"


def _read(text: str, **shown: str) -> Reading:
    known = {path.replace("_", "."): content for path, content in shown.items()}
    return read_answer(text, "blocks", N, shown=known.get)


def _quoted(text: str, sign: str = "> ") -> str:
    return "".join(f"{sign}{line}".rstrip(" ") + "\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        _quoted(ANSWER),
        _quoted(ANSWER, ">"),
        _quoted(_quoted(ANSWER)),
        _quoted(ANSWER).replace("\n>\n", "\n\n"),
        f"Here is the answer:\n\n{_quoted(ANSWER)}\nDone.\n",
        _quoted(f"a.py\n```python\n{CODE}```\n"),
        _quoted(ANSWER.replace(f' nonce="{N}"', "")),
    ],
)
def test_a_quoted_answer_is_read_without_the_signs(text: str) -> None:
    """An answer quoted as in a mail gives the files as they were, and a note; text with `>` of its own is kept."""
    reading = _read(text)
    assert [(file.path, file.content) for file in reading.files] == [("a.py", CODE)]
    assert reading.parse == "repaired"
    assert "quoted" in reading.notes[0]


def test_a_quotation_inside_a_file_is_kept() -> None:
    """A file that quotes an answer, and summaries that quote text, stay as they are."""
    body = _quoted(ANSWER.replace(N, "000000"))
    reading = _read(f"<summary>\n> Please fix it.\n</summary>\n{file_block('mail.md', body, N)}\n")
    assert [(file.path, file.content) for file in reading.files] == [("mail.md", body)]
    assert reading.parse == "ok"


def test_a_block_that_alone_is_quoted_is_doubted() -> None:
    """Where only one of two blocks is quoted, it is not known whose the signs are: the block is ambiguous."""
    reading = _read(file_block("b.py", "b\n", N) + "\n" + _quoted(file_block("a.py", CODE, N)))
    assert {file.path: file.status for file in reading.files} == {"b.py": "complete", "a.py": "ambiguous"}


def test_deeply_quoted_text_ends_in_time() -> None:
    """Any number of signs is read without an error."""
    assert _read(">" * 50_000 + "\n").parse == "failed"
    assert _read("> " * 50_000 + "<file\n").files == ()


TEXT = "".join(f"  if (a{n}) {{\n    b\n  }}\n\n" for n in range(20))


@pytest.mark.parametrize(
    ("line", "is_clear"), [(999, False), (77, False), (5, False), (3, True), (4, True), (11, True)]
)
def test_a_line_number_chooses_only_if_it_is_clear(line: int, is_clear: bool) -> None:
    """A hunk that fits many places is applied where its number surely points, and else not at all."""
    edit = Edit(search="  }\n\n", replace="  }\n  // hi\n\n", line=line)
    if not is_clear:
        with pytest.raises(EditError, match="matches 20 places"):
            apply_edits(TEXT, [edit])
        return
    made = apply_edits(TEXT, [edit]).text.split("\n")
    assert abs(made.index("  // hi") - line) <= 1


def test_an_ambiguous_hunk_is_not_applied() -> None:
    """A diff whose only hunk fits several places and has a number beyond the file is unapplied, not guessed."""
    diff = "--- a/a.js\n+++ b/a.js\n@@ -999,2 +999,3 @@\n   }\n+  // hi\n \n"
    reading = _read(diff, a_js=TEXT)
    assert reading.files == ()
    assert "unapplied_edit" in reading.flags


def _pair(search: str, new: str) -> str:
    return f"a.rst\n```\n<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE\n```\n"


@pytest.mark.parametrize(
    ("before", "search", "new"),
    [
        ("Title\n=====\nOld\n", "Title\n=====\nOld\n", "Title\n=====\nNew\n"),
        ("Intro\nOld\n", "Old\n", "Title\n=======\nNew\n"),
        ("Same\n=======\nOld\nSame\n", "Same\n=======\nOld\n", "Same\n=======\nNew\n"),
    ],
)
def test_a_separator_in_the_text_is_not_taken_for_the_pairs_own(before: str, search: str, new: str) -> None:
    """The pair is divided where its search is found in the file, or where the separator is as long as its markers."""
    reading = _read(_pair(search, new), a_rst=before)
    assert [file.content for file in reading.files] == [before.replace(search, new)]


def test_a_pair_that_can_be_divided_in_two_ways_is_not_applied() -> None:
    """Where more than one division fits the file, nothing is written."""
    reading = _read(_pair("Title\n=======\nOld\n", "Title\n=======\nNew\n"), a_rst="Title\n=======\nOld\n")
    assert reading.files == ()
    assert "unapplied_edit" in reading.flags
    assert "several =======" in reading.unapplied[0].reason


def test_a_new_files_text_may_hold_separators() -> None:
    """A pair with nothing to search for ends its search at the first separator."""
    assert _read(_pair("", "Title\n=======\nNew\n")).files[0].content == "Title\n=======\nNew\n"


@pytest.mark.parametrize("name", ["docs/x.md", "docs/q.sql"])
def test_bare_fences_inside_markdown_are_doubted(name: str) -> None:
    """A Markdown text in a fence that holds a bare fence may be cut at it: the file is ambiguous."""
    reading = _read(f"### `{name}`\n\n```markdown\n# T\n\n```\nx\n```\n\nend text\n```\n\nDone.\n")
    assert [file.status for file in reading.files] == ["ambiguous"]
    assert "ambiguous_block" in reading.flags


def test_fences_that_follow_by_themselves_raise_no_doubt() -> None:
    """A Markdown file followed by a command or by the next named file is complete."""
    text = "### `x.md`\n\n```markdown\n# T\n```\n\n```bash\nls\n```\n\n### `y.md`\n\n```\n# Y\n```\n"
    assert [(file.path, file.status) for file in _read(text).files] == [("x.md", "complete"), ("y.md", "complete")]


BIG = "".join(f"line {n}\n" for n in range(300))
RENAME = f'<rename from="old.py" to="new.py" nonce="{N}"/>\n'


def _edit(path: str) -> str:
    pair = f"<<<<<<< SEARCH {N}\nline 7\n======= {N}\nline seven\n>>>>>>> REPLACE {N}\n"
    return f'<edit path="{path}" nonce="{N}">\n{pair}</edit nonce="{N}">\n'


@pytest.mark.parametrize("text", [RENAME + _edit("new.py"), _edit("./new.py") + "\n" + RENAME])
def test_an_edit_under_a_renamed_files_new_path_is_made(text: str) -> None:
    """The prompt allows it: the edit applies to the file as shown under its old path, which is then moved."""
    [file] = _read(text, old_py=BIG).files
    assert (file.path, file.from_path, file.status) == ("new.py", "old.py", "complete")
    assert file.content == BIG.replace("line 7\n", "line seven\n")


def test_an_edit_that_fits_nowhere_is_named_by_the_new_path() -> None:
    """A failed edit of a renamed file is refused under the path that the answer gives."""
    reading = _read(RENAME + _edit("new.py"), old_py="x\n")
    assert [edit.path for edit in reading.unapplied] == ["new.py"]


@pytest.mark.parametrize("block", [_edit("old.py"), file_block("old.py", "x\n", N)])
def test_a_text_under_a_renamed_files_old_path_is_doubted(block: str) -> None:
    """The text may be meant for the new path: accepting asks."""
    reading = _read(f"{RENAME}\n{block}", old_py=BIG)
    assert {file.path: file.status for file in reading.files} == {"old.py": "ambiguous", "new.py": "complete"}
    assert "ambiguous_block" in reading.flags


@pytest.mark.parametrize("nonce", [f' nonce="{N}"', ""])
def test_a_quote_in_a_path_is_part_of_it(nonce: str) -> None:
    """A path is shown with its quotes as they are, so an answer has it so."""
    for path in ('quo"te.txt', 'a"b"c/"d".txt', '"x".txt'):
        [file] = _read(f'<file path="{path}"{nonce}>\nx\n</file{nonce}>\n').files
        assert (file.path, file.content) == (path, "x\n")
        [act] = _read(f'<delete path="{path}"{nonce}/>\n').files
        assert (act.path, act.action) == (path, "delete")


def test_a_path_that_is_cut_at_a_quote_is_doubted() -> None:
    """A quote with a blank after it looks like the path's end: the block is ambiguous, a deletion not carried out."""
    [file] = _read(f'<file path="quo" te.txt" nonce="{N}">\nx\n</file nonce="{N}">\n').files
    assert file.status == "ambiguous"
    reading = _read(f'{file_block("z.py", "z", N)}\n<delete path="quo" te.txt" nonce="{N}"/>\n')
    assert [file.path for file in reading.files] == ["z.py"]
    assert "ambiguous_block" in reading.flags
    assert _read(_edit('quo" te.txt'), quo=BIG).files == ()
