"""The decisions of the tree, without sockets."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.doctor import judge_gateway, judge_model, judge_network, judge_passage
from dce.doctor.findings import (
    Answer,
    BodyProbe,
    CancelProbe,
    Certificate,
    Connected,
    Failure,
    Finding,
    PacingProbe,
    Reply,
    Resolved,
    SilenceProbe,
    TokenProbe,
)
from dce.doctor.target import Target, read_target
from dce.wire.errors import CODES

HERE = read_target("http://127.0.0.1:3001", {})
AWAY = read_target("https://dce.example.org/base", {})
THROUGH = read_target("https://dce.example.org/base", {"ALL_PROXY": "http://me:secret@proxy.test:3128"})
OURS = Answer(status=400, body=b'{"error":{"code":"invalid_request","message":"x","hop":"gateway"}}')
PLAIN_AWAY = read_target("http://dce.example.org", {})

KINDS = ("dns", "refused", "timeout", "unreachable", "certificate", "tls", "closed", "protocol", "trust", "proxy")

failures = st.builds(Failure, kind=st.sampled_from(KINDS), text=st.text(max_size=50))
answers = st.builds(
    Answer,
    status=st.one_of(st.integers(100, 599), st.sampled_from([200, 301, 302, 308, 401, 403, 404, 413, 520])),
    content_type=st.sampled_from(["", "text/html", "application/json", "text/event-stream"]),
    server=st.text(max_size=20),
    location=st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            ["/healthz/", "https://dce.example.org/base/healthz", "http://[", "//", "https://x:port/healthz"]
        ),
    ),
    authenticate=st.sampled_from(["", 'Basic realm="x"']),
    retry_after=st.sampled_from(["", "7", "9" * 30, "tomorrow", "-1"]),
    date=st.one_of(
        st.text(max_size=40), st.sampled_from(["Mon, 23 Nov 2026 02:00:00 GMT", "Mon, 99 Nov 99999 02:00:00"])
    ),
    received_at=st.floats(0, 4e9),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b'{"error":{"code":"invalid_key","message":"x"}}',
                b'{"error":{"code":"invalid_key","message":"x","hop":"gateway"}}',
                b'{"error":{"code":"route_not_found","message":"x","hop":"gateway"}}',
                b'{"error":{"code":404,"message":"x"}}',
                b'{"error":"x"}',
                b'{"data":[{"id":7},{"id":"m"}]}',
                b'{"data":{}}',
                b'{"ok":true,"service":"dce-gateway"}',
                b"[" * 100_000,
            ]
        ),
    ),
)
replies = st.one_of(failures, answers)

JUDGES: list[Callable[[Reply], Finding]] = [
    lambda reply: judge_gateway.judge_gateway(reply, None, {}, AWAY),
    lambda reply: judge_gateway.judge_gateway(reply, reply, {"/": reply, "/version": reply}, AWAY),
    judge_gateway.judge_clock,
    lambda reply: judge_gateway.judge_route(reply, HERE),
    lambda reply: judge_gateway.judge_key(reply, True, HERE),
    lambda reply: judge_gateway.judge_key(reply, False, HERE),
    lambda reply: judge_model.judge_backend(reply, TokenProbe(failure=reply), HERE),
    lambda reply: judge_model.judge_model(reply, "some-model", HERE),
    lambda reply: judge_model.judge_context(reply, "m", 4096, 1024),
    lambda reply: judge_model.judge_limits(TokenProbe(failure=reply), 0.0),
    lambda reply: judge_model.judge_token(TokenProbe(failure=reply), AWAY),
    lambda reply: judge_model.judge_streaming(PacingProbe(failure=reply), AWAY),
    lambda reply: judge_model.judge_cancellation(CancelProbe(failure=reply), AWAY),
    lambda reply: judge_passage.judge_body(BodyProbe(code=reply, plain=reply), THROUGH),
    lambda reply: judge_passage.judge_body(BodyProbe(code=OURS, large=reply, sent=4_000_000), AWAY),
    lambda reply: judge_passage.judge_delete(reply, AWAY),
    lambda reply: judge_passage.judge_silence(SilenceProbe(asked_s=1, failure=reply), AWAY),
    lambda reply: judge_passage.judge_silence(SilenceProbe(asked_s=1, promised_s=1, failure=reply), AWAY),
]


@given(reply=replies, which=st.sampled_from(JUDGES))
def test_any_answer_gives_a_finding(reply: Reply, which: Callable[[Reply], Finding]) -> None:
    """Whatever a server answers, the finding is either well, or has a known code, a fact and a next step."""
    finding = which(reply)
    assert finding.detail
    assert not finding.code or (finding.code in CODES and finding.fix)


@pytest.mark.parametrize("target", [HERE, AWAY, PLAIN_AWAY, THROUGH])
@given(failure=failures)
def test_any_failure_to_connect_gives_a_finding(target: Target, failure: Failure) -> None:
    """However a name, a connection or a handshake fails, there is a code, a fact and a next step."""
    for judged in (
        judge_network.judge_environment,
        judge_network.judge_name,
        judge_network.judge_connection,
        judge_network.judge_tls,
    ):
        finding = judged(failure, target)
        assert finding.code in CODES
        assert finding.detail
        assert finding.fix


@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [
        (Failure(kind="certificate", fault="self_signed"), "gateway_unreachable", "self-signed"),
        (Failure(kind="certificate", fault="unknown_authority"), "gateway_unreachable", "SSL_CERT_FILE"),
        (
            Failure(kind="certificate", fault="expired", certificate=Certificate(not_after="Nov 1 2026")),
            "gateway_unreachable",
            "expired on Nov 1 2026",
        ),
        (Failure(kind="certificate", fault="not_yet_valid"), "gateway_unreachable", "clock"),
        (
            Failure(kind="certificate", fault="wrong_host", certificate=Certificate(names=("dce.example.com",))),
            "gateway_unreachable",
            "https://dce.example.com",
        ),
        (
            Failure(kind="certificate", fault="wrong_host", certificate=Certificate(names=("*.example.com",))),
            "gateway_unreachable",
            "Use a name it covers, or",
        ),
        (Failure(kind="certificate", text="odd"), "gateway_unreachable", "odd"),
        (Failure(kind="tls", text="WRONG_VERSION_NUMBER"), "gateway_unreachable", "http://dce.example.org:443"),
        (Failure(kind="tls", other_speech="http"), "gateway_unreachable", "speaks plain HTTP"),
        (Failure(kind="timeout"), "gateway_timeout", "no TLS"),
    ],
)
def test_tls(failure: Failure, code: str, word: str) -> None:
    """A certificate of one's own, an expired one and a server without TLS each have their own advice."""
    finding = judge_network.judge_tls(failure, AWAY)
    assert finding.code == code
    assert word in finding.detail + finding.fix


