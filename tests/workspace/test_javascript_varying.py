"""What probes for JavaScript vary: words of the code, the form of values, functions that are given, arguments, sequences on objects."""

import random
import re

import pytest

from dce.workspace.judging.behaviour.javascript.callbacks import Callback, callback_sites, callback_sources
from dce.workspace.judging.behaviour.javascript.calls import call_snippets
from dce.workspace.judging.behaviour.javascript.dictionary import Dictionary, dictionary
from dce.workspace.judging.behaviour.javascript.examples import documented_calls
from dce.workspace.judging.behaviour.javascript.exports import exported_functions
from dce.workspace.judging.behaviour.javascript.members import offered
from dce.workspace.judging.behaviour.javascript.objects import AT_ONCE, Offered, object_snippets
from dce.workspace.judging.behaviour.javascript.passing import handed_on, other_counts
from dce.workspace.judging.behaviour.javascript.patterns import samples
from dce.workspace.judging.behaviour.javascript.reshaping import Known, confused, reshaped
from dce.workspace.judging.behaviour.javascript.syntax import is_broken
from dce.workspace.judging.behaviour.javascript.visible_tests import read_test_file
from dce.workspace.judging.behaviour.probe import Snippet

OWN = frozenset({"f", "g", "Stack", "create"})
IMPORTS = 'import assert from "node:assert";\nimport { f, g, Stack, create } from "../src/a.js";\n'


NOTHING_OFFERED = Offered()


def drawn(value: object, known: Known, count: int = 300) -> set[str]:
    """Source of values of the same form."""
    rng = random.Random(1)
    return {reshaped(value, rng, known) for _ in range(count)}


def sequences_of(body: str, offered_by: Offered = NOTHING_OFFERED, head: str = "") -> list[Snippet]:
    """The sequences on objects that a test file and the modules give."""
    file = read_test_file(f"{IMPORTS}{head}\n{body}", "test/a.test.js")
    tests = [(file, steps, OWN) for steps in file.tests]
    return list(object_snippets(tests, offered_by, random.Random(1), Known()))


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        (r"^(#{1,3})\s+(.+)$", ["# x", "###   xxx", "####    xxxx"]),
        (r"^(`{3,}|~{3,})", ["```", "~~~~~"]),
        (r"(?<key>[^=&]+)=(\d{2})?", ["x=", "xxx=77"]),
        (r"a(?=b)[^x]", ["ay"]),
        ("((((", []),
        (r"[", []),
        (r"\u{1F600}\\", ["\\"]),
    ],
)
def test_a_pattern_gives_texts_that_it_looks_for(pattern: str, made: list[str]) -> None:
    """A regular expression gives texts with its parts as rarely and as often as they may come; a broken one gives none and no error."""
    assert set(made) <= set(samples(pattern))
    assert bool(made) or samples(pattern) == []


def test_the_dictionary_holds_what_the_code_and_the_tests_say() -> None:
    """Words, numbers with their neighbours, and options with values come from every version and from tests."""
    versions = (
        "",
        'import x from "other";\nexport function f(a, { depth = 2, mode } = {}) { if (mode === "all") return /^--/.test(a);'
        ' if (typeof a !== "string") throw new TypeError("bad input"); }',
        "export function f(a, options) { return a > 100 ? `left ${options.side}` : null; }",
    )
    found = dictionary({"src/a.js": versions}, [("f(1, { retries: 5 })",)])
    assert {"all", "--", "left "} <= set(found.words)
    assert not {"other", "string", "bad input"} & set(found.words)
    assert {99, 100, 101, 2, 3} <= set(found.numbers)
    assert {"retries", "depth", "mode", "side"} <= set(found.options)
    assert next(iter(found.options)) == "retries"
    assert {"5", "6", "4"} <= set(found.options["retries"])
    assert '"all"' in found.options["mode"]


def test_the_dictionary_knows_on_what_functions_of_javascript_stumble() -> None:
    """A module that calls `replace` is asked for texts with `$&`, one that splits texts for signs of two units; others are not."""
    assert "$&" in dictionary({"a.js": ("f = (x) => x.replace(/a/, x);",)}, ()).words
    assert {"$&", "😀"} & set(dictionary({"a.js": ("f = (x) => x.split('');",)}, ()).words) == {"😀"}


