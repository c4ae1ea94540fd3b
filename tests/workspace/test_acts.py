"""planner.py: deletions, renames and mode changes, and the doubts that refuse a file until the user confirms it."""

import hashlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, accept, doubts, plan, redo, restore
from dce.workspace.judging.board import board
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.schema.reading import FileBlock, Reading, Unapplied
from tests.workspace.judging import Bench, snapshot, write

LONG = "".join(f"line {number}\n" for number in range(40))
FILES = {"a.py": "one\n", "b.py": "two\r\nlines\r\n", "d/c.sh": "run\n", "long.py": LONG}


def _answer(bench: Bench, *blocks: FileBlock, shown: list[str] | None = None) -> int:
    return bench.answer(Reading(files=blocks), shown=shown)


def test_deletion_rename_and_mode_are_planned_done_restored_and_redone(tmp_path: Path) -> None:
    """Each act is planned under its name, done with the others in one step, undone with bytes and modes, and redone."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "b.py").chmod(0o640)
    before = snapshot(tmp_path)
    generation = _answer(
        bench,
        FileBlock(path="a.py", content="", action="delete"),
        FileBlock(path="n/b.py", content="2\nlines\n", from_path="b.py"),
        FileBlock(path="d/c.sh", content="", action="mode", mode="755"),
        FileBlock(path="moved.py", content="", action="rename", from_path="long.py"),
        FileBlock(path="new.sh", content="x\n", mode="755"),
    )
    planned = plan(bench, generation, 1)
    assert [(write.path, write.change, write.from_path, write.executable) for write in planned] == [
        ("a.py", "deleted", "", None),
        ("n/b.py", "renamed", "b.py", None),
        ("b.py", "deleted", "", None),
        ("d/c.sh", "mode", "", True),
        ("moved.py", "renamed", "long.py", None),
        ("long.py", "deleted", "", None),
        ("new.sh", "new", "", True),
    ]
    assert [row.change for row in board(bench, generation)[0].files] == ["deleted", "renamed", "mode", "renamed", "new"]
    assert snapshot(tmp_path) == before
    accept(bench, generation, 1)
    accepted = snapshot(tmp_path)
    assert set(accepted) & {"a.py", "b.py", "long.py"} == set()
    assert (tmp_path / "n/b.py").read_bytes() == b"2\r\nlines\r\n"
    assert (tmp_path / "n/b.py").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "d/c.sh").stat().st_mode & 0o111 == 0o111
    assert (tmp_path / "new.sh").stat().st_mode & 0o100
    assert (tmp_path / "moved.py").read_text() == LONG
    for _ in range(2):
        restore(bench)
        assert snapshot(tmp_path) == before
        redo(bench)
        assert snapshot(tmp_path) == accepted


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (FileBlock(path="unseen", content="", action="delete"), "the prompt did not show it"),
        (FileBlock(path="unseen", content="", action="mode", mode="755"), "the prompt did not show it"),
        (FileBlock(path="x", content="", action="rename", from_path="unseen"), "the prompt did not show it"),
        (FileBlock(path="x", content="", action="rename", from_path="gone"), "does not exist"),
        (FileBlock(path="x", content="", action="rename", from_path="../out"), "upwards"),
        (FileBlock(path="b.py", content="", action="rename", from_path="a.py"), "overwrite"),
        (FileBlock(path="link", content="", action="delete"), "symbolic link"),
        (FileBlock(path="nowhere", content="", action="mode", mode="755"), "does not exist"),
        (FileBlock(path="edited", content="", action="delete"), "changed since"),
        (FileBlock(path="locked", content="", action="delete"), "read-only"),
        (FileBlock(path="../out", content="", action="delete"), "upwards"),
    ],
)
def test_acts_that_would_lose_something_are_refused(tmp_path: Path, block: FileBlock, reason: str) -> None:
    """A file that was not shown, has changed since, or is linked, read-only, outside or in the way is neither deleted nor moved."""
    root = tmp_path / "w"
    bench = Bench(root, {**FILES, "edited": "e\n", "locked": "l\n"})
    write(tmp_path / "out", "o\n")
    (root / "link").symlink_to("a.py")
    generation = _answer(bench, block, FileBlock(path="fine.py", content="x\n"))
    write(root / "unseen", "mine\n")
    write(root / "edited", "mine\n")
    (root / "locked").chmod(0o444)
    before = snapshot(root)
    with pytest.raises(DceError, match="nothing was written") as caught:
        accept(bench, generation, 1)
    assert reason in caught.value.message
    assert "--merge" not in caught.value.hint
    assert snapshot(root) == before
    assert (tmp_path / "out").read_text() == "o\n"


def test_what_is_done_already_is_the_same(tmp_path: Path) -> None:
    """Deleting a missing file or setting the present mode changes nothing and makes no acceptance."""
    bench = Bench(tmp_path, FILES)
    generation = _answer(
        bench,
        FileBlock(path="gone", content="", action="delete"),
        FileBlock(path="a.py", content="", action="mode", mode="644"),
    )
    planned, acceptance = accept(bench, generation, 1)
    assert [write.change for write in planned] == ["same", "same"]
    assert acceptance is None


@pytest.mark.parametrize(
    ("block", "flag"),
    [
        (FileBlock(path="long.py", content="line 0\n# ... rest of the code unchanged ...\n"), "elision"),
        (FileBlock(path="long.py", content="line 0\n"), "elision"),
        (FileBlock(path="new.py", content="def f():\n    # ... existing code ...\n"), "elision"),
        (FileBlock(path="a.py", content="1\n", status="ambiguous"), "ambiguous_block"),
        (FileBlock(path="a.py", content=""), "ambiguous_block"),
        (FileBlock(path="a.py", content="\n\n"), "ambiguous_block"),
        (FileBlock(path="a.py", content="", action="delete", status="ambiguous"), "ambiguous_block"),
    ],
)
def test_a_doubtful_file_needs_a_confirmation(tmp_path: Path, block: FileBlock, flag: str) -> None:
    """An elided, empty or guessed file is refused, in a dry run too, unless forced or confirmed by name."""
    bench = Bench(tmp_path, FILES)
    generation = _answer(bench, block, FileBlock(path="d/c.sh", content="2\n"))
    before = snapshot(tmp_path)
    [first, second] = plan(bench, generation, 1)
    assert (flag in first.doubts, first.is_blocked, second.doubts, second.refused) == (True, True, (), "")
    with pytest.raises(DceError, match="nothing was written") as caught:
        accept(bench, generation, 1)
    assert "--force" in caught.value.hint
    with pytest.raises(DceError):
        accept(bench, generation, 1, options=Options(confirmed=("d/c.sh",)))
    assert snapshot(tmp_path) == before
    for options in (Options(force=True), Options(confirmed=(block.path,))):
        planned, acceptance = accept(bench, generation, 1, options=options)
        assert acceptance is not None
        assert flag in planned[0].doubts
        assert not planned[0].is_blocked
        restore(bench, acceptance_id=acceptance.id)
        assert snapshot(tmp_path) == before


def test_an_empty_file_may_be_new_or_stay_empty(tmp_path: Path) -> None:
    """A new empty file such as `__init__.py` raises no doubt: nothing is emptied."""
    bench = Bench(tmp_path, {"empty.py": ""})
    planned, _ = accept(
        bench, _answer(bench, FileBlock(path="p/__init__.py", content=""), FileBlock(path="empty.py", content="\n")), 1
    )
    assert [write.doubts for write in planned] == [(), ()]


def test_hunks_that_the_user_picked_need_no_confirmation(tmp_path: Path) -> None:
    """Naming a hunk of a doubtful file confirms it: the user has seen it."""
    bench = Bench(tmp_path, FILES)
    generation = _answer(bench, FileBlock(path="long.py", content="first\n# ... rest unchanged ...\n"))
    accept(bench, generation, 1, ["long.py"], options=Options(hunks=("1",)))
    assert (tmp_path / "long.py").read_text().startswith("first\n")


def test_a_file_shown_in_part_is_told_from_one_not_shown(tmp_path: Path) -> None:
    """For a file shown as an outline, the refusal says so and that it must be shown whole; merging is not offered."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"long.py": LONG + "more\n"}, outlined=["long.py"])
    with pytest.raises(DceError, match="the prompt showed only a part of it") as caught:
        accept(bench, generation, 1, options=Options(merge=True))
    assert "dce select show full long.py" in caught.value.hint
    assert "--merge" not in caught.value.hint


