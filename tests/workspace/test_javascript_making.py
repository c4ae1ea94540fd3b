"""Probes for JavaScript and TypeScript: what is read from tests, examples and modules, and how values vary. Nothing is executed."""

import random

import pytest

from dce.workspace.judging.behaviour.javascript.calls import aliased, call_snippets, hoisted
from dce.workspace.judging.behaviour.javascript.examples import documented_calls, read_me_snippets
from dce.workspace.judging.behaviour.javascript.exports import affected, exported_functions
from dce.workspace.judging.behaviour.javascript.generate import SHARES, Material, make_probes, package_names
from dce.workspace.judging.behaviour.javascript.made_up import made_up_words
from dce.workspace.judging.behaviour.javascript.reshaping import Known
from dce.workspace.judging.behaviour.javascript.syntax import is_broken, plain
from dce.workspace.judging.behaviour.javascript.values import edge_sources, replaced, sites, written
from dce.workspace.judging.behaviour.javascript.varying import pairs, scaled, sequences, singles
from dce.workspace.judging.behaviour.javascript.visible_tests import read_test_file

KNOWN = Known(pool=[9])
OWN = frozenset({"f", "g", "Stack"})


def steps_of(body: str, head: str = "") -> list[list[str]]:
    """The steps of each test in a file."""
    text = f'import assert from "node:assert";\nimport {{ f, g, Stack }} from "../src/a.js";\n{head}\n{body}'
    file = read_test_file(text, "test/a.test.js")
    return [list(file.snippet(steps).steps) for steps in file.tests]


@pytest.mark.parametrize(
    ("assertion", "recorded"),
    [
        ("assert.equal(f(1), 2)", ["__record__(f(1))"]),
        ("assert(f(1))", ["__record__(f(1))"]),
        ("assert.deepStrictEqual(f(1), g(2))", ["__record__(f(1))", "__record__(g(2))"]),
        ("assert.throws(() => f(1), RangeError)", ["__record__(__call__(() => f(1)))"]),
        ("await assert.rejects(f(1))", ["__record__(await (__call__(f(1))))"]),
        ("expect(f(1)).toBe(2)", ["__record__(f(1))"]),
        ("expect(f(1)).not.toEqual([2])", ["__record__(f(1))"]),
        ("expect(() => f(1)).toThrow('x')", ["__record__(__call__(() => f(1)))"]),
        ("await expect(f(1)).resolves.toBe(2)", ["__record__(await (f(1)))"]),
        ("expect(f(1)).to.be.true", ["__record__(f(1))"]),
        ("expect.assertions(2)", []),
        ("f(1).should.equal(2)", ["__record__(f(1))"]),
        ("t.is(f(1), 2)", ["__record__(f(1))"]),
        ("t.same(f(1), {a: 1}); t.end()", ["__record__(f(1))"]),
        ("f(1)", ["__record__(f(1))"]),
    ],
)
def test_assertions_become_recordings(assertion: str, recorded: list[str]) -> None:
    """What a test looks at is recorded, what it expects is dropped, in the form of each library."""
    assert steps_of(f'test("x", async (t) => {{ {assertion}; f(0); }});') == [[*recorded, "__record__(f(0))"]]


def test_groups_hooks_tables_and_loops() -> None:
    """What stands before a test in its group comes before its steps; a table's rows are tests; a loop keeps its tests in it."""
    grouped = 'describe("g", () => { let s; beforeEach(() => { s = new Stack(); }); it("t", () => { expect(s.size()).toBe(0); }); });'
    assert steps_of(grouped) == [["var s", "s = new Stack()", "__record__(s.size())"]]
    table = 'it.each([[1, 2], [3, 4]])("%d", (a, b) => { expect(f(a)).toBe(b); });'
    assert steps_of(table) == [
        ["var a = 1", "var b = 2", "__record__(f(a))"],
        ["var a = 3", "var b = 4", "__record__(f(a))"],
    ]
    ((head, loop),) = steps_of(
        "for (const [a] of rows) { test(`n`, () => { assert.ok(f(a)); }); }", "const rows = [[1], [2]];"
    )
    assert head == "var rows = [[1], [2]]"
    assert "__later__(async () => {\n__record__(f(a));" in loop
    assert steps_of('test.skip("x", () => { assert(f(1)); });') == []


def test_a_file_without_tests_is_one_test() -> None:
    """A plain script of assertions gives its statements as steps."""
    text = "const assert = require('assert');\nconst f = require('./f');\nconst x = f(1);\nassert.strictEqual(x, 2);\n"
    file = read_test_file(text, "test.js")
    (steps,) = file.tests
    snippet = file.snippet(steps)
    assert snippet.header == ('__at__("test.js");', 'const f = (await __load__("./f"));')
    assert snippet.steps == ("var x = f(1)", "__record__(x)")


