"""The threat model's rows about bytes (S1, S9, S12, S13, S14, S21): raw sockets, and the backend has seen nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from dce.gateway.front.guard import MAX_HEAD_BYTES, MAX_HEADERS, MAX_SMALL_CHUNKS
from tests.fakes.chain import PROXY, Chain, drained, error_of, raw_request

BODY = b'{"messages":[{"role":"user","content":"hi"}],"n":1,"stream":false}'
PROTECTED = ("/v1/models", "/api/dce/proxy", "/v1/chat/completions", "/tokenize", "/api/dce/streams/x", "/sleep")


def answer_to(chain: Chain, data: bytes) -> bytes:
    """Everything the gateway says to these bytes, until it closes. A connection that stays open fails by its timeout."""
    with raw_request(chain.server.url, b"") as connection:
        connection.settimeout(60)
        with suppress(OSError):  # the gateway may have closed in the middle of it
            connection.sendall(data)
        return drained(connection)


def refused(chain: Chain, data: bytes, code: str = "invalid_request", status: int = 400) -> None:
    """The bytes get one error in the usual shape, the connection ends, and no backend hears of it."""
    answer = answer_to(chain, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert answer.count(b"\r\nx-request-id: ") == 1
    assert b"connection: close\r\n" in answer
    assert b'"code":"%b"' % code.encode() in answer
    assert chain.fake.posts() == []


def post(chain: Chain, headers: bytes, body: bytes = BODY, start: bytes = b"POST /api/dce/proxy HTTP/1.1") -> bytes:
    """A request with the key and exactly these headers."""
    return start + b"\r\nauthorization: Bearer " + chain.key.encode() + b"\r\n" + headers + b"\r\n" + body


LENGTH = b"content-length: %d\r\n" % len(BODY)
HOST = b"host: x\r\n"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

# -- S1: the decision about a key never depends on Host ---------------------------------------------------------------

HOSTS = {
    "path": b"host: localhost/v1/models?\r\n",
    "fragment": b"host: a#b\r\n",
    "userinfo": b"host: a@b\r\n",
    "space": b"host: a b\r\n",
    "empty": b"host:\r\n",
    "twice": b"host: a\r\nhost: b\r\n",
    "twice the same": b"host: a\r\nHost: a\r\n",
    "absent": b"",
    "port": b"host: a:b\r\n",
    "backslash": b"host: a\\b\r\n",
}


@pytest.mark.parametrize("path", [*PROTECTED, "/healthz"])
@pytest.mark.parametrize("host", HOSTS)
def test_s1_an_odd_host_is_refused_everywhere(chain: Chain, host: str, path: str) -> None:
    """S1: whatever stands in Host, no route opens: the request is refused before anybody reads its path."""
    refused(chain, b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOSTS[host] + b"\r\n")


@pytest.mark.parametrize("target", [b"http://localhost/healthz", b"//x/healthz", b"*", b"x:1", b"/v1/models#/healthz"])
def test_s1_only_a_path_is_a_target(chain: Chain, target: bytes) -> None:
    """S1: an absolute or odd target never borrows the openness of a public route."""
    answer = answer_to(chain, b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 ")), answer[:100]


# -- S9: no path of ours becomes another path of the backend's ---------------------------------------------------------

PATHS = [
    "/sleep", "/pause", "/invocations", "/collective_rpc", "/update_weights", "/metrics", "/v1/load_lora_adapter",
    "/v1/../sleep", "/v1/chat/completions/../../sleep", "/v1/chat/completions//", "//v1/chat/completions",
    "/v1/%2e%2e/sleep", "/v1/chat%2fcompletions/..%2f..%2fsleep", "/v1/chat/completions;/sleep", "/V1/chat/completions",
    "/v1/chat/completions%00", "/v1/chat/completions%0a", "/v1/chat/completions%20", "/tokenize/../sleep",
    "/v1\\chat\\completions", "/api/dce/proxy/../../../sleep", "/api/dce/streams/..%2f..%2fsleep",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_s9_paths_that_are_no_route_reach_nothing(chain: Chain, path: str) -> None:
    """S9: even with a key, a path that is not exactly a route is 404 (or no HTTP); the backend sees nothing."""
    start = b"POST " + path.encode() + b" HTTP/1.1"
    answer = answer_to(chain, post(chain, HOST + LENGTH + b"connection: close\r\n", start=start))
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), answer[:100]
    assert chain.fake.posts() == []


def test_s9_the_backend_only_ever_sees_fixed_paths(chain: Chain) -> None:
    """S9: a query or an escaped spelling of a route reaches the backend as the route's own path and nothing more."""
    for path in ("/v1/chat/completions?x=/sleep", "/v1/ch%61t/completions"):
        assert chain.post(path, stream=False).status_code == 200
    assert {request.path for request in chain.fake.posts()} == {"/v1/chat/completions"}


