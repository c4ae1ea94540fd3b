"""Splits a text into pieces whose token counts add up to the count of the text, so that after a change to one file the rest of the
prompt need not be counted again.

What must always hold: pieces are used only where this is provable. A tokenizer that first splits text into words, by rules that ignore
everything before a word, finds the same words in a text and in its pieces, provided that it splits at the cuts; BPE within a word is
then the same too. With any other tokenizer (see `adds_up`), the text is counted whole.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MIN_PIECE_CHARS = 4_000
"""Shortest piece, except the last: short enough that an edit costs little, long enough that looking up the pieces is cheap."""

_CUT_BEFORE = "\n\n"
"""Cuts are made where a letter precedes a blank line: text has many such places, and an edit does not move the others."""

_HARMLESS = (None, "NFC", "NFD", "NFKC", "NFKD")
"""Normalizers that have no effect across a line ending."""

_LOOKS_BACK = re.compile(r"\(\?<|\\[AGbBzZK]|(?<![\[\\])\^")
"""Regex constructs that look at what precedes a word, or at the start of the text."""

_LEFT = (
    "a",
    "Z",
    "word",
    "CamelCase",
    "x1y",
    "don't",
    "  if x",
    "é x",
    "1 a",
    "...b",
    "\tdef f",
    "a\n\nb",
    "’s",
    "日本 a",
)
_RIGHT = (
    "\n\n",
    "\n\nx",
    "\n\n  x",
    "\n\n\n#",
    "\n\n1",
    "\n\n\t",
    "\n\n's",
    "\n\n</file>",
    "\n\n\n\n    é",
    "\n\n日本",
)


def pieces(text: str) -> list[str]:
    """The pieces of the text; joined, they are the text."""
    found, start = [], 0
    at = text.find(_CUT_BEFORE, MIN_PIECE_CHARS)
    while at >= 0:
        if (before := text[at - 1]).isascii() and before.isalpha():
            found.append(text[start:at])
            start, at = at, at + MIN_PIECE_CHARS - 1
        at = text.find(_CUT_BEFORE, at + 1)
    return [*found, text[start:]]


def adds_up(description: Mapping[str, Any], split: Callable[[str], list[str]]) -> bool:
    """Whether the token counts of `pieces` add up under a tokenizer.json, whose own pre-tokenizer is `split` (text → words)."""
    if description["model"].get("type") != "BPE" or description["model"].get("dropout"):
        return False
    if (description.get("normalizer") or {}).get("type") not in _HARMLESS:
        return False
    for token in description.get("added_tokens") or ():
        if "\n" in token["content"] or token.get("lstrip") or token.get("rstrip"):
            return False
    steps = list(_steps(description.get("pre_tokenizer")))
    if not steps or not all(_is_local(step) for step in steps):
        return False
    return all(split(left + right) == split(left) + split(right) for left in _LEFT for right in _RIGHT)


def _steps(step: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """The steps of a pre-tokenizer, with sequences flattened."""
    if step is not None and step.get("type") == "Sequence":
        for part in step["pretokenizers"]:
            yield from _steps(part)
    elif step is not None:
        yield step


def _is_local(step: Mapping[str, Any]) -> bool:
    """Whether a step splits independently of what precedes a word, and adds nothing at the start of a text."""
    if step["type"] == "ByteLevel":
        return not step.get("add_prefix_space", True)
    if step["type"] == "Split":
        pattern = step["pattern"].get("Regex")
        return pattern is not None and step.get("behavior") == "Isolated" and not _LOOKS_BACK.search(pattern)
    return bool(step["type"] == "Digits")
