"""acts.py and git_headers.py: deletions, renames and modes are read in every format; nothing else is mistaken for one."""

import json

import pytest

from dce.workspace.schema import SCHEMAS, read_answer
from dce.workspace.schema.acts import mode_of
from dce.workspace.schema.reading import FileBlock, Reading

N = "3f9a1c"
HEAD = "<summary>\nDone.\n</summary>\n<plan>\n1. Did it.\n</plan>\n\n"


def _shown(path: str) -> str | None:
    return {"a.py": "one\n", "old.py": "one\ntwo\nthree\n"}.get(path)


def _read(text: str, schema: str = "blocks") -> Reading:
    return read_answer(HEAD + text if not text.startswith("{") else text, schema, N, shown=_shown)


DELETE = FileBlock(path="a.py", content="", action="delete")
RENAME = FileBlock(path="new.py", content="", action="rename", from_path="old.py")
MODE = FileBlock(path="run.sh", content="", action="mode", mode="755")


@pytest.mark.parametrize("nonce", [f' nonce="{N}"', ""])
@pytest.mark.parametrize(
    ("text", "block"),
    [
        ('<delete path="a.py"{n}/>', DELETE),
        ('<delete path="./a.py"{n} />', DELETE),
        ('<delete path="a.py"{n}></delete>', DELETE),
        ('<delete_file path="a.py"{n}/>', DELETE),
        ('<file path="a.py" action="delete"{n}/>', DELETE),
        ('<file path="a.py"{n} action="delete" />', DELETE),
        ('<file path="a.py"{n} action="delete"></file{n}>', DELETE),
        ('<file path="a.py"{n} action="DELETED">\n</file{n}>', DELETE),
        ('<file path="a.py"{n} operation="remove">\n\n</file{n}>', DELETE),
        ('<file path="a.py"{n} deleted="true">\n[DELETED]\n</file{n}>', DELETE),
        ('<rename from="old.py" to="new.py"{n}/>', RENAME),
        ('<move path="old.py" to="new.py"{n}/>', RENAME),
        ('<file path="new.py" action="rename" from="old.py"{n}/>', RENAME),
        ('<file path="old.py" action="rename" new_path="new.py"{n}/>', RENAME),
        ('<file path="new.py"{n} action="renamed" old_path="old.py">\n</file{n}>', RENAME),
        ('<chmod path="run.sh" mode="755"{n}/>', MODE),
        ('<chmod path="run.sh" mode="+x"{n}/>', MODE),
        ('<file path="run.sh"{n} action="chmod" mode="100755">\n</file{n}>', MODE),
    ],
)
def test_an_explicit_tag_is_an_act(text: str, block: FileBlock, nonce: str) -> None:
    """A tag or attribute gives a deletion, a rename or a mode, beside another file and alone."""
    other = f'<file path="z.py"{nonce}>\nz\n</file{nonce}>\n'
    text = text.replace("{n}", nonce)
    for answer in (f"{other}\n{text}\n", f"{text}\n\n{other}", f"{text}\n"):
        found = {file.path: file for file in _read(answer).files}
        assert found.pop(block.path) == block
        assert set(found) <= {"z.py"}


@pytest.mark.parametrize(
    "body",
    ["[DELETED]\n", "(deleted)\n", "# deleted\n", "// This file was deleted.\n", "<!-- file removed -->\n", "DELETE\n"],
)
def test_a_text_that_only_says_deleted_is_a_doubtful_deletion(body: str) -> None:
    """A text that looks like a deletion is not written as the file's text, and accepting asks."""
    for nonce in (f' nonce="{N}"', ""):
        reading = _read(f'<file path="a.py"{nonce}>\n{body}</file{nonce}>\n')
        assert reading.files == (FileBlock(path="a.py", content="", action="delete", status="ambiguous"),)
        assert "ambiguous_block" in reading.flags
        assert reading.parse == "repaired"


@pytest.mark.parametrize(
    "body", ["", "\n", "x = 'deleted'\n", "deleted: true\nkeep: 1\n", "# deleted rows are kept\nx\n"]
)
def test_an_empty_block_and_other_text_are_no_deletion(body: str) -> None:
    """Text that names no act is the file's text, whatever it looks like."""
    [file] = _read(f'<file path="a.py" nonce="{N}">\n{body}</file nonce="{N}">\n').files
    assert (file.action, file.content) == ("write", body)


