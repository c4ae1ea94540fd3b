"""The values in a test of any language: where they are, which of them go into the code under test, and other ones in their place.

Works on the source as it is written: what is between the quotes is cut, doubled or put in spaces, so no language's escapes need be known.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.mutated.dictionary import Dictionary, near
from dce.workspace.judging.behaviour.mutated.trees import NUMBERS, TEXTS, Tree, walk

MAX_EDGES = 28
"""Maximum other values for one literal: each costs a run of the tests."""

MAX_LITERALS = 60
"""Maximum literals of one test file."""

_TRUTHS = frozenset({"true", "false", "boolean_literal", "boolean"})
_LISTS = frozenset(
    {
        "literal_value",
        "array_expression",
        "array_initializer",
        "array",
        "initializer_list",
        "array_creation_expression",
        "token_tree",
    }
)
_EXPECTED_NAME = re.compile(
    r"(?:^|_|\b)(?:want|wanted|expect|expected|exp|output|out|result|name|desc|description|message|msg)s?$",
    re.IGNORECASE,
)
ASSERTING = re.compile(
    r"assert\w*|expect\w*|require\w*|check\w*|fail\w*|t\.?(?:run|error|fatal|log)f?|errorf|fatalf|run|describe|it|test|context|should|"
    r"print\w*|println|format|panic|log\w*|echo|to|eq|must\w*|ok|is|\[|\[\[",
    re.IGNORECASE,
)
"""Names of what judges, prints or names: values that only go there say what is expected."""


class Literal(msgspec.Struct, frozen=True):
    """A literal: its place in bytes, its source, and how much changing it tells: 2 goes into something that the answers change, 1 into
    something else, 0 is expected or a name."""

    start: int
    end: int
    source: str
    kind: str
    weight: int

    def overlaps(self, other: "Literal") -> bool:
        """Whether one is a part of the other."""
        return self.start < other.end and other.start < self.end


def literals(tree: Tree, names: frozenset[str], within: Any = None) -> list[Literal]:
    """The literals of a test, the most telling first. `names`: those that occur in what the answers change."""
    found = []
    fed = _fed(tree, names)
    for node in walk(tree.root if within is None else within):
        kind = _kind(tree, node)
        if kind:
            found.append(
                Literal(node.start_byte, node.end_byte, tree.text(node), kind, _weight(tree, node, names, fed))
            )
    found.sort(key=lambda literal: (-literal.weight, literal.start))
    return found[:MAX_LITERALS]


def edges(literal: Literal, words: Dictionary | None = None) -> list[str]:
    """Source of other values, the most telling first: those at the edge and those with words of the code, in turns."""
    own = _MAKERS[literal.kind](literal.source)
    given = _from_words(literal, words) if words is not None else ()
    found = dict.fromkeys(new for row in zip_longest(own, given) for new in row if new is not None)
    found.pop(literal.source, None)
    return list(found)[:MAX_EDGES]


def _from_words(literal: Literal, words: Dictionary) -> Iterator[str]:
    source = literal.source
    if literal.kind == "number" and "." not in source:
        yield from (new for row in zip(*map(near, words.numbers), strict=True) for new in row)
    elif literal.kind == "text":
        quote, inner = source[0], source[1:-1]
        for word in (*words.texts, *words.options, *words.commands):
            yield f"{quote}{word}{quote}"
            if re.search(r"[\\$%{#`]", inner):
                continue
            yield f"{quote}{inner}{word}{quote}"
            yield f"{quote}{word}{inner}{quote}"
            if len(inner) > 1:
                yield f"{quote}{inner[: len(inner) // 2]}{word}{inner[len(inner) // 2 :]}{quote}"
    elif literal.kind == "list":
        opening, inner, closing = source[0], source[1:-1].strip().rstrip(","), source[-1]
        items = [item.strip() for item in inner.split(",")]
        if items and re.fullmatch(r"-?\d+", items[0]):
            yield from (f"{opening}{', '.join([*items, word])}{closing}" for word in words.numbers)
        elif items and items[0][:1] == '"':
            yield from (f"{opening}{', '.join([*items, chr(34) + word + chr(34)])}{closing}" for word in words.texts)
    elif literal.kind == "word":
        yield from (word if re.fullmatch(r"[\w.-]+", word) else f"'{word}'" for word in (*words.commands, *words.texts))


def _fed(tree: Tree, names: frozenset[str]) -> frozenset[str]:
    """The names that stand in arguments of what the answers change: values behind them go into it too."""
    found: set[str] = set()
    for node in walk(tree.root):
        if node.type == "token_tree" and node.prev_named_sibling is not None:
            before = tree.text(node.prev_named_sibling)
        elif "call" in node.type or "invocation" in node.type or node.type == "command":
            before = called(tree, node, node.named_children[-1]) if node.named_children else ""
        else:
            continue
        if before.split(".")[-1].split("::")[-1] in names:
            found.update(re.findall(r"\w+", tree.text(node)))
    return frozenset(found) - names


def _kind(tree: Tree, node: Any) -> str:
    if node.type in NUMBERS:
        return "number" if re.fullmatch(r"\d{1,18}(?:\.\d{1,18})?", tree.text(node)) else ""
    if node.type == "word" and node.parent is not None and node.parent.type == "command":
        return "number" if re.fullmatch(r"\d{1,18}", tree.text(node)) else _word_kind(tree, node)
    if node.type in TEXTS:
        has_holes = any(
            "interpolation" in child.type or "expansion" in child.type or "substitution" in child.type
            for child in walk(node)
        )
        return (
            ""
            if has_holes or not re.fullmatch(r"""(["'`]).*\1""", tree.text(node), re.DOTALL) or _is_import(node)
            else "text"
        )
    if node.type in _TRUTHS:
        return "truth"
    is_list = node.type in _LISTS and tree.text(node)[:1] in "[{"
    held = [child for child in node.named_children if child.type != "comment"] if is_list else []
    return "list" if held and all(_is_plain(child) for child in held) else ""


