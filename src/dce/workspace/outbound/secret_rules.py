"""Patterns of secrets: one row per kind. A vendor's key prefix is certain; any other value needs a name that suggests a secret.

What must always hold: a row is data (a literal to search for, and a pattern that starts there), so that a scan costs one text search
per row and tries the pattern only where the literal occurs.
"""

import functools
import re

import msgspec

WORD = rb"[A-Za-z0-9]"
URLSAFE = rb"[A-Za-z0-9_-]"


class Rule(msgspec.Struct, frozen=True, dict=True):
    """One kind of secret: it begins with one of `literals`, where `pattern` matches. Group 1, if there is one, is the secret."""

    name: str
    literals: tuple[bytes, ...]
    source: bytes

    @functools.cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """`source`, compiled when its literal is first seen: compiling all of them takes longer than most scans."""
        return re.compile(self.source)


def _starting(name: str, *literals: bytes, then: bytes) -> Rule:
    """A token made of a vendor's prefix and `then`, ended by a character that cannot be part of a token."""
    start = b"|".join(re.escape(literal) for literal in sorted(literals, key=len, reverse=True))
    return Rule(name, literals, rb"(?:" + start + rb")" + then + rb"(?![A-Za-z0-9_])")


_A, _U = WORD, URLSAFE

