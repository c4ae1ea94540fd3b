"""compare.py: what an answer would change, what is flagged about it, and which answers agree."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.judging.compare import MAX_DIFF_LINES, FileChange, changes, cluster, count_lines, unified_diff
from dce.workspace.project import Project
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.tree.current import look
from dce.workspace.tree.file_form import form_of
from dce.workspace.tree.secret_names import touches_secrets
from tests.workspace.judging import reading_of, sha256, write

LINES = st.lists(st.sampled_from(["a", "b", "c", "", " a", "é\x0c\u2028"]), max_size=12)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


def _project(root: Path, **files: str | bytes) -> Project:
    for path, content in files.items():
        write(root / path.replace("__", "/").replace("_", "."), content)
    return Project.init(root)


def _entry(path: str, content: bytes) -> ManifestEntry:
    return ManifestEntry(path=path, sha256=sha256(content), size=len(content))


def _change(project: Project, path: str, content: str, *manifest: ManifestEntry) -> FileChange:
    return changes(project, reading_of({path: content}), manifest)[0]


def test_new_modified_and_same(tmp_path: Path) -> None:
    """A file is new, modified or the same, with the lines it gains and loses."""
    project = _project(tmp_path, a_py="one\ntwo\nthree\n", b_py="x\n")
    manifest = (_entry("a.py", b"one\ntwo\nthree\n"), _entry("b.py", b"x\n"))
    reading = reading_of({"a.py": "one\n2\nthree\nfour\n", "b.py": "x\n", "d/c.py": "1\n2\n"})
    assert changes(project, reading, manifest) == [
        FileChange(path="a.py", change="modified", added=2, removed=1),
        FileChange(path="b.py", change="same", added=0, removed=0),
        FileChange(path="d/c.py", change="new", added=2, removed=0),
    ]


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", ".git/config", "a/../../b", "C:\\x", ".dce/dce.db", "out/x", "a\0b"]
)
def test_outside(tmp_path: Path, path: str) -> None:
    """A path outside the workspace is flagged and not read."""
    project = _project(tmp_path / "w", a_py="")
    (tmp_path / "w" / "out").symlink_to(tmp_path)
    change = _change(project, path, "x\ny\n")
    assert change == FileChange(path=path, change="new", added=2, removed=0, flags=("outside_workspace",))


def test_stale_base(tmp_path: Path) -> None:
    """Files that were edited, vanished or not shown are stale; a file that already has the answer's content is not."""
    project = _project(tmp_path, a_py="edited\n", c_py="there\n")
    manifest = (_entry("a.py", b"shown\n"), _entry("b.py", b"gone now\n"))
    for path in ("a.py", "b.py", "c.py"):
        assert _change(project, path, "new\n", *manifest).flags == ("stale_base",), path
    assert _change(project, "a.py", "edited\n", *manifest) == FileChange(path="a.py", change="same", added=0, removed=0)


def test_shrunk_file_is_flagged(tmp_path: Path) -> None:
    """A file of more than 20 lines that loses more than 40 % of them is flagged as elided; a smaller one is not."""
    for lines, left, flags in ((21, 12, ("elision",)), (21, 13, ()), (20, 1, ())):
        content = "".join(f"{number}\n" for number in range(lines))
        project = _project(tmp_path, a_py=content)
        shorter = "".join(f"{number}\n" for number in range(left))
        assert _change(project, "a.py", shorter, _entry("a.py", content.encode())).flags == flags, (lines, left)


def test_block_status_becomes_a_flag(tmp_path: Path) -> None:
    """A block that was cut off, or whose end was guessed, flags its file."""
    project = _project(tmp_path)
    blocks = (
        FileBlock(path="a", content="x", status="truncated"),
        FileBlock(path="b", content="x", status="ambiguous"),
    )
    found = changes(project, Reading(files=blocks), ())
    assert [change.flags for change in found] == [("truncated",), ("ambiguous_block",)]


@pytest.mark.parametrize(
    "path",
    [".env", ".env.local", "config/.ENV", "deploy/tls.pem", "id_rsa", ".ssh/config", "home/.aws/credentials", "a.key"],
)
def test_secret_paths(path: str) -> None:
    """Paths that usually contain secrets are recognised by name, whatever their case."""
    assert touches_secrets(path)


@pytest.mark.parametrize("path", ["a.py", ".env.example", "src/secrets.py", "id_rsa.pub", "ssh/config", "environment"])
def test_paths_without_secrets(path: str) -> None:
    """Templates, public keys and ordinary code are not taken for secrets."""
    assert not touches_secrets(path)


def test_odd_files_are_looked_at_without_harm(tmp_path: Path) -> None:
    """A folder, a file in a folder's place and binary content are reported as problems, not raised as errors."""
    project = _project(tmp_path, d__x="x", blob=b"\x00\xff")
    assert look(project, "d").problem == "it is a folder"
    assert look(project, "blob/x").problem == "blob is a file, not a folder"
    assert look(project, "blob").problem == "it is not text now"
    assert all("stale_base" in _change(project, path, "t\n").flags for path in ("d", "blob/x", "blob"))
    for path in ("../x", "n" * 300):
        with pytest.raises(DceError, match="is refused"):
            look(project, path)


