"""Judges values: whether one can be a secret, by its shape alone.

What must always hold: nothing here knows where a value stands. A reference to a secret (`$TOKEN`, `${TOKEN}`, `<token>`) and a
documentation placeholder (`changeme`) are never secrets.
"""

import base64
import binascii
import math
import re
from collections import Counter

from dce.workspace.outbound.secret_rules import PLACEHOLDER_VALUES, PLACEHOLDER_WORDS

MAX_ENCODED = 20_000
"""Longest base64 text decoded to look for a login."""

MIN_TOKEN_ENTROPY = 3.0
MIN_CODE_ENTROPY = 3.4
"""Bits per byte of a generated value, where its name suggests a secret and where it may be code."""

_MIN_TOKEN_CHARS = 16
_MIN_PASSWORD_CHARS, _MIN_PASSWORD_ENTROPY = 6, 2.2
_MAX_PIECE_CHARS = 3.5
_WORDY = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_REFERENCE = re.compile(rb"\$[\w({]|%[A-Za-z_]+%|\{\{|\{[\w.]*\}|<[A-Za-z_ -]+>|^[-/]|^\*+$")
_LOGIN = re.compile(rb"[^\s:]{1,200}:[^\s]{3,500}")
_WORDS = re.compile(rb"[a-z]+(?:[_-][a-z]+)*[_-]?\d{0,2}")
_CODE = re.compile(rb"[A-Za-z_]\w*(?:(?:\.|->|::)\w+)+|[\w.]+\(.*\)\W*")


def is_placeholder(value: bytes) -> bool:
    """Whether documentation and defaults use this value instead of a secret."""
    return value.lower() in PLACEHOLDER_VALUES or PLACEHOLDER_WORDS.search(value) is not None


def is_typed(value: bytes) -> bool:
    """Whether a person may have typed this as a password: it is not a reference to one, and not a documentation placeholder."""
    return len(value) >= 4 and len(set(value)) >= 3 and not _REFERENCE.search(value) and not is_placeholder(value)


def is_typed_and_no_word(value: bytes) -> bool:
    """Like `is_typed`, for places where a word of prose or code may occur too."""
    has_other = any(48 <= char <= 57 or char in b"!@#$%^&*+?" for char in value)
    return is_typed(value) and has_other and not _WORDS.fullmatch(value)


def is_typed_in_text(value: bytes) -> bool:
    """Whether this looks like a password, and like neither a word nor an expression of code."""
    return is_password(value) and is_typed_and_no_word(value) and not _CODE.fullmatch(value)


def is_generated(value: bytes) -> bool:
    """Whether this looks generated, and is no reference or placeholder."""
    return is_typed(value) and is_random(value, MIN_TOKEN_ENTROPY)


def is_hash(value: bytes) -> bool:
    """Whether a password's hash is that of a real login."""
    return not is_placeholder(value)


def is_either(value: bytes) -> bool:
    """Whether this looks like a password or generated."""
    return is_typed_in_text(value) or is_generated(value)


def holds_a_login(encoded: bytes) -> bool:
    """Whether base64 is a login (`user:password`), or Docker's file of logins."""
    try:
        text = base64.b64decode(encoded[:MAX_ENCODED] + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return False
    if not text.isascii() or not text.decode("ascii").isprintable():
        return False
    if text.startswith(b"{"):
        return b'"auth' in text
    return _LOGIN.fullmatch(text) is not None and is_typed(text.partition(b":")[2])


def is_password(value: bytes) -> bool:
    """Whether this looks like a password: letters with a digit, or with a character that no identifier has."""
    has_letter = any(char in value for char in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    has_digit = any(48 <= char <= 57 for char in value)
    has_mark = any(char in b"!@#$%^&*+" for char in value)
    is_long_enough = len(value) >= _MIN_PASSWORD_CHARS and entropy(value) >= _MIN_PASSWORD_ENTROPY
    return is_long_enough and (has_letter or has_digit) and (has_digit or has_mark)


def is_random(value: bytes, min_entropy: float) -> bool:
    """Whether this looks generated: long, mixed, and not made of words."""
    if len(value) < _MIN_TOKEN_CHARS or entropy(value) < min_entropy:
        return False
    digits = sum(48 <= char <= 57 for char in value)
    if digits < 2 or digits == len(value):
        return False
    # Joined words ("release-2024-notes") are a few long pieces; random text is many short ones.
    return len(_WORDY.findall(value)) * _MAX_PIECE_CHARS > len(value)


def entropy(value: bytes) -> float:
    """Shannon entropy, in bits per byte."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
