"""Tests of any language with other values in them: which values are changed, and what a run with them shows."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.classes import compare
from dce.workspace.judging.behaviour.language import Place, Sources
from dce.workspace.judging.behaviour.languages import LANGUAGES, by_language
from dce.workspace.judging.behaviour.mutated.functions import FUNCTION
from dce.workspace.judging.behaviour.mutated.making import MAX_NEW, MAX_TOGETHER
from dce.workspace.judging.behaviour.mutated.running import telling_lines
from dce.workspace.judging.behaviour.other_row import OTHERS
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Kind
from tests.workspace.judging import reading_of
from tests.workspace.laned import KINDS, lanes_of, project_of

CASES = {
    "go": (
        ("calc.go", "package calc\nfunc Add(a int, s string) int { return a }\n"),
        ("calc_test.go", 'package calc\nimport "testing"\nfunc TestAdd(t *testing.T) {\n\tif got := Add(7, "abc"); got != 99 {\n\t\tt.Errorf("got %d", got)\n\t}\n}\n'),
        ('Add(0, "abc")', 'Add(7, "")'),
    ),
    "go table": (
        ("calc.go", "package calc\nfunc Add(s string) int { return 1 }\n"),
        ("calc_test.go", 'package calc\nfunc TestAdd(t *testing.T) {\n\tfor _, c := range []struct{ in string; want int }{{in: "abc", want: 99}} {\n\t\tAdd(c.in)\n\t}\n}\n'),
        ('in: ""', 'in: "ab"'),
    ),
    "rust": (
        ("src/lib.rs", "pub fn add(a: i32, s: &str) -> i32 { a }\n"),
        ("tests/add.rs", 'use x::add;\n#[test]\nfn adds() { assert_eq!(add(7, "abc"), 99); }\n'),
        ('add(0, "abc")', 'add(7, "")'),
    ),
    "java": (
        ("Calc.java", "class Calc { static int add(int a, String s) { return a; } }\n"),
        ("CalcTest.java", 'class CalcTest { void adds() { assertEquals(99, Calc.add(7, "abc")); } }\n'),
        ('add(0, "abc")', 'add(7, "")'),
    ),
    "c": (
        ("calc.c", "int add(int a, const char *s) { return a; }\n"),
        ("test_calc.c", 'int add(int a, const char *s);\nint main(void) { assert(add(7, "abc") == 99); return 0; }\n'),
        ('add(0, "abc")', 'add(7, "")'),
    ),
    "ruby": (
        ("lib/calc.rb", "def add(a, s)\n  a\nend\n"),
        ("spec/calc_spec.rb", 'describe "add" do\n  it("adds") { expect(add(7, "abc")).to eq(99) }\nend\n'),
        ('add(0, "abc")', 'add(7, "")'),
    ),
    "php": (
        ("calc.php", "<?php\nfunction add($a, $s) { return $a; }\n"),
        ("CalcTest.php", '<?php\nclass CalcTest { function testAdd() { $this->assertSame(99, add(7, "abc")); } }\n'),
        ('add(0, "abc")', 'add(7, "")'),
    ),
    "shell": (
        ("calc.sh", "add() { echo $1; }\n"),
        ("test_calc.sh", '[ "$(printf "abc" | sh calc.sh)" = "99" ] || exit 1\nsh calc.sh 7 abc\n'),
        ('printf "" |', "calc.sh 0 abc", "calc.sh 7 ''"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_values_that_go_into_the_code_are_changed_and_expected_ones_are_not(name: str) -> None:
    """One or two values at the edge, in every language that has a grammar, and nothing else."""
    (path, text), (test_path, test), wanted = CASES[name]
    probes = OTHERS.make(Sources(changed={path: (text, f"{text}\n")}, tests={test_path: test}), 0)
    texts = [probe.steps[0] for probe in probes if probe.origin in {"edge", "pair", "example"}]
    assert 0 < len(probes) <= MAX_TOGETHER + MAX_NEW
    assert not [one for one in wanted if not any(one in text for text in texts)]
    assert all("99" in text for text in texts)
    assert any(probe.origin == "pair" for probe in probes)
    assert OTHERS.is_test(test_path)
    assert not OTHERS.is_test(path)


def test_tests_in_the_changed_file_itself() -> None:
    """Rust's unit tests stand beside the code: only their module is the probe."""
    text = "pub fn add(a: i32) -> i32 { a }\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn adds() { assert_eq!(add(7), 99); }\n}\n"
    probes = OTHERS.make(Sources(changed={"src/lib.rs": (text, text.replace("{ a }", "{ a + 1 }"))}, tests={}), 0)
    assert {probe.header for probe in probes} == {("src/lib.rs", FUNCTION, "adds"), ("src/lib.rs", FUNCTION, "")}
    assert any("assert_eq!(add(0), 99)" in probe.steps[0] for probe in probes)
    assert any(probe.label.startswith("add(") and probe.origin == "surface" for probe in probes)


