"""The threat model's rows about who asks and what is written down (S2-S6, S11, S18)."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.access.keys import KeyStore
from dce.wire.errors import DceError
from tests.fakes.chain import PROXY, SLOW, Chain, client_of, error_of, eventually, other_key, raw_request
from tests.fakes.logged import logged
from tests.fakes.vllm import MODEL

INJECTIONS = ["' OR '1'='1", "'; DROP TABLE keys; --", '" OR ""="', "%' UNION SELECT digest FROM keys --", "\\'; SELECT 1", "1/**/OR/**/1", "dce_' || id"]  # fmt: skip

# -- S2, S3, S4, S5 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("injection", INJECTIONS)
def test_s2_nothing_of_a_request_is_sql(chain: Chain, injection: str) -> None:
    """S2: SQL in the credential or in fields is a wrong key or plain text; the true key goes on to work."""
    stranger = client_of(chain.server.url, injection)
    assert error_of(stranger.get("/v1/models"))["code"] == "invalid_key"
    stranger.close()
    assert chain.post(stream=False, user=injection, metadata={"x": injection}).status_code == 200
    assert error_of(chain.post(model=injection))["code"] == "model_not_found"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStore]:
    """Keys."""
    keys = KeyStore(tmp_path_factory.mktemp("keys"))
    yield keys
    keys.close()


@settings(max_examples=50)
@given(st.integers(0, 46), st.text("abcdefXYZ019_-", min_size=1, max_size=60))
def test_s3_s4_only_the_whole_key_counts(store: KeyStore, kept: int, rest: str) -> None:
    """S3, S4: keys are looked up by the digest of all of their characters: what shares a beginning with a key is not the key."""
    key, secret = store.create("one")
    assert store.find(secret).id == key.id
    wrong = secret[:kept] + rest
    if wrong != secret:
        with pytest.raises(DceError):
            store.find(wrong)


def test_s5_a_credential_has_one_place(chain: Chain) -> None:
    """S5: the key opens by `Authorization: Bearer` and by nothing else; two of them, or what the database holds, never do."""
    elsewhere = {
        "x-api-key": chain.key,
        "api-key": chain.key,
        "proxy-authorization": f"Bearer {chain.key}",
        "cookie": f"key={chain.key}",
    }
    client = client_of(chain.server.url, "")
    for path in (PROXY, "/v1/chat/completions", "/tokenize", "/nothing"):
        answer = client.post(path, json=chain.body(), headers=elsewhere, params={"key": chain.key})
        assert error_of(answer)["code"] == "missing_key"
    digests = KeyStore(chain.folder)
    (digest,) = digests._db.execute("SELECT digest FROM keys").fetchone()
    digests.close()
    for credential in (f"Bearer {digest.hex()}", f"Basic {chain.key}", chain.key, f"Bearer {chain.key} x"):
        assert client.get("/v1/models", headers={"authorization": credential}).status_code == 401
    twice = [("authorization", f"Bearer {chain.key}")] * 2
    assert error_of(client.get("/v1/models", headers=twice))["code"] == "invalid_key"
    client.close()
    assert chain.fake.posts() == []


# -- S6 ----------------------------------------------------------------------------------------------------------------


def test_s6_anothers_stream_is_as_unknown_as_none(chain: Chain) -> None:
    """S6: resuming, stopping or stopping a choice of another key's stream answers exactly as for one that never was."""
    chain.behave(tokens=10_000, delay_s=SLOW)
    thief = client_of(chain.server.url, other_key(chain))
    with chain.stream(n=2) as answer:
        answer.until(lambda seen: len(seen.choices) == 2)
        for method, tail in (("GET", ""), ("DELETE", ""), ("DELETE", "/choices/0")):
            seen = []
            for stream_id in (answer.stream_id, "0" * 32):
                error = error_of(thief.request(method, f"/api/dce/streams/{stream_id}{tail}"))
                seen.append({name: value for name, value in error.items() if name != "request_id"})
            assert seen[0] == seen[1]
        assert chain.fake.open_streams == 2
    thief.close()
    eventually(chain.is_idle)


# -- S11 ---------------------------------------------------------------------------------------------------------------

SALTED = (PROXY, "/v1/chat/completions")


