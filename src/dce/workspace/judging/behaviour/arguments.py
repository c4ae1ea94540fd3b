"""What calls of an object's methods are given, by the parameter's name: a call may be given what another one was."""

import ast
import itertools
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.surface import Callable
from dce.workspace.judging.behaviour.visible_tests import names_in

SHARE = 0.5
"""How often an argument is exchanged."""

FOCUSED = 0.6
"""How often it becomes the one in focus."""


class Arguments:
    """Read from calls on `it`. What is given to parameters of one name is kept together, whichever method has them; where the parameters
    are not known (a method of another module's class), by the method and the place."""

    def __init__(self, methods: Sequence[Callable], acts: Iterable[str]) -> None:
        self._parameters = {method.name: [one.name for one in method.parameters] for method in methods}
        found: dict[str, dict[str, None]] = {}
        for act in acts:
            for name, node in self._named(ast.parse(act, mode="eval").body):
                found.setdefault(name, {}).setdefault(ast.unparse(node))
        self.seen: Mapping[str, list[str]] = {name: list(values) for name, values in found.items()}

    def focus(self, usable: Collection[str], rng: random.Random) -> dict[str, str]:
        """One value for each parameter's name: calls that are about the same thing meet each other."""
        return {name: rng.choice(values) for name in self.seen if (values := self._usable(name, usable))}

    def exchanged(self, act: str, usable: Collection[str], focus: Mapping[str, str], rng: random.Random) -> str:
        """The call with some arguments of other calls, mostly those in focus, if their names are usable there."""
        tree = ast.parse(act, mode="eval")
        for name, node in list(self._named(tree.body)):
            others = self._usable(name, usable)
            if others and rng.random() < SHARE:
                text = focus[name] if name in focus and rng.random() < FOCUSED else rng.choice(others)
                _put(tree.body, node, ast.parse(text, mode="eval").body)
        return ast.unparse(tree)

    def words(self, method: Callable, count: int) -> list[str]:
        """What a method may be given that no test calls, of what other calls give to parameters of the same names; nothing if one of
        them has no such value."""
        required = [one for one in method.parameters if not one.default]
        values = [self.seen.get(one.name, ()) for one in required]
        if not required or not all(values):
            return []
        combined = itertools.islice(itertools.product(*values), count)
        return [
            ", ".join(
                f"{one.name}={text}" if one.is_keyword else text for one, text in zip(required, texts, strict=True)
            )
            for texts in combined
        ]

    def _usable(self, name: str, usable: Collection[str]) -> list[str]:
        return [text for text in self.seen.get(name, ()) if names_in(ast.parse(text)) <= set(usable)]

    def _named(self, call: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return
        method = call.func.attr
        known = self._parameters.get(method, [])
        for place, node in enumerate(call.args):
            yield known[place] if place < len(known) else f"{method} {place}", node
        yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def _put(call: ast.expr, old: ast.expr, new: ast.expr) -> None:
    assert isinstance(call, ast.Call)
    call.args = [new if node is old else node for node in call.args]
    for keyword in call.keywords:
        keyword.value = new if keyword.value is old else keyword.value
