"""Other calls of a shell script: arguments left out, swapped and replaced, options and subcommands that stand in its code, other input,
other names of files; and at the end every way to look that the test has.
"""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from dce.workspace.judging.behaviour.mutated.changes import Change
from dce.workspace.judging.behaviour.mutated.dictionary import Dictionary
from dce.workspace.judging.behaviour.mutated.shell_recording import SHELLS, runs_code
from dce.workspace.judging.behaviour.mutated.trees import Tree, walk

ODD_WORDS = (
    *("''", "0", "-1", "99", "x", "'a b'", "'  a b '", "'*'", "'a\\nb\\c'", "no-such-file", "/dev/null", "-n", "--", "-", "1 1", "01"),
    *("'[x]'", "é", "'a.c'", "'%s %d'", "'#a'", "A", "1x", "'a'\\''b'"),
)  # fmt: skip
"""Words that scripts are known to trip over."""

ODD_NAMES = ("'{} x'", "'[{}]'", "'-{}'")
"""Other names for a file; {} is its own."""

MAX_LOOKS = 2
"""Maximum calls that are repeated at the end of a test to see what is left."""

MAX_INSERTED, NEW_AT_ONCE = 100, 4
"""Maximum tests with new calls, and how many each has: one call more costs little, a test more costs all of its calls."""


FIRST_SHARE, OPTION_SHARE = 0.85, 0.3
"""How many new calls begin with a word of the code or of the tests, and how many have an option."""


class Call:
    """A call of the code: `head` is the program with the script, the rest its arguments."""

    def __init__(self, tree: Tree, node: Any) -> None:
        words = [child for child in node.named_children if child.type != "variable_assignment"]
        first = tree.text(words[0])
        at = 2 if first in {"sh", "bash", "dash", "zsh", "ksh"} else 1
        self.node = node
        self.head = " ".join(tree.text(word) for word in words[:at])
        self.words = words[at:]
        self.arguments = tuple(tree.text(word) for word in words[at:])


def calls(tree: Tree, node: Any, names: frozenset[str]) -> list[Call]:
    """The calls of the code in a test, in its order."""
    return [Call(tree, one) for one in walk(node) if one.type == "command" and runs_code(tree, one, names)]


def other_arguments(found: Sequence[Call], words: Dictionary) -> Iterator[tuple[Change, ...]]:
    """Each call with an argument left out, repeated, swapped, replaced or added."""
    streams = [list(_other_arguments(call, _pool(found, words))) for call in found]
    for row in zip_longest(*streams):
        yield from (change for change in row if change is not None)


def with_options(found: Sequence[Call], words: Dictionary) -> Iterator[tuple[Change, ...]]:
    """Each call with an option of the code behind or before its arguments, alone and with a value."""
    for value in ("", " 1", " 0", " x", " 2", " -1"):
        for option in words.options:
            for call in found:
                end = call.words[-1].end_byte if call.words else call.node.end_byte
                yield (Change(end, end, f" {option}{value}"),)
                if call.words:
                    start = call.words[0].start_byte
                    yield (Change(start, start, f"{option}{value} "),)


def new_calls(
    tree: Tree, found: Sequence[Call], words: Dictionary, names: frozenset[str], rng: random.Random
) -> Iterator[tuple[Change, ...]]:
    """Calls that no test makes, between the statements of the test: a subcommand or option of the code with arguments of others."""
    places = [
        one.end_byte for one in tree.root.named_children if one.type in {"command", "pipeline", "redirected_statement"}
    ]
    own = [call for call in found if names & set(re.findall(r"\w+", call.head))] or list(found)
    if not places or not own:
        return
    firsts = list(dict.fromkeys([*words.commands, *(call.arguments[0] for call in own if call.arguments)]))
    pool = _pool(own, words)
    for _ in range(MAX_INSERTED):
        lines: list[str] = []
        recent: list[str] = []
        for _ in range(NEW_AT_ONCE):
            head = rng.choice(own).head
            first = [rng.choice(firsts)] if firsts and rng.random() < FIRST_SHARE else []
            known = [word for call in own if first and call.arguments[:1] == (first[0],) for word in call.arguments[1:]]
            arguments = [
                rng.choice(rng.choice([kind for kind in (known, recent, pool) if kind]))
                for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))
            ]
            recent += [other for word in arguments for other in (word, *_parts(word))]
            if words.options and rng.random() < OPTION_SHARE:
                arguments.insert(rng.randrange(len(arguments) + 1), rng.choice(words.options))
            lines.append(f"\n{' '.join((head, *first, *arguments))}")
        place = rng.choice(places)
        yield (Change(place, place, "".join(lines)),)


