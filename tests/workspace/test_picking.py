"""One file combined from parts of several responses, and accepted."""

from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, accept, plan, restore, sources_of
from dce.workspace.accepting.picking import FilePlan, Pick, combine, hunks_of
from tests.workspace.judging import Bench, snapshot

LINES = [f"line {number}\n" for number in range(1, 31)]
TEXT = "".join(LINES)


def edit(text: str = TEXT, **lines: str) -> str:
    """The text with some lines (`l3="x"`) changed."""
    rows = text.splitlines(keepends=True)
    for name, line in lines.items():
        rows[int(name[1:]) - 1] = line + "\n"
    return "".join(rows)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Three responses: 1 changes lines 2 and 20, 2 changes line 10, 3 changes line 2 another way."""
    bench = Bench(tmp_path, {"a.py": TEXT, "b.py": "b\n"})
    bench.answer(
        {"a.py": edit(l2="one", l20="one"), "b.py": "1\n"}, {"a.py": edit(l10="two")}, {"a.py": edit(l2="three")}
    )
    return bench


def picked(path: str, *picks: tuple[int, tuple[str, ...]], choices: tuple[str, ...] = ()) -> FilePlan:
    parts = tuple(Pick(slot=slot, hunks=hunks) for slot, hunks in picks)
    return FilePlan(path=path, picks=parts, choices=choices)  # type: ignore[arg-type]


def text_of(bench: Bench, plan: FilePlan) -> str:
    combined = combine(plan, sources_of(bench, 1, plan.path))
    assert not combined.problem
    return combined.text


def test_hunks_of_several_responses_make_one_file(bench: Bench) -> None:
    """A hunk of one response and the whole of another are both in the result, whichever comes first."""
    assert [hunk.old_start for hunk in hunks_of(sources_of(bench, 1, "a.py"), 1)] == [1, 17]
    wanted = edit(l20="one", l10="two")
    assert text_of(bench, picked("a.py", (1, ("2",)), (2, ()))) == wanted
    assert text_of(bench, picked("a.py", (2, ()), (1, ("2:1-2",)))) == wanted


def test_a_conflict_waits_for_a_person(bench: Bench) -> None:
    """Both texts of a conflict are shown; while undecided it may not be written, and each choice has its effect."""
    sources = sources_of(bench, 1, "a.py")
    combined = combine(picked("a.py", (1, ("1",)), (3, ())), sources)
    (clash,) = combined.clashes
    assert (clash.first_slot, clash.second_slot, clash.choice) == (1, 3, "")
    assert (clash.conflict.first, clash.conflict.base, clash.conflict.second) == ("one\n", "line 2\n", "three\n")
    assert "line 2" in combined.problem
    for choice, line in (("first", "one"), ("second", "three"), ("both", "one\nthree")):
        assert text_of(bench, picked("a.py", (1, ("1",)), (3, ()), choices=(choice,))) == edit(l2=line)


def test_edits_made_since_the_prompt_stay(bench: Bench) -> None:
    """A stale file is merged; if the edit and the answer conflict, `first` is the file as it is now."""
    (bench.root / "a.py").write_text(edit(l2="mine", l29="mine"))
    assert text_of(bench, picked("a.py", (2, ("1",)))) == edit(l2="mine", l29="mine", l10="two")
    combined = combine(picked("a.py", (1, ())), sources_of(bench, 1, "a.py"))
    assert [clash.first_slot for clash in combined.clashes] == [0]
    with pytest.raises(DceError, match="whole"):
        hunks_of(sources_of(bench, 1, "a.py"), 1)
    assert text_of(bench, picked("a.py", (1, ()), choices=("second",))) == edit(l2="one", l20="one", l29="mine")


def test_a_plan_is_written_as_one_and_taken_back_as_one(bench: Bench) -> None:
    """Files and parts from several responses form one acceptance that names their sources; restore undoes all of it."""
    before = snapshot(bench.root)
    options = Options(plans=(picked("a.py", (1, ("2",)), (2, ())), picked("b.py", (1, ()))))
    planned, acceptance = accept(bench, 1, 2, options=options)
    assert [(write.path, write.slot, write.refused) for write in planned] == [("a.py", 1, ""), ("b.py", 1, "")]
    assert (bench.root / "a.py").read_text() == edit(l20="one", l10="two")
    assert acceptance is not None
    assert [(file.slot, file.also) for file in acceptance.files] == [(1, (2,)), (1, ())]
    cycle = bench.store.cycles.get(0)
    assert (cycle.chosen_generation, cycle.chosen_slot) == (1, 2)
    restore(bench)
    assert snapshot(bench.root) == before


def test_what_may_not_be_written_stops_all(bench: Bench) -> None:
    """An open conflict, a repeated file, a missing hunk and a path outside are refused and leave the workspace unchanged."""
    before = snapshot(bench.root)
    conflict = picked("a.py", (1, ("1",)), (3, ()))
    (write,) = plan(bench, 1, 1, options=Options(plans=(conflict,)))
    assert "not decided" in write.refused
    cases = [
        ((conflict, picked("b.py", (1, ()))), "not decided"),
        ((picked("b.py", (1, ())), picked("./b.py", (1, ()))), "twice"),
        ((picked("a.py", (1, ("9",))),), "no hunk 9"),
        ((picked("a.py"),), "nothing is picked"),
        ((picked("../a.py", (1, ())),), "refused"),
        ((picked("b.py", (2, ())),), "holds no file"),
    ]
    for plans, said in cases:
        with pytest.raises(DceError, match=said):
            accept(bench, 1, 1, options=Options(plans=plans))
        assert snapshot(bench.root) == before
