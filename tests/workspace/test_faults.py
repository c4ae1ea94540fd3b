"""Faults of the original tool, by their number in docs/faults.md: those that no other test covers."""

import subprocess
from pathlib import Path

import pytest

from dce.workspace.accepting.accept import accept
from dce.workspace.accepting.restoring import restore
from dce.workspace.context.selection import Selection
from dce.workspace.judging.compare import changes, unified_diff
from dce.workspace.project import Project
from dce.workspace.record.cycles import Cycles
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.record.responses import Status
from dce.workspace.schema import read_answer
from dce.workspace.settings import Settings
from dce.workspace.tree.files import list_files, read_text
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider
from tests.workspace.judging import Bench, reading_of, sha256
from tests.workspace.loop import a_generation, a_store


def _workspace(root: Path) -> Workspace:
    root.mkdir(exist_ok=True)
    return Workspace.open(Project.init(root), Settings(), provider=ScriptedProvider([]))


def test_what_is_done_to_one_cycle_stays_with_it(tmp_path: Path) -> None:
    """D5: editing, choosing and deleting name their cycle; all others are unchanged."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        kept = [cycles.create(f"cycle {number}", "context", "logs") for number in range(3)]
        generation = a_generation(store, cycle=2)
        cycles.edit(2, title="new", context="new", ephemeral="")
        store.cycles.choose(2, generation.id, 1, 5.0)
        assert [cycles.get(1), cycles.get(3)] == [kept[0], kept[2]]
        cycles.delete(2)
        assert [cycles.get(1), cycles.get(3)] == [kept[0], kept[2]]


def test_cycle_zero_is_saved_as_any_other(tmp_path: Path) -> None:
    """D6: the scope is a field of an ordinary row: edited with a revision, kept after reopening, in every later prompt."""
    with _workspace(tmp_path / "w") as workspace:
        before = workspace.cycles.get(0)
        assert workspace.cycles.edit(0, rev=before.rev, context="A game of cards.").rev == before.rev + 1
    with _workspace(tmp_path / "w") as workspace:
        assert workspace.cycles.get(0).context == "A game of cards."
        workspace.cycles.create("first")
        assert workspace.preparation.inputs.of(1).scope == "A game of cards."


def test_choices_and_selection_outlive_the_process(tmp_path: Path) -> None:
    """D7: selected files, their level of detail, the chosen response and the card are all kept when the workspace is reopened."""
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    with _workspace(root) as workspace:
        workspace.selection.add(["a.py"])
        workspace.selection.show(["a.py"], "outline")
        cycle = workspace.cycles.create("t")
        generation = a_generation(workspace.store, n=2, cycle=cycle.id)
        workspace.store.cycles.choose(cycle.id, generation.id, 2, 1.0)
        workspace.cycles.set_card(cycle.id, "manual")
    with _workspace(root) as workspace:
        now = workspace.cycles.get(cycle.id)
        assert (workspace.selection.paths(), workspace.selection.details()) == (("a.py",), {"a.py": "outline"})
        assert (now.chosen_generation, now.chosen_slot, now.card) == (generation.id, 2, "manual")


def test_a_save_writes_what_changed_and_no_more(tmp_path: Path) -> None:
    """D8: with megabytes of responses beside it, editing a title writes pages, not the history."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        cycle = cycles.create("t")
        generation = a_generation(store, n=10, cycle=cycle.id)
        store.progress.save_ends(
            type(response)(
                generation=generation.id, slot=response.slot, version=1, status=Status.COMPLETE, text="word " * 60_000
            )
            for response in store.responses.latest(generation.id)
        )
    log = tmp_path / "dce.db-wal"
    with a_store(tmp_path) as store:
        Cycles(store.database, Clock()).edit(cycle.id, title="another")
        assert log.stat().st_size < 100_000


def test_cycles_are_walked_in_their_order_with_gaps(tmp_path: Path) -> None:
    """D11: after a middle cycle is deleted, the list has the others in order, and the next prompt has their history."""
    with _workspace(tmp_path / "w") as workspace:
        for number in range(1, 5):
            workspace.cycles.create(f"cycle {number}", f"context {number}")
        workspace.cycles.delete(2)
        assert [cycle.id for cycle in workspace.cycles.list()] == [0, 1, 3, 4]
        assert [cycle.id for cycle in workspace.preparation.inputs.of(4).history] == [1, 3]


def test_a_workspace_is_fresh_when_it_has_no_cycles(tmp_path: Path) -> None:
    """D12: no file of the project says whether there is a history; the store does."""
    root = tmp_path / "w"
    with _workspace(root) as workspace:
        assert workspace.cycles.current().id == 0
        workspace.cycles.create("first")
    (root / "README.md").write_text("# Not ours\n")
    with _workspace(root) as workspace:
        assert workspace.cycles.current().id == 1


