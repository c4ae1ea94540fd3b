"""Outlines of languages other than Python, using tree-sitter. The extra `dce[outline]` installs the grammars, one wheel each.

Each language is a table row: its suffixes, the package with its grammar, and the node types that are definitions.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import msgspec

MAX_DEPTH = 12
"""How deep definitions are searched: deeper ones are local, and the recursion must be bounded."""

MAX_SIGNATURE_CHARS = 200
"""Longest line of an outline."""


class Language(msgspec.Struct, frozen=True):
    """A grammar: `function` of `package` returns it; nodes of `kinds` are shown up to the start of their body."""

    suffixes: tuple[str, ...]
    package: str
    function: str
    kinds: frozenset[str]


_SCRIPT = frozenset(
    [
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
        "method_definition",
        "interface_declaration",
        "type_alias_declaration",
        "enum_declaration",
        "abstract_class_declaration",
        "internal_module",
    ]
)
_C = frozenset({"function_definition", "struct_specifier", "enum_specifier", "union_specifier", "type_definition"})
_CPP = frozenset({"class_specifier", "namespace_definition"})
LANGUAGES: tuple[Language, ...] = (
    Language((".js", ".mjs", ".cjs", ".jsx"), "tree_sitter_javascript", "language", _SCRIPT),
    Language((".ts", ".mts", ".cts"), "tree_sitter_typescript", "language_typescript", _SCRIPT),
    Language((".tsx",), "tree_sitter_typescript", "language_tsx", _SCRIPT),
    Language(
        (".go",),
        "tree_sitter_go",
        "language",
        frozenset({"function_declaration", "method_declaration", "type_declaration"}),
    ),
    Language(
        (".rs",),
        "tree_sitter_rust",
        "language",
        frozenset(
            [
                "function_item",
                "function_signature_item",
                "struct_item",
                "enum_item",
                "trait_item",
                "impl_item",
                "mod_item",
                "type_item",
                "macro_definition",
            ]
        ),
    ),
    Language(
        (".java",),
        "tree_sitter_java",
        "language",
        frozenset(
            [
                "class_declaration",
                "interface_declaration",
                "enum_declaration",
                "record_declaration",
                "method_declaration",
                "constructor_declaration",
                "annotation_type_declaration",
            ]
        ),
    ),
    Language((".c",), "tree_sitter_c", "language", _C),
    Language((".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp"), "tree_sitter_cpp", "language", _C | _CPP),
    Language(
        (".cs",),
        "tree_sitter_c_sharp",
        "language",
        frozenset(
            [
                "namespace_declaration",
                "class_declaration",
                "interface_declaration",
                "struct_declaration",
                "record_declaration",
                "enum_declaration",
                "method_declaration",
                "constructor_declaration",
                "property_declaration",
            ]
        ),
    ),
    Language((".rb",), "tree_sitter_ruby", "language", frozenset({"module", "class", "method", "singleton_method"})),
    Language(
        (".php",),
        "tree_sitter_php",
        "language_php",
        frozenset(
            [
                "class_declaration",
                "interface_declaration",
                "trait_declaration",
                "enum_declaration",
                "function_definition",
                "method_declaration",
            ]
        ),
    ),
    Language((".sh", ".bash"), "tree_sitter_bash", "language", frozenset({"function_definition"})),
)


def outline_of(text: str, path: str) -> list[tuple[int, str]]:
    """(1-based line number, indented definition) pairs of a file; [] if the language is unknown, its grammar is not installed, or
    nothing is defined."""
    language = next((row for row in LANGUAGES if path.endswith(row.suffixes)), None)
    if language is None:
        return []
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module(language.package)
    except ModuleNotFoundError:
        return []
    parser = tree_sitter.Parser(tree_sitter.Language(getattr(grammar, language.function)()))
    content = text.encode("utf-8", "surrogatepass")
    return list(_definitions(parser.parse(content).root_node, content, language.kinds, 0, 0))


def _definitions(
    node: Any, content: bytes, kinds: frozenset[str], indent: int, depth: int
) -> Iterator[tuple[int, str]]:
    if depth > MAX_DEPTH:
        return
    for child in node.named_children:
        # In C, a use of a type looks like its definition without a body.
        is_use = child.type.endswith("_specifier") and child.child_by_field_name("body") is None
        is_definition = child.type in kinds and not is_use
        if is_definition:
            yield child.start_point[0] + 1, "    " * indent + _signature(child, content)
        yield from _definitions(child, content, kinds, indent + is_definition, depth + 1)


def _signature(node: Any, content: bytes) -> str:
    """The definition up to its body, on one line."""
    body = node.child_by_field_name("body")
    end = body.start_byte if body is not None else node.end_byte
    line = " ".join(content[node.start_byte : end].decode("utf-8", "replace").split()).rstrip("{ ")
    return line if len(line) <= MAX_SIGNATURE_CHARS else line[:MAX_SIGNATURE_CHARS] + "…"
