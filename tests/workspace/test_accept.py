"""accept.py: what may be written into the workspace, and the form it takes there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, Part, PlannedWrite, accept, plan, restorable, restore
from dce.workspace.record.responses import Status
from dce.workspace.schema.reading import FileBlock, Reading, Unapplied
from tests.workspace.judging import Bench, snapshot, write

FILES = {"a.py": "one\n", "b.py": "two\n", "d/c.py": "three\n"}


def _refused(bench: Bench, generation: int, *paths: str) -> DceError:
    """The error of an accept, which must not change anything."""
    before = snapshot(bench.root)
    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1, paths)
    assert snapshot(bench.root) == before
    assert bench.store.acceptances.list() == ()
    return caught.value


def test_accept_writes_all_files(tmp_path: Path) -> None:
    """New and changed files are written, unchanged ones left alone; the response becomes the cycle's choice."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"x": "y"}, {"a.py": "1\n", "b.py": "two\n", "new/deep/e.py": "5\n"})
    untouched = (tmp_path / "b.py").stat()
    planned, acceptance = accept(bench, generation, 2)
    assert planned == [
        PlannedWrite(path="a.py", change="modified", added=1, removed=1),
        PlannedWrite(path="b.py", change="same"),
        PlannedWrite(path="new/deep/e.py", change="new", added=1),
    ]
    assert acceptance is not None
    assert acceptance == restorable(bench)
    assert (acceptance.generation, acceptance.slot, acceptance.version) == (generation, 2, 1)
    assert [file.path for file in acceptance.files] == ["a.py", "new/deep/e.py"]
    assert (tmp_path / "a.py").read_text() == "1\n"
    assert (tmp_path / "new/deep/e.py").read_text() == "5\n"
    assert (tmp_path / "b.py").stat() == untouched
    cycle = bench.store.cycles.get(0)
    assert (cycle.chosen_generation, cycle.chosen_slot) == (generation, 2)
    assert [path for path in snapshot(tmp_path) if "tmp" in path] == []


def test_some_paths(tmp_path: Path) -> None:
    """PATHs pick files, however they are spelled; for a path the response does not contain, not_found lists those it does."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n", "./d//c.py": "3\n", "../evil": "x"})
    planned, _ = accept(bench, generation, 1, ["d/c.py"])
    assert [write.path for write in planned] == ["d/c.py"]
    assert (tmp_path / "a.py").read_text() == "one\n"
    accept(bench, generation, 1, ["./a.py"])
    assert (tmp_path / "a.py").read_text() == "1\n"
    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1, ["a.py", "nope.py"])
    assert (caught.value.code, caught.value.hint) == ("not_found", "It holds: ../evil, a.py, d/c.py.")
    assert "nope.py" in caught.value.message


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    """A dry run shows the plan with refused files marked, takes no lock and writes nothing."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n", "../x": "x"})
    bench.is_locked_elsewhere = True
    before = snapshot(tmp_path)
    planned, acceptance = accept(bench, generation, 1, dry_run=True)
    assert planned == plan(bench, generation, 1)
    assert acceptance is None
    assert [(write.path, write.refused) for write in planned] == [("a.py", ""), ("../x", "it leads upwards (`..`)")]
    assert snapshot(tmp_path) == before
    assert bench.store.acceptances.list() == ()
    assert bench.store.cycles.get(0).chosen_slot is None


def test_paths_outside_are_refused_all_together(tmp_path: Path) -> None:
    """Every path outside the workspace is named in one error, and not even the harmless file is written."""
    root = tmp_path / "w"
    bench = Bench(root, FILES)
    (root / "link").symlink_to(tmp_path)
    (root / "dangling").symlink_to("../created")
    bad = ["../x", "/etc/cron.d/x", "link/x", "dangling", ".git/config", ".GIT/hooks/pre-commit", ".dce/dce.db"]
    generation = bench.answer({"a.py": "1\n", **dict.fromkeys(bad, "x")}, shown=["a.py"])
    error = _refused(bench, generation)
    assert error.code == "outside_workspace"
    assert all(path in error.message for path in bad)
    assert "a.py" not in error.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]


