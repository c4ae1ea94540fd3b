"""marks.py: marks that do not belong in a file; and an answer's further hunks and objects."""

import json
from pathlib import Path

import pytest

from dce.workspace.judging.board import FLAGS, board
from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.marks import MARKS, found
from dce.workspace.schema.reading import file_block
from tests.workspace.judging import Bench

FAULT = Path(__file__).parents[1] / "fixtures" / "faults" / "26-marks-inside-a-file-block" / "answer.txt"
NONCE = "3f9a1c"
SHOWN = {"src/a.py": "a = 1\nb = 1\n"}
PAIR = "<<<<<<< SEARCH{0}\na = 1\n======={0}\na = 2\n>>>>>>> REPLACE{0}\n"

MARKED = [
    ("conflict_marks", "a.py", "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> main\n"),
    ("conflict_marks", "a.js", "<<<<<<< ours\nx\n||||||| base\ny\n=======\nz\n>>>>>>> theirs\n"),
    ("conflict_marks", "notes.md", "# T\n\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"),
    ("diff_in_file", "a.py", "--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"),
    ("diff_in_file", "README.md", "diff --git a/README.md b/README.md\n--- a/README.md\n"),
    ("diff_in_file", "a.py", " x = 1\n-a = 1\n+a = 2\n"),
    ("diff_in_file", "a.py", "import os\n@@ -3,2 +3,2 @@\n-a = 1\n+a = 2\n"),
    ("diff_in_file", "a.ts", "*** Begin Patch\n*** Update File: a.ts\n@@\n-x\n+y\n*** End Patch\n"),
    ("edit_in_file", "a.py", PAIR.format("")),
    ("line_numbers", "a.py", "1 | a = 2\n"),
    ("line_numbers", "a.py", "1: import os\n2: \n3: x = 1\n"),
    ("line_numbers", "a.go", "  7\tpackage a\n\n  9\tfunc a(){}\n"),
    ("line_numbers", "a.yaml", "1 | a: 1\n2 | b: 2\n"),
    ("smart_quotes", "a.py", "print(\u201chi\u201d)\n"),
    ("smart_quotes", "a.js", "const a = \u2018x\u2019;\n"),
    ("smart_quotes", "a.json", "{\u201ca\u201d: 1}\n"),
    ("escaped_text", "a.py", "if a &lt; b:\n    pass\n"),
    ("escaped_text", "a.js", "if (a &amp;&amp; b) { x(); }\n"),
    ("escaped_text", "a.c", "#include &lt;stdio.h&gt;\n"),
    ("escaped_text", "a.html", "&lt;html&gt;&lt;/html&gt;\n"),
    ("escaped_text", "a.tsx", "const f = (a: Array&lt;string&gt;) =&gt; a;\n"),
    ("escaped_text", "a.py", "<![CDATA[\na = 1\n]]>"),
    ("binary_as_text", "logo.png", "iVBORw0KGgoAAAANSUhEUgAA\n"),
    ("text_around_fence", "a.py", "```python\na = 2\n```\nThis sets a to 2.\n"),
    ("text_around_fence", "a.py", "Here is the file:\n\n```python\na = 2\n```\n"),
    ("text_around_fence", "a.ts", "a = 2\n```\nThis sets it.\n"),
    ("text_around_fence", "a.json", "```json\n{}\n```\nok\n"),
    ("text_around_fence", "R.md", "```markdown\n# T\n```\nDone.\n"),
]