def _word_kind(tree: Tree, node: Any) -> str:
    """A plain word that a shell's command is given is a text without quotes; flags and paths are none, nor is a script that `sh` runs."""
    before = node.prev_named_sibling
    is_script = (
        before is not None and before.type == "command_name" and tree.text(before) in {"sh", "bash", "cd", "mkdir"}
    )
    return "word" if re.fullmatch(r"[A-Za-z]\w*", tree.text(node)) and not is_script else ""


def _is_plain(node: Any) -> bool:
    inner = node.named_children[0] if node.type == "literal_element" and node.named_children else node
    return bool(inner.type in NUMBERS | TEXTS | _TRUTHS | {"unary_expression", "negative_literal"})


def _is_import(node: Any) -> bool:
    parent = node.parent
    return parent is not None and any(
        word in parent.type for word in ("import", "include", "use_declaration", "package", "attribute")
    )


def _weight(tree: Tree, node: Any, names: frozenset[str], fed: frozenset[str]) -> int:
    """How much changing a literal tells."""
    best, at = 0, node
    is_last = node.next_named_sibling is None and node.prev_named_sibling is not None
    while at.parent is not None:
        parent = at.parent
        field = (
            tree.text(parent.named_children[0]) if parent.type in {"keyed_element", "pair", "field_initializer"} else ""
        )
        if field and parent.named_children[0] != at and _EXPECTED_NAME.search(field):
            return 0
        if parent.type == "pipeline" and at.type == "command" and _is_after_code(tree, at, names):
            return 0  # what is done with the output of the code
        if parent.type in {"pipeline", "redirected_statement", "herestring_redirect", "heredoc_redirect"}:
            return (
                2 if names & set(re.findall(r"\w+", tree.text(parent))) else 1
            )  # what a shell feeds to it, or puts in a file
        program = called(tree, parent, at)
        if program and program.split(".")[-1].split("::")[-1] in names:
            return 2
        if program and not ASSERTING.fullmatch(program):
            best = max(best, 1)
        if program and ASSERTING.fullmatch(program) and best == 0 and parent.type != "command":
            return 0
        if parent.type in {"literal_value", "tuple_expression"} and not is_last:
            best = max(best, 1)
        if parent.type in {
            "short_var_declaration",
            "let_declaration",
            "variable_declarator",
            "assignment",
            "init_declarator",
            "variable_assignment",
            "const_spec",
            "var_spec",
            "const_item",
            "static_item",
            "assignment_expression",
        }:
            named = parent.child_by_field_name("name") or parent.named_children[0]
            if _EXPECTED_NAME.search(tree.text(named)):
                return best
            return 2 if set(re.findall(r"\w+", tree.text(named))) & fed else max(best, 1)
        at = parent
    return best


def _is_after_code(tree: Tree, command: Any, names: frozenset[str]) -> bool:
    before = command.prev_named_sibling
    while before is not None:
        if before.type == "command" and set(re.findall(r"\w+", tree.text(before))) & names:
            return True
        before = before.prev_named_sibling
    return False