def test_stale_files_are_refused_all_together(tmp_path: Path) -> None:
    """Files that were edited, deleted, not shown or are no longer text are named in one error, each with its reason."""
    bench = Bench(tmp_path, {**FILES, "hidden.py": "not shown\n", "blob": "text\n"})
    generation = bench.answer(
        dict.fromkeys(["a.py", "b.py", "hidden.py", "blob", "d", "d/c.py/x", "appeared.py", "d/c.py"], "new\n"),
        shown=["a.py", "b.py", "d/c.py", "blob"],
    )
    (tmp_path / "a.py").write_text("edited\n")
    (tmp_path / "b.py").unlink()
    (tmp_path / "appeared.py").write_text("since\n")
    (tmp_path / "blob").write_bytes(b"\x00\xff")
    error = _refused(bench, generation)
    assert error.code == "stale_file"
    assert error.message == (
        "nothing was written, refused: a.py (changed since the prompt was made); b.py (deleted since the prompt was made);"
        " hidden.py, appeared.py (it exists, and the prompt did not show it); blob (it is not text now); d (it is a folder);"
        " d/c.py/x (d/c.py is a file, not a folder)"
    )


@pytest.mark.parametrize("last", ["../out", "a.py", "locked.py"])
def test_mixed_refusals_carry_the_gravest_code(tmp_path: Path, last: str) -> None:
    """outside_workspace outranks stale_file, which outranks invalid_input, in whatever order the answer has the files."""
    bench = Bench(tmp_path, {**FILES, "locked.py": "1\n"})
    answer = dict.fromkeys(["../out", "a.py", "locked.py"], "new\n")
    answer[last] = answer.pop(last)
    without_outside = {path: text for path, text in answer.items() if path != "../out"}
    mixed = bench.answer(answer, shown=["a.py", "locked.py"])
    inside = bench.answer(without_outside, shown=["a.py", "locked.py"])
    (tmp_path / "a.py").write_text("edited\n")
    (tmp_path / "locked.py").chmod(0o400)
    error = _refused(bench, mixed)
    assert error.code == "outside_workspace"
    assert all(path in error.message for path in answer)
    assert _refused(bench, inside).code == "stale_file"


def test_file_that_already_is_so_is_never_stale(tmp_path: Path) -> None:
    """Accepting files that already have this content does nothing, and succeeds."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n"})
    (tmp_path / "a.py").write_text("1\n")
    assert accept(bench, generation, 1) == ([PlannedWrite(path="a.py", change="same")], None)
    assert bench.store.cycles.get(0).chosen_slot == 1


def test_second_response_after_the_first(tmp_path: Path) -> None:
    """After one response is accepted, another is stale where they overlap, since it would overwrite the first; other files are not."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n"}, {"a.py": "I\n", "b.py": "II\n"})
    accept(bench, generation, 1)
    with pytest.raises(DceError, match=r"a\.py") as caught:
        accept(bench, generation, 2)
    assert caught.value.code == "stale_file"
    accept(bench, generation, 2, ["b.py"])
    assert [row.slot for row in bench.store.acceptances.list("applied")] == [2, 1]


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [
        (b"a\r\nb\r\n", "a\nc\n", b"a\r\nc\r\n"),
        (b"\xef\xbb\xbfa\n", "b\n", b"\xef\xbb\xbfb\n"),
        (b"a\nb", "a\nc\n", b"a\nc"),
        (b"a\rb\r", "a\nc\n", b"a\rc\r"),
    ],
)
def test_form_is_kept(tmp_path: Path, before: bytes, content: str, after: bytes) -> None:
    """Line ends, BOM and mode of the replaced file are kept."""
    bench = Bench(tmp_path, {"a": before})
    (tmp_path / "a").chmod(0o751)
    accept(bench, bench.answer({"a": content}), 1)
    assert (tmp_path / "a").read_bytes() == after
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o751