def test_a_list_gets_an_item_that_differs_in_one_field() -> None:
    """A list of objects keeps its items and gets one more that is like them but for one field; fields within it change too."""
    items = [{"name": "a", "age": 1}, {"name": "b", "age": 2}]
    found = drawn(items, Known())
    assert any(text.startswith('[{name: "a", age: 1}, {name: "b", age: 2}, {name: "') for text in found)
    assert '[{name: "a", age: 1}, {name: "b", age: 2}, {name: "a", age: 2}]' in found
    assert any(re.fullmatch(r'\[\{name: "a", age: \S+\}, \{name: "b", age: 2\}\]', text) for text in found)
    assert not any(is_broken(f"({text})") for text in found)
    assert drawn(items, Known()) == found


def test_words_and_options_of_the_code_enter_values() -> None:
    """A text gets words of the code within it and as lines, or a word of its own twice; an object options, a number those of the code."""
    known = Known(
        dictionary=Dictionary(words=("```",), numbers=(100, 101), options={"strict": ("true",)}), pool=["x\ny"]
    )
    assert {'"# b\\n## b"', '"# a\\n## a"'} <= drawn("# a\n## b", known)
    assert {'"a\\n```\\nb"', '"```a\\nb"'} <= drawn("a\nb", known, 2000)
    assert "{depth: 1, strict: true}" in drawn({"depth": 1}, known)
    assert {"100", "101"} <= drawn(7, known)


@pytest.mark.parametrize("value", [1, 1.5, "a", True, None, [1], {"a": 1}, [], {}, "", [[1], [2]], {"a": [{"b": "c"}]}])
def test_values_that_are_taken_for_others_are_source(value: object) -> None:
    """Whatever a value is, what comes in its place can be parsed."""
    rng = random.Random(3)
    assert not any(is_broken(f"({confused(value, rng)})") for _ in range(60))
    assert not any(is_broken(f"({text})") for text in drawn(value, Known()))


def test_functions_that_are_given_are_varied() -> None:
    """A function given to the code, itself or in an object, gives way to others; one that stands around an assertion does not."""
    steps = ("__record__(f((x) => x, { then: async () => 1 }))", "__record__(__call__(() => g(1)))")
    found = [site.value for site in callback_sites(steps)]
    assert found == [Callback("(x) => x"), Callback("async () => 1")]
    sources = callback_sources("(x) => x")
    assert {"__seen__((x) => x)", "__fails__(1, (x) => x)"} <= set(sources)
    assert not any(is_broken(f"({source})") for source in sources)


def test_values_behind_names_stay_with_their_calls() -> None:
    """A call whose argument comes from an earlier step is taken with that step."""
    body = 'test("x", () => { const lines = ["a", "b"].join("\\n"); const once = f(lines); assert.equal(f(once), once); });'
    file = read_test_file(IMPORTS + body, "test/a.test.js")
    found = [snippet.steps for snippet in call_snippets(file, file.tests[0], OWN)]
    first = 'var lines = ["a", "b"].join("\\n")'
    assert found == [(first, "f(lines)"), (first, "var once = f(lines)", "f(once)")]


def test_calls_get_arguments_that_no_test_gives() -> None:
    """A call gets the options that a function takes, one argument too many, and one too few."""
    (function,) = exported_functions(["export function f(text, { depth = 2, mode } = {}) {}"], "a.js")
    known = Known(dictionary=Dictionary(options={"depth": ("2", "3"), "mode": ('"all"',)}))
    made = {" ".join(steps) for steps in other_counts('f("a")', {"f": function}, {}, random.Random(1), known)}
    assert any("depth: 3" in text and 'mode: "all"' in text for text in made)
    assert "__record__(f())" in made
    assert '__record__(f("a", undefined))' in made


def test_results_are_handed_on() -> None:
    """What a call gives is given to the same function again, and to others."""
    snippets = [Snippet(header=("h",), steps=('f("a", 1)',)), Snippet(header=("h",), steps=('g("b")',))]
    found = {snippet.steps for snippet in handed_on(snippets, random.Random(1), Known())}
    again = ("var second = f(first, 1)", "__record__(second)", "__record__(f(second, 1))")
    assert any(steps[1:] == again for steps in found)
    assert any(steps[0].startswith("var first = f(") and steps[1] == "var second = g(first)" for steps in found)


