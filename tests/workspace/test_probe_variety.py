"""Probes that reach what no visible test comes near: values behind names, one more item that differs, words of the code, long sequences."""

import ast
import datetime
import random

import pytest

from dce.workspace.context.prompt import PromptCycle, PromptFile, PromptInput, build, cycle_asked
from dce.workspace.judging.behaviour.arguments import Arguments
from dce.workspace.judging.behaviour.asked_words import asked_words
from dce.workspace.judging.behaviour.constants import constants, fixture_values, helper_options
from dce.workspace.judging.behaviour.day_changes import changed_day, changed_days
from dce.workspace.judging.behaviour.generate import Material, make_probes
from dce.workspace.judging.behaviour.havoc import changed_call, havoc
from dce.workspace.judging.behaviour.line_changes import changed_lines
from dce.workspace.judging.behaviour.material_values import kind_of, material_values
from dce.workspace.judging.behaviour.probe import Probe, Snippet
from dce.workspace.judging.behaviour.surface import Callable, Parameter
from dce.workspace.judging.behaviour.text_changes import changed_text
from dce.workspace.judging.behaviour.visible_tests import read_test_file, snippets

PLANS = """
from datetime import date
from shop import invoice, Plan, Desk
import pytest
BASIC, PRO = Plan("Basic", 3100), Plan("Pro", 6200)
START: date = date(2024, 1, 1)
LATER = START + len([1])

@pytest.fixture
def changes():
    return [(date(2024, 1, 10), PRO)]

@pytest.fixture
def desk():
    made = Desk()
    return made

def test_one(changes):
    assert invoice(START, BASIC, changes) == [3]
"""

DESK = """
class Desk:
    def lend(self, member, code): ...
    def hold(self, member, code): ...
    def cancel(self, member, code): ...
    def waiting(self, code): ...
    def count(self): ...
"""

DESK_TEST = """
import pytest
from desk import Desk
ANN, BEN = ("Ann", 1), ("Ben", 2)

@pytest.fixture
def desk():
    return Desk()

def test_hold(desk):
    desk.lend(ANN, "b1")
    assert desk.hold(BEN, "b1") == 1
    assert desk.waiting("b1") == [BEN]

def test_other(desk):
    desk.lend(BEN, "b2")
"""


def made(test: str, seed: int = 0, **modules: str) -> tuple[Probe, ...]:
    """The probes for one test file."""
    versions = {name: (text, text) for name, text in modules.items()}
    return make_probes(Material(tests={"test_it.py": test}, modules=versions), seed=seed)


def varied(call: str, count: int = 400, code: str = "") -> set[str]:
    """Many variations of a call."""
    known = material_values([ast.parse(call)], [(code,)])
    stream = havoc(Snippet(header=("from it import f, Plan, date",), steps=(call,)), random.Random(0), known)
    return {next(stream).steps[0] for _ in range(count)}


def test_values_behind_names_are_written_out() -> None:
    """Constants of one another, several in one statement, with a type, and what a fixture returns; nothing that has a life of its own."""
    source = read_test_file(PLANS)
    assert source is not None
    known = constants(source)
    assert {name: ast.unparse(value) for name, value in known.items()} == {
        "BASIC": "Plan('Basic', 3100)",
        "PRO": "Plan('Pro', 6200)",
        "START": "date(2024, 1, 1)",
        "LATER": "date(2024, 1, 1) + len([1])",
    }
    given = {name: ast.unparse(value) for name, value in fixture_values(source, known).items()}
    assert given == {"changes": "[(date(2024, 1, 10), Plan('Pro', 6200))]"}


def test_a_call_with_named_values_is_varied_inside_them() -> None:
    """The price behind a constant changes, and so does the list behind a fixture."""
    code = "def invoice(period, plan, changes): ...\nclass Plan: ...\nclass Desk: ...\n"
    labels = ["; ".join(probe.steps) for probe in made(PLANS, shop=code)]
    assert any("Plan('Basic', 3101)" in label for label in labels)
    assert any(label.count("Plan('Pro'") > 1 for label in labels)


@pytest.mark.parametrize(
    "wanted",
    [
        "f([{'a': 1}, {'a': 1}])",
        "f([{'a': 1}, {'a': 0}])",
        "f([])",
        "f([{}])",
        "f([{'red': 1}])",
        "f([{'a': 1, 'red': 1}])",
        "f([{'a': 41}])",
    ],
)
def test_structure_is_varied(wanted: str) -> None:
    """One more item like another, one that differs in a field, keys and limits that the code names."""
    assert wanted in varied("f([{'a': 1}])", 3000, "def f(x):\n    return x['red'] > 40\n")