def _parts(word: str) -> Iterator[str]:
    """Words that a text holds, in either case: what one call stores, another one looks for."""
    inner = word[1:-1] if word[:1] in "'\"" else word
    for part in re.findall(r"[A-Za-z0-9.]+", inner)[:3]:
        yield from (part, part.swapcase())


def looks(tree: Tree, found: Sequence[Call]) -> str:
    """Statements that show what a test leaves behind: its own calls whose output it reads."""
    shown = [call for call in found if _is_within(call.node, "command_substitution")]
    lines = dict.fromkeys(tree.text(call.node) for call in shown if "$(" not in tree.text(call.node))
    own = [line for line in lines if not re.search(r"\$[@*#1-9]", line)][-MAX_LOOKS:]
    return "".join(f"\n{line} </dev/null" for line in own)


def other_names(tree: Tree, found: Sequence[Call]) -> Iterator[tuple[Change, ...]]:
    """Each file or folder that the test makes and the code is given, under another name, everywhere."""
    given = {word for call in found for word in call.arguments}
    values = {tree.text(one) for one in walk(tree.root) if one.type == "word"}
    made = {
        tree.text(one).strip("\"'")
        for node in walk(tree.root)
        if node.type == "file_redirect"
        or (node.type == "command" and re.match(r"(?:mkdir|touch|cp|mv)\b", tree.text(node)))
        for one in node.named_children
        if one.type in {"word", "concatenation"}
    }
    roots = sorted({re.sub(r"^(?:\./)?([^/]+).*$", r"\1", name) for name in made})
    for root in roots:
        if (
            not re.fullmatch(r"[\w.-]+", root)
            or root.endswith(SHELLS)
            or not any(_names(word, root) for word in given | values)
        ):
            continue
        for call in found:
            given_files = [one for one, word in zip(call.words, call.arguments, strict=True) if _names(word, root)]
            for other in ("no-such-file", "/dev/null"):
                yield from ((Change(one.start_byte, one.end_byte, other),) for one in given_files)
        for odd in ODD_NAMES:
            stem, dot, end = root.partition(".")
            new = odd.format(stem)
            changes = [
                Change(node.start_byte, node.end_byte, _renamed(tree.text(node), root, new, dot + end))
                for node in walk(tree.root)
                if node.type == "word" and _names(tree.text(node), root) and not _is_program(node)
            ]
            if changes:
                yield tuple(changes)


def other_lines(tree: Tree, node: Any, words: Dictionary) -> Iterator[tuple[Change, ...]]:
    """Texts of several lines that a test writes or feeds, with lines left out, repeated, moved and added."""
    for one in walk(node):
        if one.type == "heredoc_body":
            text, separator = tree.text(one), "\n"
        elif one.type in {"raw_string", "string"} and "\\n" in tree.text(one) and _is_within(one, "command"):
            text, separator = tree.text(one)[1:-1], "\\n"
        else:
            continue
        if "$(" in text or _command_name(tree, one) not in {"printf", "echo", "cat", ""}:
            continue
        start, end = (one.start_byte, one.end_byte) if separator == "\n" else (one.start_byte + 1, one.end_byte - 1)
        for new in lines_varied(text, separator, words):
            yield (Change(start, end, new),)


