"""Cutting a text so that the tokens of its pieces add up to its own: a prompt of which one file changed need not be counted whole again.

What must always hold: pieces are only trusted where that can be shown. A tokenizer that first splits text into words, by rules that look
at nothing before a word, makes the same words of a text and of its pieces, if it splits where we cut; then BPE within a word is the
same too. Whatever is not known to be so (`adds_up`) is counted whole.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MIN_PIECE_CHARS = 4_000
"""Shortest piece but the last: small enough that an edit costs little, long enough that looking pieces up does not."""

_CUT_BEFORE = "\n\n"
"""Where a letter stands before a blank line: text has many such places, and an edit moves none of the others."""

_HARMLESS = (None, "NFC", "NFD", "NFKC", "NFKD")
"""Normalizers that change nothing across a line end."""

_LOOKS_BACK = re.compile(r"\(\?<|\\[AGbBzZK]|(?<![\[\\])\^")
"""What a pattern would need to see what stands before a word, or where the text begins."""

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
    """The text in pieces, which joined are the text."""
    found, start = [], 0
    at = text.find(_CUT_BEFORE, MIN_PIECE_CHARS)
    while at >= 0:
        if (before := text[at - 1]).isascii() and before.isalpha():
            found.append(text[start:at])
            start, at = at, at + MIN_PIECE_CHARS - 1
        at = text.find(_CUT_BEFORE, at + 1)
    return [*found, text[start:]]


def adds_up(description: Mapping[str, Any], split: Callable[[str], list[str]]) -> bool:
    """Whether the tokens of `pieces` add up under a tokenizer.json, whose own pre-tokenizer is `split` (text → words)."""
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
    """A pre-tokenizer's steps, those of a sequence one by one."""
    if step is not None and step.get("type") == "Sequence":
        for part in step["pretokenizers"]:
            yield from _steps(part)
    elif step is not None:
        yield step


def _is_local(step: Mapping[str, Any]) -> bool:
    """Whether a step splits by what a word is, not by what stands before it, and adds nothing where a text begins."""
    if step["type"] == "ByteLevel":
        return not step.get("add_prefix_space", True)
    if step["type"] == "Split":
        pattern = step["pattern"].get("Regex")
        return pattern is not None and step.get("behavior") == "Isolated" and not _LOOKS_BACK.search(pattern)
    return bool(step["type"] == "Digits")
