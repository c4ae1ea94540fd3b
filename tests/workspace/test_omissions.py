"""omissions.py: a remark that stands in for lines is found in any language, and an ordinary comment is left alone."""

from pathlib import Path

import pytest

from dce.workspace.judging.compare import changes
from dce.workspace.project import Project
from dce.workspace.schema import read_answer
from dce.workspace.schema.omissions import VAGUE_LOSS, WORDLESS_LOSS, omission
from dce.workspace.schema.reading import file_block

N = "3f9a1c"
HEAD = "".join(f"head_{n}()\n" for n in range(40))
BODY = "".join(f"    body_{n}()\n" for n in range(6))
LONG = "".join(f"    body_{n}()\n" for n in range(WORDLESS_LOSS))
TAIL = "".join(f"tail_{n}()\n" for n in range(40))


def _flags(before: str, after: str, path: str = "a.js") -> tuple[str, ...]:
    answer = f"<summary>Done.</summary>\n{file_block(path, after, N)}\n"
    return read_answer(answer, "blocks", N, shown={path: before}.get).flags


@pytest.mark.parametrize(
    "line",
    [
        "// The remainder of this file is identical to the original",
        "// (unchanged)",
        "// ...",
        "...",
        "…",
        "    …",
        ". . .",
        "// [...]",
        "[...]",
        "// --- snip ---",
        "--- snip ---",
        "-- [snip]",
        "// Rest of implementation goes here",
        "// etc.",
        "//...existing code...",
        "...existing code...",
        "/* ⋮ */",
        "{/* ... */}",
        "<!-- same content as before -->",
        "% the rest is left out",
        ";; and so on",
        "' code omitted",
        "! unchanged",
        "(* as before *)",
        "<rest of the code>",
        "[rest of function unchanged]",
        "    pass  # unchanged",
        "# остальное без изменений",
        "// … остальной код без изменений",
        "// 其余代码保持不变",
        "// 以下省略",
        "// 変更なし",
        "// 나머지 코드는 동일",
        "// resto del código sin cambios",
        "// le reste du code est inchangé",
        "// Rest bleibt gleich",
        "// restante do código sem alterações",
        "// il resto del codice invariato",
        "# reszta bez zmian",
    ],
)
def test_a_line_in_place_of_others_is_an_omission(line: str) -> None:
    """Whatever the comment's signs and language, a line that says that lines are left out, where lines are gone, is flagged."""
    assert omission(HEAD + BODY + TAIL, f"{HEAD}{line}\n{TAIL}") == line.strip()
    assert "elision" in _flags(HEAD + BODY + TAIL, f"{HEAD}{line}\n{TAIL}")


@pytest.mark.parametrize("line", ["// Parses the range.", "# see parser.py", "/* step two */", "-- handled elsewhere"])
def test_a_comment_in_place_of_a_block_needs_no_words(line: str) -> None:
    """A comment that stands where twenty lines of code were is flagged whatever it says, and one line fewer is not."""
    assert omission(HEAD + LONG + TAIL, f"{HEAD}{line}\n{TAIL}") == line
    assert omission(HEAD + LONG + TAIL, f"{HEAD}{line}\n# step three\n{TAIL}") == line
    assert omission(HEAD + LONG + TAIL, f"{HEAD}{line}\n# step three\n# step four\n{TAIL}") == ""
    fewer = LONG.partition("\n")[2]
    assert omission(HEAD + fewer + TAIL, f"{HEAD}{line}\n{TAIL}") == ""


def test_a_clear_remark_needs_two_lines_to_be_gone() -> None:
    """Two lines less are an omission where the remark says so; one line less may be a rewording."""
    assert omission(f"{HEAD}a()\nb()\n{TAIL}", f"{HEAD}// etc.\n{TAIL}") == "// etc."
    assert omission(f"{HEAD}a()\n{TAIL}", f"{HEAD}// etc.\n{TAIL}") == ""


def test_a_vague_word_needs_more_lines_to_be_gone() -> None:
    """A comment with a word such as "here" is flagged where only it stands for some lines."""
    gone = "".join(f"gone_{n}()\n" for n in range(VAGUE_LOSS))
    assert omission(HEAD + gone + TAIL, f"{HEAD}// helpers here\n{TAIL}") == "// helpers here"
    assert omission(HEAD + gone.partition("\n")[2] + TAIL, f"{HEAD}// helpers here\n{TAIL}") == ""


