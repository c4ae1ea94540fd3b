"""Surrogate halves in a model's text: JSON can escape half a character, and a token can end in the middle of an emoji. Pure.

Invariant: what leaves this module can be encoded as UTF-8. Halves that belong together are joined across pieces; a lone one becomes U+FFFD.
"""

from typing import Any


def whole(text: str) -> str:
    """`text` with its halves joined, and U+FFFD for each lone one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def whole_in(value: Any) -> Any:
    """A decoded JSON value with every text in it whole."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [whole_in(item) for item in value]
    return {whole(name): whole_in(item) for name, item in value.items()} if isinstance(value, dict) else value


class Halves:
    """Joins the halves of one text that arrives in pieces."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """What can be told of the text by now: a first half at the very end waits for the next piece."""
        if piece.isascii() and not self._half:
            return piece
        text, self._half = self._half + piece, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole(text)

    def flush(self) -> str:
        """U+FFFD if the text ended with half a character."""
        half, self._half = self._half, ""
        return whole(half)
