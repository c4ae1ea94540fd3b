"""The script that runs probes in node, run for real: what is recorded, what makes no difference, and that nothing ends the run."""

import asyncio
import re
import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.javascript_row import JAVASCRIPT, SCRIPTS
from dce.workspace.judging.behaviour.language import Place, Sources
from dce.workspace.judging.behaviour.languages import by_language
from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet, make_probe
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes
from dce.workspace.judging.lanes.lane import Kind
from tests.workspace.judging import reading_of
from tests.workspace.laned import KINDS, lanes_of, project_of
from tests.workspace.probing import FolderLane

HEADER = ('__at__("test/a.test.mjs");', 'const answer = __names__(await __import__("../answer.mjs"));')


def steps(*lines: str, header: tuple[str, ...] = HEADER) -> Probe:
    """A probe of these steps."""
    return make_probe(Snippet(header=header, steps=lines), "example")


def asked(*expressions: str) -> list[Probe]:
    """A probe for each expression."""
    return [steps(f"__record__({expression})") for expression in expressions]


def run(root: Path, given: str | Mapping[str, str], *probes: Probe, probe_s: float = 5.0) -> list[Outcome]:
    """The outcomes of the probes on a project of these files, or of one module `answer.mjs`."""
    lane = FolderLane(root, {"answer.mjs": given} if isinstance(given, str) else given)
    source = files("dce.workspace.judging.behaviour.javascript")
    for name in SCRIPTS:
        (lane.tmp / name).write_text(source.joinpath(name).read_text("utf-8"), "utf-8")
    limits = Limits(probe_s=probe_s, answer_s=60.0, max_timeouts=3)
    found = asyncio.run(run_probes(lane, probes, Interpreter(program="node", script=SCRIPTS[0]), limits=limits))
    return [found[probe.id] for probe in probes]


def test_values_exceptions_output_and_changed_arguments_are_recorded(tmp_path: Path) -> None:
    """Each shows in what is compared; an exception is its kind, and the steps after it still run."""
    text = "export function f(x) { console.log('out', x.length); x.push(1); if (x.length > 2) throw new RangeError('no'); return x.length; }"
    value, error = run(
        tmp_path,
        text,
        steps("var g = []", "__record__(answer.f(g))"),
        steps("var g = [1, 2]", "__record__(answer.f(g))", "__record__(3)"),
    )
    assert (value.kind, value.shown) == ("value", "1")
    assert "g = [1]" in value.text
    assert "out 0" in value.text
    assert "RangeError" in error.text
    assert error.shown == "3"


ALIKE = [
    ("{ a: 1, b: 2 }", "{ b: 2, a: 1 }"),
    ("new Set([1, 2])", "new Set([2, 1])"),
    ("new Map([[1, 2], [3, 4]])", "new Map([[3, 4], [1, 2]])"),
    ("0.1 + 0.2", "0.3"),
    ("new Point(1, 2)", "new Point(1, 3)"),
    ("(() => { throw new TypeError('one'); })()", "(() => { throw new TypeError('other'); })()"),
    ("(function* () { yield 1; })()", "[1].values()"),
    ("() => 1", "function named() { return 2; }"),
]
DIFFERENT = [
    *(("undefined", "null"), ("0", "-0"), ("NaN", "undefined"), ("[1]", "new Set([1])"), ("'1'", "1"), ("1n", "1")),
    *(
        ("[undefined]", "[,]"),
        ("{}", "[]"),
        ("Promise.resolve(1)", "1"),
        ("Promise.reject(new Error())", "Promise.resolve(1)"),
    ),
    *(("new Date(0)", "new Date(1)"), ("new Date(NaN)", "new Date(0)"), ("/a/g", "/a/"), ("new Point(1)", "{ x: 1 }")),
    *(("new Error()", "new TypeError()"), ("Symbol('a')", "Symbol('b')"), ("new Uint8Array([1])", "[1]")),
]