def test_brackets_between_do_not_hide_an_omission() -> None:
    """A closing bracket that both texts have does not divide the lines that are gone."""
    block = "".join(f"  if (a{n}) {{\n    b{n}()\n  }}\n" for n in range(10))
    before = f"function f() {{\n{block}}}\n"
    assert omission(before, "function f() {\n  // body\n  }\n}\n") == "// body"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, HEAD + "// unchanged since 2019 because the API is frozen\n"),
        (HEAD + "// unchanged\n" + BODY + TAIL, HEAD + "// unchanged\n" + TAIL),
        (HEAD + BODY + TAIL, HEAD + TAIL),
        (HEAD + "one()\n" + TAIL, HEAD + "// etc. is handled below\ntwo()\nthree()\n" + TAIL),
        ("/*\n" + "Permission is granted\n" * 25 + "*/\n" + TAIL, "// SPDX-License-Identifier: MIT\n" + TAIL),
        ("# a\n" * 25 + TAIL, "# one line says it all\n" + TAIL),
        (HEAD + LONG + TAIL, HEAD + '#include "body.h"\n' + TAIL),
        (HEAD + LONG + TAIL, HEAD + "const all = [...existing, item];\n" + TAIL),
        (HEAD + LONG + TAIL, HEAD + "// The loop does it.\nfor (;;) step();\n" + TAIL),
        (HEAD + LONG + TAIL, HEAD + "*rest = 0;\n" + TAIL),
        (HEAD + LONG + TAIL, HEAD + "#rest { color: red }\n" + TAIL),
        (HEAD + "a()\n" * 5 + TAIL, HEAD + "// Parses it.\n" + TAIL),
        (
            HEAD + "a()\n" * 3 + TAIL,
            HEAD + "// When the first of them closes, another one continues from its own place in the file.\n" + TAIL,
        ),
    ],
)
def test_ordinary_comments_are_left_alone(before: str, after: str) -> None:
    """A comment where nothing is gone, one that was there before, and shorter code are no omissions."""
    assert omission(before, after) == ""


def test_headings_are_no_comments() -> None:
    """In Markdown a heading or a list item in place of text is text; dots and HTML comments count there too."""
    text = "".join(f"Sentence {n}.\n" for n in range(30))
    for line in ("# Install", "* see below", "* Rest"):
        assert omission(f"# T\n{text}end\n", f"# T\n{line}\nend\n", "README.md") == ""
    for line in ("...", "<!-- the rest is unchanged -->", "[...]"):
        assert omission(f"# T\n{text}end\n", f"# T\n{line}\nend\n", "README.md") == line


def test_line_ends_make_no_difference() -> None:
    """A file with CRLF is compared by its lines."""
    before = (HEAD + BODY + TAIL).replace("\n", "\r\n")
    assert omission(before, f"{HEAD}// etc.\n{TAIL}") == "// etc."
    assert omission(before, HEAD + BODY + TAIL + "// etc.\n") == ""


def test_edits_and_renamed_files_are_looked_at() -> None:
    """A replacement in an edit, and a renamed file's new text, are compared with the file as shown."""
    before = HEAD + BODY + TAIL
    edit = (
        f'<edit path="a.js" nonce="{N}">\n<<<<<<< SEARCH {N}\n{BODY}======= {N}\n// etc.\n>>>>>>> REPLACE {N}\n'
        f'</edit nonce="{N}">\n'
    )
    moved = f'<rename from="a.js" to="b.js" nonce="{N}"/>\n\n' + file_block("b.js", f"{HEAD}// etc.\n{TAIL}", N)
    for answer in (edit, moved):
        reading = read_answer(answer, "blocks", N, shown={"a.js": before}.get)
        assert "elision" in reading.flags
        assert reading.files[0].flags == ("elision",)


def test_the_comparison_with_the_workspace_flags_it(tmp_path: Path) -> None:
    """Accepting is warned by the file as it is now, even if the prompt did not show it."""
    (tmp_path / "a.js").write_text(HEAD + BODY + TAIL)
    reading = read_answer(file_block("a.js", f"{HEAD}// etc.\n{TAIL}", N), "blocks", N)
    [change] = changes(Project(tmp_path), reading, ())
    assert "elision" not in reading.flags
    assert "elision" in change.flags
