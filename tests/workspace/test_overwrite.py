"""Files with several names (hard links): written in place, and safe wherever the writing stops."""

import errno
import itertools
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, PlannedWrite, accept, plan, recover, redo, restorable, restore
from dce.workspace.accepting.overwrite import PIECE_BYTES, is_half_written, overwrite
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, sha256, snapshot

LONG = "".join(f"line {number}\n" for number in range(2000))
EDITED = LONG.replace("line 1\n", "first\n").replace("line 700\n", "middle, and longer\n").replace("line 1999\n", "")
"""Several pieces, most of them different because a longer line moves them."""


def _linked(root: Path, text: str = LONG) -> tuple[Bench, Path]:
    """A workspace with a file that has another name outside of it."""
    bench = Bench(root / "w", {"a.py": text, "b.py": "two\n"})
    other = root / "other.py"
    other.hardlink_to(root / "w/a.py")
    return bench, other


def test_a_hard_link_is_kept(tmp_path: Path) -> None:
    """Accept, restore and redo change the file under all of its names; mode and inode stay; the plan says so."""
    bench, other = _linked(tmp_path)
    other.chmod(0o640)
    inode = other.stat().st_ino
    generation = bench.answer({"a.py": EDITED})
    assert plan(bench, generation, 1)[0].flags == ("hard_link",)
    steps: list[tuple[Callable[[], object], str]] = [
        (lambda: accept(bench, generation, 1), EDITED),
        (lambda: restore(bench), LONG),
        (lambda: redo(bench), EDITED),
    ]
    for verb, text in steps:
        verb()
        assert other.read_text() == text
        status = (tmp_path / "w/a.py").stat()
        assert (status.st_ino, status.st_nlink, stat.S_IMODE(status.st_mode)) == (inode, 2, 0o640)
    assert not list((tmp_path / "w").glob(".dce-accept-*"))


def test_two_names_in_one_answer_are_one_file(tmp_path: Path) -> None:
    """An answer may give both names the same text, which is written once; different texts are refused by name."""
    bench, _ = _linked(tmp_path, "one\n")
    (tmp_path / "w/c.py").hardlink_to(tmp_path / "w/a.py")
    before = snapshot(bench.root)
    generation = bench.answer({"a.py": "1\n", "c.py": "1\n"}, {"a.py": "1\n", "c.py": "2\n"})
    with pytest.raises(DceError, match=r"it is the same file as a\.py"):
        accept(bench, generation, 2)
    assert snapshot(bench.root) == before
    accept(bench, generation, 1)
    assert [(bench.root / name).read_text() for name in ("a.py", "c.py")] == ["1\n", "1\n"]
    restore(bench)
    assert snapshot(bench.root) == before
    redo(bench)
    assert (bench.root / "c.py").read_text() == "1\n"


def test_a_mode_changes_under_all_names(tmp_path: Path) -> None:
    """The mode is the file's, not the name's: it changes for all of them, and a restore brings it back."""
    bench, other = _linked(tmp_path)
    generation = bench.answer(Reading(files=(FileBlock(path="a.py", content="", action="mode", mode="755"),)))
    accept(bench, generation, 1)
    assert (other.stat().st_mode & 0o100, other.stat().st_nlink) == (0o100, 2)
    restore(bench)
    assert (other.stat().st_mode & 0o100, other.stat().st_nlink) == (0, 2)


def test_a_link_made_since_is_kept_by_a_restore(tmp_path: Path) -> None:
    """A restore and a redo keep links that the user made after the acceptance."""
    bench = Bench(tmp_path / "w", {"a.py": LONG})
    accept(bench, bench.answer({"a.py": EDITED}), 1)
    (tmp_path / "other.py").hardlink_to(bench.root / "a.py")
    restore(bench)
    assert (tmp_path / "other.py").read_text() == LONG
    redo(bench)
    assert (tmp_path / "other.py").read_text() == EDITED


def test_a_deleted_name_leaves_the_others(tmp_path: Path) -> None:
    """Deleting removes one name; what a restore brings back is a file of its own, with the same bytes."""
    bench, other = _linked(tmp_path)
    accept(bench, bench.answer(Reading(files=(FileBlock(path="a.py", content="", action="delete"),))), 1)
    assert (other.read_text(), other.stat().st_nlink) == (LONG, 1)
    restore(bench)
    assert ((bench.root / "a.py").read_text(), other.stat().st_nlink) == (LONG, 1)


def test_an_error_while_overwriting_is_taken_back(tmp_path: Path) -> None:
    """Wherever the disk fails, under each name the file is as before, and the link stands."""
    bench, other = _linked(tmp_path)
    generation = bench.answer({"b.py": "2\n", "a.py": EDITED})
    steps: list[str] = []
    accept(bench, generation, 1, on_step=steps.append)
    restore(bench)
    assert steps.count("overwriting a.py") >= 3
    before = snapshot(bench.root)
    for fatal in range(len(steps) - 1):
        count = itertools.count()

        def on_step(_: str, fatal: int = fatal, count: "itertools.count[int]" = count) -> None:
            if next(count) == fatal:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(DceError, match="the workspace is as it was"):
            accept(bench, generation, 1, on_step=on_step)
        assert snapshot(bench.root) == before, steps[fatal]
        assert (other.read_text(), other.stat().st_nlink) == (LONG, 2)


_VICTIM = """
import os, signal, sys
from pathlib import Path
from dce.workspace.accepting.accept import accept, redo, restore
from tests.workspace.judging import Bench
from tests.workspace.test_overwrite import EDITED
root, fatal, verb = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
bench = Bench(root)
count = 0
def on_step(step):
    global count
    print(step, flush=True)
    if count == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
if verb == "accept":
    accept(bench, bench.answer({"a.py": EDITED, "b.py": "2\\n"}), 1, on_step=on_step)
else:
    {"restore": restore, "redo": redo}[verb](bench, on_step=on_step)
"""