def test_new_files_have_the_usual_mode(tmp_path: Path) -> None:
    """A new file gets the user's default mode."""
    bench = Bench(tmp_path)
    (tmp_path / "usual").touch()
    accept(bench, bench.answer({"new": "x"}), 1)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_symlink_inside_is_written_through(tmp_path: Path) -> None:
    """A link to a file of the workspace stays a link; its target gets the text."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "link.py").symlink_to("a.py")
    generation = bench.answer({"link.py": "1\n"}, shown=["link.py"])
    accept(bench, generation, 1)
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "a.py").read_text() == "1\n"


def test_same_file_twice(tmp_path: Path) -> None:
    """Two blocks for one file are refused if their texts differ, also through a link; written once if they agree."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "link.py").symlink_to("a.py")
    for other, is_refused in (("2\n", True), ("1\n", False)):
        blocks = (FileBlock(path="a.py", content="1\n"), FileBlock(path="link.py", content=other))
        generation = bench.answer(Reading(files=blocks), shown=["a.py", "link.py"])
        if is_refused:
            assert "twice" in _refused(bench, generation).message
        else:
            assert accept(bench, generation, 1)[1] is not None


def test_truncated_block_needs_its_name(tmp_path: Path) -> None:
    """A file that the answer was cut off in is refused, unless the user names it."""
    bench = Bench(tmp_path, FILES)
    blocks = (FileBlock(path="b.py", content="2\n"), FileBlock(path="a.py", content="1", status="truncated"))
    generation = bench.answer(Reading(files=blocks))
    error = _refused(bench, generation)
    assert (error.code, "a.py" in error.message) == ("invalid_input", True)
    accept(bench, generation, 1, ["a.py"])
    assert (tmp_path / "a.py").read_text() == "1"


def test_read_only_file_is_refused(tmp_path: Path) -> None:
    """A read-only file is not replaced."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "a.py").chmod(0o444)
    assert "read-only" in _refused(bench, bench.answer({"a.py": "1\n"})).message


def test_nothing_to_accept(tmp_path: Path) -> None:
    """A response without files, a running one and a missing one give clear errors."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({}, {"a.py": "1\n"}, statuses={2: Status.GENERATING})
    for slot, code in ((1, "not_found"), (2, "conflict"), (3, "not_found")):
        with pytest.raises(DceError) as caught:
            accept(bench, generation, slot)
        assert caught.value.code == code


def test_needs_the_writer_lock(tmp_path: Path) -> None:
    """While another process holds the workspace's lock, nothing is written."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n"})
    bench.is_locked_elsewhere = True
    assert _refused(bench, generation).code == "workspace_locked"


def test_edit_between_plan_and_write_is_not_lost(tmp_path: Path) -> None:
    """A file edited while accept is running keeps the edit, and the files already written are restored."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n", "b.py": "2\n"})

    def on_step(step: str) -> None:
        if step == "written a.py":
            (tmp_path / "b.py").write_text("edited\n")

    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1, on_step=on_step)
    assert caught.value.code == "stale_file"
    assert (tmp_path / "a.py").read_text() == "one\n"
    assert (tmp_path / "b.py").read_text() == "edited\n"
    assert restorable(bench) is None


