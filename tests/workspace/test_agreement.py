"""Where responses agree: by file and by the lines that they change."""

from pathlib import Path

from dce.workspace.judging.agreement import agreement
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, builtins

LINES = [f"line {number}\n" for number in range(40)]
TEXT = "".join(LINES)


def changed(*numbers: int, to: str = "new") -> str:
    return "".join(f"{to} {number}\n" if number in numbers else line for number, line in enumerate(LINES))


def test_files_by_responses(tmp_path: Path) -> None:
    """Files that more responses change come first; responses with the same text, apart from blank lines, share a letter."""
    bench = Bench(tmp_path, {"a.py": TEXT, "b.py": "b\n"})
    generation = bench.answer(
        {"a.py": changed(1), "b.py": "b\n"},
        {"a.py": changed(2)},
        {"a.py": changed(2) + "\n\n", "new.py": "1\n"},
    )
    files = agreement(bench, generation).files
    assert [file.path for file in files] == ["a.py", "new.py"]
    assert [(cell.slot, cell.group) for cell in files[0].cells] == [(1, "B"), (2, "A"), (3, "A")]
    assert builtins(files[1].cells) == [{"slot": 3, "change": "new", "added": 1, "removed": 0, "group": "A"}]


def test_likeness_is_of_what_changes(tmp_path: Path) -> None:
    """The same change is 100 %, a different one 0 %, one shared by half 50 %, however much of the file is unchanged."""
    bench = Bench(tmp_path, {"a.py": TEXT})
    generation = bench.answer(
        {"a.py": changed(1, 30)}, {"a.py": changed(1, 30)}, {"a.py": changed(1)}, {"a.py": changed(20, to="x")}, {}
    )
    found = agreement(bench, generation)
    assert found.slots == (1, 2, 3, 4)
    percents = {(pair.first, pair.second): pair.percent for pair in found.likeness}
    assert percents[1, 2] == 100
    assert percents[1, 3] == percents[2, 3] == 67
    assert percents[1, 4] == percents[3, 4] == 0


def test_an_answer_outside_the_workspace_is_compared_all_the_same(tmp_path: Path) -> None:
    """A path that may not be written has no file to compare with, and causes no error."""
    bench = Bench(tmp_path, {"a.py": TEXT})
    generation = bench.answer({"../../etc/passwd": "root\n"}, {"a.py": changed(1)})
    assert agreement(bench, generation).slots == (1, 2)


def test_acts_are_compared_like_texts(tmp_path: Path) -> None:
    """Deleting a file is neither the same as emptying it nor as another's rename; equal acts are 100 % alike, one without text counts too."""
    bench = Bench(tmp_path, {"a.py": TEXT, "b.py": "b\n"})

    def does(block: FileBlock) -> Reading:
        return Reading(files=(block,))

    rename = FileBlock(path="c.py", content="", action="rename", from_path="b.py")
    delete = FileBlock(path="a.py", content="", action="delete")
    generation = bench.answer(does(delete), does(delete), {"a.py": ""}, does(rename), does(rename))
    found = agreement(bench, generation)
    by_path = {file.path: [(cell.slot, cell.change, cell.group) for cell in file.cells] for file in found.files}
    assert by_path == {
        "a.py": [(1, "deleted", "A"), (2, "deleted", "A"), (3, "modified", "B")],
        "c.py": [(4, "renamed", "A"), (5, "renamed", "A")],
    }
    assert found.slots == (1, 2, 3, 4, 5)
    percents = {(pair.first, pair.second): pair.percent for pair in found.likeness}
    assert percents[1, 2] == percents[4, 5] == 100
    assert 0 < percents[1, 3] < 100
    assert percents[1, 4] == 0