def test_s11_keys_do_not_share_a_prefix_cache(chain: Chain) -> None:
    """S11: vLLM gets a salt that is one key's on every route and all of its requests, another key's another, and no caller's own."""
    salts = []
    for key in (chain.key, other_key(chain)):
        client = client_of(chain.server.url, key)
        chain.fake.requests.clear()
        for path in SALTED:
            for body in (chain.body(n=1, stream=False, model=MODEL), chain.body(stream=False, cache_salt="mine")):
                content = json.dumps(body) + " \n"
                assert client.post(path, content=content).status_code == 200
        client.close()
        (salt,) = {chat["cache_salt"] for chat in chain.fake.chats()}
        assert len(salt) == 64
        assert key not in salt
        salts.append(salt)
    assert len({*salts, "mine"}) == 3


def test_s11_what_a_backend_does_not_know_it_does_not_get(native: Chain) -> None:
    """S11: a llama.cpp, which has no such field, gets none."""
    for path in SALTED:
        assert native.post(path, stream=False, model=MODEL).status_code == 200
    assert all("cache_salt" not in chat for chat in native.fake.chats())


def test_s11_an_operator_can_share_the_cache(make_chain: Callable[..., Chain]) -> None:
    """S11: one team with many keys may share the cache; then a forwarded body is the caller's to the byte."""
    chain = make_chain(isolate_prefix_cache=False)
    content = json.dumps(chain.body(stream=False, model=MODEL)).encode() + b" \n"
    assert chain.client.post("/v1/chat/completions", content=content).status_code == 200
    assert chain.fake.posts()[0].body == content


# -- S18 ---------------------------------------------------------------------------------------------------------------

NASTY = "\r\n\x1b[31m\u202e\u2028\x7f\x9b\0" + '"} {"outcome":"forged"}'


def test_s18_a_log_line_is_one_line_of_plain_characters(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """S18: line breaks, terminal and direction codes in paths, models, fields and headers are escaped or not logged at all."""
    caplog.set_level(logging.INFO, "dce.gateway")
    chain.client.get("/nothing" + quote(NASTY))
    chain.client.post(PROXY, json={**chain.body(model=NASTY), NASTY: 1})
    chain.client.post(PROXY, content=NASTY.encode(), headers={"x-request-id": "a\tb", "user-agent": "forged"})
    eventually(lambda: len(logged(caplog)) >= 3)
    for line in logged(caplog):
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["outcome"] in ("route_not_found", "model_not_found", "invalid_request")
        assert "forged" not in line or json.loads(line)["path"].startswith("/nothing")


def test_s18_answers_carry_no_header_of_the_callers(chain: Chain) -> None:
    """S18: names of dropped fields are told in a header only when they are plain words, so that none can break it."""
    answer = chain.client.post(
        PROXY, json={**chain.body(stream=False), "a\r\nset-cookie: x": 1, "Grüße": 2, "plain_word": 3}
    )
    assert answer.headers["x-dce-dropped-fields"] == "plain_word"
    assert "set-cookie" not in answer.headers


# -- the whole front ---------------------------------------------------------------------------------------------------

GRAINS = st.sampled_from(
    [b"GET ", b"POST ", b"/healthz", b"/v1/models", b"/api/dce/proxy", b" HTTP/1.1", b"\r\n", b"\n", b"\r\n\r\n", b"host: x",
     b"content-length: 5", b"transfer-encoding: chunked", b"5\r\n{}   \r\n0", b"{}", b"expect: 100-continue", b"\0", b":", b" "]
)  # fmt: skip
BYTES = st.lists(GRAINS | st.binary(max_size=8), max_size=14).map(b"".join)


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain that waits for no one."""
    folder: Path = tmp_path_factory.mktemp("brisk")
    with Chain(folder, head_timeout_s=0.02, body_window_s=0.02) as chain:
        yield chain


@settings(max_examples=60, deadline=None)
@given(BYTES)
def test_any_bytes_get_an_end(brisk: Chain, data: bytes) -> None:
    """Whatever is sent, the connection ends in its time, no answer is a fault of ours, and no backend hears of it."""
    received = b""
    with raw_request(brisk.server.url, b"") as connection:
        try:
            connection.sendall(data)
            connection.shutdown(1)
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
    assert b"HTTP/1.1 5" not in received
    assert b'"code":"internal"' not in received
    assert brisk.fake.posts() == []
