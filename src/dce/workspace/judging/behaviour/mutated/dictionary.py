"""Words of the code itself: the numbers, texts, options and subcommands that stand in the answers are where behaviour changes.

Pure. What the workspace's own version does not have comes first: the answers added it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.mutated.functions import inner_tests
from dce.workspace.judging.behaviour.mutated.trees import NUMBERS, TEXTS, Tree, tree_of, walk

MAX_WORDS = 16
"""Maximum words of a kind: every word stands in for every value."""

MAX_LENGTH = 24
"""Longest text that is a word and no message."""

_PLAIN = re.compile(r"[^\"'`\\$%{}\n\r]+")
_PATTERN_NODES = frozenset({"word", "extglob_pattern", "concatenation", "string", "raw_string"})


class Dictionary(msgspec.Struct, frozen=True, kw_only=True):
    """Source texts without quotes, the most telling first. `commands`: the words that a shell's `case` tells apart."""

    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


def dictionary(changed: Mapping[str, Sequence[str]]) -> Dictionary:
    """The words of all versions of the changed files."""
    counted: dict[str, Counter[str]] = {kind: Counter() for kind in ("numbers", "texts", "options", "commands")}
    old: set[tuple[str, str]] = set()
    for path, versions in changed.items():
        for number, text in enumerate(versions):
            tree = tree_of(text, path)
            found = dict.fromkeys(_words(tree)) if tree is not None else {}
            found |= dict.fromkeys(("options", option) for option in _read_by_getopts(text))
            for kind, word in found:
                counted[kind][word] += 1
            if number == 0:
                old |= found.keys()
    ranked = {
        kind: tuple(sorted(words, key=lambda word, kind=kind, words=words: ((kind, word) in old, -words[word], word)))  # type: ignore[misc]
        for kind, words in counted.items()
    }
    return Dictionary(**{kind: words[:MAX_WORDS] for kind, words in ranked.items()})


def near(number: str) -> list[str]:
    """A number of the code and its neighbours."""
    value = int(number)
    return [number, str(value + 1), str(max(value - 1, 0))]


def _words(tree: Tree) -> Iterator[tuple[str, str]]:
    tests = inner_tests(tree)
    for node in walk(tree.root):
        text = tree.text(node)
        if tests is not None and tests.start_byte <= node.start_byte < tests.end_byte:
            continue
        if node.type == "case_item":
            yield from _case_words(tree, node)
        elif node.type in NUMBERS:
            if re.fullmatch(r"\d{1,9}", text):
                yield "numbers", text
        elif node.type in TEXTS or node.type == "char_literal":
            inner = text.strip("\"'`")
            if 0 < len(inner) <= MAX_LENGTH and _PLAIN.fullmatch(inner):
                yield ("options" if re.fullmatch(r"--?[A-Za-z][\w-]*=?", inner) else "texts"), inner
        elif node.type == "word" and re.fullmatch(r"-(?:[A-Za-z]|-[a-z][\w-]*)", text) and _is_compared(node):
            yield "options", text


def _is_compared(node: object) -> bool:
    """Whether a word of a shell script is what an argument is compared with, not an option of a command that it calls."""
    parent = getattr(node, "parent", None)
    return parent is not None and parent.type in {"binary_expression", "test_command"}


def _case_words(tree: Tree, node: object) -> Iterator[tuple[str, str]]:
    """The plain words of a branch of `case`."""
    for child in node.named_children:  # type: ignore[attr-defined]
        text = tree.text(child).strip("\"'")
        if child.type in _PATTERN_NODES and re.fullmatch(r"[\w.+-]+", text):
            yield ("options" if re.fullmatch(r"--?[A-Za-z][\w-]*", text) else "commands"), text


def _read_by_getopts(text: str) -> Iterator[str]:
    """The options that `getopts` reads."""
    for letters in re.findall(r"\bgetopts\s+[\"']?([:A-Za-z0-9]+)", text):
        yield from (f"-{letter}" for letter in letters if letter != ":")
