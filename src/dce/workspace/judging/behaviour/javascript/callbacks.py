"""Functions that a test gives to the code under test, and others in their place: ones that throw, are slow, give nothing, tell how they
are called.

Code that takes a function differs in how often it calls it, with what, and what it does when that goes wrong; values do not show that.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.syntax import Source, parsed, walk
from dce.workspace.judging.behaviour.javascript.values import Site

MAX_FUNCTION = 400
"""Longest function that is varied, in characters."""

_KINDS = frozenset({"arrow_function", "function_expression"})
_PROVIDED = ("__call__", "__later__", "__seen__", "__slow__", "__fails__")


class Callback(msgspec.Struct, frozen=True):
    """A function that is given to a call, as source."""

    source: str


def callback_sites(steps: Sequence[str]) -> list[Site]:
    """Every function that a call is given, itself or in an object; not those that stand around assertions."""
    return [site for number, step in enumerate(steps) for site in _within(parsed(step), number)]


def callback_sources(function: str) -> list[str]:
    """Source of other functions in the place of this one, the most telling first."""
    is_async = function.startswith("async")
    fixed = "async (...words) => words[0]" if is_async else "(...words) => words[0]"
    return [
        f"__seen__({function})",
        f"__fails__(1, {function})",
        '() => { throw new Error("made up"); }',
        f"__slow__(2, {function})",
        f"__fails__(2, {function})",
        "() => 7" if is_async else "async () => 7",
        'async () => { throw new TypeError("made up"); }',
        "() => undefined",
        f"__slow__(4, __fails__(1, {function}))",
        f"__fails__(9, {function})",
        fixed,
        "() => null",
        "(...words) => words.length",
        "function () { return this === undefined ? 0 : typeof this; }",
        "() => NaN",
        "() => ({ then(resolve) { resolve(5); } })",
        "undefined",
    ]


def drawn_callback(function: str, rng: random.Random) -> str:
    """One of them, mostly one of the first."""
    found = callback_sources(function)
    return found[min(int(rng.expovariate(0.2)), len(found) - 1)]


def _within(source: Source, number: int) -> Iterator[Site]:
    for node in walk(source.root, lambda found: found.type not in _KINDS or not _is_given(source, found)):
        if node.type in _KINDS and node.end_byte - node.start_byte <= MAX_FUNCTION and _is_given(source, node):
            yield Site(number, node.start_byte, node.end_byte, Callback(source.text(node)))


def _is_given(source: Source, node: Any) -> bool:
    """Whether a function is an argument of a call, or a value of an object that is one; then what is called is not provided by DCE."""
    at = node.parent
    if at is not None and at.type == "pair" and at.parent is not None and at.parent.type == "object":
        at = at.parent.parent
    if at is None or at.type != "arguments":
        return False
    call = at.parent
    called = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    text = source.text(called) if called is not None else ""
    return text not in _PROVIDED and text.split(".")[-1] not in {"map", "forEach", "filter", "then", "catch", "Promise"}