def test_doubts_about_a_response_are_named(tmp_path: Path) -> None:
    """Failing checks and the reading's flags are reported with their response."""
    bench = Bench(tmp_path, FILES)
    reading = Reading(
        files=(FileBlock(path="a.py", content="1\n"),),
        flags=("missing_files", "unapplied_edit"),
        unapplied=(Unapplied(path="b.py", reason="no"),),
    )
    generation = bench.answer({"a.py": "2\n"}, reading)
    bench.store.check_reports.put(generation, 2, 1, CheckReport(passed=3, failed=2, new_failures=1, runs=()))
    assert doubts(bench, generation, [1]) == ()
    found = doubts(bench, generation, [1, 2, 2])
    assert [(doubt.slot, doubt.flag) for doubt in found] == [
        (2, "missing_files"),
        (2, "unapplied_edit"),
        (2, "failing_checks"),
    ]
    assert found[-1].text == "2 of 5 checks fail, 1 of them only with this response"
    run = CheckRun(name="t", ok=False, exit_code=1, passed=3, failed=2, duration_s=0.0, output="", fails_anyway=True)
    fewer = msgspec.structs.replace(run, ok=True, failed=0, new_failures=1, missing=("a",), fails_anyway=False)
    for one, text in (
        (run, "2 of 5 checks fail, all of them without this response too"),
        (fewer, "1 test that ran without this response does not run with it"),
    ):
        bench.store.check_reports.put(generation, 2, 1, report_of((one,)))
        assert doubts(bench, generation, [2])[-1].text == text


