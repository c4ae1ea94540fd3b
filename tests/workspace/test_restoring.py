"""restoring.py and journal.py: which acceptance is restored or redone, and what is shown about it first."""

import itertools
import subprocess
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import accept, redo, restorable, restore, standing
from dce.workspace.accepting.journal import acceptances
from tests.workspace.judging import Bench, snapshot, write

FILES = {"a.py": "one\n", "b.py": "two\n", "d/c.py": "three\n"}
EDITS = {"a.py": "1\n", "d/c.py": "3\n", "n/deep/e.py": "5\n", "n/f.py": "6\n"}


def test_restoring_twice_reaches_nothing_older(tmp_path: Path) -> None:
    """By default only the cycle's last acceptance is restored; an older one must be named; the choice is updated."""
    bench = Bench(tmp_path, FILES)
    states = [snapshot(tmp_path)]
    for number in range(3):
        accept(bench, bench.answer({"x": ""}, {"a.py": f"{number}\n", f"new{number}": "x"}), 2)
        states.append(snapshot(tmp_path))
    restore(bench)
    for _ in range(2):
        with pytest.raises(DceError, match="acceptance 3, the last one of cycle 0, is restored already") as caught:
            restore(bench)
        assert "2, 1" in caught.value.hint
        assert snapshot(tmp_path) == states[2]
    assert restorable(bench) is None
    for older in (2, 1):
        restore(bench, acceptance_id=older)
        assert snapshot(tmp_path) == states[older - 1]
        assert bench.store.cycles.get(0).chosen_generation == (older - 1 or None)
    times = [acceptance.restored_at or 0.0 for acceptance in acceptances(bench)]
    assert times[0] == 1000.0
    assert all(earlier < later for earlier, later in itertools.pairwise(times)), (
        "a clock that stands still loses no order"
    )


def test_a_new_cycle_protects_what_was_accepted_before(tmp_path: Path) -> None:
    """In a new cycle, restore finds no acceptance and names the older ids, also after a refused accept."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    bench.store.cycles.create("next")
    before = snapshot(tmp_path)
    stale = bench.answer({"b.py": "2\n"}, shown=[], cycle=1)
    with pytest.raises(DceError, match="nothing was written"):
        accept(bench, stale, 1)
    assert restorable(bench) is None
    with pytest.raises(DceError, match="nothing to restore: no response was accepted in cycle 1") as caught:
        restore(bench)
    assert "Older acceptances in force: 1." in caught.value.hint
    assert snapshot(tmp_path) == before


def test_a_refused_accept_leaves_what_restore_looks_at(tmp_path: Path) -> None:
    """After a refused accept the last acceptance is still the earlier one, and none was added."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    known = acceptances(bench), restorable(bench)
    with pytest.raises(DceError, match="nothing was written"):
        accept(bench, bench.answer({"b.py": "2\n"}, shown=[]), 1)
    assert (acceptances(bench), restorable(bench)) == known
    assert len(bench.store.acceptances.list()) == 1


def test_redo_writes_the_accepted_files_again(tmp_path: Path) -> None:
    """Redo brings back the accepted bytes, names, folders and the choice; restore and redo can be repeated."""
    bench = Bench(tmp_path, FILES)
    before = snapshot(tmp_path)
    accept(bench, bench.answer(EDITS), 1)
    accepted = snapshot(tmp_path)
    for _ in range(2):
        restore(bench)
        assert snapshot(tmp_path) == before
        planned, _ = redo(bench, dry_run=True)
        assert snapshot(tmp_path) == before
        again, acceptance = redo(bench)
        assert again == planned
        assert snapshot(tmp_path) == accepted
        assert acceptance.restored_at is None
        assert bench.store.cycles.get(0).chosen_slot == 1
    with pytest.raises(DceError, match="nothing to redo"):
        redo(bench)
    with pytest.raises(DceError, match="acceptance 1 is not restored"):
        redo(bench, acceptance_id=1)


def test_redo_overwrites_no_edit(tmp_path: Path) -> None:
    """A file edited since the restore stops a redo; with `keep_edited`, redo writes the others."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer(EDITS), 1)
    restore(bench)
    write(tmp_path / "a.py", "mine\n")
    before = snapshot(tmp_path)
    with pytest.raises(DceError, match="nothing was written") as caught:
        redo(bench)
    assert "dce restore --redo --keep-edited" in caught.value.hint
    assert snapshot(tmp_path) == before
    redo(bench, keep_edited=True)
    assert (tmp_path / "a.py").read_text() == "mine\n"
    assert (tmp_path / "d/c.py").read_text() == "3\n"


def test_redo_of_what_was_restored_last(tmp_path: Path) -> None:
    """Redo takes the acceptance that was restored last, even if another is newer."""
    bench = Bench(tmp_path, FILES)
    for path in ("a.py", "b.py"):
        accept(bench, bench.answer({path: "2\n"}), 1)
    moments = iter(range(2000, 3000))
    bench.clock = lambda: float(next(moments))
    for older in (2, 1):
        restore(bench, acceptance_id=older)
    assert redo(bench)[1].id == 1
    assert redo(bench)[1].id == 2


def test_redo_needs_the_accepted_text(tmp_path: Path) -> None:
    """An acceptance restored by an older DCE, which did not keep its text, cannot be redone; the error gives the next step."""
    bench = Bench(tmp_path, {"a.py": "one\n"})
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    restore(bench)
    _forget(bench, "1\n")
    with pytest.raises(DceError, match="was not kept") as caught:
        redo(bench)
    assert "dce accept 1 -g 1" in caught.value.hint
    assert (tmp_path / "a.py").read_text() == "one\n"


def _forget(bench: Bench, text: str) -> None:
    """Drops a text from the store, as if an older DCE had restored it."""
    with bench.store.database.transaction() as db:
        db.execute("DELETE FROM blobs WHERE bytes = ?", (text.encode(),))


def test_what_git_holds_committed_is_known(tmp_path: Path) -> None:
    """For acceptances in force, the files that HEAD has as accepted are listed; edited, restored or uncommitted ones are not."""
    bench = Bench(tmp_path, FILES)
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t")

    def commit() -> None:
        for words in (("add", "--all"), ("commit", "--quiet", "--message", "x")):
            subprocess.run([*git, *words], cwd=tmp_path, check=True, timeout=60)

    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True, timeout=60)
    commit()
    accept(bench, bench.answer({"a.py": "1\n", "new.py": "n\n"}), 1)
    assert standing(bench, acceptances(bench))[0].committed == ()
    commit()
    accept(bench, bench.answer({"b.py": "2\n"}), 1)
    newer, older = standing(bench, acceptances(bench))
    assert (newer.is_last, newer.committed) == (True, ())
    assert (older.is_last, older.committed) == (False, ("a.py", "new.py"))
    write(tmp_path / "a.py", "built on\n")
    assert standing(bench, acceptances(bench))[1].committed == ("new.py",)
    write(tmp_path / "a.py", "1\n")
    restore(bench, acceptance_id=1)
    assert standing(bench, acceptances(bench))[1].committed == ()
