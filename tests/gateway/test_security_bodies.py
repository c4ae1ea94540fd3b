"""The threat model's rows about what a body says (S7, S8, S10, S15-S17): refused by the gateway, unseen by the backend."""

import json
from typing import Any

import pytest

from dce.gateway.front.ambiguity import MAX_DEPTH
from dce.gateway.front.body import INTERNAL_FIELDS, read_forward
from dce.gateway.front.bounds import (
    MAX_LISTED,
    MAX_PATTERN_CHARS,
    MAX_SCHEMA_BYTES,
    MAX_STRINGS,
    MAX_TOOLS,
)
from tests.fakes.chain import PROXY, Chain, error_of
from tests.fakes.vllm import MODEL

CHAT = "/v1/chat/completions"
ROUTES = (PROXY, CHAT)


def refused(chain: Chain, path: str, body: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The body is the caller's mistake in the gateway's words, and no backend hears of it."""
    error = error_of(chain.client.post(path, content=body, headers=headers))
    assert (error["code"], error["hop"]) == ("invalid_request", "gateway")
    assert chain.fake.posts() == []
    return error


def encoded(**fields: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "hi"}], "model": MODEL, **fields}).encode()


# -- S7 ----------------------------------------------------------------------------------------------------------------

URLS = [
    "http://169.254.169.254/latest/meta-data/", "https://example.org/a.png", "http://[::ffff:127.0.0.1]/", "http://2130706433/",
    "HTTP://127.0.0.1", "//127.0.0.1/x", "file:///etc/passwd", "ftp://x/", " data:image/png;base64,", "gopher://x", "",
]  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url"])
def test_s7_nothing_makes_a_backend_fetch(chain: Chain, path: str, kind: str) -> None:
    """S7: a part that names anything but data in the body is refused, in each spelling that servers understand."""
    for url in URLS:
        for part in ({"type": kind, kind: {"url": url}}, {"type": kind, kind: url}, {kind: url}):
            refused(chain, path, encoded(messages=[{"role": "user", "content": [part]}]))


PARTS: list[Any] = [
    {"type": "image_embeds", "image_embeds": "gASV"}, {"type": "file", "file": {"file_id": "x"}}, {"type": "input_image"},
    {"type": "text", "text": "a", "uuid": "of somebody's image"}, {"type": 5}, {"type": "image_url", "image_url": {}}, 5, None, [[]],
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_s7_unknown_parts_are_refused(chain: Chain, part: Any) -> None:
    """S7: parts are allowed by name: what is not known (pickled embeddings, files, another's cached image) does not pass."""
    for path in ROUTES:
        refused(chain, path, encoded(messages=[{"role": "user", "content": [part]}]))


def test_s7_data_passes(chain: Chain) -> None:
    """S7: text and data URLs reach the backend as they are."""
    parts = [
        {"type": "text", "text": "see http://x"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    messages = [{"role": "user", "content": parts}]
    for path in ROUTES:
        assert chain.client.post(path, content=encoded(messages=messages, stream=False)).status_code == 200
    assert [chat["messages"] for chat in chain.fake.chats()] == [messages, messages]


# -- S8 ----------------------------------------------------------------------------------------------------------------


def nested(depth: int) -> dict[str, Any]:
    return {"x": nested(depth - 1)} if depth else {}


COSTLY: dict[str, dict[str, Any]] = {
    "n": {"n": 1_000_000},
    "max_tokens": {"max_tokens": 0},
    "top_logprobs": {"top_logprobs": 10**9},
    "logprobs": {"logprobs": -1.5},
    "prompt_logprobs": {"prompt_logprobs": 10**6},
    "stop": {"stop": ["x"] * (MAX_LISTED + 1)},
    "logit_bias": {"logit_bias": {str(at): 1 for at in range(MAX_LISTED + 1)}},
    "a deep schema": {"response_format": nested(MAX_DEPTH + 1)},
    "a large schema": {"response_format": {"type": "json_schema", "x": "y" * MAX_SCHEMA_BYTES}},
    "a large structure": {"structured_outputs": {"json": "y" * MAX_SCHEMA_BYTES}},
    "a regex": {"structured_outputs": {"regex": "(a+)+b"}},
    "a structural tag": {"response_format": {"type": "structural_tag"}},
    "a long pattern": {"tools": [{"function": {"parameters": {"pattern": "a" * (MAX_PATTERN_CHARS + 1)}}}]},
    "many tools": {"tools": [{}] * (MAX_TOOLS + 1)},
}  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("cost", COSTLY)
def test_s8_costly_parameters_stop_here(chain: Chain, path: str, cost: str) -> None:
    """S8: what kept or felled engines is refused by the gateway itself."""
    if not (path == PROXY and cost == "prompt_logprobs"):  # the own dialect drops it
        refused(chain, path, encoded(**COSTLY[cost]))


def test_s8_a_list_of_prompts_counts(chain: Chain) -> None:
    """S8: a list of prompts multiplies n; the product has n's limit."""
    refused(chain, "/v1/completions", json.dumps({"model": MODEL, "prompt": ["a"] * 5, "n": 5}).encode())
    tokens = json.dumps({"model": MODEL, "prompt": list(range(100)), "n": 2}).encode()
    assert read_forward(tokens, max_n=20).fields["n"] == 2


@pytest.mark.parametrize(
    "switches", [{"chat_template": "{{ x }}"}, {"tokenize": False}, {"enable_thinking": [1]}, [], 5]
)
def test_s8_templates_are_the_servers(chain: Chain, switches: Any) -> None:
    """S8: the one thing a caller may say to a template is how to think."""
    refused(chain, CHAT, encoded(chat_template_kwargs=switches))
    assert read_forward(encoded(chat_template_kwargs={"enable_thinking": False}), max_n=20).is_changed is False


# -- S10 ---------------------------------------------------------------------------------------------------------------


def test_s10_internal_fields_and_headers_never_pass(chain: Chain) -> None:
    """S10: no field or header that steers a backend's insides goes through; request ids are ours, so nobody aborts another's."""
    headers = {"x-request-id": "theirs", "x-session-id": "s", "x-vllm-priority": "-9", "x-data-parallel-rank": "1"}
    for path in ROUTES:
        body = encoded(stream=False, **dict.fromkeys(INTERNAL_FIELDS, "evil"))
        assert chain.client.post(path, content=body, headers=headers).status_code == 200
    for sent in chain.fake.posts():
        assert b"evil" not in sent.body
        assert sent.headers["x-request-id"] != "theirs"
        assert not {"x-session-id", "x-vllm-priority", "x-data-parallel-rank"} & set(sent.headers)


# -- S15, S16, S17 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x"])
def test_s15_compressed_bodies_are_not_opened(chain: Chain, coding: str) -> None:
    """S15: a body with a coding is refused unread; backend we ask for none."""
    for path in (*ROUTES, "/tokenize"):
        twice = [("content-encoding", "identity"), ("content-encoding", coding)]
        assert chain.client.post(path, content=b"{}", headers=twice).status_code == 400
        assert "Content-Encoding" in refused(chain, path, b"\x1f\x8b", {"content-encoding": coding})["hint"]
    chain.post(stream=False)
    assert chain.fake.posts()[0].headers["accept-encoding"] == "identity"


BOMBS = {
    "arrays": b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a little too deep": b'{"a":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
    "keys": b"{" + b",".join(b'"k%d":1' % at for at in range(MAX_STRINGS + 1)) + b"}",
    "a huge number": b'{"n":' + b"9" * 100_000 + b"}",
    "a number past floats": b'{"temperature":1e400}',
    "NaN": b'{"temperature":NaN}',
    "infinity": b'{"temperature":-Infinity}',
    "half a character": b'{"model":"\\ud800"}',
    "no UTF-8": b'{"model":"\xff"}',
    "two values": b"{}{}",
    "a NUL after it": b"{}\0",
    "a mark before it": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_s16_json_bombs_are_refused(chain: Chain, bomb: str) -> None:
    """S16: depth, number, size and spelling beyond JSON's plain meaning is one 400."""
    for path in ROUTES:
        refused(chain, path, BOMBS[bomb])


@pytest.mark.parametrize("name", ["model", "n", "m\\u006fdel", "stream", "cache_salt", "messages"])
@pytest.mark.parametrize("space", ["", " ", "\n\t "])
def test_s16_a_field_named_twice_is_refused(chain: Chain, name: str, space: str) -> None:
    """S16: validator and backend cannot read two different values of one field, however it is spelled."""
    whole = encoded(n=1, stream=False, cache_salt="a").decode()
    body = whole[:-1] + "," + space + '"' + name + '":' + space + "1}"
    for path in ROUTES:
        refused(chain, path, body.encode())


def test_s17_errors_stay_small(chain: Chain) -> None:
    """S17: no answer to a wrong body is longer than 4 KB, nor repeats what was sent."""
    for fields in (
        {"model": "m" * 190},
        {"model": "x" * 10**6},
        {"stop": 5},
        {"messages": [{"role": "r" * 10**6}]},
        {"k" * 9999: 1, "n": 0},
    ):
        error_of(chain.client.post(PROXY, content=encoded(**fields)))  # checks the size
