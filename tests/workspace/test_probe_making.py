"""Probes made without a model: from visible tests, docstrings and the surface of the changed modules."""

import random

from dce.workspace.judging.behaviour.calls import call_snippets
from dce.workspace.judging.behaviour.docstrings import examples
from dce.workspace.judging.behaviour.edge_values import MAX_EDGES, edges
from dce.workspace.judging.behaviour.generate import SHARES, Material, make_probes
from dce.workspace.judging.behaviour.literals import replaced, sites
from dce.workspace.judging.behaviour.scaling import ITEMS, LARGE, scaled
from dce.workspace.judging.behaviour.variations import pairs, sequences, singles
from dce.workspace.judging.behaviour.visible_tests import read_test_file, snippets

TESTS = """
import pytest
import unittest
from ranges.core import Store, merge

LIMIT = 3

@pytest.fixture
def store():
    made = Store(LIMIT)
    yield made

@pytest.mark.parametrize("given, wanted", [([(1, 2), (2, 3)], [(1, 3)]), ([], [])])
def test_merge(given, wanted):
    assert merge(given) == wanted

def test_store(store):
    store.put("a", 1)
    assert store.get("a") == 1 and not store.get("b")
    with pytest.raises(KeyError):
        store.drop("zz")

def test_runner_only(monkeypatch):
    rows = [(5, 9)]
    assert merge(rows) == rows

class StoreTest(unittest.TestCase):
    def setUp(self):
        self.store = Store(2)

    def test_put(self):
        self.store.put("x", 7)
        self.assertEqual(self.store.get("x"), 7)
        self.assertRaises(KeyError, self.store.drop, "y")
"""

MODULE = '''
def merge(items):
    """Joins ranges.

    >>> merge([(8, 9)])
    [(8, 9)]
    """

def gap(a: int, b: int = 3):
    pass

def _private(x):
    pass

class Store:
    def __init__(self, limit): ...
    def put(self, key, value): ...
    def get(self, key): ...
    def drop(self, key): ...
    def size(self): ...
'''

MATERIAL = Material(tests={"tests/test_core.py": TESTS}, modules={"ranges.core": (MODULE, MODULE)})


def test_a_test_becomes_steps_without_what_it_expects() -> None:
    """Assertions record what they look at; fixtures, setUp and expected exceptions are taken along."""
    source = read_test_file(TESTS)
    assert source is not None
    steps = ["\n".join(snippet.steps) for snippet in snippets(source)]
    stored = next(text for text in steps if "_make_store" in text)
    assert "__record__(store.get('a'))" in stored
    assert "== 1" not in stored
    assert "__record__(store.drop('zz'))" in stored
    method = next(text for text in steps if "SimpleNamespace" in text or "__namespace__" in text)
    assert method.splitlines()[1] == "self.store = Store(2)"
    assert "__record__(self.store.drop('y'))" in method
    assert "__record__(merge(rows))" in "\n".join(steps)  # monkeypatch has a stand-in
    assert not [text for text in steps if "request" in text]


def test_calls_are_taken_also_from_tests_that_need_their_runner() -> None:
    """Values of names and of parametrized cases are put in their place."""
    source = read_test_file(TESTS)
    assert source is not None
    found = [snippet.steps[0] for snippet in call_snippets(source, frozenset({"ranges.core"}))]
    assert found == ["merge([(1, 2), (2, 3)])", "merge([])", "merge([(5, 9)])"]


def test_probes_are_the_same_every_time_and_bounded() -> None:
    """A seed gives its probes; another gives others; there are never more than the shares allow."""
    probes = make_probes(MATERIAL, seed=1)
    assert probes == make_probes(MATERIAL, seed=1)
    assert probes != make_probes(MATERIAL, seed=2)
    assert len(probes) == len({probe.id for probe in probes}) <= sum(SHARES.values())


def test_every_origin_gives_probes() -> None:
    """Values as in the tests, edges, two edges at once, sequences of calls, and functions that no test calls."""
    probes = make_probes(MATERIAL)
    labels = {origin: [probe.label for probe in probes if probe.origin == origin] for origin in SHARES}
    assert all(labels.values())
    assert "merge([(8, 9)])" in labels["example"]
    assert any(label.startswith("gap(") for label in labels["surface"])
    assert any("b=" in label for label in labels["surface"])
    assert not any("_private" in label for probe_labels in labels.values() for label in probe_labels)
    assert any(label.startswith("it = Store(") and "it.size()" in label for label in labels["sequence"])


