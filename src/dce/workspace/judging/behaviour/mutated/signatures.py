"""What functions and methods the answers define, and of what types, for languages in which tests are written that call them.

Pure. Only what every version defines alike can be called in all of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.mutated.trees import Tree, tree_of, walk


class Signature(msgspec.Struct, frozen=True):
    """A function (`owner` "") or a function of a type. Types are as they are written. `receives`: how it has its object; "" if it has none."""

    name: str
    owner: str
    parameters: tuple[str, ...]
    result: str
    receives: str = ""


class Signatures(msgspec.Struct, frozen=True):
    """`structs`: the public plain fields of types, with their types."""

    functions: tuple[Signature, ...]
    structs: Mapping[str, tuple[tuple[str, str], ...]]
    package: str = ""


def signatures(changed: Mapping[str, Sequence[str]], suffix: str) -> Signatures:
    """What the answers' versions of the files have in common; tests in them left out."""
    functions: list[Signature] = []
    structs: dict[str, tuple[tuple[str, str], ...]] = {}
    package = ""
    for path, versions in changed.items():
        if not path.endswith(suffix) or path.endswith("_test.go"):
            continue
        trees = [tree for text in versions[1:] if text and (tree := tree_of(text, path)) is not None]
        found = [list(dict.fromkeys(_functions(tree))) for tree in trees]
        common = {one for one in found[0] if sum(one in other for other in found) * 2 > len(found)} if found else set()
        functions += [one for one in (found[0] if found else ()) if one in common]
        for tree in trees[:1]:
            structs |= dict(_structs(tree))
            match = re.search(rb"(?m)^package\s+(\w+)", tree.content)
            package = match[1].decode() if match else package
    return Signatures(tuple(functions), structs, package)


def _functions(tree: Tree) -> Iterator[Signature]:
    for node in walk(tree.root):
        if node.type in {"function_declaration", "method_declaration"}:
            yield _go(tree, node)
        elif node.type == "function_item" and "pub" in tree.text(node)[:4]:
            owner = _owner(tree, node)
            if owner is not None and node.child_by_field_name("type_parameters") is None:
                yield _rust(tree, node, owner)


def _go(tree: Tree, node: Any) -> Signature:
    result, receiver = node.child_by_field_name("result"), node.child_by_field_name("receiver")
    owner = re.sub(r"^\(?\s*(?:\w+\s+)?\*?|\)$", "", tree.text(receiver)) if receiver is not None else ""
    parameters: list[str] = []
    for one in node.child_by_field_name("parameters").named_children:
        kind = one.child_by_field_name("type")
        count = max(1, sum(child.type == "identifier" for child in one.named_children))
        text = ("..." if one.type.startswith("variadic") else "") + (tree.text(kind) if kind is not None else "?")
        parameters += [text] * count
    if node.child_by_field_name("type_parameters") is not None:
        parameters = ["?"]
    name = tree.text(node.child_by_field_name("name"))
    return Signature(
        name, owner, tuple(parameters), tree.text(result) if result is not None else "", "yes" if owner else ""
    )


def _rust(tree: Tree, node: Any, owner: str) -> Signature:
    parameters, receives = [], ""
    for one in node.child_by_field_name("parameters").named_children:
        if one.type == "self_parameter":
            receives = tree.text(one)
        elif one.type == "parameter":
            parameters.append(" ".join(tree.text(one.child_by_field_name("type")).split()))
    result = node.child_by_field_name("return_type")
    name = tree.text(node.child_by_field_name("name"))
    return Signature(name, owner, tuple(parameters), tree.text(result) if result is not None else "", receives)


def _owner(tree: Tree, node: Any) -> str | None:
    """The type of whose `impl` a function is; "" for one of the file; None for others, such as those of tests."""
    parent = node.parent
    if parent.type == "source_file":
        return ""
    block = parent.parent
    if block is None or block.type != "impl_item" or block.child_by_field_name("trait") is not None:
        return None
    kind = block.child_by_field_name("type")
    return tree.text(kind) if kind is not None and kind.type == "type_identifier" else None


def _structs(tree: Tree) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    for node in walk(tree.root):
        name, body = (
            node.child_by_field_name("name"),
            node.child_by_field_name("type") or node.child_by_field_name("body"),
        )
        if node.type not in {"type_spec", "struct_item"} or name is None or body is None:
            continue
        fields = [one for one in walk(body) if one.type == "field_declaration"]
        pairs = []
        for one in fields:
            kind = one.child_by_field_name("type")
            names = [child for child in one.named_children if child.type == "field_identifier"]
            pairs += [(tree.text(each), tree.text(kind)) for each in names if kind is not None]
        is_public = (
            all(name[:1].isupper() for name, _ in pairs)
            if node.type == "type_spec"
            else all("pub" in tree.text(one)[:4] for one in fields)
        )
        if pairs and is_public:
            yield tree.text(name), tuple(pairs)