def test_what_is_equal_to_a_caller_is_the_same_and_what_differs_differs(tmp_path: Path) -> None:
    """Order of keys, last digits, private fields and wording make no difference; types that a test tells apart do."""
    cases = [*ALIKE, *DIFFERENT]
    head = "class Point { #y; constructor(x, y) { this.x = x; this._z = y; this.#y = y; } get y() { return 0 * this.#y; } }\n"
    lines = [
        f"export const {name}{at} = () => ({pair[side]});"
        for at, pair in enumerate(cases)
        for side, name in enumerate("ab")
    ]
    probes = [steps(f"__record__(answer.{name}{at}())") for at in range(len(cases)) for name in "ab"]
    found = run(tmp_path, head + "\n".join(lines), *probes)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert [one.text == other.text for one, other in pairs] == [True] * len(ALIKE) + [False] * len(DIFFERENT)


def test_a_probe_that_hangs_or_ends_the_process_costs_only_itself(tmp_path: Path) -> None:
    """The probes before and after it have their results; leaving politely is a result too."""
    text = (
        "export function f(x) { if (x === 1) for (;;) {} if (x === 2) process.reallyExit(0); if (x === 3) process.exit(1);"
        " if (x === 4) return new Promise(() => {}); return x; }"
    )
    found = run(tmp_path, text, *asked(*(f"answer.f({number})" for number in range(6))), probe_s=3.0)
    assert [outcome.kind for outcome in found] == ["value", "timeout", "died", "raised", "value", "value"]
    assert found[3].shown == "raises process.exit"
    assert found[4].shown == "<pending>"


def test_results_that_change_from_run_to_run_are_unstable(tmp_path: Path) -> None:
    """The clock says nothing about an answer; a random number is the same in every run."""
    text = "export const now = () => process.hrtime.bigint();\nexport const draw = () => Math.random();\n"
    found = run(tmp_path, text, *asked("answer.now()", "answer.draw()"))
    assert [outcome.kind for outcome in found] == ["unstable", "value"]


def test_state_in_a_module_is_seen_by_nobody_else(tmp_path: Path) -> None:
    """Where a module remembers, each probe counts with a process of its own."""
    text = "let seen = 0;\nexport const f = (x) => (seen += x);\n"
    found = run(tmp_path, text, *asked("answer.f(1)", "answer.f(2)"))
    assert [outcome.shown for outcome in found] == ["1", "2"]


def test_awaited_values_callbacks_and_what_is_thrown_later(tmp_path: Path) -> None:
    """A promise is followed; a callback's recordings count until it is done; an error outside any call is seen."""
    text = (
        "export const late = (x, done) => setTimeout(() => done(null, x + 1), 5);\n"
        "export const bad = () => { setTimeout(() => { throw new SyntaxError(); }, 1); return new Promise((r) => setTimeout(r, 30)); };\n"
    )
    callback, thrown = run(
        tmp_path,
        text,
        steps("var done = __done__()", "answer.late(1, (error, value) => { __record__(value); done(); })"),
        steps("__record__(await answer.bad())"),
    )
    assert callback.shown == "2"
    assert "SyntaxError" in thrown.text


def test_what_never_settles_is_told_from_what_is_slow(tmp_path: Path) -> None:
    """A promise that nothing can settle any more costs no time and ends only its probe; a timer is waited for."""
    text = (
        "export const never = () => new Promise(() => {});\n"
        "export const late = () => new Promise((resolve) => setTimeout(resolve, 20, 'late'));\n"
        "export const turns = async () => { for (let n = 0; n < 9; n += 1) await new Promise(setImmediate); return 'turns'; };\n"
    )
    never, awaited, late, turns = run(
        tmp_path,
        text,
        steps("__record__(answer.never())", "__record__(1)"),
        steps("__record__(await answer.never())", "__record__(1)"),
        steps("__record__(answer.late())"),
        steps("__record__(await answer.turns())"),
        probe_s=60.0,
    )
    assert never.shown == "1"
    assert "<pending>" in never.text
    assert awaited.shown == "raises never settles"
    assert late.shown == 'promise "late"'
    assert turns.shown == '"turns"'


