"""The formats in which models write files when they ignore the one they were asked for."""

import random
from collections.abc import Mapping

import pytest

from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.forms import find_files
from dce.workspace.schema.found import is_path, name_in_comment, name_in_line

NONCE = "3f9a1c"
SHOWN: Mapping[str, str] = {
    "src/a.py": "def a():\n    return 1\n\n\ndef b():\n    return 2\n",
    "big.py": "x = 1\n" * 50,
}


def read(text: str) -> Reading:
    """Reads the text as an answer to a prompt that asked for blocks."""
    return read_answer(text, "blocks", NONCE, shown=SHOWN.get)


def files(reading: Reading) -> dict[str, str]:
    """Path → text."""
    return {file.path: file.content for file in reading.files}


@pytest.mark.parametrize(
    "name",
    [
        "src/new.py",
        "**src/new.py**",
        "`src/new.py`",
        "**`src/new.py`**",
        "### src/new.py",
        "### `src/new.py`",
        "#### 1. `src/new.py`",
        "1. **src/new.py**",
        "- src/new.py:",
        "File: src/new.py",
        "**File:** `src/new.py`",
        "File path: `src/new.py`",
        "# src/new.py",
        "// src/new.py",
        "<!-- src/new.py -->",
        "/* src/new.py */",
        "`src/new.py` (new)",
        "**src/new.py** - the new module",
        "src/new.py:",
        "src/new.py\n",
        "📄 `src/new.py`",
        "=== src/new.py ===",
        "--- src/new.py ---",
        "[FILE: src/new.py]",
        "<summary>src/new.py</summary>\n",
        "<b>src/new.py</b>",
    ],
)
@pytest.mark.parametrize("fence", ["```python", "```", "~~~py", "````python"])
def test_a_line_above_a_fence_names_its_file(name: str, fence: str) -> None:
    """Plain, bold, in code, as a heading, a list item, a label or a comment: the fence's text is the file."""
    reading = read(f"I did it.\n\n{name}\n{fence}\nx = 1\n{fence[:4].rstrip('py')}\n\nDone.\n")
    assert files(reading) == {"src/new.py": "x = 1\n"}
    assert (reading.files[0].status, reading.parse) == ("complete", "repaired")
    assert "I did it." in reading.summary
    assert "Done." in reading.summary


@pytest.mark.parametrize(
    "info",
    [
        "python src/new.py",
        "src/new.py",
        "python:src/new.py",
        'python title="src/new.py"',
        "python filename=src/new.py",
        "python {file: src/new.py}",
        "python path='src/new.py' showLineNumbers",
    ],
)
def test_an_info_string_names_a_file(info: str) -> None:
    """An info string names the file in any of the usual notations."""
    assert files(read(f"Here:\n\n```{info}\nx = 1\n```\n")) == {"src/new.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("line", "path", "is_kept"),
    [
        ("# src/new.py", "src/new.py", True),
        ("# File: src/new.py", "src/new.py", True),
        ("// src/new.ts", "src/new.ts", True),
        ("<!-- web/new.html -->", "web/new.html", True),
        ("/* new.css */", "new.css", True),
        ("// data/new.json", "data/new.json", False),
        ("# src/a.py", "src/a.py", False),
    ],
)
def test_a_comment_in_the_first_line_names_a_file(line: str, path: str, is_kept: bool) -> None:
    """The comment stays in a new file unless its language has no comments; if a shown file lacks it, it is left out."""
    body = "x\n" * 6
    reading = read(f"Look:\n\n```\n{line}\n{body}```\n")
    assert files(reading) == {path: (line + "\n" if is_kept else "") + body}


def test_a_fence_in_a_list_loses_the_lists_indentation() -> None:
    """As in Markdown, each line loses the fence's indentation; an unclosed fence adds no newline."""
    reading = read("1. **src/new.py**\n   ```python\n   def y():\n       pass\n   ```\n")
    assert files(reading) == {"src/new.py": "def y():\n    pass\n"}
    assert files(read("src/new.py\n```python\nx\n")) == {"src/new.py": "x\n"}


def test_code_without_a_name_is_flagged_where_there_are_no_files() -> None:
    """A well-formed answer with only nameless code does not count as one without files; commands and output are not code."""
    said = "<summary>\nFixed it.\n</summary>\n\n"
    reading = read(said + "```python\nx = 1\n```\n")
    assert (reading.files, reading.flags) == ((), ("missing_files",))
    assert read(said + "```bash\nmake\n```\n\n```\nok\n```\n").flags == ()


