"""Patterns of credentials in command lines, headers, connection strings and login files: one row per kind.

What must always hold: a row is data, as in `secret_rules.py`: literals searched case-insensitively, and a pattern that is tried
only where a literal occurs. `judge` decides whether the match can be a credential at all.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable, Iterator

import msgspec

from dce.workspace.outbound.secret_rules import PLACEHOLDER_VALUES, PLACEHOLDER_WORDS

Judge = Callable[[bytes], bool]

MAX_ENCODED = 20_000
"""Longest base64 text decoded to look for a login."""

_REFERENCE = re.compile(rb"\$[\w({]|%[A-Za-z_]+%|\{\{|\{[\w.]*\}|<[A-Za-z_ -]+>|^[-/]|^\*+$")
_LOGIN = re.compile(rb"[^\s:]{1,200}:[^\s]{3,500}")
_WORDS = re.compile(rb"[a-z]+(?:[_-][a-z]+)*[_-]?\d{0,2}")


class Credential(msgspec.Struct, frozen=True, dict=True):
    """A kind of credential. `source` is tried where one of `literals` (lower case) occurs; group 1 is the credential if `judge` agrees."""

    name: str
    literals: tuple[bytes, ...]
    source: bytes
    judge: Judge

    @functools.cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """`source`, compiled when its literal is first seen."""
        return re.compile(self.source, re.IGNORECASE)


def is_typed(value: bytes) -> bool:
    """Whether a person may have typed this as a password: it is not a reference to one, and not a documentation placeholder."""
    if len(value) < 4 or len(set(value)) < 3 or _REFERENCE.search(value):
        return False
    return not (value.lower() in PLACEHOLDER_VALUES or PLACEHOLDER_WORDS.search(value))


def is_typed_and_no_word(value: bytes) -> bool:
    """Like `is_typed`, for places where a word of prose or code may occur too."""
    has_other = any(48 <= char <= 57 or char in b"!@#$%^&*+?" for char in value)
    return is_typed(value) and has_other and not _WORDS.fullmatch(value)


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


_END = rb"(?=[\s\"'`;|&)]|$)"
_VALUE = rb"[\"']?([^\s\"'`]{4,200})"
_OF_LINE = rb"[^\r\n]{0,300}?[ \t]"

CREDENTIALS: tuple[Credential, ...] = (
    Credential("basic-authorization", (b"basic ",), rb"basic[ ]+([A-Za-z0-9+/_-]{8,2000}={0,2})", holds_a_login),
    Credential(
        "encoded-login",
        (b"auth",),
        rb"auth[\"'\]]{0,2}\s{0,4}[:=]\s{0,4}[\"']?([A-Za-z0-9+/]{8,20000}={0,2})",
        holds_a_login,
    ),
    Credential(
        "netrc-password",
        (b"machine",),
        rb"machine\s+\S{1,253}\s+(?:login|user)\s+\S{1,200}\s+(?:account\s+\S{1,200}\s+)?password\s+(\S{3,500})",
        is_typed,
    ),
    Credential("netrc-password", (b"default",), rb"default\s+login\s+\S{1,200}\s+password\s+(\S{3,500})", is_typed),
    Credential(
        "password-in-connection",
        (b";password", b";pwd", b"; password", b"; pwd"),
        rb";\s?(?:password|pwd)\s{0,3}=\s{0,3}([^;\"'\r\n<>]{4,200})",
        is_typed,
    ),
    Credential(
        "password-in-connection",
        (b"connectionstring=", b"connection_string=", b'"password=', b'"pwd=', b"'password="),
        rb"(?:connection_?string=)?[\"'](?:password|pwd)\s{0,3}=\s{0,3}([^;\"'\r\n<>]{4,200});",
        is_typed,
    ),
    Credential(
        "password-in-connection",
        (b"host=", b"dbname=", b"server="),
        rb"(?:host|dbname|server)=[^\r\n]{0,300}?[ \t](?:password|pwd)=([^\s;\"'&]{4,200})",
        is_typed,
    ),
    Credential(
        "password-in-command",
        (b"curl",),
        rb"curl" + _OF_LINE + rb"(?:-u|--user|-U|--proxy-user)[ =]?[\"']?[^\s:\"']{1,200}:([^\s\"'`]{3,200})" + _END,
        is_typed,
    ),
    Credential(
        "password-in-command",
        (b"mysql", b"mariadb"),
        rb"(?:mysql|mariadb)[\w-]{0,20}(?:" + _OF_LINE + rb")-p[\"']?([^\s\"'`-][^\s\"'`]{3,200})" + _END,
        is_typed,
    ),
    Credential("password-in-command", (b"sshpass",), rb"sshpass[ \t]+-p[ \t]?" + _VALUE + _END, is_typed),
    Credential(
        "password-in-command",
        (b"docker login", b"podman login", b"helm registry login", b"mongo", b"redis-cli", b"http "),
        rb"(?:docker login|podman login|helm registry login|mongo\w{0,10}|redis-cli|http)"
        + _OF_LINE
        + rb"(?:-p|-a)[ \t]+"
        + _VALUE
        + _END,
        is_typed_and_no_word,
    ),
    Credential(
        "password-in-command",
        (b"--password", b"--passwd", b"--pass ", b"--pass=", b"--token", b"--secret", b"--api-key"),
        rb"--(?:password|passwd|pass|token|secret|api-key)[ =]" + _VALUE + _END,
        is_typed_and_no_word,
    ),
)
"""Credentials recognised by their context."""

PASS_NAME = re.compile(
    rb"(?<![A-Za-z])(?i:pass)|(?<=[a-z])Pass|(?i:(?:(?<=db)|(?<=user)|(?<=my)|(?<=smtp)|(?<=mail)|(?<=ftp)|(?<=admin)|(?<=root)|(?<=sql)"
    rb"|(?<=auth)|(?<=login)|(?<=proxy)|(?<=ssh)|(?<=redis)|(?<=store)|(?<=rpc))pass)"
)
"""`pass` at the end of a name that means a password; not in `bypass` or `compass`."""

KEY_NAME = re.compile(rb"(?:(?<=[A-Za-z0-9])[_-](?:key|Key|KEY)|(?<=[a-z0-9])Key|(?<=[A-Z0-9])KEY)(?![A-Za-z0-9])")
"""`key` as the last word of a longer name."""

NOT_A_SECRET_KEY = re.compile(
    rb"(?:public|pub|primary|foreign|cache|sort|partition|idempotency|map|dict|row|index|group|hash|range|lookup|unique|natural|object"
    rb"|shard|routing|event|storage|s3|i18n|translation|dedup|bucket|etag|content|query|search|site|host|mon|tur|don|registry)[_-]?$",
    re.IGNORECASE,
)
"""Prefixes of `key` in names of keys that are not secret."""

CONTROL_LITERALS: tuple[bytes, ...] = (
    *(b"<|", b"[inst]", b"[/inst]", b"<<sys>>", b"<</sys>>", b"<start_of_turn>", b"<end_of_turn>", b"</s>"),
    *(
        "<\uff5c".encode(),
        b"[tool_calls]",
        b"[available_tools]",
        b"[tool_results]",
        b"[system_prompt]",
        b"<eos>",
        b"<bos>",
    ),
)
CONTROL_TOKEN = re.compile(
    rb"<\|[A-Za-z][A-Za-z0-9_]{0,60}\|>|"
    + "<\uff5c(?:[A-Za-z_ ]|\u2581){1,60}\uff5c>".encode()
    + rb"|(?<!\w)\[/?(?:INST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>|<[be]os>"
)
"""Texts with a meaning in chat templates: in a file they would end the user's turn or forge another one."""

_STRUCK_OUT = re.compile(rb"<s[ >]")


def control_tokens(content: bytes, lowered: bytes) -> Iterator[tuple[int, int]]:
    """The spans of chat-template control tokens. `</s>` after `<s>` on the same line is HTML."""
    for literal in CONTROL_LITERALS:
        at = lowered.find(literal)
        while at >= 0:
            match = CONTROL_TOKEN.match(content, at)
            if match and not (match[0] == b"</s>" and _is_html(content, at)):
                yield match.span()
            at = lowered.find(literal, at + len(literal))


def _is_html(content: bytes, at: int) -> bool:
    start = max(content.rfind(b"\n", 0, at), at - 2_000, 0)
    return _STRUCK_OUT.search(content, start, at) is not None