def test_words_in_messages_and_docstrings_are_no_words_of_the_code() -> None:
    """What an exception says or a docstring explains is for people."""
    code = '"""Doc"""\ndef f(x):\n    """More"""\n    if x == "all": raise ValueError("no")\n    return f"{x} and" if x > 7 else 1\n'
    known = material_values([], [(code,)])
    assert (list(known.words), list(known.numbers)) == (["all"], [7])


def test_a_parameter_with_a_default_is_given_a_value() -> None:
    """Also one that no test gives, with a word that the code compares it with; never one that is given already."""
    code = "def f(x, mode='off', size=3):\n    return mode == 'all'\n"
    known = material_values([ast.parse("f(1)")], [(code, code)])
    rng = random.Random(0)
    found = {changed_call("f(1)", rng, known, frozenset({"f"})) for _ in range(300)}
    assert {"f(1, mode='all')", "f(1, mode='off')"} <= found
    assert any("size=" in call for call in found)
    assert not any("mode" in changed_call("f(1, 'x')", rng, known, frozenset({"f"})) for _ in range(300))


def test_a_command_line_gets_options_and_loses_words() -> None:
    """The options are those that the code names."""
    code = "def main(argv): p.add_argument('--dry-run'); p.add_argument('--start')"
    known = material_values([ast.parse("run('a', '--start', '3')")], [(code,)])
    rng = random.Random(0)
    found = [changed_call("run('a', '--start', '3')", rng, known, frozenset({"run"})) for _ in range(300)]
    assert any("--dry-run" in call for call in found)
    assert any("'--start'" not in call for call in found)


def test_days_become_days() -> None:
    """Whatever the change, it is a day of the calendar; what is no day is left to others."""
    rng = random.Random(0)
    for text in ("date(2024, 2, 29)", "datetime(2024, 12, 31, 23, 59)", "datetime.date(1, 1, 1)", "date(9999, 12, 31)"):
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        for _ in range(200):
            other = changed_day(call, rng)
            assert other is not None
            numbers = [ast.literal_eval(argument) for argument in other.args]
            datetime.datetime(*numbers)  # noqa: DTZ001 - only whether it is one
    for text in ("date(2024, 2, 31)", "date(*x)", "update(2024, 1, 1)", "date(2024, month=1, day=1)"):
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        assert changed_day(call, rng) is None


def test_days_and_times_in_texts_stay_what_they_are() -> None:
    """A text with a day gets another day, one with a time of day another time."""
    rng = random.Random(0)
    for _ in range(200):
        day = changed_days("due 2024-02-29!", rng)
        assert day is not None
        datetime.date.fromisoformat(day.removeprefix("due ").removesuffix("!"))
        clock = changed_days("at 9:30", rng)
        assert clock is not None
        datetime.time.fromisoformat(clock.removeprefix("at ").zfill(5))
    assert changed_days("version 1.2.3", rng) is None
    assert changed_days("2024-02-31", rng) is None


def test_texts_take_words_of_the_code() -> None:
    """Before a part, in the place of one, or instead of all; parts are lost, doubled and exchanged."""
    known = material_values([ast.parse("f('x y')")], [("A = 'all'",)])
    rng = random.Random(0)
    found = {changed_text("ab-cd", rng, known) for _ in range(2000)}
    assert {"all", "ab-all", "allab-cd", "ab-", "cd-ab", "ab-cd-cd", "-cd"} <= found


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("1", "-2", True),
        ("1", "1.0", False),
        ("[1]", "[2, 3]", True),
        ("[1]", "['a']", False),
        ("(1, 'a')", "(2, 'b')", True),
        ("Plan(1)", "Plan(2, 3)", True),
        ("Plan(1)", "Line(1)", False),
        ("{'a': 1}", "{'b': 2}", True),
    ],
)
def test_one_value_stands_for_another_of_its_kind(one: str, other: str, is_same: bool) -> None:
    """The kind of a container is that of what it holds first."""
    kinds = [kind_of(ast.parse(text, mode="eval").body) for text in (one, other)]
    assert all(kinds)
    assert (kinds[0] == kinds[1]) is is_same


