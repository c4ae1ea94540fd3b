"""Finds secrets in text before it leaves the machine: by vendor prefix, by a name that suggests a secret with a random-looking value,
and by the context of a credential. Chat-template control tokens are findings too: in a file they would end the user's turn.

What must always hold: a finding shows where a secret is but never the secret itself (`masked`, `fingerprint`); scanning is linear in
the text and fast enough for every prompt (tens of milliseconds per megabyte), so nobody has a reason to turn it off.
"""

import bisect
import hashlib
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from dce.workspace.outbound.chat_tokens import control_tokens
from dce.workspace.outbound.credential_rules import CREDENTIALS, KEY_NAME, NOT_A_SECRET_KEY, PASS_NAME, Credential
from dce.workspace.outbound.secret_rules import (
    ASSIGNMENT,
    BEARER,
    BEFORE_BYTES,
    BEFORE_RULES,
    MIN_KEY_CHARS,
    NAME_WORDS,
    NOT_A_VALUE_NAME,
    PAIRED,
    PASSWORD_WORDS,
    PRIVATE_KEY,
    SPACED,
    SPACED_START,
    SPLIT_LITERAL,
    URL_PASSWORD,
    VENDOR_RULES,
    Rule,
)
from dce.workspace.outbound.secret_values import (
    MIN_CODE_ENTROPY,
    MIN_TOKEN_ENTROPY,
    entropy,
    is_password,
    is_placeholder,
    is_random,
    is_typed_and_no_word,
    is_typed_in_text,
)
from dce.workspace.outbound.structured_rules import NAMED, STRUCTURED

MAX_FINDINGS = 200
"""Maximum findings per text. A file with more is a dump of keys; 200 findings say so clearly enough."""

FINGERPRINT_CHARS = 12
"""Length of a fingerprint: 48 bits distinguish the secrets of a workspace and do not reveal a long one."""

SHOWN_CHARS = 4
"""How much of a secret `masked` shows: enough to recognise it, and no more than a vendor's prefix."""

CONTROL = "control-token"
"""Rule name of control tokens. They are not secret, so they are shown unmasked."""

_MAX_NAME = 40
_AFTER_NAME = frozenset((b" ", b"\t", b'"', b"'", b"]", b"=", b":", b",", b">", b"<", b"|", b"(", b"\n"))
_MAX_LINE_HEAD = 400
_AFTER_PAIRED = frozenset((b" ", b"\t", b'"', b"'", b",", b">", b"|", b"(", b"<", b"\n", b"\r", b"*", b"`"))
_MIN_RANDOM_NAME = 24
"""Shortest identifier that is taken for a generated value, in code."""

_CONFIG_NAMES = re.compile(
    r"(?:^|/)(?:Docker|Container)file$|(?:^|/)\.?env(?:rc)?(?:\.[\w.-]+)?$|\.(?:env|ini|ya?ml|properties|conf|cfg|toml|tfvars|npmrc|pypirc|netrc)$"
)
_IDENTIFIERS = re.compile(rb"[$@&*!]?[A-Za-z_][\w]*(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)*[;)]*")
_REFERENCE = re.compile(
    rb"\$\{|\$\(|\{\{|%\(|\$[A-Za-z_]|<[A-Za-z ]|process\.env|os\.environ|getenv|://|^[./~]|^\w+:\w+$|\.(?:py|js|ts|json|ya?ml|txt|md|pem|html)$"
)
_CODE_NAMES = re.compile(
    r"\.(?:pyi?|ipynb|[cm]?[jt]sx?|vue|svelte|astro|go|rs|cs|java|kts?|scala|groovy|gradle|rb|php|p[lm]|swift|mm?|lua|r|jl|exs?|erl|hs|ml"
    r"|fsx?|cljs?|dart|zig|nim|v|[ch](?:h|c|pp|xx)?|sql|x?html?|xml|s?css|less|json[5c]?|proto|graphql|tf|hcl|svg|el|lisp|rst|po)$|^$",
    re.IGNORECASE,
)
_LINE_START = re.compile(
    rb"[ \t]*(?:-[ \t]+|[>|*][ \t]+)?(?:(?:export|set|setx|declare|local|readonly|typeset|env|ENV|ARG|SET|-[xgr]+)[ \t]+|Environment=)*"
    rb"(?:\$env:)?[\"']?[\w.-]*",
    re.IGNORECASE,
)
_INLINE_START = re.compile(rb"(?:^|[\s;&|({=])(?:-[eD][ \t]?|--(?:env|build-arg|set)[ =])?[\"']?[A-Z][A-Z0-9_]*$")
_PAIR_START = re.compile(rb"(?:[\s({\[,=]|^|-[eHD])[\"'][\w.-]*$")
_TAIL = re.compile(rb"(?!\)+(?:[\s;&|\"'`]|$))[^\s;|\"'`]+")
_CALL = re.compile(rb"[\w.$:]+\(.*\)\W*")
_ALLOWED_LINE = re.compile(rb"dce:allow-secret|gitleaks:allow|pragma: allowlist secret|secretlint-disable-line")
_IN_WORD = re.compile(rb"\w")
_LONG = b"a" * MIN_KEY_CHARS
_SHAPE = bytes(
    97 if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "_-./") else 32 for byte in range(256)
)


