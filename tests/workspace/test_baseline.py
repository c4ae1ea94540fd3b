"""baseline.py and replace.py: restoring the workspace exactly, even after a crash at any moment."""

import errno
import os
import signal
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, PlannedWrite, accept, recover, redo, restorable, restore
from dce.workspace.accepting.journal import acceptances
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, snapshot, write

FILES = {"a.py": "one\n", "b.py": "two\n", "d/c.py": "three\n"}
NOBODY = 0xFFFFFFFF
"""The id in an ACL entry that names no one."""

EDITS = {"a.py": "1\n", "d/c.py": "3\n", "n/deep/e.py": "5\n", "n/f.py": "6\n"}


def test_restore_puts_everything_back(tmp_path: Path) -> None:
    """Bytes, modes, created files and created folders are as before; the cycle no longer has a choice."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "a.py").chmod(0o750)
    before = snapshot(tmp_path)
    _, acceptance = accept(bench, bench.answer(EDITS), 1)
    assert snapshot(tmp_path) != before
    planned, restored = restore(bench)
    assert snapshot(tmp_path) == before
    assert planned == [
        PlannedWrite(path="a.py", change="modified", added=1, removed=1),
        PlannedWrite(path="d/c.py", change="modified", added=1, removed=1),
        PlannedWrite(path="n/deep/e.py", change="deleted", removed=1),
        PlannedWrite(path="n/f.py", change="deleted", removed=1),
    ]
    assert acceptance is not None
    assert (restored.id, restored.restored_at) == (acceptance.id, 1000.0)
    assert restorable(bench) is None
    assert bench.store.cycles.get(0).chosen_slot is None


def test_a_mode_set_since_is_kept(tmp_path: Path) -> None:
    """Restoring brings back the bytes and keeps a `chmod +x` that the user made after accepting."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    (tmp_path / "a.py").chmod(0o755)
    restore(bench)
    assert ((tmp_path / "a.py").read_text(), (tmp_path / "a.py").stat().st_mode & 0o777) == ("one\n", 0o755)


@pytest.mark.parametrize("is_restored", [False, True])
def test_attributes_of_a_replaced_file_are_kept(tmp_path: Path, is_restored: bool) -> None:
    """Accepting and restoring keep the extended attributes, including the ACL, of the files they replace."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "a.py").chmod(0o640)
    os.setxattr(tmp_path / "a.py", "user.origin", b"the user")
    # Version 2; owner rw-, user 1 r--, group r--, mask r--, others ---.
    entries = ((1, 6, NOBODY), (2, 4, 1), (4, 4, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(tmp_path / "a.py", "system.posix_acl_access", access)
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    if is_restored:
        restore(bench)
    assert os.getxattr(tmp_path / "a.py", "user.origin") == b"the user"
    assert os.getxattr(tmp_path / "a.py", "system.posix_acl_access") == access
    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o640


def test_a_folders_default_list_opens_no_replaced_file(tmp_path: Path) -> None:
    """A file without an ACL does not get one from its folder's default when it is replaced."""
    bench = Bench(tmp_path, FILES)
    (tmp_path / "a.py").chmod(0o640)
    entries = ((1, 7, NOBODY), (2, 7, 1), (4, 5, NOBODY), (16, 7, NOBODY), (32, 0, NOBODY))
    default = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(tmp_path, "system.posix_acl_default", default)
    accept(bench, bench.answer({"a.py": "1\n"}), 1)
    assert os.listxattr(tmp_path / "a.py") == []
    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o640


def test_files_of_others_stay(tmp_path: Path) -> None:
    """A folder that an acceptance created stays if it contains something else by now; edits to other files stay too."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer(EDITS), 1)
    write(tmp_path / "n/mine.txt", "mine")
    write(tmp_path / "b.py", "edited\n")
    restore(bench)
    assert snapshot(tmp_path).keys() == {"a.py", "b.py", "d", "d/c.py", "n", "n/mine.txt"}
    assert (tmp_path / "b.py").read_text() == "edited\n"


def test_edited_files_stop_a_restore(tmp_path: Path) -> None:
    """If accepted files were edited since, all of them are named and nothing changes."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer(EDITS), 1)
    (tmp_path / "a.py").write_text("mine\n")
    (tmp_path / "n/f.py").write_text("mine\n")
    before = snapshot(tmp_path)
    with pytest.raises(DceError) as caught:
        restore(bench)
    assert caught.value.code == "stale_file"
    assert "a.py, n/f.py" in caught.value.message
    assert snapshot(tmp_path) == before
    assert restorable(bench) is not None