def test_timeout_is_told_from_refusal() -> None:
    """A firewall that drops is not a port on which nothing listens."""
    dropped = judge_network.judge_connection(Failure(kind="timeout"), AWAY)
    refused = judge_network.judge_connection(Failure(kind="refused"), AWAY)
    assert (dropped.code, "firewall" in dropped.fix) == ("gateway_timeout", True)
    assert (refused.code, "dce gateway serve" in refused.fix) == ("gateway_unreachable", True)


def test_plain_http_to_another_machine_is_said() -> None:
    """That the key travels readable is said where it is so, and only there."""
    made = Connected(peer="192.0.2.1", elapsed_s=0.01)
    said = judge_network.judge_connection(made, PLAIN_AWAY)
    assert "anyone on the network path" in said.detail
    assert (said.code, "TLS" in said.fix) == ("", True)
    assert "anyone on the network path" not in judge_network.judge_connection(made, HERE).detail
    assert "anyone on the network path" not in judge_network.judge_connection(made, AWAY).detail


def test_https_redirect_is_the_fix() -> None:
    """A server that redirects to https at the same host is answered with that address."""
    reply = Answer(status=308, location="https://dce.example.org/healthz")
    assert judge_gateway.judge_gateway(reply, None, {}, PLAIN_AWAY).fix == "Set DCE_URL to https://dce.example.org"


PREFIXED = read_target("http://dce.example.org:8080/dce", {})