def test_a_folder_of_many_files_goes_in_whole(tmp_path: Path) -> None:
    """P1: sixty files of one folder are all in the prompt, each with its text."""
    root = tmp_path / "w"
    root.mkdir()
    for number in range(60):
        (root / f"file{number}.md").write_text(f"text {number} of the file\n")
    with _workspace(root) as workspace:
        workspace.selection.add(["."])
        shown = {file.path: file.text for file in workspace.preparation.inputs.of(0).files}
    assert shown == {f"file{number}.md": f"text {number} of the file\n" for number in range(60)}


NAMES = ["distance.py", "venv_utils.py", "venvs/a.py", ".github/ci.yml", ".gitignore", "my-prompt.md", "builder.py"]


@pytest.mark.parametrize("is_repository", [True, False])
def test_names_are_ignored_by_rules_and_not_by_likeness(tmp_path: Path, *, is_repository: bool) -> None:
    """P8: `dist/` excludes a folder of that name, and nothing that only begins or ends with it."""
    if is_repository:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in [*NAMES, "dist/out.js", "venv/lib.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n")
    (tmp_path / ".gitignore").write_text("dist/\nvenv/\n")
    assert {entry.path for entry in list_files(Project.init(tmp_path)) if not entry.excluded} == set(NAMES)


def test_what_is_text_is_told_by_its_content(tmp_path: Path) -> None:
    """P9: an SVG picture and a CSV table are read as text, zeros included; a font named .txt is not text."""
    (tmp_path / "a.svg").write_text("<svg/>\n")
    (tmp_path / "b.csv").write_text("n,ok\n0,false\n")
    (tmp_path / "c.txt").write_bytes(b"wOFF\x00\x01\x00\x00" * 20)
    project = Project.init(tmp_path)
    excluded = {entry.path: bool(entry.excluded) for entry in list_files(project)}
    assert excluded == {"a.svg": False, "b.csv": False, "c.txt": True}
    assert (read_text(project, "a.svg").text, read_text(project, "b.csv").text) == ("<svg/>\n", "n,ok\n0,false\n")


def test_one_file_has_one_name(tmp_path: Path) -> None:
    """P11: a file added by name, by folder and by pattern is selected once, and one removal removes it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x\n")
    project = Project.init(tmp_path)
    with a_store(tmp_path) as store:
        selection = Selection(project, store.meta)
        selection.add(["src/a.py", "src", "src/", "./src/a.py", "**/*.py"])
        assert selection.paths() == ("src/a.py",)
        selection.remove(["src"])
        assert selection.paths() == ()


LINES = [f"line {number} of a service\n" for number in range(100)]


@pytest.mark.parametrize(
    ("text", "added", "removed"),
    [
        ("".join(reversed(LINES)), 99, 99),
        ("".join(LINES[:50]), 0, 50),
        ("".join(f"{number} something else\n" for number in range(80)), 80, 100),
    ],
)
def test_likeness_is_of_lines_in_their_order(tmp_path: Path, text: str, added: int, removed: int) -> None:
    """H5: reversed lines, half a file and a different file are compared by changed lines, not by common letters."""
    (tmp_path / "a.py").write_text("".join(LINES))
    project = Project.init(tmp_path)
    before = (tmp_path / "a.py").read_bytes()
    manifest = (ManifestEntry(path="a.py", sha256=sha256(before), size=len(before)),)
    [change] = changes(project, reading_of({"a.py": text}), manifest)
    assert (change.added, change.removed) == (added, removed)


def test_what_would_change_follows_the_disk(tmp_path: Path) -> None:
    """H8: new, same and stale describe the file as it is now, whatever it was when the answer came."""
    project = Project.init(tmp_path)
    reading = reading_of({"a.py": "x = 1\n"})
    assert changes(project, reading, ())[0].change == "new"
    (tmp_path / "a.py").write_text("x = 1\n")
    assert changes(project, reading, ())[0].change == "same"
    (tmp_path / "a.py").write_text("x = 2\n")
    assert changes(project, reading, ())[0].change == "modified"


def test_a_new_file_has_a_diff() -> None:
    """H9: compared with no file, every line counts as added."""
    diff = unified_diff("", "one\ntwo\n", "a.py")
    assert [line for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")] == [
        "+one",
        "+two",
    ]


def test_an_answer_in_no_form_is_shown_raw() -> None:
    """H11: each answer is parsed independently: one that cannot be parsed says so and keeps all its text."""
    text = "I would rather talk.\n"
    reading = read_answer(text, "blocks", "abc123")
    assert (reading.parse, reading.files, reading.summary.strip()) == ("failed", (), text.strip())


def test_words_of_a_person_or_a_model_are_no_command(tmp_path: Path) -> None:
    """S1: a title and a file name that a shell would run are only text, also when passed to git."""
    words = "; touch made; `touch made` $(touch made) #"
    bench = Bench(tmp_path, {"a.py": "x\n"})
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    Cycles(bench.store.database, bench.clock).edit(0, title=words)
    accept(bench, bench.answer({words: "1\n", "a.py": "y\n"}), 1)
    assert (tmp_path / words).read_text() == "1\n"
    restore(bench)
    assert {path.name for path in tmp_path.iterdir()} == {".git", ".dce", "a.py"}