def test_acts_keep_what_they_need_and_are_put_in_new_orders() -> None:
    """What a test does with an object is repeated in other orders, with the names that its functions and arguments use."""
    body = (
        'test("x", () => { const s = new Stack({ size: 2 }); const log = []; const id = s.add((x) => log.push(x));'
        " assert.ok(s.get(id)); s.drop(); });"
    )
    found = sequences_of(body)
    assert len({snippet.steps for snippet in found}) > 50
    for snippet in found:
        text = "\n".join(snippet.steps)
        assert text.count("var it = ") == 1
        assert not re.search(r"\bs\.", text)
        if "it.get(id)" in text:
            assert text.index("var id = it.add(") < text.index("it.get(id)")
        if "log.push" in text:
            assert text.index("var log = ") < text.index("var it = ")


@pytest.mark.parametrize(
    ("head", "made"),
    [
        ("const make = (size) => new Stack({ size });", "const s = make(3);"),
        ("", "let s; s = create(3);"),
        ("", "const s = await create(3);"),
    ],
)
def test_objects_are_found_behind_helpers_hooks_and_factories(head: str, made: str) -> None:
    """An object that a test's own function makes, or that gets its name before it gets its value, is one."""
    found = sequences_of(f'test("x", async () => {{ {made} assert.ok(s.add(1)); }});', head=head)
    assert found
    assert any("__record__(it.add(" in step for snippet in found for step in snippet.steps)


def test_an_object_that_is_taken_apart_is_used_by_its_parts() -> None:
    """`const { add, size } = create()` gives acts of the names that it gives."""
    found = sequences_of('test("x", () => { const { add, size } = create(3); add(1); assert.equal(size(), 1); });')
    assert any({"__record__(add(1))", "__record__(size())"} <= set(snippet.steps) for snippet in found)


CLASS = (
    "export class Stack { #n = 0; constructor(size = 3) {} get length() { return 1; } push(item) {} _hidden() {} peek() {}"
    " static of() {} async later(fn) { return fn(); } }\n"
    "export function create(limit) { const add = (x) => x; return { add, total() { return 1; } }; }\n"
)


def test_what_objects_offer_is_read_from_classes_and_factories() -> None:
    """Public methods and getters of classes, and those of an object that a function returns, count if most versions have them."""
    stack, create = offered([CLASS, CLASS, CLASS.replace("peek", "other")], "src/a.js")
    assert [method.name for method in stack.methods] == ["push", "peek", "later"]
    assert stack.getters == ("length",)
    assert [method.name for method in create.methods] == ["add", "total"]
    assert stack.methods[2].parameters[0].kind == "Function"


def test_private_methods_of_typescript_are_not_called() -> None:
    """What TypeScript calls private or protected is not offered; what it calls public is."""
    text = "export class A { private a(): void {} protected b(): void {} public c(n: number): void {} }\n"
    (kind,) = offered([text], "src/a.ts")
    assert [(method.name, method.parameters[0].kind) for method in kind.methods] == [("c", "number")]


def test_methods_that_no_test_calls_are_called_and_objects_are_looked_at() -> None:
    """Without a test that makes it, an object is made and its methods are called; at the end getters and no-argument methods are seen."""
    kinds = Offered(members={"src/a.js": offered([CLASS], "src/a.js")}, text=CLASS)
    found = sequences_of("", kinds)
    made = [snippet.steps for snippet in found if any("new Stack(" in step for step in snippet.steps)]
    assert made
    assert all(steps[-2:] == ("__record__(it.peek())", "__record__(it.length)") for steps in made)
    assert any("it.push(" in step for steps in made for step in steps)
    assert any(step.startswith(AT_ONCE) for steps in made for step in steps)
    assert not any(
        step.startswith(AT_ONCE)
        for snippet in sequences_of("", Offered(members=kinds.members))
        for step in snippet.steps
    )


def test_a_function_counts_with_the_parameters_that_most_answers_give_it() -> None:
    """Answers that name or default parameters differently still export the same function; a new parameter is not lost."""
    versions = [
        "export function f(a) {}",
        "export function f(a, o = {}) {}",
        "export const f = (text, { depth = 1 } = {}) => 1;",
    ]
    (function,) = exported_functions(versions, "a.js")
    assert function.parameters[1].keys == (("depth", "1"),)


def test_calls_in_the_prose_of_a_comment_are_examples() -> None:
    """A call that a comment speaks of is one, up to its closing bracket."""
    text = "/** Whether both are alike: same({ a: [1] }, (2)) is false (see same). */\nexport function same(a, b) {}\n"
    functions = exported_functions([text], "a.js")
    assert [snippet.steps for snippet in documented_calls("a.js", [text], functions)] == [("same({ a: [1] }, (2))",)]
