"""The words, numbers and options that stand in the changed modules and the tests: values at which code changes its way.

A word of the code (`repeat === "all"`), a number that it compares with (`> 100`), what its patterns look for and the options that it
takes are the inputs that tell one answer from another. Nothing is executed; the same sources give the same dictionary.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.patterns import samples
from dce.workspace.judging.behaviour.javascript.syntax import Source, parsed, plain, walk
from dce.workspace.judging.behaviour.javascript.values import NotLiteralError, sites, value_of, written

MAX_WORD = 40
"""Longest word, in characters."""

MAX_WORDS = 80
"""Maximum words, and maximum numbers."""

MAX_OPTIONS = 40
"""Maximum names of options."""

MAX_VALUES = 8
"""Maximum values of one option."""

EARLY = 0.3
"""How strongly the first options are preferred: those that tests give, then those that parameters are taken apart by."""


_HAZARDS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"\.replace(?:All)?\("), ("$&", "$1", "$$")),
    (re.compile(r"new RegExp\("), (".*", "(", "[")),
    (re.compile(r"\w\[\w+\]|\bin \w+"), ("constructor", "__proto__")),
    (re.compile(r"decodeURI|encodeURI|\bescape\("), ("%", "%zz", "%C3%A9")),
    (re.compile(r"\.(?:split|slice|substring|substr|charAt|charCodeAt|at)\("), ("😀", "e\u0301")),
    (re.compile(r"\b(?:parseInt|parseFloat|Number)\("), ("1e3", "0x10", "-1", "1.5", "7px")),
    (re.compile(r"\.sort\("), ("10", "9", "a", "B")),
    (re.compile(r"\.to(?:Lower|Upper)Case\(|/[a-z]*i[a-z]*[.,;)]"), ("İ", "ß")),
)
"""What a module calls, and the words on which that often does something else than is meant."""

_LITERALS = frozenset({"string", "number", "true", "false", "null"})
_TAKEN_APART = frozenset({"object_assignment_pattern", "shorthand_property_identifier_pattern", "pair_pattern"})


class Dictionary(msgspec.Struct, frozen=True, kw_only=True):
    """Words; numbers, each with its neighbours; and source of the values that options have had, by the option's name."""

    words: tuple[str, ...] = ()
    numbers: tuple[int | float, ...] = ()
    options: Mapping[str, tuple[str, ...]] = {}

    def option(self, rng: random.Random, taken: Iterable[str] = ()) -> tuple[str, str] | None:
        """An option and source of a value for it; none if all are taken."""
        free = [name for name in self.options if name not in set(taken)]
        if not free:
            return None
        name = free[min(int(rng.expovariate(EARLY)), len(free) - 1)]
        return name, rng.choice(self.options[name])


def dictionary(changed: Mapping[str, Sequence[str]], tests: Iterable[Sequence[str]]) -> Dictionary:
    """What stands in all versions of the changed modules and in the steps of tests."""
    words: dict[str, None] = {}
    numbers: dict[float, None] = {}
    read: list[tuple[bool, str, str]] = []
    compared: list[tuple[str, str]] = []
    for path, versions in sorted(changed.items()):
        for version in versions:
            source = parsed(plain(version, path))
            for node in walk(source.root):
                words |= dict.fromkeys(_words(source, node))
                numbers |= dict.fromkeys(_numbers(source, node))
                read += [(node.type not in _TAKEN_APART, name, value) for name, value in _options(source, node)]
                compared += _compared(source, node)
    options: dict[str, dict[str, None]] = {}
    for name, held in _given(tests):
        options.setdefault(name, {}).setdefault(written(held))
    for _, name, value in sorted(read, key=lambda found: found[0]):
        options.setdefault(name, {}).setdefault(value)
    for name, value in compared:
        if name in options:
            options[name].setdefault(value)
    text = "\n".join(version for versions in changed.values() for version in versions)
    words |= dict.fromkeys(word for pattern, found in _HAZARDS if pattern.search(text) for word in found)
    return Dictionary(
        words=tuple(word for word in words if 0 < len(word) <= MAX_WORD)[:MAX_WORDS],
        numbers=tuple(dict.fromkeys(near for number in numbers for near in (number, number + 1, number - 1)))[
            :MAX_WORDS
        ],
        options={name: tuple(_values(name, list(held))) for name, held in list(options.items())[:MAX_OPTIONS]},
    )