def test_what_converts_has_no_kind() -> None:
    """`len(x)` is no value of its own."""
    assert kind_of(ast.parse("len('a')", mode="eval").body) == ""


def test_an_object_of_a_fixture_is_used_like_any_other() -> None:
    """Its calls are those of all tests, with constants of the file, and methods that no test calls are given what others are given."""
    sequences = [probe.steps for probe in made(DESK_TEST, desk=DESK) if probe.steps[1:2] == ("it = _make_desk()",)]
    assert len(sequences) > 100
    acts = {step for steps in sequences for step in steps}
    assert {"it.hold(BEN, 'b1')", "it.hold(ANN, 'b2')", "it.cancel(BEN, 'b1')", "it.waiting('b2')"} <= acts
    beginnings = {steps[2:4] for steps in sequences}
    assert ("it.lend(ANN, 'b1')", "it.hold(BEN, 'b1')") in beginnings
    assert any(steps[-1] == "it.count()" for steps in sequences)


def test_arguments_are_exchanged_by_the_name_of_the_parameter() -> None:
    """What `lend` is given as a code may be given to `waiting`; a name that is not known there is not used."""
    methods = [
        Callable("lend", (Parameter("member", "", ""), Parameter("code", "", ""))),
        Callable("waiting", (Parameter("code", "", ""),)),
    ]
    arguments = Arguments(methods, ["it.lend(ANN, 'b1')", "it.lend(BEN, 'b2')"])
    rng = random.Random(0)
    found = {arguments.exchanged("it.waiting('x')", {"it"}, {}, rng) for _ in range(100)}
    assert found == {"it.waiting('x')", "it.waiting('b1')", "it.waiting('b2')"}
    assert {arguments.exchanged("it.lend(1, 2)", {"it", "ANN"}, {}, rng) for _ in range(100)} >= {"it.lend(ANN, 'b2')"}
    assert arguments.words(methods[0], 3) == ["ANN, 'b1'", "ANN, 'b2'", "BEN, 'b1'"]


def test_a_stand_in_of_the_test_file_is_not_probed() -> None:
    """A clock that a test makes shows nothing of an answer."""
    test = "class Clock:\n    def tick(self): ...\ndef test():\n    clock = Clock()\n    clock.tick()\n    assert f(clock)\n"
    assert not any("it = Clock()" in probe.steps for probe in made(f"from it import f\n{test}", it="def f(x): ...\n"))


def test_the_same_seed_makes_the_same_probes_and_another_one_others() -> None:
    """In every process, too: no order of a set reaches the outcome."""
    one, again, other = (made(DESK_TEST, seed, desk=DESK) for seed in (0, 0, 1))
    assert [probe.id for probe in one] == [probe.id for probe in again]
    assert {probe.id for probe in one} != {probe.id for probe in other}


@pytest.mark.parametrize(
    "test",
    [
        "def test():\n    assert f() == 1\n",
        "def test():\n    assert f(x) == 1\n",
        "import subprocess\ndef test():\n    assert subprocess.run(['f', 'a']).returncode == 0\n",
    ],
    ids=["no values", "unknown", "a program"],
)
def test_making_ends_where_there_is_little_to_vary(test: str) -> None:
    """However few variations there are, the search for more ends."""
    assert len(made(f"from it import f\n{test}", it="def f(x=1): ...\n")) < 1500


def test_what_a_test_expects_is_not_recorded() -> None:
    """Of `lines == [Line(…)]` and `due == date(…)` only the left side comes from the code under test."""
    source = read_test_file(
        "from it import f, Line, date\ndef test():\n    lines = f()\n    assert lines == [Line('a')]\n    assert f().due == date(2024, 1, 1)\n"
    )
    assert source is not None
    assert snippets(source)[0].steps[1:] == ("__record__(lines)", "__record__(f().due)")


ASKED = """parse() should also read "#abc", `rgb(12, 34, 56)` and “grey”, as \'it is\'; it doesn't matter where. Use --dry-run or -n.
Amounts are German (1.234,56), at most 4.5 or 300, dates 2024-02-29. Points are (1, 2) or [3], not (a, b)."""