ORDINARY = [
    ("git.md", "# Conflicts\n\n```\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n```\n"),
    ("a.rst", "Title\n=======\n"),
    ("fix.patch", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n"),
    ("test_diff.py", 'WANTED = """\n@@ -1 +1 @@\n-a\n+b\n"""\n'),
    ("list.yaml", "- a\n- b\n"),
    ("map.yaml", "1: a\n2: b\n"),
    ("steps.md", "1. a\n2. b\n"),
    ("table.tsv", "1\ta\n2\tb\n"),
    ("de.po", 'msgid "a"\nmsgstr "\u201ea\u201c"\n'),
    ("a.py", 'x = "\u201chi\u201d"  # it\u2019s\n'),
    ("q.css", 'q { quotes: "\u201c" "\u201d"; }\n'),
    ("escape.py", 'x = s.replace("&", "&amp;").replace("<", "&lt;")\n"""a &lt; b"""\n'),
    ("escape.js", 's.replace(/</g, "&lt;") // &amp;\n'),
    ("a.html", "<p>a &lt; b</p>\n"),
    ("doc.py", '"""Doc\n```py\nx\n```\n"""\n'),
    ("a.md", "```py\nx\n```\nDone.\n"),
    ("logo.svg", "<svg/>\n"),
    ("quote.js", 's.replace(/"/g, "&quot;");\n'),
    ("min.js", 's.replace(/"/g, x + " &quot;");' * 60 + "\n"),
    ("mask.py", "m = a & lt; n = 1\n"),
    ("arrows.txt", "<<<<<<< a\n>>>>>>> b\n"),
    ("empty.png", ""),
]


def _flags(path: str, content: str, shown: str | None = None) -> list[str]:
    return [mark.flag for mark in found(path, content, shown)]


def _read(text: str, schema: str = "blocks") -> Reading:
    return read_answer(text, schema, NONCE, False, SHOWN.get)


@pytest.mark.parametrize(("flag", "path", "content"), MARKED)
def test_marks_are_flagged(flag: str, path: str, content: str) -> None:
    """Each kind raises only its own flag, with LF and with CRLF."""
    assert _flags(path, content) == [flag]
    assert _flags(path, content.replace("\n", "\r\n")) == [flag]


@pytest.mark.parametrize(("path", "content"), ORDINARY)
def test_ordinary_files_are_not_flagged(path: str, content: str) -> None:
    """Files about diffs, conflicts, entities and quotes are not flagged."""
    assert _flags(path, content) == []


@pytest.mark.parametrize(("flag", "path", "content"), MARKED)
def test_what_the_shown_file_had_is_not_flagged(flag: str, path: str, content: str) -> None:
    """A file shown with marks may keep them, even if the rest of it changes."""
    assert _flags(path, content, content) == []
    assert flag not in _flags(path, content, content + "\n")


def test_every_row_has_an_example_and_a_place_on_the_board() -> None:
    """Each kind of mark is tested above, and the board shows its flag."""
    assert {mark.flag for mark in MARKS} == {flag for flag, _, _ in MARKED}
    assert {mark.flag for mark in MARKS} <= set(FLAGS)


def test_the_answer_of_the_report_is_flagged(tmp_path: Path) -> None:
    """A diff in a file block is flagged on the answer, the file and the row, is noted with its line, and ranks below a clean answer."""
    reading = _read(FAULT.read_text("utf-8").replace("{n}", NONCE))
    assert (reading.flags, reading.files[0].flags) == (("diff_in_file",), ("diff_in_file",))
    assert "src/a.py: It holds a diff in place of its text (line 1)." in reading.notes
    bench = Bench(tmp_path, SHOWN)
    generation = bench.answer(reading, {"src/a.py": "a = 3\n"})
    rows = {row.slot: row for row in board(bench, generation)}
    assert rows[1].flags == ("does_not_compile", "diff_in_file")
    assert (rows[1].files[0].flags, rows[2].rank) == (("diff_in_file",), 1)


def test_edits_with_the_nonce_in_a_file_block_are_made() -> None:
    """SEARCH/REPLACE marks with the nonce are edits, whatever block they are in; those that match nowhere are not applied."""
    reading = _read(file_block("src/a.py", PAIR.format(f" {NONCE}"), NONCE))
    assert [(file.content, file.status) for file in reading.files] == [("a = 2\nb = 1\n", "repaired")]
    assert (reading.parse, reading.flags) == ("repaired", ())
    failed = _read(file_block("src/a.py", PAIR.format(f" {NONCE}").replace("a = 1", "c = 1"), NONCE))
    assert (failed.files, [edit.path for edit in failed.unapplied], failed.flags) == (
        (),
        ["src/a.py"],
        ("unapplied_edit",),
    )
    bare = _read(file_block("src/a.py", PAIR.format(""), NONCE))
    assert (bare.files[0].content, bare.flags) == (PAIR.format(""), ("edit_in_file",))


def test_marks_cost_a_look_at_each_place_once() -> None:
    """Unclosed strings and comments do not make the search quadratic: each part of the text is scanned once."""
    for part in ("/*", '"""', "`", "<!--", '\\"', "'", "<<<<<<< a\n", "@@ -1 +1 @@\n", "```\n", "&lt;", "\u201c"):
        for suffix in (".js", ".py", ".md", ".html"):
            list(found(f"a{suffix}", part * 20_000, None))


def test_a_second_hunk_after_prose_is_read() -> None:
    """Hunks that are explained one by one all belong to the file of the preceding header."""
    diff = "--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n\nAnd then the other one:\n\n@@ -2 +2 @@\n-b = 1\n+b = 2\n"
    reading = _read(f"<summary>\nBoth.\n</summary>\n{diff}", "diff")
    assert [(file.path, file.content) for file in reading.files] == [("src/a.py", "a = 2\nb = 2\n")]
    bare = diff.replace("@@ -2 +2 @@", "@@")
    assert _read(bare, "diff").files == reading.files
    other = "--- a/src/a.py\n+++ b/src/a.py\n@@ -9 +9 @@\n-z\n+y\n"
    assert [edit.path for edit in _read(diff + "More:\n" + other, "diff").unapplied] == ["src/a.py"]


@pytest.mark.parametrize("between", ["\n", "\n\nAnd the other file:\n\n", "\n```\n\n```json\n"])
def test_a_second_json_object_is_read(between: str) -> None:
    """With one object per file, with or without the answer's other keys, all files are read and a note says so."""
    first = json.dumps({"summary": "One.", "course_of_action": [], "files": [{"path": "a.py", "content": "1\n"}]})
    for second in (
        {"summary": "Two.", "files": [{"path": "b.py", "content": "2\n"}]},
        {"path": "b.py", "content": "2\n"},
    ):
        reading = _read(first + between + json.dumps(second), "json")
        assert [(file.path, file.content) for file in reading.files] == [("a.py", "1\n"), ("b.py", "2\n")]
        assert reading.parse == "repaired"
        assert "2 JSON objects" in reading.notes[0]
        assert reading.summary.startswith("One.")
        assert any("text outside" in note for note in reading.notes) is ("other file" in between)


def test_a_json_draft_and_the_answer_that_differs_are_ambiguous() -> None:
    """Of two objects with different texts for one path, the last is shown and is ambiguous."""
    texts = [json.dumps({"summary": "S", "files": [{"path": "a.py", "content": each}]}) for each in ("1\n", "2\n")]
    reading = _read("\n".join(texts), "json")
    assert [(file.content, file.status) for file in reading.files] == [("2\n", "ambiguous")]