def test_a_module_that_is_imported_late_is_waited_for(tmp_path: Path) -> None:
    """Importing goes on in another thread where node asks DCE how to load a file; that is no promise that never settles."""
    given = {
        "answer.mjs": "export const lazy = async (name) => (await import(`./${name}.mjs`)).x;\n",
        **{f"m{number}.mjs": f"export const x = {number};\n" for number in range(5)},
    }
    probes = [steps(f'__record__(await answer.lazy("m{number}"))', "__record__(1)") for number in range(5)]
    found = run(tmp_path, given, *probes, probe_s=30.0)
    assert ["never settles" in outcome.text for outcome in found] == [False] * 5


def test_steps_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """What comes at once is begun before what was begun earlier has ended; otherwise one step ends before the next."""
    text = (
        "let running = 0;\n"
        "export const most = async () => { running += 1; const seen = running; await 1; running -= 1; return seen; };\n"
    )
    apart, together = run(
        tmp_path,
        text,
        steps("__record__(answer.most())", "__record__(answer.most())"),
        steps("/* at once */ __record__(answer.most())", "__record__(answer.most())"),
    )
    assert (apart.shown, together.shown) == ("promise 1", "promise 2")


def test_functions_that_are_provided_tell_what_happens_to_them(tmp_path: Path) -> None:
    """A function that a probe gives tells its arguments, fails as often as asked, each time under another name, or takes some turns."""
    text = (
        "export const call = (fn) => fn(1, 'a');\n"
        "export const again = (fn) => { try { return fn(1); } catch { return fn(2); } };\n"
        "export const both = (fn) => Promise.race([fn(), new Promise((resolve) => setImmediate(resolve, 'first'))]);\n"
    )
    told, once, twice, late, slow = run(
        tmp_path,
        text,
        *asked(
            "answer.call(__seen__((x) => x))",
            "answer.again(__fails__(1, (x) => x))",
            "answer.again(__fails__(2, (x) => x))",
            "answer.call(__fails__(1, async (x) => x))",
            "answer.both(__slow__(5, () => 'slow'))",
        ),
    )
    assert '[1, \\"a\\"]' in told.text
    assert once.shown == "2"
    assert twice.shown == "raises MadeUp2"
    assert "rejects MadeUp1" in late.text
    assert slow.shown == 'promise "first"'


def test_a_value_that_is_endless_deep_or_unwilling_is_described(tmp_path: Path) -> None:
    """Describing never fails and never goes on for ever."""
    text = (
        "export const self = () => { const a = [1]; a.push(a); return a; };\n"
        "export const deep = () => { let a = 1; for (let n = 0; n < 5000; n += 1) a = [a]; return a; };\n"
        "export const endless = () => (function* () { for (;;) yield 1; })();\n"
        "export const unwilling = () => new Proxy({}, { ownKeys() { throw new Error(); } });\n"
        "export const long = () => 'x'.repeat(1e6);\n"
        "export const wide = () => Array.from({ length: 1e5 }, (_, n) => n);\n"
    )
    found = run(
        tmp_path,
        text,
        *asked(*(f"answer.{name}()" for name in ("self", "deep", "endless", "unwilling", "long", "wide"))),
    )
    assert [outcome.kind for outcome in found] == ["value"] * 6
    assert found[0].shown == "[1, <itself>]"


def test_an_answer_that_cannot_be_imported_raises_everywhere(tmp_path: Path) -> None:
    """The import's error is the result."""
    found = run(tmp_path, "export const f = ;", *asked("answer.f()"))
    assert (found[0].kind, found[0].shown) == ("raised", "raises SyntaxError")