@pytest.mark.parametrize(
    ("target", "location", "code", "words"),
    [
        (
            PREFIXED,
            "https://dce.example.org/dce/healthz",
            "not_a_gateway",
            "Set DCE_URL to https://dce.example.org/dce",
        ),
        (PREFIXED, "https://dce.example.org.evil.test/dce/healthz", "not_a_gateway", "another host"),
        (PREFIXED, "/dce/healthz/", "route_not_found", "slash at its end"),
        (PREFIXED, "http://dce.example.org/dce/healthz/", "route_not_found", "slash at its end"),
        (PREFIXED, "healthz/", "route_not_found", "slash at its end"),
        (PREFIXED, "/healthz", "not_a_gateway", "Set DCE_URL to http://dce.example.org:8080"),
        (PREFIXED, "http://dce.example.org/dce/healthz", "not_a_gateway", "Set DCE_URL to http://dce.example.org/dce"),
        (PREFIXED, "http://u:p@dce.example.org/healthz", "not_a_gateway", "Set DCE_URL to http://dce.example.org"),
        (PREFIXED, "//login.test/", "not_a_gateway", "captive portal"),
        (PREFIXED, "/login?next=/dce/healthz", "not_a_gateway", "single sign-on"),
        (PREFIXED, "mailto:x@y", "not_a_gateway", "Correct the redirect"),
        (PREFIXED, "http://[", "not_a_gateway", "Correct the redirect"),
        (AWAY, "http://dce.example.org/base/healthz", "not_a_gateway", "from TLS to plain HTTP"),
        (AWAY, "http://dce.example.org/base/healthz/", "route_not_found", "slash at its end"),
        (AWAY, "/base/healthz", "not_a_gateway", "to itself"),
    ],
)
def test_redirects_are_told_apart(target: Target, location: str, code: str, words: str) -> None:
    """A slash, a prefix, a port, TLS, another host and a login are different causes, each with its fix."""
    finding = judge_gateway.judge_gateway(Answer(status=302, location=location), None, {}, target)
    assert (finding.code, words in f"{finding.detail} {finding.fix}") == (code, True), finding


def test_names_and_addresses() -> None:
    """A name shows its addresses; an address is not resolved to itself."""
    found = judge_network.judge_name(Resolved(addresses=("192.0.2.1", "2001:db8::1")), AWAY)
    assert found.detail == "dce.example.org is 192.0.2.1, 2001:db8::1"
    assert judge_network.judge_name(Resolved(addresses=("127.0.0.1",)), HERE).detail == "127.0.0.1 is an address"


@pytest.mark.parametrize(
    ("path", "answer", "word"),
    [
        ("/version", Answer(status=200, body=b'{"version":"0.33.0"}'), "vLLM itself"),
        ("/health/liveliness", Answer(status=200, body=b'"I\'m alive!"'), "LiteLLM"),
        ("/", Answer(status=200, body=b"<title>Welcome to nginx!</title>"), "web server's default page"),
        ("/", Answer(status=200, body=b"Ollama is running"), "Ollama"),
    ],
)
def test_servers_taken_for_the_gateway(path: str, answer: Answer, word: str) -> None:
    """A bare vLLM, a LiteLLM and a web server's first page are called by their names, from what only they answer."""
    not_ours = Answer(status=404, body=b'{"detail":"Not Found"}')
    finding = judge_gateway.judge_gateway(not_ours, None, {path: answer}, AWAY)
    assert (finding.code, word in finding.detail) == ("not_a_gateway", True)


def test_clock() -> None:
    """Clocks that differ by minutes are a warning that says which way and why it matters; seconds are nothing."""
    told = "Mon, 23 Nov 2026 02:00:00 GMT"
    same, late = (Answer(status=200, date=told, received_at=1795399200 + late) for late in (5, 3600))
    assert judge_gateway.judge_clock(same).fix == ""
    finding = judge_gateway.judge_clock(late)
    assert (finding.code, "60 minutes ahead" in finding.detail, "timedatectl" in finding.fix) == ("", True, True)


MODELS = Answer(status=200, body=b'{"data":[{"id":"m","max_model_len":8192},{"id":"k"}]}')


