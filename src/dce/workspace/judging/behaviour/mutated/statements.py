"""The statements of a test repeated, left out, moved, and items of lists added that differ in one field."""

from collections.abc import Iterator
from typing import Any

from dce.workspace.judging.behaviour.mutated.changes import Change
from dce.workspace.judging.behaviour.mutated.literals import ASSERTING, called, edges, literals
from dce.workspace.judging.behaviour.mutated.trees import Tree, walk

MAX_STATEMENTS = 24
"""Maximum statements of a test that are moved."""

MAX_ROW_EDGES = 6
"""Maximum new items for one field of one item of a list."""

_CALLS = frozenset({"expression_statement", "command", "pipeline", "redirected_statement", "call", "list"})
_HOLDERS = frozenset(
    {
        *("block", "statement_list", "compound_statement", "program", "body_statement", "do_block", "block_body"),
        *("do_group", "source_file", "translation_unit"),
    }
)
_ROWS = frozenset({"literal_value", "array_expression", "array_initializer", "array", "initializer_list", "token_tree"})
_ROW = frozenset(
    {
        *("literal_value", "literal_element", "tuple_expression", "struct_expression", "token_tree", "array"),
        *("initializer_list", "array_initializer", "hash", "object_creation_expression", "array_creation_expression"),
    }
)


def moved_statements(tree: Tree, node: Any) -> Iterator[tuple[Change, ...]]:
    """Each call repeated, left out, swapped with the next, done again at the end; calls that only judge stay."""
    nothing = ":" if tree.root.type == "program" else ""
    count = 0
    for holder in walk(node):
        if holder.type not in _HOLDERS:
            continue
        calls = [child for child in holder.named_children if _is_call(tree, child)]
        for at, one in enumerate(calls):
            count += 1
            if count > MAX_STATEMENTS:
                return
            text = tree.text(one)
            yield (Change(one.end_byte, one.end_byte, f"\n{text}"),)
            if at + 1 < len(calls):
                other = calls[at + 1]
                yield (
                    Change(one.start_byte, one.end_byte, tree.text(other)),
                    Change(other.start_byte, other.end_byte, text),
                )
            yield (Change(one.start_byte, one.end_byte, nothing),)
            if at + 2 < len(calls):
                yield (Change(calls[-1].end_byte, calls[-1].end_byte, f"\n{text}"),)


def more_rows(tree: Tree, node: Any) -> Iterator[tuple[Change, ...]]:
    """Lists of composite items with one more item: a copy of one that differs in one field, after it and at the end."""
    for holder in walk(node):
        rows = [child for child in holder.named_children if child.type in _ROW] if holder.type in _ROWS else []
        rows = [row for row in rows if tree.text(row)[:1] not in "\"'0123456789"]
        if len(rows) < 1 or len(rows) != len([one for one in holder.named_children if one.type != "comment"]):
            continue
        for row in (rows[0], rows[-1])[: len(rows)]:
            fields = [one for one in literals(tree, frozenset(), row) if one.kind != "list"]
            text = tree.text(row)
            for one in fields:
                for new in edges(one)[:MAX_ROW_EDGES]:
                    at, end = one.start - row.start_byte, one.end - row.start_byte
                    copy = (text.encode()[:at] + new.encode() + text.encode()[end:]).decode("utf-8", "replace")
                    yield (Change(rows[-1].end_byte, rows[-1].end_byte, f", {copy}"),)


def _is_call(tree: Tree, node: Any) -> bool:
    if node.type not in _CALLS:
        return False
    for inner in walk(node):
        if inner.type == "macro_invocation":
            return not ASSERTING.fullmatch(tree.text(inner.named_children[0]))
        if inner.type in {"command", "call", "call_expression", "method_invocation", "invocation_expression"} or (
            "call" in inner.type and inner.named_children
        ):
            name = called(tree, inner, inner.named_children[-1])
            return not ASSERTING.fullmatch(name) and not ASSERTING.fullmatch(name.split(".")[-1])
    return False
