"""Export and import: the record is restored unchanged, whole or not at all."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.record.backups import EVERY_S, KEEP, Backups
from dce.workspace.record.judgements import JudgementChange
from dce.workspace.record.responses import News, Status
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.settings import Settings
from dce.workspace.transfer import export_history, import_history
from dce.workspace.workspace import Workspace
from tests.workspace.loop import a_generation, a_store


@pytest.fixture
def clock() -> Iterator[float]:
    return (float(seconds) for seconds in count(1_000_000))


def _workspace(root: Path, clock: Iterator[float]) -> Workspace:
    root.mkdir(exist_ok=True)
    return Workspace.open(Project.init(root), Settings(), clock=lambda: next(clock))


def _fill(workspace: Workspace) -> None:
    """Makes two cycles, the second with a generation of three slots: one regenerated, one running."""
    store = workspace.store
    workspace.cycles.edit(0, context="the scope")
    workspace.cycles.create("First", "a")
    second = workspace.cycles.create("Second", "b", "logs")
    generation = a_generation(store, n=3, cycle=second.id, grammar="root ::= x")
    for slot, text in ((1, "one"), (2, "two")):
        response = msgspec.structs.replace(store.responses.get(generation.id, slot), status=Status.COMPLETE, text=text)
        store.progress.save_ends([response])
    store.responses.insert_versions(generation.id, [1])
    again = msgspec.structs.replace(store.responses.get(generation.id, 1), status=Status.TRUNCATED, text="one again")
    store.progress.save_ends([again])
    rejected = JudgementChange(mark="rejected", note="too long\nby far")
    store.judgements.edit(generation.id, 1, 1, rejected, 1.0)
    store.judgements.edit(generation.id, 2, 1, JudgementChange(mark="shortlisted", rating=4), 1.0)
    store.check_reports.put(generation.id, 2, 1, News(thinking_offset=0, thinking="", text_offset=0, text="any report"))
    running = store.responses.get(generation.id, 3)
    store.progress.save([(running, News(thinking_offset=0, thinking="", text_offset=0, text="so far"))])
    workspace.cycles.choose(second.id, generation.id, 2)


FILES = ("a.py", "b.py", "c.csv")


def _choose_files(workspace: Workspace) -> None:
    """Selects three files, one as an outline and one by page, and saves them as a set, beside a set with a whole file."""
    for name in FILES:
        (workspace.project.root / name).write_text("a = 1\n")
    workspace.selection.add(["a.py"])
    workspace.selection.save("core")
    workspace.selection.add(["b.py", "c.csv"])
    workspace.selection.show(["b.py"], "outline")
    workspace.selection.save("half")
    workspace.selection.show(["b.py"], "head-tail")


def _content(path: Path) -> list[dict[str, Any]]:
    """The lines of a bundle, without its creation time, the cycles' times and the running response."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("updated_at", None)
        if line["type"] == "cycle" and line["id"] == 0:  # every workspace has its own, as old as its store
            line.pop("created_at")
    lines[0].pop("created_at")
    return [line for line in lines if line.get("response", {}).get("slot") != 3]


def test_a_history_comes_back_as_it_was(tmp_path: Path, clock: Iterator[float]) -> None:
    """After export, import into a fresh workspace and another export, the only difference is that a running response is interrupted."""
    with _workspace(tmp_path / "one", clock) as one:
        _choose_files(one)
        _fill(one)
        export_history(one, tmp_path / "first.dce")
    with _workspace(tmp_path / "two", clock) as two:
        for name in FILES:
            (two.project.root / name).write_text("a = 1\n")
        report = import_history(two, tmp_path / "first.dce")
        assert (report.cycles, report.responses, report.selected) == ({0: 0, 1: 1, 2: 2}, 4, FILES)
        assert (report.sets, two.selection.sets()) == (("core", "half"), {"core": ("a.py",), "half": FILES})
        assert two.store.responses.get(1, 3).status is Status.INTERRUPTED
        assert two.store.responses.get(1, 3).text == "so far"
        export_history(two, tmp_path / "second.dce")
    assert _content(tmp_path / "first.dce") == _content(tmp_path / "second.dce")


def test_a_bundle_of_the_first_version_is_read(tmp_path: Path, clock: Iterator[float]) -> None:
    """A bundle from before judgements and levels of detail is imported whole; for a newer format the error asks for an update."""
    with _workspace(tmp_path / "one", clock) as one:
        _choose_files(one)
        _fill(one)
        export_history(one, tmp_path / "f.dce")
    lines = [json.loads(line) for line in (tmp_path / "f.dce").read_bytes().splitlines()]
    newer = [{**lines[0], "version": lines[0]["version"] + 1, "more": 1}, {"type": "unheard of"}]
    for field in ("shown", "sets_shown"):
        del lines[0][field]
    older = [{**lines[0], "version": 1}, *(line for line in lines[1:-1] if line["type"] != "judgement")]
    older.append({"type": "end", "records": len(older)})
    for name, some in (("older.dce", older), ("newer.dce", newer)):
        (tmp_path / name).write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in some))
    with _workspace(tmp_path / "two", clock) as two:
        with pytest.raises(DceError, match="version") as caught:
            import_history(two, tmp_path / "newer.dce")
        assert caught.value.hint == "Update DCE."
        report = import_history(two, tmp_path / "older.dce")
        assert (report.responses, report.missing, two.store.judgements.all(1)) == (4, FILES, ())