VENDOR_RULES: tuple[Rule, ...] = (
    _starting("aws-access-key", b"AKIA", b"ASIA", b"ABIA", b"ACCA", then=rb"[A-Z2-7]{16}"),
    _starting("github-token", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", then=_A + rb"{36,255}"),
    _starting("github-token", b"github_pat_", then=rb"\w{60,120}"),
    _starting("gitlab-token", b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glsoat-", b"glcbt-", then=_U + rb"{20,70}"),
    _starting(
        "slack-token",
        b"xoxb-",
        b"xoxp-",
        b"xoxa-",
        b"xoxr-",
        b"xoxs-",
        b"xoxe.",
        b"xapp-",
        then=rb"[A-Za-z0-9.-]{20,250}",
    ),
    _starting("slack-webhook", b"hooks.slack.com/", then=rb"(?:services|workflows|triggers)/[A-Za-z0-9/_]{30,90}"),
    _starting("stripe-key", b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_", then=_A + rb"{16,250}"),
    _starting("stripe-webhook", b"whsec_", then=rb"[A-Za-z0-9+/=]{32,70}"),
    _starting("openai-key", b"sk-proj-", b"sk-svcacct-", b"sk-admin-", then=_U + rb"{40,250}"),
    _starting("openai-key", b"sk-", then=_A + rb"{20}T3BlbkFJ" + _A + rb"{20}"),
    _starting("anthropic-key", b"sk-ant-", then=_U + rb"{40,250}"),
    _starting("openrouter-key", b"sk-or-", then=_U + rb"{40,250}"),
    _starting("langfuse-key", b"sk-lf-", then=rb"[0-9a-f-]{36}"),
    _starting("langsmith-key", b"lsv2_pt_", b"lsv2_sk_", then=rb"[0-9a-f]{32}_[0-9a-f]{10}"),
    _starting("google-api-key", b"AIza", then=_U + rb"{35}"),
    _starting("google-oauth-secret", b"GOCSPX-", then=_U + rb"{28}"),
    _starting("google-oauth-token", b"ya29.", then=_U + rb"{40,500}"),
    _starting("azure-storage-key", b"AccountKey=", then=rb"[A-Za-z0-9+/]{80,90}={0,2}"),
    _starting("azure-shared-key", b"SharedAccessKey=", then=rb"[A-Za-z0-9+/]{40,90}={0,2}"),
    _starting("sendgrid-key", b"SG.", then=_U + rb"{20,24}\." + _U + rb"{39,50}"),
    _starting("twilio-key", b"SK", then=rb"[0-9a-f]{32}"),
    _starting("mailgun-key", b"key-", then=rb"[0-9a-f]{32}"),
    _starting("npm-token", b"npm_", then=_A + rb"{36}"),
    _starting("pypi-token", b"pypi-AgE", then=_U + rb"{50,250}"),
    _starting("rubygems-token", b"rubygems_", then=rb"[0-9a-f]{48}"),
    _starting("crates-token", b"cio", then=_A + rb"{32}"),
    _starting("docker-token", b"dckr_pat_", b"dckr_oat_", then=_U + rb"{27,36}"),
    _starting("digitalocean-token", b"dop_v1_", b"doo_v1_", b"dor_v1_", then=rb"[0-9a-f]{64}"),
    _starting("heroku-key", b"HRKU-", then=_U + rb"{36,70}"),
    _starting("shopify-token", b"shpat_", b"shpca_", b"shppa_", b"shpss_", then=rb"[0-9a-fA-F]{32}"),
    _starting("square-token", b"sq0atp-", b"sq0csp-", then=_U + rb"{22,43}"),
    _starting("huggingface-token", b"hf_", b"api_org_", then=rb"[A-Za-z]{34}|(?<=hf_)" + _A + rb"{34,40}"),
    _starting("databricks-token", b"dapi", then=rb"[0-9a-f]{32}(?:-\d)?"),
    _starting(
        "discord-webhook", b"discord.com/api/", b"discordapp.com/api/", then=rb"webhooks/\d{17,20}/" + _U + rb"{60,70}"
    ),
    _starting("vault-token", b"hvs.", b"hvb.", b"hvr.", then=_U + rb"{24,250}"),
    _starting("terraform-token", b".atlasv1.", then=_U + rb"{60,70}"),
    _starting("linear-key", b"lin_api_", b"lin_oauth_", then=_A + rb"{40,64}"),
    _starting("notion-token", b"ntn_", then=_A + rb"{40,50}"),
    _starting("notion-token", b"secret_", then=_A + rb"{43}"),
    _starting("postman-key", b"PMAK-", then=rb"[0-9a-f]{24}-[0-9a-f]{34}"),
    _starting("newrelic-key", b"NRAK-", b"NRII-", b"NRJS-", then=_U + rb"{19,40}"),
    _starting("grafana-token", b"glsa_", then=_A + rb"{32}_[0-9a-fA-F]{8}"),
    _starting("grafana-token", b"glc_", then=rb"[A-Za-z0-9+/]{32,400}={0,2}"),
    _starting("sentry-token", b"sntrys_", b"sntryu_", then=rb"[A-Za-z0-9+/=_]{40,250}"),
    _starting("supabase-key", b"sbp_", then=rb"[0-9a-f]{40}"),
    _starting("supabase-key", b"sb_secret_", then=_U + rb"{20,50}"),
    _starting("planetscale-token", b"pscale_tkn_", b"pscale_pw_", b"pscale_oauth_", then=rb"[A-Za-z0-9_.-]{32,64}"),
    _starting("fly-token", b"fo1_", b"FlyV1 fm", then=rb"[A-Za-z0-9_,+/=-]{40,500}"),
    _starting("doppler-token", b"dp.pt.", b"dp.st.", b"dp.ct.", b"dp.sa.", then=rb"[A-Za-z0-9._]{40,60}"),
    _starting("pulumi-token", b"pul-", then=rb"[0-9a-f]{40}"),
    _starting("netlify-token", b"nfp_", then=_A + rb"{36,40}"),
    _starting("figma-token", b"figd_", then=_U + rb"{38,46}"),
    _starting("airtable-token", b"pat", then=_A + rb"{14}\.[0-9a-f]{64}"),
    _starting("age-key", b"AGE-SECRET-KEY-1", then=rb"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _starting("atlassian-token", b"ATATT3", b"ATCTT3", b"ATBB", then=rb"[A-Za-z0-9_=-]{28,250}"),
    _starting("circleci-token", b"CCIPAT_", b"CCIPRJ_", then=rb"\w{40,90}"),
    _starting("buildkite-token", b"bkua_", then=rb"[0-9a-f]{40}"),
    _starting("replicate-token", b"r8_", then=_A + rb"{37}"),
    _starting("groq-key", b"gsk_", then=_A + rb"{48,56}"),
    _starting("perplexity-key", b"pplx-", then=_A + rb"{40,60}"),
    _starting("xai-key", b"xai-", then=_A + rb"{60,90}"),
    _starting("mapbox-token", b"sk.eyJ", then=rb"[A-Za-z0-9_-]{20,200}\." + _U + rb"{20,40}"),
    _starting("dynatrace-token", b"dt0c01.", b"dt0s01.", then=rb"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _starting("prefect-key", b"pnu_", then=_A + rb"{36}"),
    _starting("readme-key", b"rdme_", then=_A + rb"{70}"),
    _starting("brevo-key", b"xkeysib-", then=rb"[0-9a-f]{64}-" + _A + rb"{16}"),
    _starting("tailscale-key", b"tskey-", then=rb"[a-z]{3,10}-" + _A + rb"{10,20}-" + _A + rb"{20,40}"),
    _starting("onepassword-token", b"ops_eyJ", then=rb"[A-Za-z0-9_=-]{100,2000}"),
    _starting("contentful-token", b"CFPAT-", then=_U + rb"{43}"),
    _starting("shippo-token", b"shippo_live_", b"shippo_test_", then=rb"[0-9a-f]{40}"),
    _starting("easypost-key", b"EZAK", b"EZTK", then=_A + rb"{54}"),
    _starting("typeform-token", b"tfp_", then=rb"[A-Za-z0-9_.=-]{40,70}"),
    _starting("adafruit-key", b"aio_", then=_A + rb"{28}"),
    _starting("flutterwave-key", b"FLWSECK", then=rb"(?:_TEST)?-[0-9a-hA-H]{12,40}(?:-X)?"),
    _starting("json-web-token", b"eyJ", then=_U + rb"{10,2000}\.eyJ" + _U + rb"{10,4000}\." + _U + rb"{20,1000}"),
    _starting("dce-key", b"dce_", then=rb"[A-Za-z0-9_-]{40,80}"),
)
"""Keys that name their vendor in the first characters."""

MIN_KEY_CHARS = 20
"""Length of the shortest key above (Amazon's), prefix included. Keys are words of letters, digits and `_-./` at least this long."""

SPLIT_LITERAL = re.compile(rb"[^A-Za-z0-9_./-]")
"""A literal with any other character cannot occur in such a word, so the whole text is searched for it."""

BEFORE_RULES: tuple[Rule, ...] = (
    Rule("mailchimp-key", (b"-us",), rb"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?![\w-])"),
    Rule("telegram-token", (b":AA",), rb"(?<!\d)\d{8,10}:AA" + _U + rb"{33}(?![\w-])"),
)
"""Keys whose literal is not at the start: the search window begins `BEFORE_BYTES` before it."""

BEFORE_BYTES = 33
"""Longest part before such a literal (Mailchimp's 32 digits), and one byte more."""

PRIVATE_KEY = Rule(
    "private-key",
    (b"-----BEGIN ",),
    rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    rb"((?:[A-Za-z0-9+/=\s:,.-]|\\[nr]){40,65536}?)-----END",
)
URL_PASSWORD = Rule(
    "password-in-url",
    (b"://",),
    rb"://[^\s/:@\"'`<>{}$%]{0,100}:([^\s/@\"'`<>{}]{3,200})@[\w\[]",
)
BEARER = Rule("bearer-token", (b"earer ",), rb"earer ([A-Za-z0-9._~+/=-]{20,2000})")

NAME_WORDS: tuple[bytes, ...] = (
    *(b"password", b"passwd", b"passphrase", b"pwd", b"secret", b"token", b"credential"),
    *(b"api_key", b"apikey", b"api-key", b"access_key", b"accesskey", b"access-key", b"private_key", b"privatekey"),
    *(b"auth_key", b"authkey", b"signing_key", b"signingkey", b"encryption_key", b"encryptionkey", b"account_key"),
    *(b"service_key", b"master_key", b"client_key", b"webhook_key", b"license_key", b"conn_str"),
    *(b"passwort", b"kennwort", "contrase\u00f1a".encode(), "\u043f\u0430\u0440\u043e\u043b\u044c".encode()),
)
"""Names (in lower case) that suggest a secret value."""

PASSWORD_WORDS = frozenset({b"password", b"passwd", b"passphrase", b"pwd", *NAME_WORDS[-4:]})
"""The names among them whose values people choose: shorter and less random than generated ones."""

_VALUE = (
    rb"(?:[rbuf]{0,2}([\"'`])(?P<quoted>[^\"'`\r\n]{6,512})\1"
    rb"|(?P<bare>[^\s\"'`,;#<>(){}\[\]]{1,512})(?P<rest>[^\r\n]{0,80}))"
)

ASSIGNMENT = re.compile(
    rb"[\w.-]{0,40}?(?:\[\d{0,6}\]|[\"'\]]{0,2})[ \t]{0,8}"
    # `name: type =`, `name => `, `name := `, `name = `, `name: `
    rb"(?::[ \t]*(?:&'\w{1,20}[ \t]+)?[\w.\[\]|<>&*? :]{1,60}=(?!=)|=>|:=|=(?![=>])|:(?!:)"
    # `name { get; } = `
    rb"|\{[ \t]*(?:get|set|private|init)[^{}\"'\r\n]{0,40}\}[ \t]*=(?![=>])"
    # `name As Type = `
    rb"|[Aa]s[ \t]+\w{1,30}[ \t]*=(?!=))[ \t]{0,8}"
    # `Some("…")`, `String::from("…")`
    rb"(?:(?:Some|Just|[\w:]{0,40}(?:String|Secret|SecretStr)(?:::(?:from|new))?)\([ \t]*(?=\"))?" + _VALUE
)
"""What follows such a name when it is assigned a value: in code, JSON, YAML, TOML, INI, .env and shell."""

PAIRED = re.compile(
    rb"(?:[\"'][ \t]{0,4},[ \t]{0,4}(?:[\"']value[\"'][ \t]{0,4}:[ \t]{0,4})?"
    rb"|[\"']?[ \t]{0,4},?\s{1,80}[\"']?value[\"']?[ \t]{0,4}[:=][ \t]{0,4})" + _VALUE,
    re.IGNORECASE,
)
"""What follows such a name when name and value are a pair: two arguments, two attributes, two entries of a list."""

SPACED = re.compile(rb"\w{0,40}[ \t]+" + _VALUE)
"""What follows such a name where a space assigns a value: after `#define`, and after the words in `SPACED_START`."""

SPACED_START = re.compile(rb"[ \t]*(?:#[ \t]*define|ENV|setenv|setx|SETX|set[ \t]+-\w{1,4})[ \t]+[\w.-]*")

NOT_A_VALUE_NAME = re.compile(
    rb"(?:[_.-]?(?:url|uri|path|file|filename|dir|name|field|type|kind|id|env|var|variable|header|prefix|suffix|regex|pattern|length|len|size"
    rb"|limit|count|label|hint|help|text|title|description|placeholder|message|error|format|style|class|endpoint|expiry|expires?|ttl|version"
    rb"|hash|digest|checksum|policy|provider|store|manager|service|handler|column|table|scope|arn|ref|s))(?:[\"'\]]*[ \t]*(?::|=)|[\"' \t])",
    re.IGNORECASE,
)
"""Name endings that mean the value describes a secret and is not one itself: `token_url`, `password_field`."""

PLACEHOLDER_WORDS = re.compile(
    rb"example|sample|placeholder|change[_-]?me|replace|your|dummy|fake|redacted|insert|todo|fixme|not[_-]?(?:a[_-])?real"
    rb"|test[_-]?(?:key|token|secret|pass)|(?:key|token|secret|pass(?:word)?)[_-]?here|1234567|abcdef|x{4}|\*{3}|\.\.\.|-{4}|_{4}|0{8}"
    rb"|(.)\1{5}|dce_secret_",
    re.IGNORECASE,
)
PLACEHOLDER_VALUES = frozenset(
    b"password passwd pass passw0rd pwd secret token key user username admin root test testing guest none null true false undefined"
    b" postgres mysql redis rabbitmq mongo localhost default string optional required hunter2 foo bar baz foobar".split()
)
"""Placeholders that documentation and defaults use instead of a secret."""
