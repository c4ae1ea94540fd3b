"""The decisions of the tree, without sockets."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.doctor import judge
from dce.doctor.findings import Answer, Connected, Failure, Finding, Reply, Resolved, Streamed
from dce.doctor.target import Target, read_target
from dce.wire.errors import CODES

HERE = read_target("http://127.0.0.1:3001", {})
AWAY = read_target("https://dce.example.org/base", {})
PLAIN_AWAY = read_target("http://dce.example.org", {})

KINDS = ("dns", "refused", "timeout", "unreachable", "certificate", "tls", "closed", "protocol")

failures = st.builds(Failure, kind=st.sampled_from(KINDS), text=st.text(max_size=50))
answers = st.builds(
    Answer,
    status=st.integers(100, 599),
    content_type=st.sampled_from(["", "text/html", "application/json", "text/event-stream"]),
    server=st.text(max_size=20),
    location=st.text(max_size=20),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b'{"error":{"code":"invalid_key","message":"x"}}',
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
    lambda reply: judge.judge_gateway(reply, None, AWAY),
    lambda reply: judge.judge_gateway(reply, reply, AWAY),
    lambda reply: judge.judge_route(reply, HERE),
    lambda reply: judge.judge_key(reply, True, HERE),
    lambda reply: judge.judge_key(reply, False, HERE),
    lambda reply: judge.judge_backend(reply, Streamed(failure=reply), HERE),
    lambda reply: judge.judge_model(reply, "some-model", HERE),
    lambda reply: judge.judge_token(Streamed(failure=reply)),
]


@given(reply=replies, which=st.sampled_from(JUDGES))
def test_any_answer_gives_a_finding(reply: Reply, which: Callable[[Reply], Finding]) -> None:
    """Whatever a server answers, the finding is either well, or has a known code, a fact and a next step."""
    finding = which(reply)
    assert finding.detail
    assert not finding.code or (finding.code in CODES and finding.fix)


@pytest.mark.parametrize("target", [HERE, AWAY, PLAIN_AWAY])
@given(failure=failures)
def test_any_failure_to_connect_gives_a_finding(target: Target, failure: Failure) -> None:
    """However a name, a connection or a handshake fails, there is a code, a fact and a next step."""
    for judged in (judge.judge_name, judge.judge_connection, judge.judge_tls):
        finding = judged(failure, target)
        assert finding.code in CODES
        assert finding.detail
        assert finding.fix


@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [
        (Failure(kind="certificate", text="self-signed certificate"), "gateway_unreachable", "SSL_CERT_FILE"),
        (Failure(kind="certificate", text="certificate has expired"), "gateway_unreachable", "expired"),
        (Failure(kind="tls", text="WRONG_VERSION_NUMBER"), "gateway_unreachable", "http://dce.example.org:443"),
        (Failure(kind="timeout"), "gateway_timeout", "no TLS"),
    ],
)
def test_tls(failure: Failure, code: str, word: str) -> None:
    """A certificate of one's own, an expired one and a server without TLS each have their own advice."""
    finding = judge.judge_tls(failure, AWAY)
    assert finding.code == code
    assert word in finding.detail + finding.fix


def test_timeout_is_told_from_refusal() -> None:
    """A firewall that drops is not a port on which nothing listens."""
    dropped = judge.judge_connection(Failure(kind="timeout"), AWAY)
    refused = judge.judge_connection(Failure(kind="refused"), AWAY)
    assert (dropped.code, "firewall" in dropped.fix) == ("gateway_timeout", True)
    assert (refused.code, "dce gateway serve" in refused.fix) == ("gateway_unreachable", True)


def test_plain_http_to_another_machine_is_said() -> None:
    """That the key travels readable is said where it is so, and only there."""
    made = Connected(peer="192.0.2.1", elapsed_s=0.01)
    assert "readable" in judge.judge_connection(made, PLAIN_AWAY).detail
    assert "readable" not in judge.judge_connection(made, HERE).detail
    assert "readable" not in judge.judge_connection(made, AWAY).detail


def test_https_redirect_is_the_fix() -> None:
    """A server that redirects to https at the same host is answered with that address."""
    reply = Answer(status=308, location="https://dce.example.org/healthz")
    assert judge.judge_gateway(reply, None, PLAIN_AWAY).fix == "Set DCE_URL to https://dce.example.org"


def test_names_and_addresses() -> None:
    """A name shows its addresses; an address is not resolved to itself."""
    found = judge.judge_name(Resolved(addresses=("192.0.2.1", "2001:db8::1")), AWAY)
    assert found.detail == "dce.example.org is 192.0.2.1, 2001:db8::1"
    assert judge.judge_name(Resolved(addresses=("127.0.0.1",)), HERE).detail == "127.0.0.1 is an address"