def test_what_only_a_runner_can_do_gives_no_test() -> None:
    """Tests that replace modules or turn clocks are left out; a plain mock function is provided."""
    assert steps_of('test("x", () => { vi.useFakeTimers(); expect(f(1)).toBe(1); });') == []
    assert len(steps_of('test("x", () => { const m = vi.fn(); f(m); expect(m).toHaveBeenCalledTimes(1); });')) == 1


def test_single_calls_take_values_from_names_and_tables() -> None:
    """A call is taken with what its names stand for; one that depends on something unknown is not."""
    text = (
        'import { f, g } from "../src/a.js";\n'
        "const rows = [[1, 'a'], [2, 'b']];\n"
        'test("x", () => { const n = 5; let m = read(); assert(f(n)); assert(g(m)); rows.forEach(([a, b]) => { assert(f(a, b)); }); });'
    )
    file = read_test_file(text, "test/a.test.js")
    calls = [snippet.steps[-1] for snippet in call_snippets(file, file.tests[0], OWN)]
    assert calls == ["f(5)", "f(1, 'a')", "f(2, 'b')"]


def test_arguments_that_can_change_get_names() -> None:
    """Arrays and objects are passed by name, so that a change is seen; one object can be passed twice."""
    assert hoisted("f([1], 2)") == ("var given_1 = [1]", "__record__(f(given_1, 2))")
    assert aliased("f([1], [2])") == ("var given_1 = [1]", "__record__(f(given_1, given_1))")
    assert aliased("f([1], 2)") == ()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("const x: number = f<string>(1 as any, y!);", "const x = f(1, y);"),
        ("function g(a?: string, ...rest: number[]): void {}", "function g(a, ...rest) {}"),
        ("import type { A } from './a';\nf(1);", "\nf(1);"),
        ("interface A { b: number }\nconst c = <any>d;", "\nconst c = d;"),
        ("const h = (a: A): a is B => a satisfies C;", "const h = (a) => a;"),
    ],
)
def test_types_are_left_out(typed: str, expected: str) -> None:
    """TypeScript without its types is JavaScript."""
    assert plain(typed, "a.ts") == expected
    assert not is_broken(plain(typed, "a.ts"))


def test_literals_and_their_edges() -> None:
    """Literals are found with their values; edges hold what only JavaScript has, and never the value itself."""
    found = [site.value for site in sites(["f([1, -2], {a: 'x\\n'}, `t`, 0x10, y[3])"])]
    assert found == [[1, -2], 1, -2, {"a": "x\n"}, "x\n", "t", 16]
    for value in (3, 2.5, "a,b", [1], {"a": 1}):
        texts = edge_sources(value)
        assert written(value) not in texts
        assert len(texts) == len(set(texts))
        assert "undefined" in texts
        assert not [text for text in texts if is_broken(f"({text})")]
    assert {"NaN", "-0"} <= set(edge_sources(3))
    (site, *_) = sites(["f('é', 2)"])
    assert replaced(["f('é', 2)"], [(site, "NaN")]) == ("f(NaN, 2)",)


def test_variations_depend_on_the_seed_only() -> None:
    """One seed gives the same variations, and each of them parses."""
    steps = ("var a = [1, 2]", "__record__(f(a, 'x', 3))")

    def made() -> list[tuple[str, ...]]:
        rng = random.Random(7)
        return [*singles(steps, rng, KNOWN), *pairs(steps, rng, 20, KNOWN), *sequences(steps, rng, 4)]

    first = made()
    assert first == made()
    assert not [step for steps in first for step in steps if is_broken(step)]
    assert any("9" in steps[-1] for steps in first)


def test_long_inputs() -> None:
    """Arrays and texts of a call become long; a call without any has no long form."""
    (first, *_) = scaled("f([1, 2], 3)")
    assert first[0].startswith("var long_1 = Array.from(")
    assert first[1] == "__record__(f(long_1, 3))"
    assert scaled("f(3)") == []


@pytest.mark.parametrize(
    ("text", "path", "names"),
    [
        ("export function f(a, b = 1) {}\nconst g = (x) => x;\nexport { g as h };", "a.js", [("f", "f"), ("h", "h")]),
        ("export default function run(a) {}", "a.js", [("run", "default")]),
        ("module.exports = (a) => a;", "lib/do-it.js", [("doIt", "default")]),
        (
            "const a = (x) => x;\nmodule.exports = { a, b(y) {}, c: function (z) {} };",
            "a.js",
            [("a", "a"), ("b", "b"), ("c", "c")],
        ),
        ("exports.f = function (a) {};", "a.js", [("f", "f")]),
        ("export const f = async (a: number): Promise<void> => {};", "a.ts", [("f", "f")]),
        ("export function all(...xs) {}\nfunction own() {}", "a.js", []),
    ],
)
def test_exported_functions(text: str, path: str, names: list[tuple[str, str]]) -> None:
    """Every form of export is seen, in both module systems."""
    found = exported_functions([text], path)
    assert [
        (function.name if function.is_default else function.exported, function.exported) for function in found
    ] == names