def test_edited_files_can_be_kept_while_the_others_go_back(tmp_path: Path) -> None:
    """With `keep_edited`, only edited files stay as they are; if all were edited, it is refused."""
    bench = Bench(tmp_path, FILES)
    original = snapshot(tmp_path)
    accept(bench, bench.answer(EDITS), 1)
    for path in ("a.py", "n/f.py"):
        (tmp_path / path).write_text("mine\n")
    planned, _ = restore(bench, keep_edited=True)
    assert [write.path for write in planned if write.refused] == ["a.py", "n/f.py"]
    now = snapshot(tmp_path)
    assert {path for path in original.keys() | now.keys() if now.get(path) != original.get(path)} == {
        "a.py",
        "n",
        "n/f.py",
    }
    assert (tmp_path / "a.py").read_text() == "mine\n"
    assert restorable(bench) is None
    accept(bench, bench.answer({"c.py": "1\n"}), 1)
    (tmp_path / "c.py").write_text("mine\n")
    with pytest.raises(DceError, match=r"edited since acceptance .*c\.py"):
        restore(bench, keep_edited=True)


def test_dry_run(tmp_path: Path) -> None:
    """A dry run says what would be restored, marks edited files, takes no lock and changes nothing."""
    bench = Bench(tmp_path, FILES)
    accept(bench, bench.answer(EDITS), 1)
    (tmp_path / "a.py").write_text("mine\n")
    bench.is_locked_elsewhere = True
    before = snapshot(tmp_path)
    planned, acceptance = restore(bench, dry_run=True)
    assert [(write.path, write.change, bool(write.refused)) for write in planned] == [
        ("a.py", "modified", True),
        ("d/c.py", "modified", False),
        ("n/deep/e.py", "deleted", False),
        ("n/f.py", "deleted", False),
    ]
    assert acceptance.restored_at is None
    assert snapshot(tmp_path) == before
    assert restorable(bench) is not None


def test_named_acceptance(tmp_path: Path) -> None:
    """An older acceptance can be restored if no newer one touched its files; an unknown one is not found."""
    bench = Bench(tmp_path, FILES)
    _, first = accept(bench, bench.answer({"a.py": "1\n"}), 1)
    accept(bench, bench.answer({"b.py": "2\n"}), 1)
    assert first is not None
    restore(bench, acceptance_id=first.id)
    assert (tmp_path / "a.py").read_text() == "one\n"
    assert (tmp_path / "b.py").read_text() == "2\n"
    for wrong in (first.id, 99):
        with pytest.raises(DceError) as caught:
            restore(bench, acceptance_id=wrong)
        assert caught.value.code == "not_found"


def test_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    """If a folder was replaced by a link since, nothing is written or deleted at the link's target."""
    root, elsewhere = tmp_path / "w", tmp_path / "elsewhere"
    bench = Bench(root, FILES)
    accept(bench, bench.answer(EDITS), 1)
    (root / "n").rename(elsewhere)
    (root / "n").symlink_to(elsewhere)
    before = snapshot(elsewhere)
    with pytest.raises(DceError) as caught:
        restore(bench)
    assert caught.value.code == "stale_file"
    assert snapshot(elsewhere) == before


def test_error_on_the_way_is_taken_back(tmp_path: Path) -> None:
    """Wherever the disk fails, the files written so far are restored and the error says so."""
    bench = Bench(tmp_path, FILES)
    before = snapshot(tmp_path)
    steps = _steps(bench, tmp_path)
    for fatal in steps[:-1]:

        def on_step(step: str, fatal: str = fatal) -> None:
            if step == fatal:
                raise OSError(errno.EIO, "Input/output error")

        with pytest.raises(DceError) as caught:
            accept(bench, bench.answer(EDITS), 1, on_step=on_step)
        assert caught.value.code == "write_failed", fatal
        assert "as it was" in caught.value.message
        assert snapshot(tmp_path) == before, fatal
        assert restorable(bench) is None


def _steps(bench: Bench, root: Path) -> list[str]:
    """The steps of an acceptance, which is then restored."""
    before, steps = snapshot(root), list[str]()
    accept(bench, bench.answer(EDITS), 1, on_step=steps.append)
    restore(bench)
    assert snapshot(root) == before
    return steps


