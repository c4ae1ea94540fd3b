"""Patterns of credentials in command lines, headers, connection strings and login files: one row per kind.

What must always hold: a row is data, as in `secret_rules.py`: literals searched case-insensitively, and a pattern that is tried
only where a literal occurs. `judge` decides whether the match can be a credential at all.
"""

import functools
import re
from collections.abc import Callable

import msgspec

from dce.workspace.outbound.secret_values import holds_a_login, is_typed, is_typed_and_no_word, is_typed_in_text

Judge = Callable[[bytes], bool]


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
        (b"--pass", b"-password", b"--token", b"--secret", b"--api-key"),
        rb"--?(?:password|passwd|pass|token|secret|api-key)[ =]" + _VALUE + _END,
        is_typed_and_no_word,
    ),
    Credential(
        "password-in-command",
        (b"zip ", b"7z "),
        rb"(?:zip|7z)(?:" + _OF_LINE + rb"|[ \t])(?:-P[ \t]?|--password[ =]|-h?p)" + _VALUE + _END,
        is_typed_in_text,
    ),
    Credential(
        "password-in-command",
        (b"-pass", b"storepass", b"keypass"),
        rb"(?:-pass(?:in|out)?[ \t]+[\"']?pass:|(?:store|key)pass[ \t]+)" + _VALUE + _END,
        is_typed_and_no_word,
    ),
    Credential(
        "password-in-command",
        (b"echo ",),
        rb"echo[ \t]+(?:-[a-z][ \t]+)?[\"']?(?:[\w.-]{1,60}:)?([^\s\"'`|]{4,200})[\"']?[ \t]*\|[ \t]*"
        rb"(?:(?:sudo[ \t]+)?chpasswd|sudo[ \t]+-\w*S|(?:docker|podman|helm registry)[ \t]+login|passwd[ \t]+--stdin)",
        is_typed,
    ),
    Credential(
        "password-in-command",
        (b"ldap", b"sqlcmd", b"smbclient", b"net user"),
        rb"(?:(?:ldap(?:search|add|modify)|sqlcmd)" + _OF_LINE + rb"-[wP][ \t]?"
        rb"|smbclient" + _OF_LINE + rb"-U[ \t]?[\"']?[^\s%\"']{1,100}%|net user[ \t]+\S{1,60}[ \t]+)" + _VALUE + _END,
        is_typed_in_text,
    ),
    Credential(
        "password-in-command",
        (b"htpasswd",),
        rb"htpasswd[ \t]+-\w*b\w*[ \t]+(?:\S{1,200}[ \t]+){1,2}" + _VALUE + rb"[ \t]*(?=[\r\n;|&]|$)",
        is_typed_and_no_word,
    ),
    Credential(
        "password-in-command",
        (b"requirepass ", b"masterauth ", b"--passphrase"),
        rb"(?:requirepass|masterauth|--passphrase)[ =]" + _VALUE + _END,
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