# -- S12: one request is one request to everybody ----------------------------------------------------------------------

SMUGGLED = b"POST /v1/completions HTTP/1.1\r\nhost: y\r\n\r\n"
FRAMINGS: dict[str, tuple[bytes, bytes]] = {
    "CL and TE": (LENGTH + b"transfer-encoding: chunked\r\n", CHUNKED),
    "TE and CL": (b"transfer-encoding: chunked\r\n" + LENGTH, CHUNKED),
    "two lengths": (LENGTH + b"content-length: 5\r\n", BODY),
    "the same length twice": (LENGTH + LENGTH, BODY),
    "a list of lengths": (b"content-length: 5, 5\r\n", BODY),
    "a signed length": (b"content-length: +5\r\n", BODY),
    "a negative length": (b"content-length: -5\r\n", BODY),
    "a hexadecimal length": (b"content-length: 0x42\r\n", BODY),
    "a length past 64 bits": (b"content-length: 18446744073709551617\r\n", BODY),
    "TE twice": (b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", CHUNKED),
    "TE xchunked": (b"transfer-encoding: xchunked\r\n", CHUNKED),
    "TE identity": (b"transfer-encoding: identity\r\n", CHUNKED),
    "TE gzip, chunked": (b"transfer-encoding: gzip, chunked\r\n", CHUNKED),
    "TE chunked, identity": (b"transfer-encoding: chunked, identity\r\n", CHUNKED),
    "TE with a vertical tab": (b"transfer-encoding: \x0bchunked\r\n", CHUNKED),
    "a space before the colon": (b"transfer-encoding : chunked\r\n", CHUNKED),
    "a folded header": (b"transfer-encoding:\r\n chunked\r\n", CHUNKED),
    "a bare LF": (b"x: y\ntransfer-encoding: chunked\r\n", CHUNKED),
    "a bare CR": (b"x: y\rtransfer-encoding: chunked\r\n", CHUNKED),
    "a NUL": (b"x: y\0z\r\n" + LENGTH, BODY),
    "an empty name": (b": y\r\n" + LENGTH, BODY),
    "a chunk size that is none": (b"transfer-encoding: chunked\r\n", b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk size past 64 bits": (b"transfer-encoding: chunked\r\n", b"1" + b"0" * 16 + b"\r\n" + BODY),
    "a chunk longer than said": (b"transfer-encoding: chunked\r\n", b"3\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk line ended by LF": (b"transfer-encoding: chunked\r\n", CHUNKED.replace(b"\r\n", b"\n")),
    "a trailer": (b"transfer-encoding: chunked\r\n", CHUNKED[:-2] + b"authorization: Bearer x\r\n\r\n"),
    "an upgrade and two lengths": (b"connection: upgrade\r\nupgrade: h2c\r\n" + LENGTH + b"content-length: 5\r\n", BODY),
}  # fmt: skip


@pytest.mark.parametrize("framing", FRAMINGS)
def test_s12_a_request_of_two_meanings_is_refused(chain: Chain, framing: str) -> None:
    """S12: a framing that two readers could take for different requests is a 400, a close, and nothing backend."""
    headers, body = FRAMINGS[framing]
    refused(chain, post(chain, HOST + headers, body + SMUGGLED))


def test_s12_http_1_0_is_told_how_to_come(chain: Chain) -> None:
    """S12: HTTP/1.0, which has no chunks, gets an error that names nginx's setting; a health check may use it."""
    answer = answer_to(chain, post(chain, HOST + LENGTH, start=b"POST /api/dce/proxy HTTP/1.0"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"proxy_http_version 1.1" in answer
    assert answer_to(chain, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert chain.fake.posts() == []


def test_s12_garbage_after_a_request_never_looks_like_its_answer(chain: Chain) -> None:
    """S12: what follows a whole request and is no HTTP ends the connection; no second answer is written into the first."""
    answer = answer_to(chain, post(chain, HOST + LENGTH, BODY + b"\x00\x01garbage\r\n\r\n"))
    assert answer.count(b"\r\nx-request-id: ") <= 1


def test_s12_what_the_backend_gets_is_framed_anew(chain: Chain) -> None:
    """S12: a chunked body goes backend with our own Content-Length and none of the caller's headers."""
    headers = HOST + b"transfer-encoding: chunked\r\nx-evil: 1\r\nconnection: close\r\n"
    assert answer_to(chain, post(chain, headers, CHUNKED)).startswith(b"HTTP/1.1 200 ")
    (sent,) = chain.fake.posts()
    assert sent.headers["content-length"] == str(len(sent.body))
    assert not {"transfer-encoding", "x-evil", "connection"} & set(sent.headers)


# -- S13: parsing is not for free --------------------------------------------------------------------------------------

HEADS = {
    "one giant header": b"x: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n",
    "a giant header without an end": b"x: " + b"a" * (10 * MAX_HEAD_BYTES),
    "a giant name": b"a" * (MAX_HEAD_BYTES + 1) + b": x\r\n",
    "many headers": b"".join(b"x%d: y\r\n" % at for at in range(MAX_HEADERS + 1)),
}


@pytest.mark.parametrize("head", HEADS)
def test_s13_a_giant_head_is_refused(chain: Chain, head: str) -> None:
    """S13: heads beyond the limits are refused while they come."""
    with raw_request(chain.server.url, b"") as connection:
        with suppress(OSError):
            connection.sendall(post(chain, HOST + HEADS[head] + LENGTH))
        answer = drained(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")  # a reset may overtake the answer
    assert chain.fake.posts() == []


def test_s13_a_giant_target_is_refused(chain: Chain) -> None:
    """S13: the request line counts like a header."""
    refused(chain, b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n")


def test_s13_a_body_of_tiny_chunks_costs_little(chain: Chain) -> None:
    """S13: eight megabytes in chunks of one byte are given up after the first thousand."""
    with raw_request(chain.server.url, post(chain, HOST + b"transfer-encoding: chunked\r\n", b"")) as connection:
        began = time.process_time()
        with suppress(OSError):
            connection.sendall(b"1\r\na\r\n" * (8 << 20))
        answer = drained(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert time.process_time() - began < 5  # it takes minutes to parse all of them
    assert chain.fake.posts() == []


def test_s13_a_body_of_ordinary_chunks_passes(chain: Chain) -> None:
    """S13: more chunks than the guard counts are fine when they carry something."""
    words = b'{"messages":[{"role":"user","content":"' + b"x" * (200 * MAX_SMALL_CHUNKS) + b'"}],"stream":false}'
    pieces = [words[at : at + 100] for at in range(0, len(words), 100)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = HOST + b"transfer-encoding: chunked\r\nconnection: close\r\n"
    assert answer_to(chain, post(chain, headers, body)).startswith(b"HTTP/1.1 200 ")


# -- S14: slowness costs the slow --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain whose gateway waits less than a second."""
    with Chain(tmp_path_factory.mktemp("hurried"), head_timeout_s=0.7, body_window_s=0.7) as chain:
        yield chain


@pytest.mark.parametrize("begun", [b"", b"P", b"POST /api/dce/proxy HTTP/1.1\r\nhost: x\r\nx: ", b"\r\n"], ids=repr)
def test_s14_a_head_that_does_not_come_is_not_waited_for(hurried: Chain, begun: bytes) -> None:
    """S14: a connection whose head is not whole in time is answered 408 and closed, a silent one too."""
    refused(hurried, begun, "request_timeout", 408)


def test_s14_a_second_head_has_its_deadline_too(hurried: Chain) -> None:
    """S14: after an answer, bytes that are no whole request do not keep the connection for ever."""
    answer = answer_to(hurried, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /he")
    assert b'"ok":true' in answer
    assert b'"code":"request_timeout"' in answer


@pytest.mark.parametrize("key", ["", "right"])
def test_s14_a_body_that_trickles_is_cut(hurried: Chain, key: str) -> None:
    """S14: a body that brings less than its share is cut, whether its request was let in or refused already."""
    credential = f"authorization: Bearer {hurried.key}\r\n".encode() if key else b""
    answer = answer_to(
        hurried, b"POST /api/dce/proxy HTTP/1.1\r\nhost: x\r\n" + credential + b"content-length: 999\r\n\r\n{"
    )
    assert answer.startswith(b"HTTP/1.1 408 " if key else b"HTTP/1.1 401 ")
    assert hurried.fake.posts() == []


def test_s14_a_long_stream_is_not_a_slow_request(hurried: Chain) -> None:
    """S14: once a request is whole its answer may take longer than any of these deadlines."""
    hurried.behave(tokens=30, delay_s=0.01)
    assert hurried.ask(n=2).is_done


# -- S21: nobody says who he is by a header ----------------------------------------------------------------------------


def test_s21_forwarded_headers_mean_nothing(make_chain: Callable[..., Chain], chain: Chain) -> None:
    """S21: no X-Forwarded-*, Forwarded or tenant header opens anything, and none goes backend."""
    claims = {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "localhost",
        "x-forwarded-prefix": "/healthz",
        "x-original-url": "/healthz",
        "x-rewrite-url": "/healthz",
        "forwarded": "for=127.0.0.1;proto=https",
        "x-real-ip": "127.0.0.1",
        "x-tenant-id": "somebody",
        "x-http-method-override": "GET",
    }
    refusal = chain.client.get("/v1/models", headers={**claims, "authorization": ""})
    assert error_of(refusal)["code"] == "missing_key"
    assert chain.client.post(PROXY, json=chain.body(stream=False), headers=claims).status_code == 200
    (sent,) = chain.fake.posts()
    assert not set(claims) & set(sent.headers)


# -- a refusal that arrives -------------------------------------------------------------------------------------------

TOO_MUCH = b"x" * 20_000_000


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: %d\r\n" % len(TOO_MUCH), TOO_MUCH),
        (b"transfer-encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(TOO_MUCH), TOO_MUCH)),
    ],
    ids=["length", "chunked"],
)
def test_too_large_a_body_is_told_to_who_only_sends_first(
    make_chain: Callable[..., Chain], framing: bytes, body: bytes
) -> None:
    """A client that sends all of it before it reads, as proxies do, is not reset: it finds a whole 413 and a clean end."""
    chain = make_chain(max_body_bytes=1_000_000)
    with raw_request(chain.server.url, post(chain, HOST + framing, body)) as connection:
        answer = b""
        while piece := connection.recv(65_536):  # raises if the connection was reset
            answer += piece
    head, _, said = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"content-length: %d" % len(said) in head
    assert b'"code":"body_too_large"' in said
    assert chain.fake.posts() == []
