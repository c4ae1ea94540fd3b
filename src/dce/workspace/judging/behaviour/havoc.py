"""Several changes at once, that know the form of what they change: one more item like the others but for one field, a word of the code
under test put into a text, a number at a limit that the code names, an object made with another argument.

Most mistakes show only where two things meet (a second change on the same day, a hold of somebody who has one already), which no change of
a single value reaches. Deterministic for a seed.
"""

import ast
import copy
import random
from collections.abc import Callable, Iterator

import msgspec

from dce.workspace.judging.behaviour.constants import BUILTINS
from dce.workspace.judging.behaviour.day_changes import changed_day, is_day
from dce.workspace.judging.behaviour.edge_values import edges
from dce.workspace.judging.behaviour.literals import literal
from dce.workspace.judging.behaviour.material_values import MaterialValues, kind_of
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.text_changes import changed_text
from dce.workspace.judging.behaviour.usage import defined_names

CHANGES = (1, 2, 2, 3, 3, 4)
"""How many changes are made, drawn from these."""

FIRST_EDGES = 8
"""How many of a value's edges are drawn from: the first are the most telling."""

BORROWED = 0.35
"""How often a value becomes that of another test, or of another place of the same one."""

OPTION = 0.35
"""How often a call is given a parameter that has a default."""

FLAG = 0.5
"""How often a command line gets another option or loses a word."""

MAX_ITEMS = 12
"""Longest list that grows."""

MAX_CHARS = 2_000
"""Longest snippet that is varied, and how much it may grow, in characters."""

_CONTAINERS = ast.List | ast.Tuple | ast.Set


class Spot(msgspec.Struct, frozen=True):
    """A value in a syntax tree that may be replaced."""

    parent: ast.AST
    field: str
    at: int | None

    @property
    def node(self) -> ast.expr:
        """The value that stands there."""
        held = getattr(self.parent, self.field)
        found: ast.expr = held if self.at is None else held[self.at]
        return found

    def put(self, node: ast.expr) -> None:
        """Replaces it."""
        if self.at is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.at] = node


def havoc(snippet: Snippet, rng: random.Random, known: MaterialValues) -> Iterator[Snippet]:
    """Endlessly, variations of a snippet; ends where nothing can be changed."""
    trees = [ast.parse(step) for step in snippet.steps]
    size = sum(map(len, snippet.steps))
    if size > MAX_CHARS or not any(True for tree in trees for _ in spots(tree)):
        return
    usable = frozenset(defined_names(snippet.header)) | BUILTINS
    near = known.with_near(trees)
    while True:
        changed = copy.deepcopy(trees)
        for _ in range(rng.choice(CHANGES)):
            found = [spot for tree in changed for spot in spots(tree)]
            if not found:
                break
            spot = rng.choice(found)
            spot.put(changed_value(spot.node, rng, near, usable))
        steps = tuple(ast.unparse(ast.fix_missing_locations(tree)) for tree in changed)
        if sum(map(len, steps)) <= size + MAX_CHARS:
            yield Snippet(header=snippet.header, steps=steps)


def changed_call(source: str, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> str:
    """A call with one thing of what it is given changed."""
    node = ast.parse(source, mode="eval").body
    if not isinstance(node, ast.Call):
        return source
    return ast.unparse(ast.fix_missing_locations(_call(node, rng, known, usable)))


def spots(tree: ast.AST) -> Iterator[Spot]:
    """The values in a tree: literals, containers, and calls, also the one that is tested."""
    for field, child in ast.iter_fields(tree):
        for at, node in enumerate(child) if isinstance(child, list) else ((None, child),):
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.arguments):
                continue
            if isinstance(tree, ast.Subscript) and field == "slice":
                continue  # an index belongs to the result: changing it gives errors, not behaviour
            if isinstance(node, ast.expr) and _is_value(node):
                yield Spot(tree, field, at)
            if not isinstance(node, ast.UnaryOp) and not is_day(node):
                yield from spots(node)