def test_a_deletion_with_a_text_is_ambiguous() -> None:
    """A deletion with text contradicts itself: accepting asks."""
    reading = _read(f'<file path="a.py" action="delete" nonce="{N}">\nx = 1\n</file nonce="{N}">\n')
    assert reading.files == (FileBlock(path="a.py", content="", action="delete", status="ambiguous"),)


def test_acts_inside_a_file_or_with_another_nonce_are_text() -> None:
    """A file about acts is unchanged; a tag with another nonce is only a mention."""
    body = '<delete path="a.py"/>\n<rename from="a" to="b"/>\n[DELETED]\n'
    reading = _read(
        f'<file path="doc.md" nonce="{N}">\n{body}</file nonce="{N}">\n\n<delete path="a.py" nonce="000000"/>\n'
    )
    assert reading.files == (FileBlock(path="doc.md", content=body),)


BLOCK = f'<file path="z.md" nonce="{N}">\nz\n</file nonce="{N}">\n'
BARE = '<delete path="a.py"/>'
WITH = f'<delete path="a.py" nonce="{N}"/>'


@pytest.mark.parametrize(
    "text",
    [
        f"You may also write\n{BARE}\nif you like.\n{BLOCK}",
        f"{BLOCK}\nYou may also write\n{BARE}\n",
        f"{BARE}\nwould be too much.\n\n{BLOCK}",
        f"I considered\n{WITH}\nbut did not.\n\n{BLOCK}",
        f"<summary>\nI considered\n{WITH}\nbut did not.\n</summary>\n{BLOCK}",
        f"<summary>\nDone.\n</summary>\n<plan>\n1. Perhaps later:\n\n{WITH}\n\n</plan>\n{BLOCK}",
        f"<course_of_action>\n\n{BARE}\n\n</course_of_action>\n{BLOCK}",
        f'{BLOCK}\nYou may\n<rename from="old.py" to="new.py"/>\nif you like.\n',
        f'{BLOCK}\n<chmod path="a.py" mode="4777" nonce="{N}"/>\n',
        f'{BLOCK}\n<rename to="new.py" from="" nonce="{N}"/>\n',
    ],
)
def test_a_tag_that_is_only_mentioned_is_doubted(text: str) -> None:
    """A tag in the summary or plan, in a sentence, or with what cannot be done is no act; it is flagged and quoted."""
    reading = _read(text)
    assert [(file.path, file.action) for file in reading.files] == [("z.md", "write")]
    assert "ambiguous_block" in reading.flags
    assert any(note.startswith("Not carried out") for note in reading.notes)


@pytest.mark.parametrize(
    "text",
    [
        f"{BLOCK}{BARE}\n{BLOCK.replace('z.md', 'y.md')}",
        f"{BLOCK}\nDelete the old file:\n{BARE}\n",
        f"{BLOCK}\n```xml\n{BARE}\n```\n",
        f"{BLOCK}\n## Removed\n{BARE}\n---\nThat is all.\n",
        f"<summary>Done.</summary>\n{BARE}\n{BLOCK}",
        f"{BLOCK}\nThe old file goes.\n{WITH}\n",
        f"{BLOCK}\n{BARE}\n<delete path='b.py'/>\n",
    ],
)
def test_a_tag_that_stands_by_itself_is_an_act(text: str) -> None:
    """A tag between blocks, fences, headings or other acts, below a line with a colon, or with the nonce is carried out."""
    reading = _read(text)
    assert DELETE in reading.files
    assert not reading.flags


def test_a_rename_and_a_text_for_its_new_path_are_one_file() -> None:
    """The file is moved and rewritten, and its mode can be set too."""
    block = f'<file path="new.py" nonce="{N}">\n1\n</file nonce="{N}">\n'
    acts = f'<rename from="old.py" to="new.py" nonce="{N}"/>\n<chmod path="new.py" mode="755" nonce="{N}"/>\n'
    for text in (acts + block, block + acts):
        assert _read(text).files == (FileBlock(path="new.py", content="1\n", from_path="old.py", mode="755"),)


GIT = "diff --git a/{old} b/{new}\n"