NAMES = ("a", "b", "d/c", "d/e/f")
STEP = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(NAMES),
        st.sampled_from(["1\n", "2\n", ""]),
        st.sampled_from(["", "755", "644"]),
    ),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(""), st.just("")),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(["", "755"])),
    st.tuples(st.just("mode"), st.sampled_from(NAMES), st.just(""), st.sampled_from(["755", "644"])),
)
MOVE: st.SearchStrategy[tuple[str, list[tuple[str, str, str, str]]]] = st.one_of(
    st.tuples(st.just("accept"), st.lists(STEP, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["restore", "redo", "older"]), st.just([])),
    st.tuples(
        st.just("edit"),
        st.lists(
            st.tuples(st.just("edit"), st.sampled_from(NAMES), st.just("mine\n"), st.just("")), min_size=1, max_size=1
        ),
    ),
)


def _block(step: tuple[str, str, str, str]) -> FileBlock:
    action, path, other, mode = step
    if action == "rename":
        return FileBlock(path=path, content="", action="rename", from_path=other, mode=mode)
    if action == "write":
        return FileBlock(path=path, content=other, mode=mode)
    return FileBlock(path=path, content="", action="delete" if action == "delete" else "mode", mode=mode)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves=st.lists(MOVE, max_size=8))
def test_no_byte_of_the_user_is_ever_lost(moves: list[tuple[str, list[tuple[str, str, str, str]]]]) -> None:
    """Property, for accepts, edits, restores and redos in any order: a refusal changes nothing, restore and redo never overwrite an
    edit, and restoring the latest acceptance brings back paths, bytes and modes."""
    with tempfile.TemporaryDirectory() as folder:
        bench, codes = Bench(Path(folder) / "w", {"a": "a\n", "d/c": "c\n"}), set[str]()
        for verb, steps in moves:
            before = snapshot(bench.root)
            mine = {path for path, (_, _, data) in before.items() if data == b"mine\n"}
            try:
                if verb == "accept":
                    _, acceptance = accept(bench, _answer(bench, *map(_block, steps)), 1, options=Options(force=True))
                    if acceptance is not None:
                        after = snapshot(bench.root)
                        restore(bench)
                        assert snapshot(bench.root) == before
                        redo(bench)
                        assert snapshot(bench.root) == after
                elif verb == "edit":
                    if not any((bench.root / parent).is_file() for parent in Path(steps[0][1]).parents):
                        write(bench.root / steps[0][1], steps[0][2])
                elif verb == "older":
                    restore(bench, acceptance_id=1)
                else:
                    (restore if verb == "restore" else redo)(bench)
            except DceError as error:
                codes.add(error.code)
                assert snapshot(bench.root) == before
            if verb not in {"accept", "edit"}:
                kept = snapshot(bench.root)
                # A file with the user's text is deleted only if an acceptance moved exactly that text there.
                assert all(path in kept or bench.store.blobs.get(_sha(before[path][2])) for path in mine)
        assert codes <= {"stale_file", "invalid_input", "not_found"}
        bench.store.close()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
