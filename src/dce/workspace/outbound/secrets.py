"""Finds secrets in text before it leaves the machine: by vendor prefix, by a name that suggests a secret with a random-looking value,
and by the context of a credential. Chat-template control tokens are findings too: in a file they would end the user's turn.

What must always hold: a finding shows where a secret is but never the secret itself (`masked`, `fingerprint`); scanning is linear in
the text and fast enough for every prompt (tens of milliseconds per megabyte), so nobody has a reason to turn it off.
"""

import bisect
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from dce.workspace.outbound.credential_rules import (
    CREDENTIALS,
    KEY_NAME,
    NOT_A_SECRET_KEY,
    PASS_NAME,
    Credential,
    control_tokens,
    is_typed_and_no_word,
)
from dce.workspace.outbound.secret_rules import (
    ASSIGNMENT,
    BEARER,
    BEFORE_BYTES,
    BEFORE_RULES,
    MIN_KEY_CHARS,
    NAME_WORDS,
    NOT_A_VALUE_NAME,
    PASSWORD_WORDS,
    PLACEHOLDER_VALUES,
    PLACEHOLDER_WORDS,
    PRIVATE_KEY,
    SPLIT_LITERAL,
    URL_PASSWORD,
    VENDOR_RULES,
    Rule,
)

MAX_FINDINGS = 200
"""Maximum findings per text. A file with more is a dump of keys; 200 findings say so clearly enough."""

FINGERPRINT_CHARS = 12
"""Length of a fingerprint: 48 bits distinguish the secrets of a workspace and do not reveal a long one."""

SHOWN_CHARS = 4
"""How much of a secret `masked` shows: enough to recognise it, and no more than a vendor's prefix."""

CONTROL = "control-token"
"""Rule name of control tokens. They are not secret, so they are shown unmasked."""

