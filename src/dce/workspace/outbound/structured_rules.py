"""Patterns of credentials in structured text: XML, SQL, URLs, headers, infrastructure files, tables, files of logins.

What must always hold: as in `credential_rules.py`, a row is data, and its pattern is tried only where a literal occurs.
"""

import re

from dce.workspace.outbound.credential_rules import Credential
from dce.workspace.outbound.secret_values import (
    is_either,
    is_generated,
    is_hash,
    is_typed,
    is_typed_in_text,
)

_PASSWORD = rb"(?:password|passwd|passphrase|pwd|kennwort|passwort)"
_KEY = (
    rb"(?:secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|auth[_.-]?key|(?:secret|client|account)[_.-]?key)"
)
_QUOTED = rb"[\"']([^\"'\r\n]{6,512})[\"']"

NAMED = re.compile(
    # `<password>…</password>`, `<property name="password">…</property>`, `<key>password</key><string>…</string>`
    rb"(?:[\"'])?(?:[ \t][^<>\r\n]{0,200})?(?:>\s{0,40}|</key>\s{0,40}<string>)(?P<element>[^<>\s]{6,2000})\s{0,40}</"
    # a row of a table
    rb"|[ \t*`]{0,60}\|[ \t]{0,60}`?(?P<cell>[^\s|`]{6,200})`?[ \t]{0,60}\|"
    # `PASSWORD 'value'`, `password("value")`, `password is value`
    rb"|(?:[ \t]{1,2}\(?|\()[\"'](?P<quoted>[^\"'\s]{6,512})[\"']"
    rb"|[ \t]is:?[ \t]+[\"'`]?(?P<prose>[^\s\"'`,;()]{6,200})"
)
"""What else may stand between a name that suggests a secret and its value. It is tried where no assignment follows the name."""

STRUCTURED: tuple[Credential, ...] = (
    Credential("password", (b"identified ",), rb"identified\s+(?:with\s+\S{1,60}\s+)?(?:by|as)\s+" + _QUOTED, is_typed),
    Credential(
        "secret-value",
        (b"?", b"&"),
        rb"[?&](?:amp;)?[\w.-]{0,30}?(?:(?:key|token|secret|sig|signature|auth)=(?=[^\s&#]{16})|(?:password|passwd|pass|pwd)=)([^\s&#\"'`<>\\]{4,2000})",
        is_either,
    ),
    Credential("token-in-url", (b"://",), rb"://([A-Za-z0-9_.~-]{20,200})(?::[^\s@/]{0,40})?@[\w\[]", is_generated),
    Credential(
        "secret-value",
        (b'variable "',),
        rb"variable \"[\w-]{0,60}(?:" + _KEY + rb"|" + _PASSWORD + rb")[\w-]{0,20}\"\s*\{[^{}]{0,600}?default\s*=\s*"
        rb"\"([^\"\r\n]{6,512})\"",
        is_either,
    ),
    Credential(
        "secret-value",
        (b"-key:", b"-token:"),
        rb"-(?:key|token):[ \t]{0,4}([A-Za-z0-9._~+/-]{16,2000}={0,2})(?=[\"'])",
        is_generated,
    ),
    Credential(
        "authorization-token",
        (b"authorization:",),
        rb"authorization:[ \t]{0,4}(?:token|key|api-?key|bot)?[ \t]{0,4}([A-Za-z0-9._~+/-]{20,2000}={0,2})",
        is_generated,
    ),
    Credential(
        "session-cookie",
        (b"cookie:",),
        rb"cookie:[^\r\n]{0,300}?(?:sess|sid|auth|token|jwt)[\w.-]{0,30}=([A-Za-z0-9._~+/%:-]{16,2000}={0,2})",
        is_generated,
    ),
    Credential(
        "password",
        (b".login(", b"auth", b"credentials"),
        rb"(?:\.login|(?:basic_?)?auth|credentials)\s?[=(]{1,2}\s?\(?\s?[^,()\r\n]{1,120},\s{0,4}" + _QUOTED,
        is_typed_in_text,
    ),
    Credential(
        "password-in-login-file",
        (b":543", b":*:"),
        rb":(?:543\d|\*):[^\s:]{1,64}:[^\s:]{1,64}:([^\s:\"'`]{4,200})(?=[\r\n]|$)",
        is_typed,
    ),
    Credential(
        "password-hash",
        (b":$", b":{s"),
        rb":((?:\$(?:[1567y]|2[aby]|apr1)\$[^\s:\"']{20,300})|\{S?SHA\}[A-Za-z0-9+/]{20,90}={0,2})",
        is_hash,
    ),
)
"""Credentials recognised by the structure around them."""