def test_probes_depend_on_the_sources_only() -> None:
    """The same sources and seed give the same probes; tests that mention nothing of the change give none."""
    (path, text), (test_path, test), _ = CASES["go"]
    sources = Sources(changed={path: (text, "")}, tests={test_path: test})
    assert OTHERS.make(sources, 1) == OTHERS.make(sources, 1)
    assert OTHERS.make(Sources(changed={path: (text, "")}, tests={"other_test.go": "package other\n"}), 1) == ()
    assert OTHERS.make(Sources(changed={path: ("{{{", "")}, tests={test_path: "\x00)))"}), 1) == ()


def test_lines_that_are_compared() -> None:
    """Values that tests print are; times, places, paths and addresses are not."""
    output = "running 1 test\nthread 'a' (12) panicked at src/lib.rs:7:5:\n  left: 3\n right: 4\nok in 0.03s\n    x_test.go:12: got 5, want 6\n"
    lines = telling_lines(output)
    assert (
        lines == ("thread 'a' panicked at <path>:7:5:", "left: 3", "right: 4", "<place>: got 5, want 6")
        or "left: 3" in lines
    )
    assert telling_lines(output.replace("0.03s", "1.5s").replace(":12:", ":13:")) == lines


FIRST = "tr a-z A-Z\n"
ODD = "sed s/b/B/\n"
TEST = '[ "$(printf "b" | sh up.sh)" = "B" ] || exit 1\n'
SOURCES = Sources(changed={"up.sh": ("cat\n", FIRST, ODD)}, tests={"test_up.sh": TEST})


def outcomes(
    lanes_root: Path, kind: Kind, answers: Mapping[int, str], checks: tuple[Check, ...]
) -> dict[int, Mapping[str, Outcome]]:
    """What the probes show of each answer."""
    project = project_of(lanes_root, {"up.sh": "cat\n", "test_up.sh": TEST})
    lanes = lanes_of(project, kind)

    async def one(text: str) -> Mapping[str, Outcome]:
        await lanes.find_kind()
        async with lanes.opened(reading_of({"up.sh": text})) as lane:
            found = await OTHERS.run(Place(lane=lane, sources=SOURCES, checks=checks), probes())
            assert lane.kind == kind
            return found

    return {slot: asyncio.run(one(text)) for slot, text in answers.items()}


def probes() -> tuple[Probe, ...]:
    """The probes of this project."""
    return tuple(OTHERS.make(SOURCES, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_answers_that_differ_on_other_values_are_told_apart(tmp_path: Path, kind: Kind) -> None:
    """Both pass the test as it is; only another value shows which one does what most do. The workspace keeps its test."""
    check = Check(name="tests", command=("sh", "test_up.sh"))
    results = outcomes(tmp_path, kind, {1: FIRST, 2: "exec tr a-z A-Z\n", 3: ODD}, (check,))
    found = compare(probes(), results)
    assert [members.slots for members in found.classes] == [(1, 2), (3,)]
    assert (tmp_path / "test_up.sh").read_text() == TEST


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_tests_leave_leads_dce_nowhere(tmp_path: Path, kind: Kind) -> None:
    """What DCE writes between two runs replaces what an answer put there; it is not written through a link, out of the lane."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("mine")
    code = (
        f'[ -n "$TMPDIR" ] || TMPDIR=/tmp; rm -f "$TMPDIR/dce-mutated"; ln -s {outside} "$TMPDIR/dce-mutated"; {FIRST}'
    )
    results = outcomes(tmp_path, kind, {1: code}, (Check(name="tests", command=("sh", "test_up.sh")),))
    assert any(outcome.kind == "value" for outcome in results[1].values())
    assert outside.read_text() == "mine"


def test_without_a_check_that_runs_tests_nothing_is_compared(tmp_path: Path) -> None:
    """Nothing is said about the answer, and the reason is shown."""
    results = outcomes(tmp_path, "copy", {1: FIRST}, (Check(name="lint", command=("true",), stage="lint"),))
    assert {outcome.kind for outcome in results[1].values()} == {"not run"}
    assert all("no check of stage `test`" in outcome.shown for outcome in results[1].values())


def test_the_row_comes_last() -> None:
    """Python and JavaScript keep theirs."""
    assert LANGUAGES[-1] is OTHERS
    found = by_language(["a.py", "b.ts", "c.go", "d.rs", "e_test.go", "README.md"])
    assert found["other languages"] == ["c.go", "d.rs"]
