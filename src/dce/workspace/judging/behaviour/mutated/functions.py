"""The single tests of a file in a language whose tests are functions: many of them, each changed in another way, are compiled at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dce.workspace.judging.behaviour.mutated.trees import Tree, tree_of, walk

FUNCTION = "function"
"""The mark of a probe whose text is one test function; the name follows it, "" for a test that there was none."""


def inner_tests(tree: Tree) -> Any:
    """The module of tests in a file that is not a test file (`#[cfg(test)] mod tests`); None if there is none."""
    for node in tree.root.named_children:
        before = node.prev_named_sibling
        if node.type == "mod_item" and before is not None and re.search(r"cfg\s*\(\s*test\s*\)", tree.text(before)):
            return node
    return None


def test_functions(tree: Tree, path: str, within: Any) -> Iterator[tuple[str, Any]]:
    """The tests, by name; none for a language whose tests are not run together."""
    if path.endswith("_test.go"):
        yield from _go(tree)
    elif path.endswith(".rs"):
        yield from _rust(tree, within)


def with_function(tree: Tree, path: str, within: Any, name: str, text: str) -> str | None:
    """The file with another text of one test; None if it has no such test."""
    for found, node in test_functions(tree, path, within):
        if found == name:
            before, after = tree.content[: node.start_byte], tree.content[node.end_byte :]
            return (before + text.encode() + after).decode("utf-8", "replace")
    return None


def single_results(changed: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The functions and methods of Go that give exactly one result, whichever version defines them."""
    counted: dict[str, set[int]] = {}
    for path, versions in changed.items():
        for text in versions if path.endswith(".go") else ():
            tree = tree_of(text, path)
            for node in walk(tree.root) if tree is not None else ():
                name = node.child_by_field_name("name")
                if tree is None or node.type not in {"function_declaration", "method_declaration"} or name is None:
                    continue
                result = node.child_by_field_name("result")
                several = result is not None and result.type == "parameter_list"
                count = 0 if result is None else len(result.named_children) if several else 1
                counted.setdefault(tree.text(name), set()).add(count)
    return frozenset(name for name, counts in counted.items() if counts == {1})


def _go(tree: Tree) -> Iterator[tuple[str, Any]]:
    for node in tree.root.named_children:
        name = node.child_by_field_name("name")
        if node.type != "function_declaration" or name is None:
            continue
        parameters = node.child_by_field_name("parameters")
        if re.fullmatch(r"Test(?:[A-Z0-9_]\w*)?", tree.text(name)) and "*testing.T" in tree.text(parameters):
            yield tree.text(name), node


def _rust(tree: Tree, within: Any) -> Iterator[tuple[str, Any]]:
    holder = within.child_by_field_name("body") if within.type == "mod_item" else within
    for node in holder.named_children if holder is not None else ():
        name, before = node.child_by_field_name("name"), node.prev_named_sibling
        if node.type == "function_item" and name is not None and before is not None:
            marks = tree.text(before) if before.type == "attribute_item" else ""
            if re.fullmatch(r"#\[\s*test\s*\]", marks) and "async" not in tree.text(node)[:20]:
                yield tree.text(name), node