def test_what_is_affected() -> None:
    """What differs between versions is affected, with what uses it; comments and layout make no difference."""
    before = "const a = (x) => x;\nexport const b = (x) => a(x);\nexport const c = (x) => x;\n"
    assert {"a", "b"} <= affected([before, before.replace("=> x;", "=> x + 1;", 1)], "m.js")
    assert "c" not in affected([before, before.replace("=> x;", "=> x + 1;", 1)], "m.js")
    assert affected([before, f"// a comment\n{before}"], "m.js") == frozenset()


def test_made_up_arguments_follow_types_defaults_and_names() -> None:
    """A written type counts before a default, that before the name; what a parameter takes apart is given."""
    (function,) = exported_functions(["export function f(n: string, list, fn, { depth = 2, name } = {}) {}"], "a.ts")
    words = made_up_words(function, {})
    assert words[0].startswith('"abc", [3, 1, 2], (x) => x')
    assert any("{ depth: 2, name: " in text for text in words)
    assert made_up_words(function, {"list": ["[7]"]})[0].startswith('"abc", [7]')


def test_examples_in_comments_and_read_me() -> None:
    """Calls in JSDoc examples and in a README's code are taken, by the project's own name too."""
    text = "/**\n * Adds.\n * @example\n * add(1, 2) // => 3\n * add(0, -1) === -1\n */\nexport function add(a, b) {}\n"
    functions = exported_functions([text], "src/add.js")
    calls = [snippet.steps[-1] for snippet in documented_calls("src/add.js", [text], functions)]
    assert calls == ["add(1, 2)", "add(0, -1)"]
    readme = (
        "# x\n```js\nconst semver = require('semver')\n```\n\n```js\nsemver.valid('1.2.3') // '1.2.3'\nother(1)\n```\n"
    )
    ((snippet, _),) = read_me_snippets(readme, package_names(['{"name": "semver"}', "no json"]))
    assert snippet.steps == ("semver.valid('1.2.3')",)
    assert snippet.header[1] == 'const semver = (await __load__("semver"));'


CHANGED = {"src/a.js": ("", "export function f(a, b) { return a; }\nexport function unseen(list) { return list; }\n")}
TESTS = {"test/a.test.js": 'import { f } from "../src/a.js";\ntest("x", () => { assert.equal(f([1, 2], "b"), 1); });\n'}


def test_probes_are_the_same_for_the_same_sources() -> None:
    """Their number is bounded, each is different, each parses, and functions that no test calls have some too."""
    probes = make_probes(Material(changed=CHANGED, tests=TESTS), seed=3)
    assert probes == make_probes(Material(changed=CHANGED, tests=TESTS), seed=3)
    assert 0 < len(probes) <= sum(SHARES.values())
    assert len({probe.id for probe in probes}) == len(probes)
    assert {probe.origin for probe in probes} >= {"example", "edge", "pair", "sequence", "scale", "surface"}
    assert any(probe.label.startswith("unseen(") for probe in probes)
    assert not [step for probe in probes for step in probe.steps if is_broken(step)]


@pytest.mark.parametrize(
    "text",
    ["1e999", "9" * 5000, "[" * 3000 + "]" * 3000, "0x", "-1e999", "{a: {b: 1e400}}"],
    ids=["inf", "long", "deep", "hex", "minus", "within"],
)
def test_values_that_python_does_not_have_are_no_literals(text: str) -> None:
    """Numbers beyond a double, and nesting beyond any sense, are left as they are."""
    make_probes(Material(changed=CHANGED, tests={"test/a.test.js": TESTS["test/a.test.js"].replace("[1, 2]", text)}))
    assert [site for site in sites([f"f({text}, 7)"]) if site.value == 7] or text.startswith("[")


def test_components_are_left_to_their_tests() -> None:
    """A test with markup in it needs a renderer."""
    assert steps_of('test("x", () => { const it = <Stack a={1} />; assert(f(it)); });') == []


@pytest.mark.parametrize("text", ["", "test(", "import {", "/* no end", "export default", "\x00", "})))", "`${"])
def test_what_cannot_be_parsed_gives_fewer_probes_and_no_error(text: str) -> None:
    """A test or an answer with mistakes in it costs only itself."""
    make_probes(Material(changed={"src/a.js": (text, *CHANGED["src/a.js"])}, tests={**TESTS, "test/b.test.js": text}))
    make_probes(Material(changed={"src/a.ts": (text, text)}, tests={"test/b.test.tsx": text}))
