"""Probes for kinds of tests and code that are not plain calls: objects with a clock, values that a call makes, helpers, no tests at all."""

import random

import pytest

from dce.workspace.judging.behaviour.attributes import attributes_line
from dce.workspace.judging.behaviour.edge_values import crossed, edges
from dce.workspace.judging.behaviour.generate import Material, make_probes
from dce.workspace.judging.behaviour.literals import Made, sites
from dce.workspace.judging.behaviour.material_values import material_values
from dce.workspace.judging.behaviour.objects import object_snippets
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.variations import singles
from dce.workspace.judging.behaviour.visible_tests import read_test_file, snippets

NOTHING = material_values([], [])

LIMITER = """
class Limiter:
    def __init__(self, limit, clock): ...
    def allow(self, key): ...
    def reset(self, key=None): ...
"""

CLOCK_TEST = """
from limiter import Limiter
import pytest

class Clock:
    def __init__(self):
        self.now = 0
    def advance(self, seconds):
        self.now += seconds

@pytest.fixture
def clock():
    return Clock()

def test_one(clock):
    it = Limiter(2, clock)
    assert it.allow("a")
    clock.advance(11)
    assert it.allow("b")

def test_two(clock):
    other = Limiter(3, clock)
    assert not other.allow("zz")
"""


def labels(test: str, **modules: str) -> list[str]:
    """The labels of all probes for one test file."""
    material = Material(tests={"test_it.py": test}, modules={name: (text, text) for name, text in modules.items()})
    return [probe.label for probe in make_probes(material)]


def steps_of(test: str) -> list[str]:
    """All steps of the snippets of a test file, each snippet as one text."""
    source = read_test_file(test)
    assert source is not None
    return ["\n".join(snippet.steps) for snippet in snippets(source)]


def test_an_object_that_is_given_something_is_used_in_new_orders_too() -> None:
    """What it is given is made first; calls on that and on the object are mixed over tests, with methods that no test calls."""
    source = read_test_file(CLOCK_TEST)
    assert source is not None
    found = list(object_snippets(snippets(source), {"limiter": (LIMITER,)}, NOTHING, random.Random(0)))
    assert found
    assert all(snippet.steps[1] == "clock = _make_clock()" for snippet in found)
    assert all(snippet.steps[2].startswith("it = Limiter(") for snippet in found)
    acts = {step.split("(")[0] for snippet in found for step in snippet.steps[3:]}
    assert acts == {"it.allow", "it.reset", "clock.advance"}
    assert any("'zz'" in step and "clock" not in step for snippet in found for step in snippet.steps[3:])


def test_a_class_without_tests_is_made_with_made_up_values() -> None:
    """So that its methods are called at all; an exception or an enumeration is not."""
    text = (
        "from dataclasses import dataclass\n@dataclass\nclass Box:\n    size: int\n    name: str = 'x'\n    def grow(self, by: int): ...\n"
        "class Wrong(Exception): ...\n"
    )
    found = list(object_snippets([], {"box": (text,)}, NOTHING, random.Random(0)))
    assert found
    assert {snippet.header for snippet in found} == {("from box import Box",)}
    assert any("it.grow(" in step for snippet in found for step in snippet.steps)


def test_a_value_that_a_call_makes_is_replaced_by_another_of_its_kind() -> None:
    """Two moments become the same moment; the call that is tested is not taken for a value, nor is what only converts."""
    steps = ("slots([(at(9), at(10))], at(11), list('ab'))",)
    made = [site.value for site in sites(steps) if isinstance(site.value, Made)]
    assert [value.source for value in made] == ["at(9)", "at(10)", "at(11)"]
    found = set(singles(steps, random.Random(0)))
    assert ("slots([(at(9), at(10))], at(10), list('ab'))",) in found
    assert ("slots([(at(10), at(10))], at(11), list('ab'))",) in found


def test_constants_of_the_test_file_are_varied_in_the_calls_that_use_them() -> None:
    """A schema or a table at the top of a file is an input like any other."""
    test = "from it import check\nRULES = {'min': 3}\ndef test():\n    assert check(5, RULES) == []\n"
    found = labels(test, it="def check(value, rules): ...")
    assert "check(5, {'min': 3})" in found
    assert any("'min': 4" in label for label in found)


def test_what_a_test_puts_together_by_hand_is_what_it_expects() -> None:
    """It is not recorded and its values are not varied, but two calls that are compared both are."""
    steps = steps_of(
        "from it import f, Token, at\ndef test_a():\n    x = 'a'\n    assert list(f(x)) == [Token('n', x, at(9))]\n"
        "def test_b():\n    x = 2\n    assert f(x) == f(-x)\n"
    )
    assert "__record__(list(f(x)))" in steps[0]
    assert "Token" not in steps[0]
    assert "__record__(f(x))" in steps[1]
    assert "__record__(f(-x))" in steps[1]