def test_full_disk_leaves_the_workspace_as_it_was(tmp_path: Path) -> None:
    """When the system refuses to write a file, nothing changes and the error names the file (a real resource limit, in a process)."""
    bench = Bench(tmp_path, {"a.py": "one\n", "z.py": "two\n"})
    before = snapshot(tmp_path)
    bench.store.close()
    script = """
        import resource, sys
        from pathlib import Path
        from dce.wire.errors import DceError
        from dce.workspace.accepting.accept import accept
        from tests.workspace.judging import Bench
        bench = Bench(Path(sys.argv[1]))
        generation = bench.answer({"a.py": "1\\n", "n/new.py": "x\\n", "z.py": "x" * 50_000_000})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
        try:
            accept(bench, generation, 1)
        except DceError as error:
            print(error.code, error.message)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("write_failed "), done.stderr
    assert "z.py" in done.stdout
    assert "the workspace is as it was" in done.stdout
    assert snapshot(tmp_path) == before


def test_git_is_left_alone(tmp_path: Path) -> None:
    """(S1, S4) HEAD, index, branches and configuration stay byte for byte; a private ref has the files as before, ignored or not."""
    root = tmp_path / "w"
    for path, content in FILES.items():
        write(root / path, content)

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "start")
    (root / "b.py").write_text("staged\n")
    git("add", "b.py")
    bench = Bench(root)
    generation = bench.answer({"a.py": "1\n", "n/e.py": "x\n"})

    def repository() -> object:
        refs = git("for-each-ref").replace(git("for-each-ref", "refs/dce"), "")
        return snapshot(root / ".git", skip=("objects", "refs")), refs

    before, status = repository(), git("--no-optional-locks", "status", "--porcelain")
    (root / "d/c.py").write_text("mine, not committed\n")
    status = git("--no-optional-locks", "status", "--porcelain")
    _, acceptance = accept(bench, generation, 1)
    assert acceptance is not None
    assert acceptance.git.problem == ""
    assert re.fullmatch(rf"refs/dce/baselines/[0-9a-f]{{8}}/{acceptance.id}", acceptance.git.ref)
    assert git("show", f"{acceptance.git.ref}:a.py") == FILES["a.py"]
    assert git("show", f"{acceptance.git.ref}:b.py") == "staged\n"
    assert git("show", f"{acceptance.git.ref}:d/c.py") == "mine, not committed\n"
    assert git("rev-parse", f"{acceptance.git.ref}^") == git("rev-parse", "HEAD")
    assert repository() == before
    accepted = git("--no-optional-locks", "status", "--porcelain")
    assert set(accepted.splitlines()) - set(status.splitlines()) == {" M a.py", "?? n/"}
    restore(bench)
    assert repository() == before
    assert git("--no-optional-locks", "status", "--porcelain") == status


def test_worktrees_of_one_repository_keep_their_own_baselines(tmp_path: Path) -> None:
    """The first acceptance in each of two worktrees has its own ref, with that worktree's file as before."""
    root, other = tmp_path / "w", tmp_path / "other"
    write(root / "a.py", "one\n")
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["worktree", "add", "-q", str(other)]):
        subprocess.run([*command, *arguments], cwd=root, check=True, capture_output=True)
    write(other / "a.py", "other\n")
    refs = {}
    for place in (root, other):
        bench = Bench(place, {"a.py": (place / "a.py").read_text()})
        _, acceptance = accept(bench, bench.answer({"a.py": "1\n"}), 1)
        assert acceptance is not None
        refs[acceptance.git.ref] = place.name
    shown = {
        name: subprocess.run(
            ["git", "show", f"{ref}:a.py"], cwd=root, check=True, capture_output=True, text=True
        ).stdout
        for ref, name in refs.items()
    }
    assert shown == {"w": "one\n", "other": "other\n"}


TEN = "".join(f"{number}\n" for number in range(10))


def test_merging_is_offered_where_it_would_help(tmp_path: Path) -> None:
    """A file deleted since, or never shown, cannot be merged: the hint gives the next step instead."""
    bench = Bench(tmp_path, {"gone": TEN, "edited": TEN})
    generation = bench.answer({"gone": "1\n", "unseen": "1\n"})
    (tmp_path / "gone").unlink()
    write(tmp_path / "unseen", "mine\n")
    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1)
    assert "--merge" not in caught.value.hint
    assert "dce select add unseen" in caught.value.hint
    generation = bench.answer({"gone": "1\n", "edited": "1\n"})
    write(tmp_path / "edited", "mine\n")
    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1)
    assert "merges the answer's changes" in caught.value.hint


def test_merge_keeps_edits_made_since(tmp_path: Path) -> None:
    """(H10) With `merge`, a file edited since the prompt gets the answer's changes too; restore brings back the edited file."""
    bench = Bench(tmp_path, {"a": TEN.replace("\n", "\r\n"), "b": TEN})
    generation = bench.answer({"a": TEN.replace("9", "nine"), "b": TEN.replace("5", "five")})
    write(tmp_path / "a", TEN.replace("0", "zero").replace("\n", "\r\n"), 0o600)
    before = snapshot(tmp_path)
    with pytest.raises(DceError) as caught:
        accept(bench, generation, 1)
    assert "--merge" in caught.value.hint
    planned, _ = accept(bench, generation, 1, options=Options(merge=True))
    assert [(item.path, item.merged, item.added) for item in planned] == [("a", True, 1), ("b", False, 1)]
    assert (tmp_path / "a").read_bytes() == TEN.replace("0", "zero").replace("9", "nine").replace("\n", "\r\n").encode()
    restore(bench)
    assert snapshot(tmp_path) == before


