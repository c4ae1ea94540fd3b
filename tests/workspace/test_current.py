"""A path of the workspace as it is now."""

from pathlib import Path

from dce.workspace.project import Project
from dce.workspace.tree.current import MAX_KEPT_BYTES, CurrentFiles, look
from dce.workspace.tree.file_form import form_of

POLISH = "Zażółć gęślą jaźń, książka leży na półce, święta są w grudniu, źdźbło trawy\n" * 3


def test_answers_that_are_compared_together_look_at_a_file_once(tmp_path: Path) -> None:
    """A file is read, and its encoding guessed, once for all answers; another comparison reads it again."""
    (tmp_path / "a.txt").write_bytes(POLISH.encode("cp1250"))
    files = CurrentFiles(Project(tmp_path))
    first = files.at("a.txt")
    (tmp_path / "a.txt").write_text("edited\n")
    assert files.at("a.txt") is first
    assert first.form is first.form
    assert CurrentFiles(Project(tmp_path)).at("a.txt").text == "edited\n"


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Files beyond the limit are read each time and not cached."""
    files = CurrentFiles(Project(tmp_path))
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(MAX_KEPT_BYTES - 1)
    assert files.at("a") is files.at("a")
    assert files.at("b") is not files.at("b")


def test_a_file_that_is_no_text_is_a_problem_but_no_obstacle(tmp_path: Path) -> None:
    """A file that is not text exists, but must not be overwritten."""
    (tmp_path / "blob").write_bytes(b"\x00\x01" * 20)
    current = look(Project(tmp_path), "blob")
    assert (current.problem, current.is_blocked) == ("it is not text now", False)


def test_what_is_written_is_read_in_the_encoding_it_was_written_in() -> None:
    """The new text has the file's encoding, not one guessed from the new bytes, which may be too few."""
    form = form_of(POLISH.encode("cp1250"))
    assert form.text == POLISH
    assert form.text_written(form.bytes_to_write("żółw\n")) == "żółw\n"
