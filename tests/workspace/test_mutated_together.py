"""Many changed tests in one process: what does not compile, ends the process or changes from run to run is known for itself alone."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.classes import compare
from dce.workspace.judging.behaviour.language import Place, Sources
from dce.workspace.judging.behaviour.mutated.functions import FUNCTION
from dce.workspace.judging.behaviour.mutated.harness import HARNESSES
from dce.workspace.judging.behaviour.mutated.running import run_mutated
from dce.workspace.judging.behaviour.mutated.trees import tree_of
from dce.workspace.judging.behaviour.other_row import OTHERS
from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet, make_probe
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Kind
from tests.workspace.judging import reading_of
from tests.workspace.laned import KINDS, lanes_of, project_of

GO_TEST = 'package calc\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n\tt.Parallel()\n\tb := Make(1)\n\tif got := Add(7); got != 7 {\n\t\tt.Fatalf("got %d", got)\n\t}\n}\n'
GO = "package calc\n\nfunc Add(n int) int { return n }\n\nfunc Make(n int) *int { return &n }\n"

FAKE = r"""
import re, sys
text = open("calc_test.go").read()
said = re.search(r'OpenFile\("([^"]+)"', text)[1]
skip = open(said + ".skip").read()
lines = text.splitlines()
bad = [n for n, line in enumerate(lines, 1) if "Add(bad)" in line]
open("tries", "a").write("x")
if bad:
    sys.exit("# calc\n" + "\n".join("./calc_test.go:%d:5: undefined: bad" % n for n in bad))
pieces = re.findall(r"func dce_t(\d+)\(.*?\n}\n", text, re.S)
out = open(said, "a")
for turn in (0, 1):
    for number, body in re.findall(r"func dce_t(\d+)\((.*?\n)}\n", text, re.S)[:: 1 - 2 * turn]:
        if "," + number + "," in skip:
            continue
        def say(kind, what):
            out.write("%s\t%d\t%s\t\"%s\"\n" % (number, turn, kind, what)); out.flush()
        say("begin", "")
        if "Add(die)" in body: sys.exit(3)
        if "Add(slow)" in body: say("late", ""); sys.exit(7)
        say("said", turn if "Add(odd)" in body else re.search(r"Add\((\w*)", body)[1])
        say("end", "")
"""
"""Stands in for `go test`: refuses `bad`, dies at `die`, is late at `slow`, and says what Add is given."""


def outcomes(root: Path, kind: Kind, probes: list[Probe], command: tuple[str, ...]) -> Mapping[str, Outcome]:
    """The outcomes of probes of a Go project, with a command in place of the compiler."""
    project = project_of(root, {"calc.go": GO, "calc_test.go": GO_TEST, "fake.py": FAKE})

    async def ran() -> Mapping[str, Outcome]:
        lanes = lanes_of(project, kind)
        await lanes.find_kind()
        async with lanes.opened(reading_of({"calc.go": GO + "\n"})) as lane:
            return await run_mutated(lane, [Check(name="t", command=command)], probes, {"calc.go": (GO, GO + "\n")})

    return asyncio.run(ran())


def probe_of(word: str) -> Probe:
    """A test that calls Add with something else."""
    text = GO_TEST[GO_TEST.index("func ") :].replace("Add(7)", f"Add({word})").rstrip("\n")
    return make_probe(Snippet(header=("calc_test.go", FUNCTION, "TestAdd"), steps=(text,)), "edge", word)


@pytest.mark.parametrize("kind", KINDS)
def test_each_test_has_its_own_outcome(tmp_path: Path, kind: Kind) -> None:
    """What the compiler refuses, what ends the process or takes too long is left out, and all others say what they see."""
    words = ("1", "bad", "2", "die", "slow", "odd", "3")
    probes = [probe_of(word) for word in words]
    found = outcomes(tmp_path, kind, probes, ("python", "fake.py"))
    assert [found[probe.id].kind for probe in probes] == [
        "value",
        "raised",
        "value",
        "died",
        "timeout",
        "unstable",
        "value",
    ]
    assert found[probes[0].id].text == '{"said": ["\\"1\\""]}'
    assert found[probes[1].id].text == "does not compile"
    assert (tmp_path / "calc_test.go").read_text() == GO_TEST


def test_where_it_does_not_work_tests_run_one_by_one(tmp_path: Path) -> None:
    """A command that never comes to the new test says nothing of it: then each probe is a run of its own."""
    probes = [probe_of("1"), probe_of("2")]
    found = outcomes(tmp_path, "copy", probes, ("sh", "-c", "grep -q 'Add(2)' calc_test.go && echo got 2; true"))
    assert [found[probe.id].shown for probe in probes] == ["passes", "got 2"]


def test_a_go_test_says_what_it_sees() -> None:
    """It does not end at the first difference; results of the code are said, and what its objects show at the end."""
    harness = next(row for row in HARNESSES if row.suffix == "_test.go")
    text = harness.function(probe_of("8").steps[0], 4, frozenset({"Add"}))
    assert text.startswith("func dce_t4(t *testing.T)")
    assert "dceSee(Add(8))" in text
    assert 'dceSay("got %d", got)' in text
    assert "Fatal" not in text
    assert "Parallel" not in text
    assert text.rstrip("}\n").endswith("dceLook(b)")
    whole = f"package x{harness.before}\n{harness.main([4], '/tmp/said')}{text}"
    tree = tree_of(whole, "x_test.go")
    assert tree is not None
    assert not tree.root.has_error


RUST = "pub fn half(n: i32) -> i32 { n / 2 }\n"
ODD = "pub fn half(n: i32) -> i32 { n >> 1 }\n"
RUST_TEST = (
    "mod half;\nuse half::half;\n#[test]\nfn halves() {\n    assert_eq!(half(8), 4);\n    assert_eq!(half(2), 1);\n}\n"
)


@pytest.mark.parametrize("kind", KINDS)
def test_rust_answers_are_told_apart_with_one_compiler(tmp_path: Path, kind: Kind) -> None:
    """With a real compiler: only negative odd numbers differ, and no visible test has one."""
    assert shutil.which("rustc"), "the tests need rustc, as those of exams need cargo"
    sources = Sources(changed={"half.rs": ("", RUST, ODD)}, tests={"tests.rs": RUST_TEST})
    probes = OTHERS.make(sources, 0)
    project = project_of(tmp_path, {"half.rs": RUST, "tests.rs": RUST_TEST})
    command = ("sh", "-c", "echo x >>tries; rustc --edition 2021 --test -A warnings -o checked tests.rs && ./checked")
    lanes = lanes_of(project, kind)
    tries: list[bytes] = []

    async def one(text: str) -> Mapping[str, Outcome]:
        await lanes.find_kind()
        async with lanes.opened(reading_of({"half.rs": text})) as lane:
            found = await OTHERS.run(
                Place(lane=lane, sources=sources, checks=(Check(name="t", command=command),)), probes
            )
            tries.append((lane.written_root / "tries").read_bytes())
            return found

    texts = {1: RUST, 2: RUST + "\n", 3: ODD}
    found = compare(probes, {slot: asyncio.run(one(text)) for slot, text in texts.items()})
    assert [members.slots for members in found.classes] == [(1, 2), (3,)]
    assert len(probes) > 30
    assert all(len(text.split()) <= 4 for text in tries)
