"""The same call with a long input, to see which answers take far longer than others: a list or text of thousands of items.

The items differ from each other like those of the test, because a quadratic answer often is fast on equal ones.
"""

import ast
from collections.abc import Iterator, Sequence

from dce.workspace.judging.behaviour.literals import literal

ITEMS = 20_000
"""Length of a long input. What looks at every pair of so many items does not end within a probe's limit; what sorts them does."""

LARGE = 5_000
"""What a number beside a long input becomes in one of the variations: a window, a limit or a size that grows with it."""


def scaled(call: str) -> list[tuple[str, ...]]:
    """Steps that make the call with long arguments: as it stands, and with its numbers large too. None if nothing can be long."""
    tree = ast.parse(call, mode="eval").body
    if not isinstance(tree, ast.Call) or tree.keywords:
        return []
    values = [literal(argument) for argument in tree.args]
    if not all(is_literal for is_literal, _ in values):
        return []
    found: dict[tuple[str, ...], None] = {}
    for number_text in ("", str(LARGE)):
        before: list[str] = []
        words: list[str] = []
        for argument, (_, value) in zip(tree.args, values, strict=True):
            long = _long(value)
            if long:
                words.append(f"long_{len(before) + 1}")
                before.append(f"{words[-1]} = {long}")
            elif number_text and type(value) is int:
                words.append(number_text)
            else:
                words.append(ast.unparse(argument))
        if before:
            found.setdefault((*before, f"{ast.unparse(tree.func)}({', '.join(words)})"))
    return list(found)


def _long(value: object) -> str:
    """Source of a long value of the same form; "" if there is none."""
    if isinstance(value, str) and value:
        return f"{value!r} * {ITEMS // len(value) + 1}"
    if not isinstance(value, list) or not value:
        return ""
    count = ITEMS // len(value) + 1
    forms = list(_forms(value))
    if not forms:
        return ""
    name, form = forms[0]
    return f"[{form} for number in range({count}) for {name} in {value!r}]"


def _forms(values: Sequence[object]) -> Iterator[tuple[str, str]]:
    """How an item is made different in each turn."""
    if all(type(value) in {int, float} for value in values):
        yield "item", "item + number * 7 % 1009"
    elif all(isinstance(value, str) for value in values):
        yield "item", "item + str(number)"
    elif all(isinstance(value, tuple) and all(type(part) is int for part in value) for value in values):
        yield "item", "tuple(part + number * 7 for part in item)"