def _killed(root: Path, step: int, verb: str) -> str:
    """Kills a process at a step; the step's name, or "" if it had ended before."""
    words = [sys.executable, "-c", _VICTIM, str(root), str(step), verb]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.stdout.splitlines()[-1] if done.returncode else ""


@pytest.mark.parametrize("step", [0, 2, 3, 4, 6, 8, 9])
def test_killed_while_overwriting(tmp_path: Path, step: int) -> None:
    """After a kill -9 in the middle of a file, `recover` puts it back under all of its names, and work goes on."""
    bench, other = _linked(tmp_path)
    before = snapshot(bench.root)
    bench.store.close()
    name = _killed(bench.root, step, "accept")
    assert name
    torn = other.read_text()
    assert (torn not in {LONG, EDITED}) == (name == "overwriting a.py"), name
    bench = Bench(tmp_path / "w")
    recover(bench)
    if name == "applied":
        restore(bench)
    assert snapshot(bench.root) == before, name
    assert (other.read_text(), other.stat().st_nlink) == (LONG, 2)
    accept(bench, bench.answer({"a.py": EDITED}), 1)
    assert other.read_text() == EDITED


@pytest.mark.parametrize("verb", ["restore", "redo"])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_killed_while_overwriting_back(tmp_path: Path, verb: str, step: int) -> None:
    """After a kill -9 during a restore or a redo, `recover` leaves the file as before, and the redo can be repeated."""
    bench, other = _linked(tmp_path)
    before = snapshot(bench.root)
    accept(bench, bench.answer({"a.py": EDITED, "b.py": "2\n"}), 1)
    if verb == "redo":
        restore(bench)
    bench.store.close()
    assert _killed(bench.root, step, verb)
    bench = Bench(tmp_path / "w")
    recover(bench)
    assert snapshot(bench.root) == before
    assert restorable(bench) is None
    redo(bench)
    assert (other.read_text(), other.stat().st_nlink) == (EDITED, 2)


def test_an_edit_after_a_kill_is_no_half_written_file(tmp_path: Path) -> None:
    """What is of neither content was written by the user: `recover` leaves it alone and says so."""
    bench, other = _linked(tmp_path)
    bench.store.close()
    assert _killed(bench.root, 4, "accept") == "overwriting a.py"
    other.write_text("mine\n" + LONG)
    recovered = recover(Bench(tmp_path / "w"))
    assert [write.path for write in recovered if write.refused] == ["a.py"]
    assert other.read_text() == "mine\n" + LONG


def test_the_other_name_may_go_before_the_recovery(tmp_path: Path) -> None:
    """A half-written file is known as one by the journal, even if its link is gone when DCE runs again."""
    bench, other = _linked(tmp_path)
    bench.store.close()
    assert _killed(bench.root, 4, "accept") == "overwriting a.py"
    other.unlink()
    recover(Bench(tmp_path / "w"))
    assert (tmp_path / "w/a.py").read_text() == LONG


CONTENTS = (b"", b"a", b"one\n", b"x" * PIECE_BYTES, LONG.encode(), EDITED.encode(), LONG.encode() * 2)


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(CONTENTS, 2)))
def test_every_place_to_stop_is_recognised(old: bytes, new: bytes) -> None:
    """Property: a content cut at any byte, before the truncation or after it, or with pieces kept in any order, is half written."""
    chance = random.Random(7)
    cuts = range(len(new) + 1) if len(new) < 10 else chance.sample(range(len(new) + 1), 60)
    for cut in cuts:
        assert is_half_written(new[:cut] + old[cut:], old, new)
    assert is_half_written(new, old, new)
    for length in (len(old), len(new)) * 10:
        padded = [side.ljust(length, b"\0")[:length] for side in (old, new)]
        places = range(0, length, PIECE_BYTES)
        mixed = b"".join(chance.choice(padded)[at : at + PIECE_BYTES] for at in places)
        assert is_half_written(mixed, old, new)


@pytest.mark.parametrize("change", [b"#", b"line", b"\n"])
def test_an_edit_is_not_taken_for_half_a_write(change: bytes) -> None:
    """A byte of neither content, anywhere, makes a file the user's own."""
    old, new = LONG.encode(), EDITED.encode()
    chance = random.Random(11)
    for at in chance.sample(range(100, len(new) - 100), 50):
        mine = new[:at] + change + new[at:]
        assert not is_half_written(mine, old, new)
    for at in chance.sample(range(len(old) * 2), 50):
        changed = bytearray(old * 2)
        changed[at] = 0xFF
        assert not is_half_written(bytes(changed), old, old * 2)
    assert not is_half_written(old + b"more\n", old, new)
    assert not is_half_written(b"", old, new)


def test_only_the_expected_content_is_overwritten(tmp_path: Path) -> None:
    """A file that changed at the last moment, and a link in its place, are left alone."""
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_bytes(b"mine")
    link.symlink_to(path)
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    with pytest.raises(DceError, match="a changed while"):
        overwrite(path, b"new", sha256(b"old"), None, nothing)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        overwrite(link, b"new", sha256(b"mine"), None, nothing)
    assert path.read_bytes() == b"mine"


def test_a_forced_plan_names_the_link_once(tmp_path: Path) -> None:
    """Files with one name, new files and unchanged ones carry no such flag."""
    bench, _ = _linked(tmp_path, "one\n")
    generation = bench.answer({"a.py": "one\n", "b.py": "2\n", "n.py": "3\n"})
    planned: list[PlannedWrite] = plan(bench, generation, 1, (), Options(force=True))
    assert [write.flags for write in planned] == [(), (), ()]