def test_without_tests_the_surface_is_varied() -> None:
    """A module that nothing calls still gets probes with two values changed."""
    probes = make_probes(Material(tests={}, modules={"core": ("", "def f(n, words):\n    pass\n")}))
    assert len(probes) > 20
    assert {probe.origin for probe in probes} == {"surface"}


def test_long_inputs_keep_the_form_of_the_tests_values() -> None:
    """Lists get thousands of different items, texts are repeated, numbers grow in one variation; what cannot be long is left out."""
    found = scaled("highest([3, 1], 2)")
    assert [steps[-1] for steps in found] == ["highest(long_1, 2)", f"highest(long_1, {LARGE})"]
    space: dict[str, list[int]] = {}
    exec(found[0][0], space)
    assert len(space["long_1"]) >= ITEMS
    assert len(set(space["long_1"])) > 100
    assert scaled("f('ab')")[0][0].startswith("long_1 = 'ab' * ")
    assert scaled("f([(1, 2)])")
    assert scaled("f(3)") == scaled("f([])") == scaled("f([object()])") == []


def test_variations_change_one_value_or_two() -> None:
    """Pairs never replace a value within another that they replace; sequences keep what binds a name."""
    rng = random.Random(1)
    steps = ("box = Box(2)", "box.put('a', [1, 2])", "box.get('a')")
    for found in singles(steps, rng):
        assert sum(one != other for one, other in zip(steps, found, strict=True)) == 1
    assert all(len(found) == 3 and found != steps for found in pairs(steps, rng, 20))
    for found in sequences(steps, rng, 20):
        assert found[0] == steps[0]
        assert set(found) <= set(steps)


def test_one_statement_as_a_whole_test_is_no_error() -> None:
    """A loop or a `with` that is all of a test becomes a probe like others."""
    text = "from core import f, g\n\ndef test_all():\n    for x in (1, 2):\n        assert f(x) == g(x)\n"
    probes = make_probes(Material(tests={"test_core.py": text}, modules={"core": ("", "def f(x):\n    pass\n")}))
    assert any(probe.label.startswith("for x in (1, 2)") for probe in probes)


def test_nothing_to_go_by_gives_no_probes() -> None:
    """Files that do not parse, and modules without functions, are no error."""
    assert make_probes(Material(tests={"test_a.py": "def ("}, modules={"a": ("x = (", "")})) == ()


def test_edges_keep_the_type_and_leave_out_the_value() -> None:
    """For every kind of value, also nested and empty."""
    values: tuple[object, ...] = (
        *(0, 5, -1, True, 2.5, "", "a,b", "x\n", b"ab"),
        *([], [3, 1], (1, 2), {"a": 1}, {1, 2}, [[], {}], [1, "a"]),
    )
    for value in values:
        found = edges(value)
        assert found
        assert len(found) <= MAX_EDGES
        assert all(type(edge) is type(value) for edge in found)
        assert repr(value) not in map(repr, found)
        assert len(set(map(repr, found))) == len(found)


def test_literals_are_found_and_replaced_where_they_stand() -> None:
    """Also negative numbers, keywords, and parts of containers; an index stays."""
    steps = ("f([1, -2], key='a')[0]",)
    found = sites(steps)
    assert [site.value for site in found] == [[1, -2], 1, -2, "a"]
    assert replaced(steps, {found[2].path: 9, found[3].path: "b"}) == ("f([1, 9], key='b')[0]",)
    assert found[1].is_within(found[0])


def test_examples_in_docstrings_are_read_in_the_ways_people_write_them() -> None:
    """Doctest, arrows, words; a calculation, a computed argument and an open bracket are not an example's value."""
    text = """Says what it does.

    >>> f(1)
    2

    f(2) == 3
    f([3], "a)") ➞ [4, 5]
    f(4) should return True.
    f(5) => "six" # because
    f(6) -> 19 - 5 - 6 = 8
    f(x) == 3
    f(7
    """
    found = {example.call: example.expected for example in examples(text, "f")}
    assert found == {
        "f(1)": "2",
        "f(2)": "3",
        "f([3], 'a)')": "[4, 5]",
        "f(4)": "True",
        "f(5)": "'six'",
        "f(6)": "",
    }