def lines_varied(text: str, separator: str, words: Dictionary) -> Iterator[str]:
    """Other texts of lines."""
    has_end = text.endswith(separator)
    lines = text.removesuffix(separator).split(separator)
    end = separator if has_end else ""
    more = [word for word in (*words.texts[:6], *words.commands[:4]) if re.fullmatch(r"[^'\"\\%$`]+", word)]
    added = [
        "",
        f"  {lines[0]}",
        f"{lines[0]}  ",
        f"#{lines[0]}",
        lines[-1].swapcase(),
        *more,
        f"-{lines[0]}",
        f"{lines[0]} {lines[-1]}",
    ]
    added += [
        f"{lines[0]}*",
        "é",
        f"{lines[-1]}x",
        f"{lines[0]},{lines[-1]}",
        f"{lines[0]}\t{lines[-1]}" if separator == "\n" else f"{lines[0]}\\t{lines[-1]}",
    ]
    yield separator.join(lines) if has_end else separator.join(lines) + separator
    yield ""
    for new in (lines[::-1], lines + lines, lines[1:], lines[:-1], sorted(lines), lines * 6):
        if new and new != lines:
            yield separator.join(new) + end
    for word in dict.fromkeys(added):
        yield separator.join([*lines, word]) + end
        yield separator.join([lines[0], word, *lines[1:]]) + end
        yield separator.join([word, *lines]) + end


def _pool(found: Sequence[Call], words: Dictionary) -> list[str]:
    used = [word for call in found for word in call.arguments if not word.startswith("$")]
    used += [part for word in used for part in _parts(word)]
    own = [word if re.fullmatch(r"[\w.:/-]+", word) else f"'{word}'" for word in (*words.texts, *words.numbers)]
    numbers = [near for number in words.numbers[:4] for near in (str(int(number) + 1),)]
    interleaved = [
        word for row in zip_longest(dict.fromkeys(used), ODD_WORDS, own, words.options, numbers) for word in row if word
    ]
    return list(dict.fromkeys(interleaved))


def _other_arguments(call: Call, pool: Sequence[str]) -> Iterator[tuple[Change, ...]]:
    end = call.node.end_byte if not call.words else call.words[-1].end_byte
    spots = list(range(len(call.words)))
    for at in spots:
        one = call.words[at]
        yield (Change(one.start_byte, one.end_byte, ""),)
        yield (Change(one.end_byte, one.end_byte, f" {call.arguments[at]}"),)
        if at + 1 < len(call.words):
            other = call.words[at + 1]
            yield (
                Change(one.start_byte, one.end_byte, call.arguments[at + 1]),
                Change(other.start_byte, other.end_byte, call.arguments[at]),
            )
    for word in pool:
        yield (Change(end, end, f" {word}"),)
        for at in spots:
            one = call.words[at]
            if word != call.arguments[at]:
                yield (Change(one.start_byte, one.end_byte, word),)
        if call.words:
            first = call.words[0].start_byte
            yield (Change(first, first, f"{word} "),)


def _names(word: str, root: str) -> bool:
    return word in {root, f"./{root}"} or word.startswith((f"{root}/", f"./{root}/", f"{root}."))


def _renamed(word: str, root: str, new: str, end: str) -> str:
    """The path with its first part under the new name; its ending stays."""
    before = "./" if word.startswith("./") else ""
    return before + new[:-1] + end + new[-1] + word.removeprefix("./")[len(root) :]


def _is_program(node: Any) -> bool:
    return node.parent is not None and node.parent.type == "command_name"


def _is_within(node: Any, kind: str) -> bool:
    while node is not None:
        if node.type == kind:
            return True
        node = node.parent
    return False


def _command_name(tree: Tree, node: Any) -> str:
    """The command around a word; of a here-document, the one that reads it."""
    while node is not None:
        if node.type == "command":
            return tree.text(node).split(maxsplit=1)[0]
        if node.type == "redirected_statement":
            body = node.child_by_field_name("body")
            return tree.text(body).split(maxsplit=1)[0] if body is not None else ""
        node = node.parent
    return ""
