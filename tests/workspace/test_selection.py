"""The current selection and the named sets."""

import contextlib
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.context.selection import META_KEY, Selection
from dce.workspace.project import Project


class FakeStore:
    """The store's meta table."""

    def __init__(self) -> None:
        self.meta: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.meta.get(key)

    def set(self, key: str, value: str) -> None:
        self.meta[key] = value

    def updating(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


FILES = {
    "README.md": "x",
    "src/a.py": "x",
    "src/b.py": "x",
    "src/deep/c.py": "x",
    "src/deep/d.txt": "x",
    "odd/[id].ts": "x",
    "image.bin": "\0",
    ".gitignore": "*.log\n",
    "debug.log": "x",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Project.init(tmp_path)


@pytest.fixture
def selection(project: Project) -> Selection:
    return Selection(project, FakeStore())


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        (["README.md"], ["README.md"]),
        (["./src/a.py", "src//a.py", "src/a.py"], ["src/a.py"]),
        (["src"], ["src/a.py", "src/b.py", "src/deep/c.py", "src/deep/d.txt"]),
        (["src/deep/"], ["src/deep/c.py", "src/deep/d.txt"]),
        (["*.py"], ["src/a.py", "src/b.py", "src/deep/c.py"]),
        (["src/*.py"], ["src/a.py", "src/b.py"]),
        (["src/**/*.txt", "README.md"], ["README.md", "src/deep/d.txt"]),
        (["odd/[id].ts"], ["odd/[id].ts"]),
        (["debug.log"], ["debug.log"]),
        (["."], [".gitignore", "README.md", "odd/[id].ts", "src/a.py", "src/b.py", "src/deep/c.py", "src/deep/d.txt"]),
    ],
)
def test_files_folders_and_globs_are_added_once_in_one_spelling(
    selection: Selection, patterns: list[str], selected: list[str]
) -> None:
    """However files are named, the selection has each once, canonical and sorted; files that cannot be selected are left out."""
    assert selection.add(patterns) == tuple(selected)
    assert selection.paths() == tuple(selected)
    assert selection.add(patterns) == ()


def test_what_does_not_come_along_is_named_with_its_reason(selection: Selection, project: Project) -> None:
    """A folder or glob reports which of its files are left out, and why; one that adds none says so."""
    (project.root / "id.pem").write_text("x")
    (project.root / "spec.pdf").write_bytes(b"%PDF-1.7")
    reasons = selection.match(["."]).passed_over
    assert list(reasons) == ["id.pem", "image.bin", "spec.pdf"]
    assert "keys or passwords" in reasons["id.pem"]
    assert reasons["image.bin"] == "binary"
    assert "if named" in reasons["spec.pdf"]
    assert "id.pem" not in selection.match([".", "id.pem"]).passed_over
    assert selection.match(["src", "README.md"]).passed_over == {}
    with pytest.raises(DceError, match=r"id\.pem: its name suggests"):
        selection.add(["*.pem"])


