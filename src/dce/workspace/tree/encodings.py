"""Detects the encoding of a file and decodes it. UTF-8 is the default; a byte-order mark is trusted; anything else is a guess, marked as one.

What must always hold: bytes that no known encoding can decode are refused rather than shown as garbage; decoding never changes line endings.
"""

import codecs

UTF8 = "utf-8"
MARKED_UTF8 = "utf-8-sig"
"""UTF-8 that begins with a byte-order mark."""

GUESSED_FROM_BYTES = 65_536
"""How much of a file in a legacy encoding is examined to guess which one."""

MIN_TELLING_BYTES = 64
"""With fewer bytes than this in lines that are not ASCII, no guess is made from them."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The little-endian UTF-32 mark starts with the UTF-16 one, so it comes first."""

_NOT_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b"))


def marked(head: bytes) -> str:
    """The encoding named by a byte-order mark; "" if there is none, or it is UTF-8's, which changes nothing."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def is_binary(content: bytes) -> bool:
    """Whether bytes without a mark contain control characters that do not occur in text."""
    return content.translate(None, _NOT_IN_TEXT) != content if len(content) < GUESSED_FROM_BYTES else _has_any(content)


def _has_any(content: bytes) -> bool:
    return (
        b"\0" in content or content[:GUESSED_FROM_BYTES].translate(None, _NOT_IN_TEXT) != content[:GUESSED_FROM_BYTES]
    )


def decode(content: bytes) -> tuple[str, str]:
    """The text without its mark, and the name of its encoding. Raises ValueError; its message says why this is not text."""
    name = marked(content)
    if name:
        try:
            return content.decode(name), name
        except UnicodeDecodeError as error:
            raise ValueError(
                f"marked as {name.upper()} by its byte-order mark, but not valid {name.upper()}"
            ) from error
    try:
        text = content.decode(UTF8)
    except UnicodeDecodeError:
        text = ""
    else:
        if "\0" in text:
            raise ValueError("binary")
        return (text[1:], MARKED_UTF8) if text.startswith("\ufeff") else (text, UTF8)
    if is_binary(content):
        raise ValueError("binary")
    guess = _guess(content)
    if not guess:
        raise ValueError("neither UTF-8 nor another known encoding")
    return content.decode(guess), guess


def _guess(content: bytes) -> str:
    """The most likely legacy encoding that decodes all of the content; "" if there is none."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - a fifth of a second to load, and seldom needed

    # Only bytes that are not ASCII distinguish encodings. With too few of them, no guess beats the most common encoding.
    telling = b"\n".join(line for line in content.splitlines() if not line.isascii())[:GUESSED_FROM_BYTES]
    best = from_bytes(telling).best() if len(telling) >= MIN_TELLING_BYTES else None
    for name in (best.encoding if best else "", "cp1252"):
        try:
            content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        return name
    return ""