def test_conflicts_are_listed_and_refused(tmp_path: Path) -> None:
    """(H10) If both changed the same line, nothing is written and the line is named, as is a file that vanished or was never shown."""
    bench = Bench(tmp_path, {"a": TEN, "gone": TEN, "b": TEN})
    generation = bench.answer({"a": TEN.replace("4", "iv"), "gone": "x\n", "new": "x\n", "b": "y\n"})
    (tmp_path / "a").write_text(TEN.replace("4", "four"))
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_text("mine\n")
    before = snapshot(tmp_path)
    planned = plan(bench, generation, 1, options=Options(merge=True))
    assert {item.path: item.refused for item in planned} == {
        "a": "it conflicts with edits made since the prompt, at line 5",
        "gone": "deleted since the prompt was made",
        "new": "it exists, and the prompt did not show it",
        "b": "",
    }
    with pytest.raises(DceError, match=r"a \(it conflicts"):
        accept(bench, generation, 1, options=Options(merge=True))
    assert snapshot(tmp_path) == before


def test_hunks_of_a_file(tmp_path: Path) -> None:
    """Only the picked hunk of the one named file is written, and the rest can be merged later; without a named file it is refused."""
    long = TEN * 3
    bench = Bench(tmp_path, {"a": long, "b": "b\n"})
    wanted = long.replace("0", "zero", 1)[::-1].replace("9", "enin", 1)[::-1]
    generation = bench.answer({"a": wanted, "b": "B\n"})
    accept(bench, generation, 1, ["a"], options=Options(hunks=("2",)))
    assert (tmp_path / "a").read_text() == long[::-1].replace("9", "enin", 1)[::-1]
    accept(bench, generation, 1, ["a"], options=Options(merge=True))
    assert (tmp_path / "a").read_text() == wanted
    restore(bench)
    restore(bench, acceptance_id=1)
    assert (tmp_path / "a").read_text() == long
    with pytest.raises(DceError, match="name it"):
        accept(bench, generation, 1, options=Options(hunks=("1",)))