def test_steps_cover_every_file_boundary(tmp_path: Path) -> None:
    """The reported steps are: planned, each file staged, each file written, applied."""
    assert _steps(Bench(tmp_path, FILES), tmp_path) == [
        "planned",
        *(f"staged {path}" for path in EDITS),
        *(f"written {path}" for path in EDITS),
        "applied",
    ]


_VICTIM = """
import os, signal, sys
from pathlib import Path
from dce.workspace.accepting.accept import accept, redo, restore
from tests.workspace.judging import Bench
root, fatal, verb = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
bench = Bench(root)
count = 0
def on_step(step):
    global count
    if count == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
if verb == "accept":
    accept(bench, bench.answer({"a.py": "1\\n", "d/c.py": "3\\n", "n/deep/e.py": "5\\n", "n/f.py": "6\\n"}), 1, on_step=on_step)
else:
    {"restore": restore, "redo": redo}[verb](bench, on_step=on_step)
"""


def _kill_at(root: Path, step: int, verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _VICTIM, str(root), str(step), verb],
        cwd=Path(__file__).parents[2], check=False, timeout=60, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("step", range(10))
def test_killed_while_accepting(tmp_path: Path, step: int) -> None:
    """After a process is killed (-9) at any step, `recover` leaves the workspace as before or wholly accepted."""
    before = _prepared(tmp_path)
    _kill_at(tmp_path, step, "accept")
    bench = Bench(tmp_path)
    recovered = recover(bench)
    if step == 9:  # after "applied"
        assert recovered == []
        assert (tmp_path / "n/deep/e.py").exists()
        restore(bench)
    assert snapshot(tmp_path) == before
    assert recover(bench) == []
    accept(bench, bench.answer(EDITS), 1)  # and work goes on


@pytest.mark.parametrize("step", range(8))
def test_killed_while_restoring(tmp_path: Path, step: int) -> None:
    """After a process is killed (-9) during a restore, `recover` finishes the restore."""
    before = _prepared(tmp_path)
    bench = Bench(tmp_path)
    accept(bench, bench.answer(EDITS), 1)
    accepted = snapshot(tmp_path)
    bench.store.close()
    _kill_at(tmp_path, step, "restore")
    bench = Bench(tmp_path)
    recover(bench)
    assert snapshot(tmp_path) == before
    assert restorable(bench) is None
    assert bench.store.cycles.get(0).chosen_slot is None
    redo(bench)
    assert snapshot(tmp_path) == accepted


@pytest.mark.parametrize("step", range(10))
def test_killed_while_redoing(tmp_path: Path, step: int) -> None:
    """After a process is killed (-9) during a redo, `recover` makes the workspace consistent, and the redo can be repeated."""
    before = _prepared(tmp_path)
    bench = Bench(tmp_path)
    accept(bench, bench.answer(EDITS), 1)
    accepted = snapshot(tmp_path)
    restore(bench)
    bench.store.close()
    _kill_at(tmp_path, step, "redo")
    bench = Bench(tmp_path)
    recovered = recover(bench)
    assert snapshot(tmp_path) == (accepted if step == 9 else before)
    assert (recovered == []) == (step == 9)
    if step != 9:
        redo(bench)
    assert snapshot(tmp_path) == accepted


def _prepared(root: Path) -> dict[str, tuple[str, int, bytes]]:
    bench = Bench(root, FILES)
    (root / "a.py").chmod(0o640)
    bench.store.close()
    return snapshot(root)


@pytest.mark.parametrize("verb", ["accept", "restore"])
def test_next_verb_recovers_by_itself(tmp_path: Path, verb: str) -> None:
    """After a crash, the next accept or restore first undoes the interrupted one."""
    before = _prepared(tmp_path)
    _kill_at(tmp_path, 6, "accept")
    assert snapshot(tmp_path) != before
    bench = Bench(tmp_path)
    if verb == "accept":
        accept(bench, bench.answer({"b.py": "2\n"}, shown=["b.py"]), 1)
        restore(bench)
    else:
        with pytest.raises(DceError, match="nothing to restore"):
            restore(bench)
    assert snapshot(tmp_path) == before