@pytest.mark.parametrize(
    ("model", "context", "max_tokens", "detail", "fix"),
    [
        (None, None, None, "context of 8,192 tokens", ""),
        ("m", 8192, 1024, "7,168 of them for the prompt", ""),
        ("m", 131072, None, "expects 131,072", "dce settings set context ''"),
        ("m", None, 16384, "no room for a prompt", "--max-model-len"),
        ("k", None, None, "does not report", "dce settings set context"),
        ("k", 4096, None, "expects 4,096", ""),
    ],
)
def test_context(model: str | None, context: int | None, max_tokens: int | None, detail: str, fix: str) -> None:
    """A context that the workspace overrates, an answer that leaves the prompt no room and one that is not told are warnings."""
    finding = judge_model.judge_context(MODELS, model, context, max_tokens)
    assert (finding.code, detail in finding.detail, fix in finding.fix) == ("", True, True)
    assert bool(finding.fix) == bool(fix)


@pytest.mark.parametrize(
    ("retry_after", "when"),
    [
        ("3600", "are used; it renews in 3,600 s, at 2026-11-23 03:00:00 UTC"),
        ("Mon, 23 Nov 2026 03:00:00 GMT", "are used; it renews in 3,600 s, at 2026-11-23 03:00:00 UTC"),
        ("999999999999", "are used"),
        ("soon", "are used"),
    ],
)
def test_limits_say_when_they_renew(retry_after: str, when: str) -> None:
    """A limit that is reached is named with the moment from which it lets through again, in seconds or as a date; if the header says any."""
    body = b'{"error":{"code":"quota_exceeded","hop":"gateway","message":"2,000 of 2,000 tokens of this day are used"}}'
    finding = judge_model.judge_limits(
        TokenProbe(failure=Answer(status=429, retry_after=retry_after, body=body)), 1795399200
    )
    assert finding.code == "quota_exceeded"
    assert finding.detail.endswith(when)


def test_a_model_that_writes_nothing_is_a_warning() -> None:
    """The chain works, and the model's silence is said with what to look at."""
    finding = judge_model.judge_token(TokenProbe(is_done=True, finish_reason="stop"), AWAY)
    assert (finding.code, "without any text" in finding.detail, "chat template" in finding.fix) == ("", True, True)


def test_a_backends_own_limit_is_the_backends() -> None:
    """A backend that is asked too often is not the gateway's fault."""
    error = {
        "code": "rate_limited",
        "message": "the backend is busy",
        "hop": "backend",
        "type": "rate_limit_error",
        "hint": "",
    }
    refusal = Answer(status=429, body=msgspec.json.encode({"error": error}))
    finding = judge_model.judge_limits(TokenProbe(failure=refusal), 0.0)
    assert (finding.code, finding.hop) == ("rate_limited", "backend")


def test_a_request_that_still_waits() -> None:
    """Waiting in the gateway's queue is not a broken backend: the place is told, also when its turn came in the end."""
    waiting = judge_model.judge_limits(TokenProbe(failure=Failure(kind="timeout"), queue_position=3), 0.0)
    assert (waiting.code, "number 3" in waiting.detail) == ("queue_full", True)
    served = judge_model.judge_limits(TokenProbe(is_done=True, finish_reason="length", queue_position=0), 0.0)
    assert (served.code, "after a wait" in served.detail) == ("", True)


SENT = (0, 100, 200, 300)


@pytest.mark.parametrize(
    ("came", "is_clumped"),
    [((0, 100, 200, 300), False), ((0, 5, 250, 260), False), ((0, 0, 0, 1), True), ((0, 60, 90, 120), True)],
)
def test_clumps(came: tuple[int, ...], is_clumped: bool) -> None:
    """Events that come together though they were sent apart are clumped; shaken ones are not."""
    assert judge_model.is_clumped(PacingProbe(sent_ms=SENT, came_ms=came, is_done=True)) is is_clumped


@pytest.mark.parametrize(("server", "word"), [("nginx/1.22.1", "proxy_buffering off"), ("Caddy", "flush_interval -1")])
def test_who_buffers_is_told_how_not_to(server: str, word: str) -> None:
    """The fix for buffering is the setting of the server that answered; of both when it does not say what it is."""
    paced = PacingProbe(sent_ms=SENT, came_ms=(0, 0, 0, 0), is_done=True, server=server)
    named, unnamed = (
        judge_model.judge_streaming(p, AWAY) for p in (paced, PacingProbe(**{**_fields(paced), "server": ""}))
    )
    assert (named.code, named.fix.count("`") >= 2, word in named.fix) == ("stream_buffered", True, True)
    assert word in unnamed.fix


def _fields(value: PacingProbe) -> dict[str, Any]:
    return msgspec.structs.asdict(value)