def _given(tests: Iterable[Sequence[str]]) -> Iterator[tuple[str, Any]]:
    """Names and values in the objects that tests give."""
    for steps in tests:
        for site in sites(steps):
            if isinstance(site.value, dict):
                yield from site.value.items()


def _words(source: Source, node: Any) -> Iterator[str]:
    """The texts in a module, those between the holes of templates, and what its patterns match."""
    if node.type == "string" and not _is_wording(source, node):
        try:
            word = value_of(source, node)
        except NotLiteralError:
            return
        if word != "use strict":
            yield word
    elif node.type == "string_fragment" and node.parent is not None and node.parent.type == "template_string":
        yield source.text(node).replace("\\n", "\n")
    elif node.type == "regex_pattern":
        yield from samples(source.text(node))


def _is_wording(source: Source, node: Any) -> bool:
    """Whether a text is no value: the name of a module or a type, or what an error says."""
    parent = node.parent
    if parent is None or parent.type in {"import_statement", "export_statement"}:
        return True
    if parent.type == "binary_expression":
        return "typeof " in source.text(parent)
    call = parent.parent if parent.type == "arguments" else None
    if call is None:
        return False
    called = call.child_by_field_name("constructor") or call.child_by_field_name("function")
    return called is not None and (source.text(called).endswith("Error") or source.text(called) == "require")


def _numbers(source: Source, node: Any) -> Iterator[int | float]:
    if node.type == "number":
        try:
            yield value_of(source, node)
        except NotLiteralError:
            return


def _options(source: Source, node: Any) -> Iterator[tuple[str, str]]:
    """Names that objects are taken apart by, with their defaults; and properties that are read."""
    if node.type == "object_assignment_pattern":
        left, right = (node.child_by_field_name(field) for field in ("left", "right"))
        yield source.text(left), source.text(right)
    elif node.type == "shorthand_property_identifier_pattern" and node.parent.type == "object_pattern":
        yield source.text(node), ""
    elif node.type == "pair_pattern":
        yield source.text(node.child_by_field_name("key")).strip("\"'"), ""
    elif node.type == "member_expression" and _is_option(source, node):
        yield source.text(node.child_by_field_name("property")), ""


def _compared(source: Source, node: Any) -> Iterator[tuple[str, str]]:
    """The names and properties that are compared with a literal, with the literal."""
    if node.type != "binary_expression":
        return
    sides = [node.child_by_field_name(field) for field in ("left", "right")]
    for one, other in (sides, sides[::-1]):
        name = one.child_by_field_name("property") if one.type == "member_expression" else one
        if name.type in {"identifier", "property_identifier"} and other.type in _LITERALS:
            yield source.text(name), source.text(other)


def _is_option(source: Source, node: Any) -> bool:
    """Whether a property is read of a plain name, as options are: not called, not of `this`, not assigned."""
    owner, parent = node.child_by_field_name("object"), node.parent
    if owner.type != "identifier" or source.text(node.child_by_field_name("property")) in {
        "length",
        "prototype",
        "exports",
    }:
        return False
    if source.text(owner)[:1].isupper() or source.text(owner) in {"module", "exports", "process", "console"}:
        return False
    return parent is not None and not (
        (parent.type == "call_expression" and parent.child_by_field_name("function") == node)
        or (parent.type == "assignment_expression" and parent.child_by_field_name("left") == node)
        or parent.type == "member_expression"
    )


def _values(name: str, known: Sequence[str]) -> list[str]:
    """Values for an option: those known, what lies next to numbers, and plain ones where nothing is known."""
    found: dict[str, None] = {}
    for text in known:
        if re.fullmatch(r"-?\d+", text):
            found |= dict.fromkeys((text, str(int(text) + 1), str(int(text) + 2), str(int(text) - 1)))
        elif text in {"true", "false"}:
            found |= dict.fromkeys(("true", "false"))
        elif text and not re.search(r"[A-Za-z_$][\w$]*\s*[.(]|=>|^[A-Za-z_$][\w$]*$", text):
            found.setdefault(text)
    if not found:
        found = dict.fromkeys(("1", "2", "true", '"a"', "0"))
    return [*list(found)[: MAX_VALUES - 1], "undefined" if len(name) % 2 else "null"]