def test_a_judgement_that_none_can_have_is_refused(tmp_path: Path, clock: Iterator[float]) -> None:
    """A rating of six, or a judgement of a missing response, makes the whole bundle refused."""
    with _workspace(tmp_path / "one", clock) as one:
        _fill(one)
        export_history(one, tmp_path / "f.dce")
    whole = (tmp_path / "f.dce").read_bytes()
    with _workspace(tmp_path / "two", clock) as two:
        for was, now in (
            (b'"rating":4', b'"rating":6'),
            (b'"slot":2,"version":1,"mark"', b'"slot":2,"version":9,"mark"'),
        ):
            (tmp_path / "g.dce").write_bytes(whole.replace(was, now))
            with pytest.raises(DceError, match="complete history"):
                import_history(two, tmp_path / "g.dce")
        assert two.store.imports.is_untouched()


def test_what_is_there_stays(tmp_path: Path, clock: Iterator[float]) -> None:
    """In a workspace with its own history, imported cycles get new numbers; its scope, choice and selection do not change (D3, D9)."""
    with _workspace(tmp_path / "one", clock) as one:
        _fill(one)
        export_history(one, tmp_path / "f.dce")
    with _workspace(tmp_path / "two", clock) as two:
        two.cycles.edit(0, context="another scope")
        mine = two.cycles.create("Mine", "c")
        report = import_history(two, tmp_path / "f.dce")
        assert report.cycles == {0: 2, 1: 3, 2: 4}
        assert two.cycles.get(0).context == "another scope"
        assert two.cycles.get(2).context == "the scope"
        assert two.cycles.get(mine.id) == mine
        chosen = two.cycles.get(4)
        assert (chosen.chosen_generation, chosen.chosen_slot) == (1, 2)
        assert two.cycles.create().id == 5


def test_some_cycles_can_be_exported(tmp_path: Path, clock: Iterator[float]) -> None:
    """Only the named cycles are exported; an unknown one is not_found, and no file is left."""
    with _workspace(tmp_path / "one", clock) as one:
        _fill(one)
        export_history(one, tmp_path / "f.dce", [2])
        assert {line["id"] for line in _content(tmp_path / "f.dce") if line["type"] == "cycle"} == {2}
        with pytest.raises(DceError, match="no cycle 9"):
            export_history(one, tmp_path / "g.dce", [9])
    assert not list(tmp_path.glob("*g.dce*"))


def test_a_broken_bundle_changes_nothing(tmp_path: Path, clock: Iterator[float]) -> None:
    """A bundle that is truncated, or has a missing, repeated or changed line, is refused and no row is kept."""
    with _workspace(tmp_path / "one", clock) as one:
        _fill(one)
        export_history(one, tmp_path / "f.dce")
    lines = (tmp_path / "f.dce").read_bytes().splitlines(keepends=True)
    broken = [lines[:at] for at in range(1, len(lines))]
    broken += [lines[:at] + lines[at + 1 :] for at in range(len(lines))]
    broken += [[*lines[:-1], lines[-2], lines[-1]], [*lines, lines[-1]], [*lines[:-1], lines[-1][:5]]]
    broken.append([line.replace(b'"chosen_generation":1', b'"chosen_generation":7') for line in lines])
    broken.append([line.replace(b'"text":"<prompt', b'"text":"!prompt') for line in lines])
    with _workspace(tmp_path / "two", clock) as two:
        for number, some in enumerate(broken):
            path = tmp_path / f"{number}.dce"
            path.write_bytes(b"".join(some))
            with pytest.raises(DceError) as caught:
                import_history(two, path)
            assert caught.value.code == "invalid_input"
        assert two.store.imports.is_untouched()
        assert two.cycles.get(0).context == ""
        assert not Backups(two.store.path).list()


def test_the_same_file_is_not_imported_twice_unless_told(tmp_path: Path, clock: Iterator[float]) -> None:
    """A second import of the same bytes is a conflict; `again` imports them once more."""
    with _workspace(tmp_path / "one", clock) as one:
        path = tmp_path / "h.json"
        path.write_text('{"cycles": [{"cycleId": 7, "tabCount": 3}]}')
        assert import_history(one, path).cycles == {7: 7}
        with pytest.raises(DceError) as caught:
            import_history(one, path)
        assert caught.value.code == "conflict"
        assert import_history(one, path, again=True).cycles == {7: 8}
        assert one.store.imports.origin_extra(8) == {"tabCount": 3}


def test_a_store_is_imported_without_touching_it(tmp_path: Path, clock: Iterator[float]) -> None:
    """A DCE store with a write-ahead log, as left by a crash, is read from a copy and not changed."""
    folder = tmp_path / "dead"
    folder.mkdir()
    with a_store(tmp_path) as store:
        store.cycles.create("Only in the log", "x")
        for suffix in ("", "-wal"):
            (folder / (STORE_FILE + suffix)).write_bytes((tmp_path / (STORE_FILE + suffix)).read_bytes())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with _workspace(tmp_path / "two", clock) as two:
        assert import_history(two, folder / STORE_FILE).cycles == {0: 0, 1: 1}
        assert two.cycles.get(1).title == "Only in the log"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_backups_roll(tmp_path: Path) -> None:
    """One backup is made per day of use, at most `KEEP`; each has all of the store's content, including the log's."""
    now = [1_700_000_000.0]
    with a_store(tmp_path) as store:
        backups = Backups(store.path, lambda: now[0])
        for day in range(KEEP + 2):
            store.cycles.create(f"day {day}")
            assert backups.roll() is not None
            assert backups.roll() is None
            now[0] += EVERY_S + 1
        kept = backups.list()
        assert len(kept) == KEEP
    with Store(kept[0]) as newest, Store(kept[-1]) as oldest:
        assert newest.cycles.current().title == f"day {KEEP + 1}"
        assert oldest.cycles.current().title == "day 2"