def called(tree: Tree, parent: Any, child: Any) -> str:
    """The name of what a node calls with this child among its arguments; "" if it calls nothing."""
    for field in ("function", "name", "method"):
        found = (
            parent.child_by_field_name(field)
            if "call" in parent.type or "invocation" in parent.type or parent.type == "command"
            else None
        )
        if found is not None and found != child:
            return _command(tree, parent) if parent.type == "command" else tree.text(found)
    if parent.type == "macro_invocation":
        return tree.text(parent.named_children[0])
    before = child.prev_named_sibling
    if (
        parent.type == "token_tree"
        and child.type == "token_tree"
        and before is not None
        and before.type == "identifier"
    ):
        return tree.text(before)
    return ""


def _command(tree: Tree, node: Any) -> str:
    """The program of a shell command; for `sh x.sh` and `bash x.sh`, the script."""
    words = tree.text(node).split()
    at = 1 if words[0] in {"sh", "bash", "dash", "zsh"} and len(words) > 1 else 0
    return re.sub(r"^.*/|\.\w+$", "", words[at])


def _numbers(source: str) -> Iterator[str]:
    if "." in source:
        yield from ("0.0", f"{source}5", "1.0", f"1{source}")
        return
    value = int(source)
    yield from ("0", str(value + 1), "1", str(max(value - 1, 0)), f"-{value or 1}", "2", str(value * 10), "100", "3")
    yield from (str(value * 2), str(value // 2), "7", "255", "1000")


def _texts(source: str) -> Iterator[str]:
    quote, inner = source[0], source[1:-1]
    is_plain = not re.search(r"[\\$%{#`]", inner)
    yield quote + quote
    if is_plain:
        yield f"{quote}{inner[:-1]}{quote}"
        yield f"{quote}{inner.swapcase()}{quote}"
    yield f"{quote}{inner}{inner}{quote}"
    yield f"{quote} {inner} {quote}"
    for separator in dict.fromkeys(re.findall(r"[,;:|/\-_.= ]", inner)):
        yield quote + inner.replace(separator, separator * 2) + quote
        yield quote + separator + inner + separator + quote
    if "\\n" in inner:
        yield quote + inner.replace("\\n", "\\r\\n") + quote
        yield quote + inner.removesuffix("\\n") + quote
        yield quote + inner.replace("\\n", "\\n\\n") + quote
        yield f"{quote}\\n\\n{inner}\\n\\n{quote}"
    if is_plain and inner:
        yield f"{quote}{inner[:1]}{inner}{quote}"
    if "\\n" in inner and quote == '"':
        lines = inner.split("\\n")
        for chosen in (
            lines[::-1],
            lines[1:],
            [lines[0], *lines],
            [*lines, f" {lines[0]} "],
            [lines[0], "", *lines[1:]],
        ):
            yield quote + "\\n".join(chosen) + quote
    if " " in inner and is_plain:
        parts = inner.split(" ")
        yield quote + " ".join(parts[::-1]) + quote
        yield quote + " ".join([*parts, parts[0]]) + quote
        yield quote + " ".join(parts[:-1]) + quote
    for match in list(re.finditer(r"\d+", inner))[:3] if is_plain else ():
        for number in ("0", str(int(match.group()[:9]) + 1), f"{match.group()}0", f"-{match.group()}"):
            yield f"{quote}{inner[: match.start()]}{number}{inner[match.end() :]}{quote}"
    yield f"{quote}{inner}é{quote}"
    yield f"{quote}0{inner}{quote}"
    yield quote + inner * 5 + quote
    if is_plain:
        yield f"{quote}{inner[::-1]}{quote}"
        yield f"{quote}{inner[:1]}{quote}"


def _truths(source: str) -> Iterator[str]:
    yield {"true": "false", "false": "true", "True": "False", "TRUE": "FALSE"}.get(source, "true")


def _lists(source: str) -> Iterator[str]:
    opening, inner, closing = source[0], source[1:-1].strip().rstrip(","), source[-1]
    items = [item.strip() for item in inner.split(",")]
    if any(item.count('"') % 2 or item.count("'") % 2 for item in items):
        return  # a comma in a text
    for chosen in ([], items[:1], items[::-1], [*items, items[0]], items[1:], [items[0]] * 2, items * 3, sorted(items)):
        yield f"{opening}{', '.join(chosen)}{closing}"


def _words(source: str) -> Iterator[str]:
    yield from (
        "''",
        f"'{source} {source}'",
        f"{source}{source}",
        f"'{source}*'",
        f"' {source}'",
        f"-{source}",
        f"'{source}\\n'",
    )


_MAKERS: Mapping[str, Any] = {"number": _numbers, "text": _texts, "truth": _truths, "list": _lists, "word": _words}