_MAX_NAME = 40
_AFTER_NAME = frozenset((b" ", b"\t", b'"', b"'", b"]", b"=", b":"))
_MIN_TOKEN_CHARS, _MIN_TOKEN_ENTROPY = 16, 3.0
_MIN_PASSWORD_CHARS, _MIN_PASSWORD_ENTROPY = 6, 2.2
_MIN_CODE_ENTROPY = 3.4
_MAX_PIECE_CHARS = 3.5
_MAX_LINE_HEAD = 400
_CONFIG_NAMES = re.compile(
    r"(?:^|/)(?:Docker|Container)file$|(?:^|/)\.?env(?:rc)?(?:\.[\w.-]+)?$|\.(?:env|ini|ya?ml|properties|conf|cfg|toml|tfvars|npmrc|pypirc|netrc)$"
)
_IDENTIFIERS = re.compile(rb"[$@&*!]?[A-Za-z_][\w]*(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)*[;)]*")
_REFERENCE = re.compile(
    rb"\$\{|\$\(|\{\{|%\(|\$[A-Za-z_]|<[A-Za-z ]|process\.env|os\.environ|getenv|://|^[./~]|^\w+:\w+$|\.(?:py|js|ts|json|ya?ml|txt|md|pem|html)$"
)
_LINE_START = re.compile(rb"[ \t]*(?:-[ \t]+|export[ \t]+|set[ \t]+|ENV[ \t]+|ARG[ \t]+)?[\"']?[\w.-]*$")
_ALLOWED_LINE = re.compile(rb"dce:allow-secret|gitleaks:allow|pragma: allowlist secret|secretlint-disable-line")
_IN_WORD = re.compile(rb"\w")
_LONG = b"a" * MIN_KEY_CHARS
_SHAPE = bytes(
    97 if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "_-./") else 32 for byte in range(256)
)
_WORDY = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A secret at one place; `line` and `column` count from 1. `fingerprint` identifies the secret itself, wherever it occurs."""

    path: str
    line: int
    column: int
    rule: str
    masked: str
    fingerprint: str


class Hit(msgspec.Struct, frozen=True):
    """The position of a secret, in bytes of the UTF-8 text."""

    start: int
    end: int
    rule: str


def scan(text: str, path: str = "") -> tuple[Finding, ...]:
    """The secrets in a text, in order of position. `path` is copied into the findings and decides whether the text is configuration."""
    content = text.encode("utf-8", "surrogatepass")
    return tuple(_finding(content, hit, path) for hit in hits(content, path))


def hits(content: bytes, path: str = "") -> list[Hit]:
    """Like `scan`, as positions. They do not overlap. Lines with `dce:allow-secret` (or another scanner's equivalent) are skipped."""
    found: list[Hit] = []
    for hit in sorted(_candidates(content, path), key=lambda hit: hit.start):
        if found and hit.start < found[-1].end:
            continue  # the sort is stable and vendor rules come first, so the most specific rule wins
        if not _is_allowed_in_line(content, hit):
            found.append(hit)
            if len(found) == MAX_FINDINGS:
                break
    return found


def is_config(path: str) -> bool:
    """Whether a path names configuration, where values need no quotes. A scan uses the path for nothing else."""
    return _CONFIG_NAMES.search(path) is not None


def fingerprint(secret: bytes) -> str:
    """An identifier of a secret that does not reveal it."""
    return hashlib.sha256(b"dce secret\0" + secret).hexdigest()[:FINGERPRINT_CHARS]


def _finding(content: bytes, hit: Hit, path: str) -> Finding:
    line_start = content.rfind(b"\n", 0, hit.start) + 1
    secret = content[hit.start : hit.end]
    head = secret[:SHOWN_CHARS].decode("utf-8", "replace") if len(secret) >= 4 * SHOWN_CHARS else ""
    masked = f"{head.strip()}… ({len(secret)} characters)"
    return Finding(
        path=path,
        line=content.count(b"\n", 0, hit.start) + 1,
        column=len(content[line_start : hit.start].decode("utf-8", "replace")) + 1,
        rule=hit.rule,
        masked=secret.decode("utf-8", "replace") if hit.rule == CONTROL else masked,
        fingerprint=fingerprint(secret),
    )


def _is_allowed_in_line(content: bytes, hit: Hit) -> bool:
    start = content.rfind(b"\n", 0, hit.start) + 1
    end = content.find(b"\n", hit.end)
    line = content[max(start, hit.start - _MAX_LINE_HEAD) : (len(content) if end < 0 else end)][
        : 2 * _MAX_LINE_HEAD + 600
    ]
    return _ALLOWED_LINE.search(line) is not None


def _candidates(content: bytes, path: str) -> Iterator[Hit]:
    yield from _private_keys(content)
    yield from _vendors(content)
    for rule in BEFORE_RULES:
        yield from _before(content, rule)
    for rule in (URL_PASSWORD, BEARER):
        yield from _grouped(content, rule)
    lowered = content.lower()  # on bytes, only ASCII changes, so positions stay the same
    for credential in CREDENTIALS:
        yield from _credentials(content, lowered, credential)
    yield from _assigned(content, lowered, is_config=is_config(path))
    yield from _assigned_at(content, PASS_NAME, lowered, b"pass", is_config=is_config(path))
    yield from _assigned_at(content, KEY_NAME, lowered, b"key", is_config=is_config(path))
    yield from (Hit(start, end, CONTROL) for start, end in control_tokens(content, lowered))


def _places(content: bytes, literal: bytes) -> Iterator[int]:
    at = content.find(literal)
    while at >= 0:
        yield at
        at = content.find(literal, at + len(literal))


def _vendors(content: bytes) -> Iterator[Hit]:
    """Vendors' keys. A hundred searches of the whole text would be slow, so only its long words are searched; every key is one."""
    starts, offsets, words = _long_words(content)
    for rule in VENDOR_RULES:
        for literal in rule.literals:
            if SPLIT_LITERAL.search(literal):
                places = _places(content, literal)
            else:
                places = (
                    starts[index] + place - offsets[index]
                    for place in _places(words, literal)
                    for index in (bisect.bisect_right(offsets, place) - 1,)
                )
            for at in places:
                hit = _vendor(content, at, literal, rule)
                if hit is not None:
                    yield hit


def _long_words(content: bytes) -> tuple[list[int], list[int], bytes]:
    """Where each word of at least `MIN_KEY_CHARS` begins in `content`, where in the joined words, and the joined words."""
    shape = content.translate(_SHAPE) + b" "
    starts, offsets, words, size = [], [], [], 0
    at = shape.find(_LONG)
    while at >= 0:
        end = shape.find(b" ", at)
        starts.append(at)
        offsets.append(size)
        words.append(content[at:end])
        size += end - at + 1
        at = shape.find(_LONG, end)
    return starts, offsets, b"\n".join(words)


def _vendor(content: bytes, at: int, literal: bytes, rule: Rule) -> Hit | None:
    is_inside = at > 0 and literal[:1].isalnum() and _IN_WORD.match(content, at - 1) is not None
    # `\nghp_…` in JSON or code: the letter before the key belongs to an escape.
    if is_inside and content[at - 2 : at] not in {b"\\n", b"\\t", b"\\r"}:
        return None
    match = rule.pattern.match(content, at)
    if match is None or _is_placeholder(match[0]) or not _has_variety(match[0][len(literal) :]):
        return None
    return Hit(at, match.end(), rule.name)


def _before(content: bytes, rule: Rule) -> Iterator[Hit]:
    for at in _places(content, rule.literals[0]):
        match = rule.pattern.search(content, max(0, at - BEFORE_BYTES), at + 64)
        if match and match.start() < at < match.end() and not _is_placeholder(match[0]):
            yield Hit(match.start(), match.end(), rule.name)


def _private_keys(content: bytes) -> Iterator[Hit]:
    for at in _places(content, PRIVATE_KEY.literals[0]):
        match = PRIVATE_KEY.pattern.match(content, at)
        if match and _entropy(match[1]) > _MIN_CODE_ENTROPY:
            yield Hit(match.start(1), match.end(1), PRIVATE_KEY.name)


def _grouped(content: bytes, rule: Rule) -> Iterator[Hit]:
    for at in _places(content, rule.literals[0]):
        match = rule.pattern.match(content, at)
        if not match:
            continue
        is_password = rule is URL_PASSWORD
        secret = match[1]
        if is_password and (_REFERENCE.search(secret) or _is_placeholder(secret)):
            continue
        if is_password or _is_random(secret, _MIN_CODE_ENTROPY):
            yield Hit(match.start(1), match.end(1), rule.name)


def _credentials(content: bytes, lowered: bytes, credential: Credential) -> Iterator[Hit]:
    for literal in credential.literals:
        for at in _places(lowered, literal):
            match = credential.pattern.match(content, at)
            if match and credential.judge(match[1]):
                yield Hit(match.start(1), match.end(1), credential.name)


def _assigned_at(
    content: bytes, name: re.Pattern[bytes], lowered: bytes, word: bytes, *, is_config: bool
) -> Iterator[Hit]:
    """Values assigned to names that end in a word which also occurs inside other words: `DB_PASS`, `AZURE_OPENAI_KEY`."""
    for at in _places(lowered, word):
        end = at + len(word)
        if content[end : end + 1] not in _AFTER_NAME or name.search(content, max(0, at - 1), end) is None:
            continue
        if word == b"key" and NOT_A_SECRET_KEY.search(content, max(0, at - _MAX_NAME), at):
            continue
        match = ASSIGNMENT.match(content, end)
        if match is None or NOT_A_VALUE_NAME.match(content, end):
            continue
        group = "quoted" if match["quoted"] is not None else "bare"
        is_there = _is_quoted_secret if group == "quoted" else _is_bare_secret
        if is_there(content, match, word, is_config=is_config):
            yield Hit(match.start(group), match.end(group), "password" if word == b"pass" else "secret-value")


def _assigned(content: bytes, lowered: bytes, *, is_config: bool) -> Iterator[Hit]:
    """Values assigned to names that suggest a secret."""
    for word in NAME_WORDS:
        for at in _places(lowered, word):
            end = at + len(word)
            last, following = content[end - 1 : end], content[end : end + 1]
            if (last.islower() and following.islower()) or (last.isupper() and following.isupper()):
                continue  # `tokenizer`, `PASSWORDS`: another word
            if NOT_A_VALUE_NAME.match(content, end):
                continue
            match = ASSIGNMENT.match(content, end)
            if match is None:
                continue
            group = "quoted" if match["quoted"] is not None else "bare"
            is_there = _is_quoted_secret if group == "quoted" else _is_bare_secret
            if is_there(content, match, word, is_config=is_config):
                yield Hit(
                    match.start(group), match.end(group), "password" if word in PASSWORD_WORDS else "secret-value"
                )


def _is_quoted_secret(content: bytes, match: re.Match[bytes], word: bytes, *, is_config: bool) -> bool:  # noqa: ARG001
    value = match["quoted"]
    if b" " in value or _REFERENCE.search(value) or _is_placeholder(value):
        return False
    return _is_secret(value, word)


def _is_secret(value: bytes, word: bytes) -> bool:
    if word == b"pass":  # renderers and compilers have passes too
        return _is_password(value) and is_typed_and_no_word(value)
    return _is_password(value) if word in PASSWORD_WORDS else _is_random(value, _MIN_TOKEN_ENTROPY)


def _is_bare_secret(content: bytes, match: re.Match[bytes], word: bytes, *, is_config: bool) -> bool:
    """An unquoted value counts only on a `name = value` line; elsewhere it is an expression."""
    value, rest = match["bare"], match["rest"].strip()
    line_start = content.rfind(b"\n", max(0, match.start() - _MAX_LINE_HEAD), match.start()) + 1
    if (rest and not rest.startswith(b"#")) or not _LINE_START.fullmatch(
        content[line_start : match.start() - len(word)]
    ):
        return False
    if _REFERENCE.search(value) or _is_placeholder(value):
        return False
    if is_config:
        return _is_secret(value, word)
    return not _IDENTIFIERS.fullmatch(value) and _is_random(value, _MIN_CODE_ENTROPY)


def _is_placeholder(value: bytes) -> bool:
    return value.lower() in PLACEHOLDER_VALUES or PLACEHOLDER_WORDS.search(value) is not None


def _has_variety(value: bytes) -> bool:
    return len(set(value)) >= min(8, len(value) // 3)


def _is_password(value: bytes) -> bool:
    """Whether this looks like a password: letters with a digit, or with a character that no identifier has."""
    has_letter = any(char in value for char in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    has_digit = any(48 <= char <= 57 for char in value)
    has_mark = any(char in b"!@#$%^&*+" for char in value)
    is_long_enough = len(value) >= _MIN_PASSWORD_CHARS and _entropy(value) >= _MIN_PASSWORD_ENTROPY
    return is_long_enough and (has_letter or has_digit) and (has_digit or has_mark)


def _is_random(value: bytes, min_entropy: float) -> bool:
    """Whether this looks generated: long, mixed, and not made of words."""
    if len(value) < _MIN_TOKEN_CHARS or _entropy(value) < min_entropy:
        return False
    digits = sum(48 <= char <= 57 for char in value)
    if digits < 2 or digits == len(value):
        return False
    # Joined words ("release-2024-notes") are a few long pieces; random text is many short ones.
    return len(_WORDY.findall(value)) * _MAX_PIECE_CHARS > len(value)


def _entropy(value: bytes) -> float:
    """Shannon entropy, in bits per byte."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