@pytest.mark.parametrize(
    ("content", "current", "expected"),
    [
        ("a\nb\n", b"a\r\nc\r\n", b"a\r\nb\r\n"),
        ("a\r\nb\r\n", b"a\nc\n", b"a\nb\n"),
        ("b\n", b"\xef\xbb\xbfa\n", b"\xef\xbb\xbfb\n"),
        ("\ufeffb\n", b"a\n", b"b\n"),
        ("a\nb\n", b"a\r\nb\r\n", b"a\r\nb\r\n"),
        ("a\nb\n", b"a\r\nb\n", b"a\r\nb\n"),
        ("a\n", b"a", b"a"),
        ("a\nb\n", b"a", b"a\nb"),
        ("a\r\nb\r\n", b"a", b"a\r\nb"),
        ("a\nc\n", b"a\nb", b"a\nc"),
        ("a\nc\n", b"a\r\nb", b"a\r\nc"),
        ("a\nb\nc\n", b"a\r\nx\r\ny\nb", b"a\r\nb\r\nc"),
        ("\n", b"a", b"\n"),
        ("a\nc\n", b"a\rb\r", b"a\rc\r"),
        ("a\rc\r", b"a\rb\r", b"a\rc\r"),
        ("a\nc\n", b"a\rb", b"a\rc"),
        ("a\nb\n", b"a\rb\r", b"a\rb\r"),
        ("a\rb\nd\n", b"a\rb\nc\n", b"a\rb\nd\n"),
        ("a\r\nb\n", None, b"a\r\nb\n"),
        ("a\r\n", b"", b"a\r\n"),
    ],
)
def test_form_of_the_replaced_file_is_kept(content: str, current: bytes | None, expected: bytes) -> None:
    """Line ends and BOM of the replaced file are kept; an answer that differs only in them changes nothing."""
    assert form_of(current).bytes_to_write(content) == expected


@given(TEXTS, TEXTS)
def test_counts_add_up(before: str, after: str) -> None:
    """Lines before, minus removed, plus added, equal the lines after; equal texts count 0."""
    added, removed = count_lines(before, after)
    lines_before, lines_after = (text.count("\n") + bool(text and text[-1] != "\n") for text in (before, after))
    assert lines_before - removed + added == lines_after
    assert (before == after) == (unified_diff(before, after, "f") == "")


def test_diff_is_what_patch_reads(tmp_path: Path) -> None:
    """`git apply` turns one text into the other with the diff, with and without a final newline."""
    cases = [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\nb", "a\nb\n"),
        ("a\n", "a\nb"),
        (
            "".join(f"{n}\n" for n in range(50)),
            "".join(f"{n}\n" for n in range(50) if n not in (3, 40)) + "x\x0cy\u2028\n",
        ),
        ("one\n", "two\nthree\n"),
    ]
    for number, (before, after) in enumerate(cases):
        folder = tmp_path / str(number)
        write(folder / "f", before)
        diff = unified_diff(before, after, "f")
        subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=folder, input=diff.encode(), check=True)
        assert (folder / "f").read_bytes() == after.encode(), diff


def test_huge_files_are_counted_cheaply() -> None:
    """Beyond the limit, lines are counted as a multiset, so that a million moved lines cost no more than reading them."""
    before = [f"{number}\n" for number in range(MAX_DIFF_LINES * 20)]
    after = [*reversed(before), "new\n"]
    assert count_lines("".join(before), "".join(after)) == (1, 0)
    assert unified_diff("".join(before), "".join(after), "f").count("\n") > len(before)


def test_clusters() -> None:
    """Answers with the same resulting files share a letter; A is the largest group; answers without files have none."""
    readings = {
        1: reading_of({"a.py": "x = 1\n"}),
        2: reading_of({"a.py": "x = 2\n\n\ny = 1\n"}),
        3: reading_of({"a.py": "x = 2   \ny = 1"}),
        4: Reading(parse="failed"),
        5: reading_of({"a.py": "  x = 1\n"}),
        6: reading_of({}),
    }
    assert cluster(readings) == {1: "B", 2: "A", 3: "A", 4: "", 5: "C", 6: ""}


def test_repeated_file_makes_no_difference() -> None:
    """An answer that repeats a file unchanged agrees with one that leaves it out, whatever the file's line ends on disk."""
    manifest = [_entry("b.py", b"\xef\xbb\xbfone\r\ntwo\r\n"), _entry("c.py", b"end")]
    readings = {
        1: reading_of({"a.py": "x\n"}),
        2: reading_of({"a.py": "x\n", "b.py": "one\ntwo\n", "c.py": "end\n"}),
        3: reading_of({"a.py": "x\n", "b.py": "one\n2\n"}),
    }
    assert cluster(readings, manifest) == {1: "A", 2: "A", 3: "B"}


def test_more_clusters_than_letters() -> None:
    """The 27th group is AA."""
    letters = cluster({slot: reading_of({"a": str(slot)}) for slot in range(1, 29)})
    assert (letters[26], letters[27], letters[28]) == ("Z", "AA", "AB")