def test_files_of_several_responses(tmp_path: Path) -> None:
    """Files of different responses form one acceptance, restored in one step; a file in which they differ is refused, naming both."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "1\n", "b.py": "2\n"}, {"a.py": "1\n", "d/c.py": "3\n"}, {"b.py": "two!\n"})
    before = snapshot(tmp_path)
    planned, acceptance = accept(bench, generation, 1, options=Options(also=(Part(slot=2),)))
    assert acceptance is not None
    assert [(file.path, file.slot) for file in acceptance.files] == [("a.py", 0), ("b.py", 0), ("d/c.py", 2)]
    assert [item.slot for item in planned] == [0, 0, 2, 2]
    restore(bench)
    assert snapshot(tmp_path) == before
    with pytest.raises(DceError, match=r"b\.py \(responses 1 and 3 differ in it"):
        accept(bench, generation, 1, options=Options(also=(Part(slot=3),)))
    accept(bench, generation, 1, ["a.py"], options=Options(also=(Part(slot=3, paths=("b.py",)),)))
    assert (tmp_path / "b.py").read_text() == "two!\n"


def test_edits_that_did_not_fit_refuse_the_whole(tmp_path: Path) -> None:
    """A response with edits that match nowhere in one file is not partly accepted; its other files can be accepted by name."""
    bench = Bench(tmp_path, FILES)
    reading = Reading(
        files=(FileBlock(path="a.py", content="1\n"),),
        unapplied=(Unapplied(path="b.py", reason="edit 1 fits nowhere. Nearest are lines 1 to 2:\n    1: two"),),
    )
    generation = bench.answer(reading)
    error = _refused(bench, generation)
    assert "b.py (not applied: edit 1 fits nowhere. Nearest are lines 1 to 2)" in error.message
    accept(bench, generation, 1, ["a.py"])
    assert (tmp_path / "a.py").read_text() == "1\n"


def test_an_older_encoding_is_kept_or_refused(tmp_path: Path) -> None:
    """A file keeps its legacy encoding; a character that the encoding lacks is refused by name."""
    text = "für Äpfel und Öl über den Fluß, schöne Grüße aus Köln an alle Bäcker\n"
    bench = Bench(tmp_path, {"a.txt": text.encode("cp1252"), ".dce/config.toml": 'encoding = {"*.txt" = "cp1252"}\n'})
    generation = bench.answer({"a.txt": text + "ä\n"}, {"a.txt": text + "☃\n"})
    (planned,) = plan(bench, generation, 2)
    assert "cannot hold '☃'" in planned.refused
    accept(bench, generation, 1)
    assert (tmp_path / "a.txt").read_bytes() == (text + "ä\n").encode("cp1252")


FAULT_02 = Path(__file__).parents[1] / "fixtures/faults/02-old-encodings-guessed"


@pytest.mark.parametrize(
    ("name", "encoding", "line"),
    [("ru.py", "cp1251", "# Новая строка: Я"), ("pl.py", "iso8859-2", "# Świeży"), ("zh.c", "gbk", "// 新的参数")],
)
def test_new_text_is_written_only_in_a_declared_encoding(tmp_path: Path, name: str, encoding: str, line: str) -> None:
    """[02] An encoding that is only guessed is never written in; ASCII is; the refusal gives the setting, which then settles it."""
    before = (FAULT_02 / f"{name}.txt").read_bytes()
    text = before.decode(encoding)
    bench = Bench(tmp_path, {name: before})
    generation = bench.answer({name: f"{text}{line}\n"}, {name: f"{text}ascii\n"})
    with pytest.raises(DceError, match="its encoding is only guessed") as caught:
        accept(bench, generation, 1)
    assert (tmp_path / name).read_bytes() == before
    accept(bench, generation, 2)
    assert (tmp_path / name).read_bytes() == before + b"ascii\n"
    restore(bench)
    hint = caught.value.hint
    setting = hint[hint.index("encoding = {") : hint.index("}") + 1]
    (tmp_path / ".dce/config.toml").write_text(setting, encoding="utf-8")
    accept(bench, generation, 1)
    assert (tmp_path / name).read_bytes() == before + f"{line}\n".encode(encoding)


def test_a_forced_accept_does_not_write_in_a_guessed_encoding(tmp_path: Path) -> None:
    """Neither `--force`, nor a hunk, nor a rename, nor a merge gets new text into a guessed encoding."""
    text = "# Проверка связи\nx = 1\n"
    bench = Bench(tmp_path, {"a.py": text.encode("cp1251")})
    moved = FileBlock(path="b.py", from_path="a.py", content=text + "# Новая\n")
    generation = bench.answer({"a.py": text + "# Новая\n"}, Reading(files=(moved,), parse="ok"))
    for options in (Options(force=True), Options(hunks=("1",)), Options(merge=True)):
        (planned,) = plan(bench, generation, 1, ["a.py"], options)
        assert "only guessed" in planned.refused
    assert "only guessed" in plan(bench, generation, 2, (), Options(force=True))[0].refused


def test_a_file_shown_in_another_encoding_is_not_written(tmp_path: Path) -> None:
    """An answer to garbled text repeats it: once the encoding is declared, a new prompt is needed, though no byte has changed."""
    text = "# Größe ändern\nx = 1\n"
    bench = Bench(tmp_path, {"a.py": text.encode("cp1252"), ".dce/config.toml": 'encoding = {"*.py" = "cp1251"}\n'})
    generation = bench.answer({"a.py": text.encode("cp1252").decode("cp1251").replace("1", "2")}, shown=["a.py"])
    (tmp_path / ".dce/config.toml").write_text('encoding = {"*.py" = "cp1252"}\n', encoding="utf-8")
    (planned,) = plan(bench, generation, 1)
    assert planned.refused == "the prompt did not show it as cp1252, its encoding now"


def test_git_that_fails_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """(S4) If git cannot keep the baseline, accepting and restoring still work, and the acceptance says why."""
    bench = Bench(tmp_path, FILES)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".git/index").write_bytes(b"no index")
    generation = bench.answer({"a.py": "1\n"})
    _, acceptance = accept(bench, generation, 1)
    assert acceptance is not None
    assert (acceptance.git.ref, "no baseline in git" in acceptance.git.problem) == ("", True)
    restore(bench)
    assert (tmp_path / "a.py").read_text() == FILES["a.py"]