def test_fences_that_nothing_names_are_no_files() -> None:
    """Commands, snippets and output remain text; the answer fails to parse rather than inventing a file."""
    reading = read("Run this:\n\n```bash\nmake src/a.py\n```\n\nIt prints:\n\n```\nok\n```\n")
    assert (reading.files, reading.parse) == ((), "failed")
    assert read("Run `src/a.py` so:\n\n```sh\npython src/a.py\n```\n").files == ()


def test_a_part_of_a_file_is_ambiguous() -> None:
    """A fence much shorter than the shown file may be a part, and one named only by a sentence is a guess: both are doubtful."""
    reading = read("big.py\n```python\nx = 2\n```\n")
    assert (reading.files[0].status, reading.flags) == ("ambiguous", ("ambiguous_block",))
    said = read("In `src/new.py`, change this:\n\n```python\nx = 2\n```\n")
    assert said.files[0].status == "ambiguous"


def test_fences_in_a_document_are_its_own() -> None:
    """A Markdown file in a fence keeps its inner fences; if they do not pair up, it is ambiguous."""
    body = "# T\n\n```sh\nmake\n```\n\nEnd.\n"
    assert files(read(f"README.md\n```markdown\n{body}```\n\nsrc/n.py\n```py\ny\n```\n")) == {
        "README.md": body,
        "src/n.py": "y\n",
    }
    odd = read("README.md\n```markdown\n# T\n```sh\nmake\n```\nmore\n```\n\n```\nodd\n")
    assert odd.files[0].status == "ambiguous"


@pytest.mark.parametrize(
    "naming",
    ["{path}\n```python\n", "```python\n{path}\n", "```python {path}\n", "**{path}**\n\n", "### `{path}`\n```\n"],
)
@pytest.mark.parametrize(
    "markers",
    [
        ("<<<<<<< SEARCH", ">>>>>>> REPLACE"),
        ("------- SEARCH", "+++++++ REPLACE"),
        ("<<<<<<< ORIGINAL", ">>>>>>> UPDATED"),
    ],
)
def test_search_and_replace_with_a_path(naming: str, markers: tuple[str, str]) -> None:
    """The path may be above the fence, in it, or in its info string; two pairs may share one."""
    first, last = markers
    pairs = f"{first}\n    return 1\n=======\n    return 10\n{last}\n"
    more = f"{first}\n    return 2\n=======\n    return 20\n{last}\n"
    fence = "```\n" if "```" in naming else ""
    text = "I changed it.\n\n" + naming.format(path="src/a.py") + pairs + more + fence
    reading = read(text)
    assert files(reading) == {"src/a.py": "def a():\n    return 10\n\n\ndef b():\n    return 20\n"}
    assert reading.summary.startswith("I changed it.")
    assert "SEARCH" not in reading.summary


def test_search_and_replace_that_does_not_fit_is_refused_by_name() -> None:
    """Lines that match nowhere, a pair without a path and one without an end are reported as unapplied."""
    for pair, path in (
        ("src/a.py\n<<<<<<< SEARCH\nnope\n=======\nx\n>>>>>>> REPLACE\n", "src/a.py"),
        ("<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", "?"),
        ("src/a.py\n<<<<<<< SEARCH\n    return 1\n=======\n    return 3\n", "src/a.py"),
    ):
        reading = read("Edit:\n\n" + pair)
        assert [edit.path for edit in reading.unapplied] == [path]
        assert "unapplied_edit" in reading.flags


def test_replace_in_file_tags() -> None:
    """A path in tags before the pairs, the format that Cline asks for, is read."""
    text = (
        "<replace_in_file>\n<path>src/a.py</path>\n<diff>\n------- SEARCH\n    return 1\n=======\n    return 5\n"
        "+++++++ REPLACE\n</diff>\n</replace_in_file>\n"
    )
    assert "return 5" in files(read(text))["src/a.py"]