def test_recovery_leaves_edits_alone(tmp_path: Path) -> None:
    """A file edited between the crash and the recovery keeps the edit; the others are restored."""
    before = _prepared(tmp_path)
    _kill_at(tmp_path, 6, "accept")
    (tmp_path / "a.py").write_text("mine\n")
    recovered = recover(Bench(tmp_path))
    assert [write.path for write in recovered if write.refused] == ["a.py"]
    after = snapshot(tmp_path)
    assert after.pop("a.py")[2] == b"mine\n"
    before.pop("a.py")
    assert after == before


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    """While one thread accepts, another thread's accept, restore and recovery do not interfere: it is not a crash."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(EDITS, {"b.py": "2\n"})
    codes = []

    def on_step(step: str) -> None:
        for verb in (lambda: accept(bench, generation, 2), lambda: restore(bench)):
            with ThreadPoolExecutor() as pool, pytest.raises(DceError) as caught:
                pool.submit(verb).result()
            codes.append(caught.value.code)
        assert step == "applied" or recover(bench) == []

    accept(bench, generation, 1, on_step=on_step)
    assert set(codes) == {"workspace_locked"}
    assert (tmp_path / "a.py").read_text() == "1\n"
    accept(bench, generation, 2)


def test_recovery_waits_for_a_living_process(tmp_path: Path) -> None:
    """While another process holds the lock, nothing is recovered: it may be writing."""
    _prepared(tmp_path)
    _kill_at(tmp_path, 6, "accept")
    before = snapshot(tmp_path)
    bench = Bench(tmp_path)
    bench.is_locked_elsewhere = True
    assert recover(bench) == []
    assert snapshot(tmp_path) == before
    bench.is_locked_elsewhere = False
    assert recover(bench) != []


NAMES = st.sampled_from(["a", "b.py", "ü", "sp ace", "-x", "#"])
PATHS = st.builds("/".join, st.lists(NAMES, min_size=1, max_size=3))
CONTENTS = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"a\r\nb\r\n", b"\xef\xbb\xbfx\n", b"", b"no end", b"a\nb\n", b"\r\r\n"])
)
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o777, 0o4711])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tree=st.dictionaries(PATHS, st.tuples(CONTENTS, MODES), max_size=6),
    edits=st.lists(st.dictionaries(PATHS, st.text(max_size=10), max_size=5), min_size=1, max_size=3),
)
def test_accept_then_restore_is_identity(tree: dict[str, tuple[bytes, int]], edits: list[dict[str, str]]) -> None:
    """Property, for any tree and edits: accepting is all or nothing, and restoring gives the same paths, bytes and modes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        root.mkdir()
        for path, (content, mode) in tree.items():
            if not any((root / parent).is_file() for parent in Path(path).parents) and not (root / path).is_dir():
                write(root / path, content, mode)
        bench = Bench(root)
        states = [snapshot(root)]
        for edit in edits:
            blocks = tuple(FileBlock(path=path, content=_storable(text)) for path, text in edit.items())
            generation = bench.answer(Reading(files=blocks))
            code = ""
            try:
                _, acceptance = accept(bench, generation, 1)
            except DceError as error:
                code, acceptance = error.code, None
            if acceptance is None:
                assert snapshot(root) == states[-1]
                assert code in {"", "stale_file", "not_found", "invalid_input"}
            else:
                states.append(snapshot(root))
        for acceptance, state in zip(acceptances(bench), reversed(states[:-1]), strict=True):
            restore(bench, acceptance_id=acceptance.id)
            assert snapshot(root) == state
        assert restorable(bench) is None
        bench.store.close()


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map(lambda rows: "".join(row + "\n" for row in rows))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shown=LINES, mine=LINES, theirs=LINES, end=st.sampled_from(["\n", "\r\n"]), first=st.booleans())
def test_merging_in_part_is_taken_back_too(shown: str, mine: str, theirs: str, end: str, first: bool) -> None:
    """(S2) Property, for any edits since, merges and partial accepts: conflicts write nothing, and restoring returns the user's edits exactly."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "w", {"f": shown.replace("\n", end)})
        generation = bench.answer({"f": theirs})
        write(bench.root / "f", mine.replace("\n", end), 0o640)
        before = snapshot(bench.root)
        options = Options(merge=True, hunks=("1",) if first else ())
        code = ""
        try:
            accept(bench, generation, 1, ["f"], options=options)
        except DceError as error:
            code = error.code
        assert code in {"", "stale_file", "not_found"}
        if restorable(bench) is not None:
            restore(bench)
        assert snapshot(bench.root) == before
        bench.store.close()


def _storable(text: str) -> str:
    """Text that an answer can contain: JSON and SSE carry Unicode without lone surrogates."""
    return text.encode("utf-8", "replace").decode()