Kind = Literal["configuration", "text", "code"]
"""Kinds of files: unquoted values are usual in configuration, occur in other text (scripts, notes), and are expressions in code."""


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
    """The secrets in a text, in order of position. `path` is copied into the findings and decides what kind of text it is."""
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


def kind_of(path: str) -> Kind:
    """What a path names. A scan uses the path for nothing else. Without a path a text may be code, as prompts are."""
    if _CONFIG_NAMES.search(path):
        return "configuration"
    return "code" if _CODE_NAMES.search(path) else "text"


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
    for credential in (*CREDENTIALS, *STRUCTURED):
        yield from _credentials(content, lowered, credential)
    kind = kind_of(path)
    yield from _assigned(content, lowered, kind=kind)
    yield from _assigned_at(content, PASS_NAME, lowered, b"pass", kind=kind)
    yield from _assigned_at(content, KEY_NAME, lowered, b"key", kind=kind)
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
    if match is None or is_placeholder(match[0]) or not _has_variety(match[0][len(literal) :]):
        return None
    return Hit(at, match.end(), rule.name)


def _before(content: bytes, rule: Rule) -> Iterator[Hit]:
    for at in _places(content, rule.literals[0]):
        match = rule.pattern.search(content, max(0, at - BEFORE_BYTES), at + 64)
        if match and match.start() < at < match.end() and not is_placeholder(match[0]):
            yield Hit(match.start(), match.end(), rule.name)


def _private_keys(content: bytes) -> Iterator[Hit]:
    for at in _places(content, PRIVATE_KEY.literals[0]):
        match = PRIVATE_KEY.pattern.match(content, at)
        if match and entropy(match[1]) > MIN_CODE_ENTROPY:
            yield Hit(match.start(1), match.end(1), PRIVATE_KEY.name)


def _grouped(content: bytes, rule: Rule) -> Iterator[Hit]:
    for at in _places(content, rule.literals[0]):
        match = rule.pattern.match(content, at)
        if not match:
            continue
        is_password = rule is URL_PASSWORD
        secret = match[1]
        if is_password and (_REFERENCE.search(secret) or is_placeholder(secret)):
            continue
        if is_password or is_random(secret, MIN_CODE_ENTROPY):
            yield Hit(match.start(1), match.end(1), rule.name)


def _credentials(content: bytes, lowered: bytes, credential: Credential) -> Iterator[Hit]:
    for literal in credential.literals:
        for at in _places(lowered, literal):
            match = credential.pattern.match(content, at)
            if match and credential.judge(match[1]):
                yield Hit(match.start(1), match.end(1), credential.name)


def _assigned_at(content: bytes, name: re.Pattern[bytes], lowered: bytes, word: bytes, *, kind: Kind) -> Iterator[Hit]:
    """Values assigned to names that end in a word which also occurs inside other words: `DB_PASS`, `AZURE_OPENAI_KEY`."""
    for at in _places(lowered, word):
        end = at + len(word)
        if content[end : end + 1] not in _AFTER_NAME or name.search(content, max(0, at - 1), end) is None:
            continue
        if word == b"key" and NOT_A_SECRET_KEY.search(content, max(0, at - _MAX_NAME), at):
            continue
        yield from _values(content, at, word, kind)


def _assigned(content: bytes, lowered: bytes, *, kind: Kind) -> Iterator[Hit]:
    """Values assigned to names that suggest a secret."""
    for word in NAME_WORDS:
        for at in _places(lowered, word):
            end = at + len(word)
            last, following = content[end - 1 : end], content[end : end + 1]
            if (last.islower() and following.islower()) or (last.isupper() and following.isupper()):
                continue  # `tokenizer`, `PASSWORDS`: another word
            yield from _values(content, at, word, kind)