@pytest.mark.parametrize(
    ("line", "recorded"),
    [
        ("assert result.stderr", "__record__(bool(result.stderr))"),
        ("assert 'no file' in err", "__record__('no file' in err)"),
        ("assert 'bad' in str(caught.value)", "__record__('bad' in str(caught.value))"),
        ("assert 3 in f(x)", "__record__(f(x))"),
        ("assert result.stdout == 'a'", "__record__(result.stdout)"),
    ],
    ids=["stderr", "in", "exception", "values", "stdout"],
)
def test_words_for_people_count_by_what_the_test_asks_of_them(line: str, recorded: str) -> None:
    """Every answer words them differently, so they are not compared as a whole."""
    assert recorded in steps_of(f"from it import f\ndef test():\n    {line}\n")[0]


def test_a_helper_that_asserts_records_too() -> None:
    """What it returns stays."""
    test = "from it import f\ndef same(a, b):\n    assert f(a) == b\n    return a\ndef test():\n    x = same(1, 2)\n"
    source = read_test_file(test)
    assert source is not None
    (snippet,) = snippets(source)
    assert isinstance(snippet, Snippet)
    helper = next(line for line in snippet.header if line.startswith("def same"))
    assert "__record__(f(a))" in helper
    assert "return a" in helper
    assert "assert" not in helper


def test_a_test_that_needs_capsys_or_monkeypatch_gives_probes() -> None:
    """They have stand-ins in the lane; only what needs the runner itself is left out."""
    steps = steps_of(
        "from it import main\ndef test_a(capsys, monkeypatch):\n    assert main(['x']) == 0\n    assert capsys.readouterr().out == 'x'\n"
        "def test_b(request):\n    assert main([]) == 1\n"
    )
    assert len(steps) == 1
    assert "__record__(capsys.readouterr().out)" in steps[0]


def test_a_decorator_with_arguments_is_not_a_call_to_vary() -> None:
    """What it gives is a function; the test as a whole is varied."""
    found = labels(
        "from it import cached\ndef test():\n    @cached(10)\n    def f(x):\n        return x\n    assert f(2) == 2\n",
        it="def cached(seconds): ...",
    )
    assert not [label for label in found if label.startswith("cached(")]
    assert any("cached(11)" in label for label in found)


def test_a_result_is_changed_to_see_whether_it_is_what_was_given() -> None:
    """After that the arguments are looked at, and the call is made again."""
    test = "from it import f\ndef test():\n    assert f([1], 2) == [1]\n"
    material = Material(tests={"test_it.py": test}, modules={"it": ("def f(x, y): ...",) * 2})
    found = [probe.steps for probe in make_probes(material)]
    wanted = ("given_1 = [1]", "result = f(given_1, 2)", "__spoil__(result)", "given_1", "f(given_1, 2)")
    assert wanted in found


def test_what_one_answer_calls_its_attributes_is_no_result() -> None:
    """What tests look at and what nearly all versions have is compared; the rest is how an answer does it."""
    versions = [
        f"class Box:\n    def __init__(self):\n        self.size = 1\n        self.{name} = 2\n        self.seen = 3\n"
        for name in ("data", "items", "held", "data", "kept")
    ]
    line = attributes_line(["def test(): assert Box().seen.count == 1"], {"box": versions})
    assert line == "__attributes__ = ['box'], ['count', 'seen', 'size']"
    assert attributes_line([], {"box": ["def f(): ..."]}) == ""
    material = Material(
        tests={"test_a.py": "from box import Box\ndef test():\n    it = Box()\n    assert it.seen\n"},
        modules={"box": versions},
    )
    probes = make_probes(material)
    assert probes
    assert all(probe.header[0].startswith("__attributes__") for probe in probes)


def test_an_object_with_methods_is_known_by_what_they_return() -> None:
    """What it holds counts only if it was there before and every answer kept it."""
    text = "class Box:\n    def __init__(self):\n        self.{} = self.stock = {{}}\n    def take(self): ...\n"
    before, one, other = (text.format(name) for name in ("reserved", "held", "reserved"))
    assert attributes_line([], {"box": (before, one, other)}) == "__attributes__ = ['box'], ['stock']"
    assert attributes_line([], {"box": (before, other)}) == "__attributes__ = ['box'], ['reserved', 'stock']"
    assert attributes_line([], {"box": ("", other)}) == "__attributes__ = ['box'], []"


def test_numbers_and_words_within_a_text_are_changed_one_by_one() -> None:
    """A rule stays a rule: other numbers in it, and words of another rule in the same place."""
    found = edges("30 9 * * *")
    assert {"31 9 * * *", "30 10 * * *", "0 9 * * *", "30 0 * * *"} <= set(found)
    assert crossed("30 9 * * *", "0 9 * * 1-5") == ["0 9 * * *", "30 9 * * 1-5"]
    assert crossed("a b", "a b c") == []
    steps = set(singles(("f('30 9 * * *')",), random.Random(0), ["0 9 * * 1-5"]))
    assert ("f('30 9 * * 1-5')",) in steps