@pytest.mark.parametrize(
    ("text", "block"),
    [
        (GIT + "deleted file mode 100644\nindex 1..0\n--- a/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n", DELETE),
        (GIT + "deleted file mode 100644\nindex e69de29..0000000\n", DELETE),
        ("--- a/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n", DELETE),
        (GIT + "similarity index 100%\nrename from old.py\nrename to new.py\n", RENAME),
        (GIT + "old mode 100644\nnew mode 100755\n", MODE),
        (
            GIT
            + "similarity index 90%\nrename from old.py\nrename to new.py\n--- a/old.py\n+++ b/new.py\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n",
            FileBlock(path="new.py", content="1\ntwo\nthree\n", from_path="old.py"),
        ),
        (
            GIT + "new file mode 100755\n--- /dev/null\n+++ b/run.sh\n@@ -0,0 +1 @@\n+run\n",
            FileBlock(path="run.sh", content="run\n", mode="755"),
        ),
        (
            GIT + "new file mode 100644\n--- /dev/null\n+++ b/run.sh\n@@ -0,0 +1 @@\n+run\n",
            FileBlock(path="run.sh", content="run\n"),
        ),
        (
            GIT + "old mode 100644\nnew mode 100755\n--- a/old.py\n+++ b/old.py\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n",
            FileBlock(path="old.py", content="1\ntwo\nthree\n", mode="755"),
        ),
        (GIT + "new file mode 100644\nindex 0000000..e69de29\n", FileBlock(path="p/__init__.py", content="")),
        (
            GIT + "similarity index 100%\ncopy from old.py\ncopy to c.py\n",
            FileBlock(path="c.py", content="one\ntwo\nthree\n"),
        ),
    ],
)
def test_what_git_says_in_a_diff_is_an_act(text: str, block: FileBlock) -> None:
    """Deleted, renamed, copied, empty and executable files of a git diff are read, with and without hunks, fenced or not."""
    old = block.from_path or ("old.py" if "copy from" in text else block.path)
    text = text.format(old=old, new=block.path)
    for answer in (text, f"```diff\n{text}```\n"):
        reading = _read(answer, "diff")
        assert reading.files == (block,)
        assert "diff --git" not in reading.summary + reading.plan
    assert _read(text, "blocks").files == (block,)


def test_what_git_diffs_hold_and_is_not_done_is_said() -> None:
    """A link, a submodule and a binary patch are unapplied edits with a reason; two names without a git header are doubtful."""
    for said in ("new file mode 120000\n", "new file mode 160000\n", "Binary files a/x and b/x differ\n"):
        reading = _read(GIT.format(old="x", new="x") + said, "diff")
        assert reading.files == ()
        assert [edit.path for edit in reading.unapplied] == ["x"]
    reading = _read("--- a/old.py\n+++ b/new.py\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n", "diff")
    assert reading.files == (
        FileBlock(path="new.py", content="1\ntwo\nthree\n", from_path="old.py", status="ambiguous"),
    )


@pytest.mark.parametrize(
    ("item", "block"),
    [
        ({"path": "a.py", "action": "delete"}, DELETE),
        ({"path": "a.py", "action": "delete", "content": ""}, DELETE),
        ({"path": "a.py", "content": None, "deleted": True}, DELETE),
        ({"path": "a.py", "status": "removed", "content": None}, DELETE),
        ({"path": "new.py", "action": "rename", "from": "old.py"}, RENAME),
        ({"path": "old.py", "operation": "move", "new_path": "new.py"}, RENAME),
        (
            {"path": "new.py", "action": "rename", "from": "old.py", "content": "1\n"},
            FileBlock(path="new.py", content="1\n", from_path="old.py"),
        ),
        ({"path": "run.sh", "action": "chmod", "mode": "0755"}, MODE),
        ({"path": "run.sh", "content": "x\n", "executable": True}, FileBlock(path="run.sh", content="x\n", mode="755")),
    ],
)
def test_json_says_acts_by_keys(item: dict[str, object], block: FileBlock) -> None:
    """An entry without `content` that names an act is one; any other is left out, and a note says so."""
    answer = {"summary": "Done.", "course_of_action": [], "files": [item, {"path": "lost.py"}]}
    reading = _read(json.dumps(answer), "json")
    assert reading.files == (block,)
    assert any("1 entries" in note for note in reading.notes)


def test_prompts_say_how_to_delete_and_rename() -> None:
    """The instructions of every format explain acts; the format with a grammar allows them."""
    for name in ("blocks", "tags", "json", "diff", "strict"):
        text = SCHEMAS[name].instructions(N, ())
        assert "delete" in text
        assert "rename" in text
    assert "delete ::=" in (SCHEMAS["strict"].grammar(N, ()) or "")


def test_modes_are_read_as_git_and_people_write_them() -> None:
    """Only plain files have one."""
    assert [mode_of(text) for text in ("100755", "755", "0755", "0o700", "+x", "executable")] == ["755"] * 6
    assert [mode_of(text) for text in ("100644", "644", "0600", "-x")] == ["644"] * 4
    assert [mode_of(text) for text in ("120000", "160000", "", "rwx", "99")] == [""] * 5
