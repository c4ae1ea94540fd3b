"""Files of many languages as trees, with the grammars that outlines use. Without the extra `dce[outline]` there are none."""

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from dce.workspace.context.outline import LANGUAGES

MAX_SOURCE_BYTES = 400_000
"""Largest file that is read; larger ones are data."""


NUMBERS = frozenset(
    {
        *(
            "int_literal",
            "float_literal",
            "integer_literal",
            "decimal_integer_literal",
            "decimal_floating_point_literal",
        ),
        *("number_literal", "integer", "float", "number", "real_literal"),
    }
)
TEXTS = frozenset(
    {
        *(
            "interpreted_string_literal",
            "raw_string_literal",
            "string_literal",
            "string",
            "encapsed_string",
            "raw_string",
        ),
        "verbatim_string_literal",
    }
)
"""Nodes that are numbers, and texts in quotes, in every grammar."""


class Tree(msgspec.Struct, frozen=True):
    """A parsed file. Nodes count bytes."""

    content: bytes
    root: Any

    def text(self, node: Any) -> str:
        """The source of a node."""
        return self.content[node.start_byte : node.end_byte].decode("utf-8", "replace")


def suffixes() -> tuple[str, ...]:
    """The endings of the files that have a grammar, installed or not."""
    return tuple(suffix for language in LANGUAGES for suffix in language.suffixes)


def tree_of(text: str, path: str) -> Tree | None:
    """The tree of a file; None if its language has no grammar here, or it is too large."""
    content = text.encode("utf-8", "replace")
    row = next((row for row in LANGUAGES if path.endswith(row.suffixes)), None)
    if row is None or len(content) > MAX_SOURCE_BYTES:
        return None
    try:
        parser = _parser(row.package, row.function)
    except ModuleNotFoundError:
        return None
    return Tree(content, parser.parse(content).root_node)


def walk(node: Any) -> Iterator[Any]:
    """The named nodes from a node on, outer ones first, in the order of the text."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(found.named_children))


@cache
def _parser(package: str, function: str) -> Any:
    tree_sitter = importlib.import_module("tree_sitter")
    return tree_sitter.Parser(tree_sitter.Language(getattr(importlib.import_module(package), function)()))