def test_every_module_system_is_loaded_as_the_tests_load_it(tmp_path: Path) -> None:
    """CommonJS, a package by its own name, folders, imports without an ending, ES modules in plain .js files, and the tests' folder."""
    project = {
        "package.json": '{"name": "mine", "main": "./lib/main.js"}',
        "lib/main.js": "module.exports = { f: (x) => require('./part').g(x) };",
        "lib/part/index.js": "exports.g = (x) => x + 1;",
        "es/a.js": "import { b } from './b';\nexport default (x) => b(x);",
        "es/b.js": "export const b = (x) => x * 2;",
        "test/fixtures/data.js": "module.exports = [1, 2];",
    }
    at = '__at__("test/a.test.js");'
    found = run(
        tmp_path,
        project,
        steps("__record__(f(1))", header=(at, "const { f } = (await __load__('..'));")),
        steps("__record__(f(1))", header=(at, "const { f: f } = __names__(await __import__('mine'));")),
        steps("__record__(a(2))", header=(at, "const a = __default__(await __import__('../es/a'));")),
        steps("__record__(data)", header=(at, "const data = (await __load__('./fixtures/data'));")),
    )
    assert [outcome.shown for outcome in found] == ["2", "2", "4", "[1, 2]"]


FAKE = "exports.ModuleKind = exports.ScriptTarget = exports.JsxEmit = {};\nexports.transpileModule = (text) => ({ outputText: text.replace(/: number/g, '') });\n"


@pytest.mark.parametrize("kind", KINDS)
def test_typescript_runs_in_a_lane_with_what_the_project_has(tmp_path: Path, kind: Kind) -> None:
    """In either kind of lane the probes see the answer's code, translated by the project's own TypeScript if node cannot read it."""
    before = "export function f(a: number) { return a; }\n"
    after = before.replace("return a;", "return [a, process.env.NODE_TEST_CONTEXT];")
    test = 'import { f } from "../src/a";\nimport { expect, test } from "vitest";\ntest("x", () => { expect(f(1)).toBe(2); });\n'
    project = project_of(
        tmp_path,
        {"src/a.ts": before, "test/a.test.ts": test, "package.json": "{}", "node_modules/typescript/index.js": FAKE},
    )
    sources = Sources(changed={"src/a.ts": (before, after)}, tests={"test/a.test.ts": test})
    probes = JAVASCRIPT.make(sources, 0)
    lanes = lanes_of(project, kind)

    async def found() -> Mapping[str, Outcome]:
        await lanes.find_kind()
        async with lanes.opened(reading_of({"src/a.ts": after})) as lane:
            return await JAVASCRIPT.run(Place(lane=lane, sources=sources), probes)

    outcomes = asyncio.run(found())
    (one,) = [probe for probe in probes if probe.label == "f(1)"]
    assert outcomes[one.id].shown == "[1, undefined]"


def test_files_that_the_row_speaks_for() -> None:
    """Scripts are; tests, declarations, settings and minified files are not."""
    paths = [
        "src/a.ts",
        "src/b.mjs",
        "src/a.test.ts",
        "test/help.js",
        "types/a.d.ts",
        "vite.config.ts",
        "a.min.js",
        "b.py",
    ]
    assert by_language(paths, [JAVASCRIPT]) == {"JavaScript": ["src/a.ts", "src/b.mjs"]}


def test_without_node_nothing_is_compared(tmp_path: Path) -> None:
    """The reason says what is missing."""
    project = project_of(tmp_path / "project", {"a.js": "1"})
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "/bin/cat")  # a lane needs it; nothing else is there
    lanes = lanes_of(project, "copy", environ={"PATH": str(tmp_path), "HOME": str(tmp_path)})

    async def found() -> Mapping[str, Outcome]:
        await lanes.find_kind()
        async with lanes.opened(reading_of({"a.js": "2"})) as lane:
            return await JAVASCRIPT.run(Place(lane=lane, sources=Sources(changed={}, tests={})), asked("1"))

    (outcome,) = asyncio.run(found()).values()
    assert outcome.kind == "not run"
    assert re.search("node.*(?:cannot start|not found)", outcome.shown)