def _values(content: bytes, at: int, word: bytes, kind: Kind) -> Iterator[Hit]:
    """The value that the name ending in `word` at `at` is given, if it is a secret."""
    end = at + len(word)
    if NOT_A_VALUE_NAME.match(content, end):
        return
    rule = "password" if word == b"pass" or word in PASSWORD_WORDS else "secret-value"
    match = ASSIGNMENT.match(content, end)
    if match is not None:
        if match["quoted"] is not None:
            if _is_quoted_secret(match["quoted"], word):
                yield Hit(match.start("quoted"), match.end("quoted"), rule)
        elif (stop := _bare_end(content, match, at, word, kind)) is not None:
            yield Hit(match.start("bare"), stop, rule)
        return
    if content[end : end + 1] in _AFTER_PAIRED:
        yield from _paired(content, at, word, rule)


def _paired(content: bytes, at: int, word: bytes, rule: str) -> Iterator[Hit]:
    """The value that belongs to a name without an assignment between them, if it is a secret."""
    end = at + len(word)
    match = PAIRED.match(content, end)
    if match is None and SPACED_START.fullmatch(content, _line_start(content, at), at):
        match = SPACED.match(content, end)
    if match is None:
        match = NAMED.match(content, end)
    if match is None:
        return
    group = match.lastgroup if match.re is NAMED else "bare" if match["quoted"] is None else "quoted"
    assert group is not None  # each branch of these patterns has a group
    if group == "rest" or (group == "bare" and _is_more(match["rest"])):
        return
    value = match[group]
    if not _REFERENCE.search(value) and not is_placeholder(value) and _is_secret_in_text(value, word):
        yield Hit(match.start(group), match.end(group), rule)


def _is_quoted_secret(value: bytes, word: bytes) -> bool:
    if b" " in value or _REFERENCE.search(value) or is_placeholder(value):
        return False
    return _is_secret(value, word)


def _is_secret(value: bytes, word: bytes) -> bool:
    if word == b"pass":  # renderers and compilers have passes too
        return is_password(value) and is_typed_and_no_word(value)
    return is_password(value) if word in PASSWORD_WORDS else is_random(value, MIN_TOKEN_ENTROPY)


def _is_secret_in_text(value: bytes, word: bytes) -> bool:
    """Like `_is_secret`, where prose and examples of code occur too."""
    if word == b"pass" or word in PASSWORD_WORDS:
        return is_typed_in_text(value)
    return is_random(value, MIN_TOKEN_ENTROPY)


def _bare_end(content: bytes, match: re.Match[bytes], at: int, word: bytes, kind: Kind) -> int | None:
    """Where an unquoted secret ends; None if the value is none.

    It needs a line of its own, a shell's place for variables, or quotes around name and value; elsewhere it is an expression.
    """
    value, rest = match["bare"], match["rest"]
    start = _line_start(content, at)
    is_glued = content[match.start("bare") - 1 : match.start("bare")] == b"="
    if kind != "code" and is_glued and (tail := _TAIL.match(rest)) is not None:
        value += tail[0]  # `PASSWORD=a(b#c command`: in a shell a value goes on to the next white space
        if tail[0] and _CALL.fullmatch(value):
            return None
    end = match.start("bare") + len(value)
    if _LINE_START.fullmatch(content, start, at):
        is_there = not _is_more(rest) or (kind != "code" and is_glued)
    else:
        head = content[start:at]
        is_variable = is_glued and _INLINE_START.search(head) is not None
        is_pair = rest[:1] in {b'"', b"'"} and _PAIR_START.search(head) is not None
        is_there = is_pair or (is_variable and kind != "code")
        kind = "text" if is_variable or kind == "configuration" else kind
    if not is_there or _REFERENCE.search(value) or is_placeholder(value):
        return None
    if kind != "code":
        return end if (_is_secret if kind == "configuration" else _is_secret_in_text)(value, word) else None
    is_name = _IDENTIFIERS.fullmatch(value) is not None and not (len(value) >= _MIN_RANDOM_NAME and value.isalnum())
    return end if not is_name and is_random(value, MIN_CODE_ENTROPY) else None


def _is_more(rest: bytes) -> bool:
    """Whether anything but a comment follows a value on its line."""
    rest = rest.strip()
    return bool(rest) and not rest.startswith(b"#")


def _line_start(content: bytes, at: int) -> int:
    first = max(0, at - _MAX_LINE_HEAD)
    return max(content.rfind(b"\n", first, at), content.rfind(b"\r", first, at), first - 1) + 1


def _has_variety(value: bytes) -> bool:
    return len(set(value)) >= min(8, len(value) // 3)