def test_patches() -> None:
    """In a `Begin Patch` answer, files are added, changed at the place that the anchor names, deleted and moved unchanged."""
    text = (
        "Sure.\n\n*** Begin Patch\n*** Add File: new.py\n+x = 1\n+\n*** Update File: src/a.py\n@@ def b():\n-    return 2\n"
        "+    return 3\n*** Delete File: old.py\n*** Update File: b.py\n*** Move to: c.py\n*** End Patch\n\nDone."
    )
    for wrapped in (text, text.replace("*** Begin", "```diff\n*** Begin").replace("End Patch\n", "End Patch\n```\n")):
        reading = read(wrapped)
        assert files(reading) == {
            "new.py": "x = 1\n\n",
            "src/a.py": SHOWN["src/a.py"].replace("return 2", "return 3"),
            "old.py": "",
            "c.py": "",
        }
        acts = {file.path: (file.action, file.from_path) for file in reading.files}
        assert (acts["old.py"], acts["c.py"]) == (("delete", ""), ("rename", "b.py"))
        assert reading.unapplied == ()
        assert "Done." in reading.summary
    twice = "def a():\n    x = 1\n\n\ndef b():\n    x = 1\n"
    patch = "*** Begin Patch\n*** Update File: t.py\n@@ def b():\n-    x = 1\n+    x = 2\n*** End Patch\n"
    placed = read_answer(patch, "blocks", NONCE, shown={"t.py": twice}.get)
    assert files(placed) == {"t.py": "def a():\n    x = 1\n\n\ndef b():\n    x = 2\n"}
    cut = read(text[: text.index("*** Delete")])
    assert "cut off" in cut.unapplied[0].reason


TAGS = {
    "write_to_file": "<write_to_file>\n<path>src/n.tsx</path>\n<content>\n{}</content>\n</write_to_file>",
    "write_to_file with a count": "<write_to_file>\n<path>src/n.tsx</path>\n<content>\n{}</content>\n<line_count>2</line_count>\n</write_to_file>",
    "create_file": "<create_file>\n<file_path>src/n.tsx</file_path>\n<contents>\n{}</contents>\n</create_file>",
    "file with children": "<file>\n  <path>src/n.tsx</path>\n  <content>\n{}</content>\n</file>",
    "boltAction": '<boltArtifact id="x" title="App">\n<boltAction type="file" filePath="src/n.tsx">\n{}</boltAction>\n</boltArtifact>',
    "lov-write": '<lov-write file_path="src/n.tsx">\n{}</lov-write>',
    "dyad-write": '<dyad-write path="src/n.tsx" description="x">\n{}</dyad-write>',
    "antArtifact": '<antArtifact identifier="app" type="code" title="src/n.tsx">\n{}</antArtifact>',
    "file name": '<file name="src/n.tsx">\n{}</file>',
    "file filename": "<file filename='src/n.tsx'>\n{}</file>",
    "a tag of the path": "<src/n.tsx>\n{}</src/n.tsx>",
    "invoke": '<invoke name="Write">\n<parameter name="file_path">src/n.tsx</parameter>\n<parameter name="content">{}</parameter>\n</invoke>',
    "a fence around": "```xml\n<write_to_file>\n<path>src/n.tsx</path>\n<content>\n{}</content>\n</write_to_file>\n```",
}


@pytest.mark.parametrize("form", TAGS)
def test_tags_of_coding_tools(form: str) -> None:
    """Each row of the table reads a file and its neighbour whole, without the surrounding words."""
    body = "export const n = <b>1</b>;\n// src\n"
    second = TAGS[form].replace("src/n", "src/m").format("m\n")
    text = f"I will.\n\n{TAGS[form].format(body)}\n\nAnd:\n\n{second}\n\nDone."
    reading = read(text)
    assert files(reading) == {"src/n.tsx": body, "src/m.tsx": "m\n"}
    assert all(file.status in {"complete", "repaired"} for file in reading.files)
    assert "Done." in reading.summary


def test_an_unknown_tag_with_a_path_is_flagged() -> None:
    """For an unknown tag beside a file that was read, the note names its path."""
    reading = read(TAGS["file name"].format("n\n") + '\n\n<emit target="x" path="src/lost.ts">\nx\n</emit>\n')
    assert reading.flags == ("missing_files",)
    assert any("src/lost.ts" in note for note in reading.notes)


def test_a_tool_tag_that_never_closes_is_truncated() -> None:
    """An unclosed file is kept up to the end and marked; one with two closing tags is ambiguous."""
    text = TAGS["write_to_file"].format("x\n")
    assert read(text[: text.index("</content>")]).files[0].status == "truncated"
    assert read(text.replace("</content>", "</content>\ny\n</content>")).files[0].status == "ambiguous"