def changed_value(node: ast.expr, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> ast.expr:
    """Another value in the place of this one."""
    borrowed = known.of_kind(kind_of(node), usable)
    if borrowed and rng.random() < BORROWED:
        node = copy.deepcopy(rng.choice(borrowed))
        if rng.random() < 0.7:
            return node
    for kind, change in _CHANGES:
        if isinstance(node, kind):
            return change(node, rng, known, usable)
    return node


Change = Callable[[ast.expr, random.Random, MaterialValues, frozenset[str]], ast.expr]


def _plain(node: ast.expr, rng: random.Random, known: MaterialValues, _: frozenset[str]) -> ast.expr:
    is_literal, value = literal(node)
    if not is_literal:
        return node  # `-"a"`
    if isinstance(value, str):
        return ast.Constant(changed_text(value, rng, known))
    numbers = [number for number in known.numbers if isinstance(number, int) or isinstance(value, float)]
    if type(value) in {int, float} and numbers and rng.random() < 0.4:
        number = rng.choice(numbers) + rng.choice((0, 0, 1, -1))
        return _written(float(number) if isinstance(value, float) else number)
    options = edges(value)[:FIRST_EDGES]
    return _written(rng.choice(options)) if options else node


def _items(node: ast.expr, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> ast.expr:
    assert isinstance(node, _CONTAINERS)
    if isinstance(node, ast.Tuple) and len({kind_of(item) for item in node.elts}) > 1:
        return _inside(copy.deepcopy(node), rng, known, usable)  # a record keeps its form
    items = list(node.elts)
    act = rng.randrange(8)
    if items and act < 4 and len(items) < MAX_ITEMS:
        twin = copy.deepcopy(rng.choice(items))
        items.insert(rng.randrange(len(items) + 1), twin)
        holder = ast.List([twin], ast.Load())
        if act and (within := list(spots(holder))):
            spot = rng.choice(within)
            spot.put(changed_value(spot.node, rng, known, usable))
            items[items.index(twin)] = holder.elts[0]
    elif items and act == 4:
        del items[rng.randrange(len(items))]
    elif len(items) > 1 and act == 5:
        one, other = rng.sample(range(len(items)), 2)
        items[one], items[other] = items[other], items[one]
    elif act == 6:
        items = items[::-1] if rng.random() < 0.5 else []
    elif (
        items and all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in items) and known.words
    ):
        items.insert(rng.randrange(len(items) + 1), ast.Constant(rng.choice(known.words)))
    else:
        alike = known.of_kind(kind_of(items[0]), usable) if items else []
        items.append(copy.deepcopy(rng.choice(alike)) if alike else _written(rng.choice((0, 1, "a", ""))))
    changed = copy.copy(node)
    changed.elts = items
    return changed if items or not isinstance(node, ast.Set) else node


def _pairs(node: ast.expr, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> ast.expr:
    assert isinstance(node, ast.Dict)
    keys, values = list(node.keys), list(node.values)
    act = rng.randrange(5)
    if keys and act == 0:
        at = rng.randrange(len(keys))
        del keys[at], values[at]
    elif keys and act == 1:
        one, other = rng.randrange(len(keys)), rng.randrange(len(keys))
        values[one] = copy.deepcopy(values[other])
    elif known.words and act == 2:
        keys.append(ast.Constant(rng.choice(known.words)))
        values.append(copy.deepcopy(rng.choice(values)) if values else ast.Constant(1))
    elif keys and act == 3:
        at = rng.randrange(len(keys))
        if (key := keys[at]) is not None:
            keys[at] = changed_value(key, rng, known, usable)
    elif keys:
        at = rng.randrange(len(keys))
        values[at] = changed_value(values[at], rng, known, usable)
    return ast.Dict(keys, values)


def _call(node: ast.expr, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> ast.expr:
    assert isinstance(node, ast.Call)
    if day := changed_day(node, rng):
        return day
    changed = copy.deepcopy(node)
    if changed.keywords and rng.random() < 0.2:
        del changed.keywords[rng.randrange(len(changed.keywords))]
        return changed
    if any(_is_flag(argument) for argument in changed.args) and rng.random() < FLAG:
        return _other_flags(changed, rng, known)
    if rng.random() < OPTION and (option := _option(changed, rng, known)):
        changed.keywords.append(option)
        return changed
    return _inside(changed, rng, known, usable)


def _other_flags(call: ast.Call, rng: random.Random, known: MaterialValues) -> ast.Call:
    """A command line with one word less, or with an option that the code knows and perhaps a word behind it: before another option, or
    at the end, so that it does not part an option from its word."""
    flags = [word for word in known.words if word.startswith("-")]
    if not flags or rng.random() < 0.25:
        at = rng.randrange(len(call.args))
        call.args = call.args[:at] + call.args[at + 1 :]
        return call
    words = [rng.choice(flags)]
    if rng.random() < 0.7:
        numbers = [str(number) for number in (0, 1, 2, *known.numbers)]
        words.append(rng.choice(rng.choice([options for options in (known.parts, known.texts, numbers) if options])))
    at = rng.choice([*(at for at, argument in enumerate(call.args) if _is_flag(argument)), len(call.args)])
    call.args[at:at] = [ast.Constant(word) for word in words]
    return call


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("-")


def _option(call: ast.Call, rng: random.Random, known: MaterialValues) -> ast.keyword | None:
    """A parameter with a default, given a value: one of the same kind as the default, if there is any."""
    given = {keyword.arg for keyword in call.keywords}
    options = known.options.get(ast.unparse(call.func).split(".")[-1], ())
    free = [
        option
        for place, option in enumerate(options)
        if option.default and option.name not in given and (option.is_keyword or place >= len(call.args))
    ]
    if not free:
        return None
    option = rng.choice(free)
    default = ast.parse(option.default, mode="eval").body
    kind = kind_of(default)
    if kind == "str" and known.words and "\n" not in option.default and rng.random() < 0.7:
        value: ast.expr = ast.Constant(rng.choice(known.words))
    elif kind:
        value = changed_value(default, rng, known, frozenset())
    else:  # None, as a rule: whatever the tests use
        plain = [one for name in ("int", "str", "bool") for one in known.of_kind(name, frozenset())]
        value = copy.deepcopy(rng.choice(plain)) if plain else ast.Constant(1)
    return ast.keyword(option.name, value)


def _inside(node: ast.expr, rng: random.Random, known: MaterialValues, usable: frozenset[str]) -> ast.expr:
    """The same with one of its values changed."""
    found = list(spots(node))
    if found:
        spot = rng.choice(found)
        spot.put(changed_value(spot.node, rng, known, usable))
    return node


_CHANGES: tuple[tuple[type[ast.expr] | tuple[type[ast.expr], ...], Change], ...] = (
    ((ast.Constant, ast.UnaryOp), _plain),
    ((ast.List, ast.Tuple, ast.Set), _items),
    (ast.Dict, _pairs),
    (ast.Call, _call),
)


def _written(value: object) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def _is_value(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is not None and node.value is not ...
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant) and isinstance(node.op, ast.USub | ast.UAdd)
    if isinstance(node, ast.Call):
        return bool(kind_of(node))
    is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    return isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict) and is_read