@pytest.mark.parametrize(
    ("pattern", "code", "hint"),
    [
        ("src/aa.py", "not_found", "src/a.py"),
        ("c.py", "not_found", "src/deep/c.py"),
        ("*.rs", "not_found", ""),
        ("image.bin", "invalid_input", ""),
        ("../outside", "outside_workspace", ""),
        ("/etc/passwd", "outside_workspace", ""),
        (".dce/.gitignore", "outside_workspace", ""),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_changes(
    selection: Selection, pattern: str, code: str, hint: str
) -> None:
    """If one name is wrong, nothing is selected, and the error names the nearest file."""
    with pytest.raises(DceError) as caught:
        selection.add(["README.md", pattern])
    assert caught.value.code == code
    assert hint in caught.value.hint
    assert selection.paths() == ()


def test_files_and_folders_are_removed_also_when_they_are_gone(selection: Selection, project: Project) -> None:
    """A file deleted from disk can still be deselected; one that is not selected cannot."""
    selection.add(["src", "README.md"])
    (project.root / "src/a.py").unlink()
    assert selection.remove(["src/a.py"]) == ("src/a.py",)
    assert selection.remove(["src/deep"]) == ("src/deep/c.py", "src/deep/d.txt")
    assert selection.remove(["*.md"]) == ("README.md",)
    with pytest.raises(DceError) as caught:
        selection.remove(["src/bb.py"])
    assert caught.value.code == "not_found"
    assert "src/b.py" in caught.value.hint
    assert selection.paths() == ("src/b.py",)
    selection.clear()
    assert selection.paths() == ()


def test_replace_takes_exactly_these_files(selection: Selection, project: Project) -> None:
    """A list of paths from a user interface becomes the selection; vanished selected files may stay, new ones must exist."""
    selection.replace(["src/b.py", "./src/a.py"])
    assert selection.paths() == ("src/a.py", "src/b.py")
    (project.root / "src/a.py").unlink()
    selection.replace(["src/a.py", "README.md"])
    assert selection.paths() == ("README.md", "src/a.py")
    for path in ("nothing.py", "image.bin", "../x"):
        with pytest.raises(DceError):
            selection.replace([path])
    assert selection.paths() == ("README.md", "src/a.py")


def test_named_sets_are_kept_in_a_file_that_people_can_read(selection: Selection, project: Project) -> None:
    """Saving, changing and loading restores the saved files; those that no longer exist are named and left out."""
    selection.add(["src/a.py", "README.md"])
    selection.save("docs & code")
    selection.clear()
    selection.save("empty")
    assert selection.sets() == {"docs & code": ("README.md", "src/a.py"), "empty": ()}
    assert '"docs & code" = [' in (project.state_dir / "selections.toml").read_text()
    (project.root / "src/a.py").unlink()
    assert selection.load("docs & code") == ("src/a.py",)
    assert selection.paths() == ("README.md",)
    with pytest.raises(DceError) as caught:
        selection.load("docs and code")
    assert "docs & code" in caught.value.hint
    with pytest.raises(DceError):
        selection.save(" ")


def test_a_shared_file_cannot_reach_out_of_the_workspace(selection: Selection, project: Project) -> None:
    """A committed selections.toml is untrusted input: bad paths and bad shapes are refused, nothing is selected."""
    file = project.state_dir / "selections.toml"
    file.write_text('evil = ["../../etc/passwd"]')
    with pytest.raises(DceError) as caught:
        selection.load("evil")
    assert caught.value.code == "outside_workspace"
    for content in ("a = 1", "a = [", "\udcff"):
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(DceError) as caught:
            selection.sets()
        assert caught.value.code == "invalid_input"
    assert selection.paths() == ()


def test_a_broken_store_is_not_an_empty_selection(project: Project) -> None:
    """A value that is not a list of paths is an error, never "nothing selected"."""
    store = FakeStore()
    store.meta[META_KEY] = '{"a": 1}'
    with pytest.raises(DceError) as caught:
        Selection(project, store).paths()
    assert caught.value.code == "store_unreadable"


def test_a_forgotten_set_is_gone_and_the_selection_stays(selection: Selection) -> None:
    """Deleting removes only the named set; a missing one is named in the error."""
    selection.add(["src"])
    chosen = selection.paths()
    selection.save("one")
    selection.save("two")
    selection.delete("one")
    assert list(selection.sets()) == ["two"]
    assert selection.paths() == chosen
    with pytest.raises(DceError, match="one"):
        selection.delete("one")


def test_sets_carry_how_much_of_a_file_is_shown(selection: Selection) -> None:
    """Saved, loaded and merged sets keep their levels of detail; comparing names the files whose levels differ."""
    selection.add(["src"])
    first, second, *_ = selection.paths()
    selection.show([first], "outline")
    selection.save("small")
    selection.show([first], "full")
    assert selection.difference("small").shown_differently == (first,)
    selection.show([second], "path")
    assert selection.merge("small") == ()
    assert selection.details() == {first: "outline"}
    selection.clear()
    selection.load("small")
    assert selection.details() == {first: "outline"}
    assert selection.sets()["small"] == selection.paths()
    assert selection.difference("small").shown_differently == ()