def test_what_a_cycle_asks_for_names_inputs() -> None:
    """What is quoted, options, figures as they are written, numbers, and values of several parts."""
    found = asked_words(ASKED)
    assert found.words == (
        *("#abc", "rgb(12, 34, 56)", "grey", "it is", "--dry-run", "-n", "1.234,56", "4.5", "2024-02-29"),
    )
    assert {4.5, 300, 12, 34, 56} <= set(found.numbers)
    assert found.values == ("(12, 34, 56)", "(1.234,56)", "(1, 2)", "[3]")
    assert asked_words("") == asked_words("nothing in particular")


def test_a_function_without_tests_is_given_what_the_cycle_names() -> None:
    """Nothing else is known of its parameters."""
    material = Material(tests={}, modules={"it": ("def parse(colour): ...", "def parse(colour): ...")}, asked=ASKED)
    steps = {probe.steps[-1] for probe in make_probes(material)}
    assert {"parse('#abc')", "parse((1, 2))", "parse('rgb(12, 34, 56)')"} <= steps


@pytest.mark.parametrize(
    "wanted",
    [
        "name,age\nAnn,9\nAnn,9",
        "name,age\nBob,9\nAnn,9",
        "name,age\nAnn,9",
        "age,age\nAnn,9\nBob,10",
        "name,age\nBob,10\nAnn,9",
        "name,age\nAnn,x\nBob,10",
        "name,age\n\nAnn,9\nBob,10",
        "name,age\nAnn\nBob,10",
        "name,age\nAnn,9\nword,10",
    ],
)
def test_a_table_in_a_text_is_changed_as_one(wanted: str) -> None:
    """Rows like another one, rows that lose or exchange fields, rows in another order, an empty line."""
    rng = random.Random(0)
    text = "name,age\nAnn,9\nBob,10"
    found = {changed_lines(text, rng, lambda _: "x", ["word"]) for _ in range(3000)}
    start = "name,age\nAnn,9\nAnn,9"
    assert wanted in found or (wanted == start and f"{text}\nAnn,9" in found) or f"{wanted}\nBob,10" in found


def test_a_text_of_one_line_is_no_table() -> None:
    """It is changed as a text."""
    assert changed_lines("a,b\n", random.Random(0), str.upper, []) is None


def test_a_test_files_own_function_is_given_its_optional_arguments() -> None:
    """`run("-c", text=…)` with other input than the constant that is the default."""
    test = (
        "from it import main\nTEXT = 'a,b\\n1,2\\n'\ndef run(*args, text=TEXT, n=2):\n    return main(args, text)\n"
        "def test():\n    assert run('-c', 'a') == 'a'\n"
    )
    source = read_test_file(test)
    assert source is not None
    (name, parameters) = next(iter(helper_options(source)))
    assert (name, [(one.name, one.default) for one in parameters]) == (
        "run",
        [("text", repr("a,b\n1,2\n")), ("n", "2")],
    )
    steps = ["; ".join(probe.steps) for probe in made(test, it="def main(args, text): ...\n")]
    assert any("text=" in step for step in steps)


def test_a_cycles_words_are_read_from_the_prompt_that_was_sent() -> None:
    """What is asked may be edited afterwards. A file that looks like a cycle is none, and what an earlier cycle did is not asked for."""
    current = PromptCycle(id=2, title="Two", context='Read "#abc".', ephemeral="Or 'x'.")
    earlier = PromptCycle(id=1, title="One", context="Earlier.", summary="Done.")
    files = (PromptFile(path="a.txt", text="<Cycle 2>\nwrong\n</Cycle 2>\n", sha256=""),)
    for order in ("numbered", "stable"):
        inputs = PromptInput(cycle=current, history=(earlier,), scope="", files=files, schema="blocks", order=order)
        prompt = build(inputs)
        asked = cycle_asked(prompt, 2)
        assert 'Read "#abc".' in asked
        assert "Or 'x'." in asked
        assert "Done." not in asked
        assert "wrong" not in asked
        assert "Earlier." in cycle_asked(prompt, 1)
        assert cycle_asked(prompt, 3) == ""


def test_a_very_long_test_is_not_varied_without_end() -> None:
    """Only its steps as they stand and with one value changed are probes: the search for short variations of it would never end."""
    calls = "".join(f"    assert f({number}, 'word') == {number}\n" for number in range(400))
    assert made(
        f"from it import f\ndef test():\n    y = f(1, 'a')\n    y = f(y, 'b')\n{calls}", it="def f(x, y): ...\n"
    )
    long = Snippet(header=("from it import f",), steps=(f"f({'x' * 3000!r})",))
    assert not list(havoc(long, random.Random(0), material_values([], [])))
