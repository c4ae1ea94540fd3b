"""JavaScript and TypeScript as trees: parsed with tree-sitter, and TypeScript's types left out.

Everything after this module works on plain JavaScript. Without the extra `dce[outline]` there are no grammars and so no probes.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import msgspec

TYPED_SUFFIXES = (".ts", ".mts", ".cts", ".tsx")
SUFFIXES = (".js", ".mjs", ".cjs", ".jsx", *TYPED_SUFFIXES)

MAX_SOURCE_CHARS = 400_000
"""Longest file that is read. Longer ones are generated, and reading them takes seconds."""

MAX_REMEMBERED = 4_096
"""How many pieces of source are remembered with what was found in them: variations of a test repeat most of its steps."""

_GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
}


class Source(msgspec.Struct, frozen=True):
    """A parsed text. Nodes count bytes, so texts of nodes are cut from the bytes."""

    content: bytes
    root: Any

    def text(self, node: Any) -> str:
        """The source of a node."""
        return self.content[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def rewritten(self, node: Any, changes: Iterable[tuple[Any, str]]) -> str:
        """The source of a node with other text in place of some nodes in it. Of changes that overlap, the outer one counts."""
        return spliced(
            self.content, node.start_byte, node.end_byte, [(at.start_byte, at.end_byte, new) for at, new in changes]
        )


def has_grammars() -> bool:
    """Whether the grammars are installed."""
    try:
        _parser("javascript"), _parser("typescript")
    except ModuleNotFoundError:
        return False
    return True


def parsed(text: str, grammar: str = "javascript") -> Source:
    """The tree of a text. A text with mistakes has a tree too, with error nodes in it."""
    content = text[:MAX_SOURCE_CHARS].encode("utf-8", "replace")
    return Source(content, _parser(grammar).parse(content).root_node)


def plain(text: str, path: str) -> str:
    """The JavaScript of a file: TypeScript without its types."""
    if not path.endswith(TYPED_SUFFIXES):
        return text
    source = parsed(text, grammar_of(path))
    return source.rewritten(source.root, _typed_parts(source.root))


def grammar_of(path: str) -> str:
    """The grammar that reads a file."""
    if path.endswith(".tsx"):
        return "tsx"
    return "typescript" if path.endswith(TYPED_SUFFIXES) else "javascript"


def walk(node: Any, is_entered: Callable[[Any], bool] = lambda _: True) -> Iterator[Any]:
    """The named nodes below a node, outer ones first, in the order of the text."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        if found is node or is_entered(found):
            stack.extend(reversed(found.named_children))


def spliced(content: bytes, start: int, end: int, changes: Iterable[tuple[int, int, str]]) -> str:
    """The bytes from `start` to `end` with other text in some places. Of changes that overlap, the outer one counts."""
    out, at = [], start
    for first, last, new in sorted(changes, key=lambda change: (change[0], -change[1])):
        if first < at:
            continue
        out += [content[at:first].decode("utf-8", "replace"), new]
        at = last
    return "".join((*out, content[at:end].decode("utf-8", "replace")))


@lru_cache(maxsize=MAX_REMEMBERED)
def names_in(text: str) -> frozenset[str]:
    """Every name that a piece of source uses, but not the names of properties."""
    kinds = {"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
    source = parsed(text)
    return frozenset(source.text(node) for node in walk(source.root) if node.type in kinds)


@lru_cache(maxsize=MAX_REMEMBERED)
def is_broken(text: str) -> bool:
    """Whether a piece of source cannot be parsed."""
    return bool(parsed(text).root.has_error)


@cache
def _parser(grammar: str) -> Any:
    package, function = _GRAMMARS[grammar]
    tree_sitter = importlib.import_module("tree_sitter")
    return tree_sitter.Parser(tree_sitter.Language(getattr(importlib.import_module(package), function)()))


_TYPES = frozenset(
    {
        *("type_annotation", "type_parameters", "type_arguments", "type_predicate_annotation", "asserts_annotation"),
        *("opting_type_annotation", "omitting_type_annotation", "interface_declaration", "type_alias_declaration"),
        *(
            "ambient_declaration",
            "accessibility_modifier",
            "override_modifier",
            "implements_clause",
            "function_signature",
        ),
        *("abstract_method_signature", "method_signature"),
    }
)
"""Nodes that hold types only."""

_FIRST_ONLY = frozenset({"as_expression", "satisfies_expression", "non_null_expression"})


def _typed_parts(root: Any) -> Iterator[tuple[Any, str]]:
    """What is left out of TypeScript, and what comes in its place."""
    for node in walk(root, lambda node: node.type not in _TYPES):
        if node.type in _TYPES or (node.type == "import_statement" and _has_token(node, "type")):
            yield node, ""
        elif node.type in _FIRST_ONLY:
            inner = node.named_children[0]
            yield _Span(inner.end_byte, node.end_byte), ""
        elif node.type == "type_assertion":
            yield _Span(node.start_byte, node.named_children[-1].start_byte), ""
        elif node.type in {
            "optional_parameter",
            "required_parameter",
            "public_field_definition",
            "variable_declarator",
        }:
            yield from ((child, "") for child in node.children if child.type in {"?", "!", "readonly"})
        elif node.type in {"import_specifier", "export_specifier"} and _has_token(node, "type"):
            follower = node.next_sibling
            end = follower.end_byte if follower is not None and follower.type == "," else node.end_byte
            yield _Span(node.start_byte, end), ""


class _Span(msgspec.Struct, frozen=True):
    """A part of a text that is no node."""

    start_byte: int
    end_byte: int


def _has_token(node: Any, token: str) -> bool:
    return any(child.type == token for child in node.children)


def has_markup(text: str) -> bool:
    """Whether a piece of source has JSX in it."""
    return "<" in text and any(node.type.startswith("jsx_") for node in walk(parsed(text).root))


def statements(node: Any) -> Sequence[Any]:
    """The statements of a program or a block, without comments."""
    return [child for child in node.named_children if child.type not in {"comment", "hash_bang_line", "html_comment"}]