def test_mixed_forms_are_read_together() -> None:
    """With a fence for one file and a tag for the next, both are read, in order, and neither is inside the other."""
    text = (
        "a.py\n```py\na\n```\n\n"
        + TAGS["file name"].format("n\n")
        + '\n\nb.html\n```html\n<file name="x/y.html">\n</file>\n```\n'
    )
    assert list(files(read(text))) == ["a.py", "src/n.tsx", "b.html"]


def test_a_file_in_another_form_beside_those_that_were_read_is_flagged() -> None:
    """An answer in blocks with one more file in a fence is not clean: the note names the file."""
    text = f'<summary>\nS\n</summary>\n<file path="a.py" nonce="{NONCE}">\na\n</file nonce="{NONCE}">\n\n**b.py**\n```py\nb\n```\n'
    reading = read(text)
    assert files(reading) == {"a.py": "a\n"}
    assert reading.flags == ("missing_files",)
    assert any("b.py" in note for note in reading.notes)


@pytest.mark.parametrize("seed", range(40))
def test_any_wrapping_of_any_form_is_read_or_flagged(seed: int) -> None:
    """Property: files in random forms among random words, fences and line ends are exact, or the reading reports a problem."""
    chance = random.Random(seed)
    bodies = {
        f"src/f{number}.ts": f"const n = {number};\n" * chance.randint(1, 5) for number in range(chance.randint(1, 4))
    }
    forms = [form.replace("src/n.tsx", "{path}").replace("{}", "{body}") for form in TAGS.values()]
    forms += [
        "**{path}**\n```ts\n{body}```",
        "```ts {path}\n{body}```",
        "### `{path}`\n\n~~~\n{body}~~~",
        '<file path="{path}">\n{body}</file>',
    ]
    forms += ['<file path="{path}" nonce="3f9a1c">\n{body}</file nonce="3f9a1c">']
    same = chance.choice(forms) if chance.random() < 0.5 else ""
    parts = [(same or chance.choice(forms)).format(path=path, body=body) for path, body in bodies.items()]
    text = chance.choice(["", "Sure!\n\n", "<summary>\nS\n</summary>\n\n"]) + chance.choice(
        ["\n", "\n\nNext:\n\n", "\n---\n"]
    ).join(parts)
    if chance.random() < 0.3:
        text = text.replace("\n", "\r\n")
    reading = read(text + chance.choice(["", "\n", "\n\nDone.\n"]))
    found = {path: content.replace("\r\n", "\n") for path, content in files(reading).items()}
    assert found == bodies or reading.flags or reading.parse == "failed", text
    assert all(bodies.get(path) == content for path, content in found.items()) or reading.flags, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("src/a.py", True), ("a.py", True), ("Dockerfile", True), (".env", True), ("src/[id]/page.tsx", True), ("docs/how to.md", True),
        ("e.g.", False), ("a", False), ("and/or", False), ("1.5", False), ("Stack.pop", False), ("os.path", False), ("", False),
        ("fetch()", False), ("https://x.org/a.py", False), ("Update the a.py and b.py", False),
    ],
)  # fmt: skip
def test_what_is_a_path(text: str, expected: bool) -> None:
    """A path has a known suffix, or folders and a suffix; words, versions and calls are not paths."""
    assert is_path(text) is expected


def test_names_in_lines_and_comments() -> None:
    """A line that only names a file is distinguished from a sentence that mentions one; a comment must contain nothing else."""
    assert name_in_line("### `src/a.py`") == ("src/a.py", True)
    assert name_in_line("Here is `src/a.py`:") == ("src/a.py", False)
    assert name_in_line("`a.py` and `b.py`:") == ("", False)
    assert name_in_comment("# src/a.py") == "src/a.py"
    assert name_in_comment("# see src/a.py for more") == ""


def test_finding_grows_with_the_answer() -> None:
    """Ten times the text gives ten times the files, in every form at once, even if nothing closes."""
    unit = "a.py\n```py\nx\n```\n<write_to_file>\n<path>b.py</path>\n<content>\n</content>\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"
    assert len(find_files(unit * 100)) <= 10 * len(find_files(unit * 10))
