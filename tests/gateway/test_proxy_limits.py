"""Keys with limits at a running gateway: refused with numbers, served as soon as promised, edited and rotated without a restart."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.access.limits import Limits
from dce.wire.errors import DceError
from dce.workspace.generating.gateway_errors import error_of_answer
from tests.fakes.chain import PROXY, SLOW, Chain, client_of, error_of, eventually
from tests.fakes.vllm import CONTEXT, MODEL, FakeVllm
from tests.gateway.test_openai_sdk import MESSAGES, sdk
from tests.gateway.test_queue_notice import busy, depth

LEFT = re.compile(r"has ([\d,]+) left")
MANY = 1000
"""More requests than any limit here lets through."""


@contextmanager
def store(chain: Chain) -> Iterator[KeyStore]:
    """The key store as `dce gateway keys` opens it, beside the running gateway."""
    keys = KeyStore(chain.folder)
    try:
        yield keys
    finally:
        keys.close()


def limited(chain: Chain, name: str = "limited", **limits: Any) -> httpx2.Client:
    """A client with a key of its own that has these limits."""
    with store(chain) as keys:
        return client_of(chain.server.url, keys.create(name, limits=Limits(**limits))[1])


def ask(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    """A request for one JSON answer."""
    return client.post(PROXY, json={"messages": [{"role": "user", "content": "x"}], "stream": False, **fields})


def until_refused(send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """The first answer that is a refusal."""
    return next(answer for _ in range(MANY) if (answer := send()).status_code != 200)


def test_requests_a_minute(chain: Chain) -> None:
    """Over the limit a request is answered 429 with the wait, in the header and the hint; another key is not touched."""
    with limited(chain, rpm=3) as client:
        refused = until_refused(lambda: ask(client))
        error = error_of(refused)
        assert (refused.status_code, error["code"], error["hop"]) == (429, "rate_limited", "gateway")
        assert "3 requests per minute" in error["message"]
        assert f"Retry in {refused.headers['retry-after']} s" in error["hint"]
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert client.get("/v1/models").status_code == 200
        assert client.post("/v1/chat/completions", json={"messages": [], "model": MODEL}).status_code == 429
    assert chain.post(stream=False).status_code == 200


def test_waiting_as_long_as_told_is_enough(chain: Chain) -> None:
    """Whoever honours Retry-After is served: by hand, and by the OpenAI SDK, which does so by itself."""
    with limited(chain, rpm=60) as client:
        refused = until_refused(lambda: ask(client))
        time.sleep(float(refused.headers["retry-after"]))
        assert ask(client).status_code == 200
        key = client.headers["authorization"].removeprefix("Bearer ")
        until_refused(lambda: ask(client))
        with sdk(chain, key) as patient:
            answer = patient.with_options(max_retries=5).chat.completions.create(model=MODEL, messages=MESSAGES)
            assert answer.choices


def test_a_limit_is_a_rate_limit_to_sdks(chain: Chain) -> None:
    """The OpenAI SDK raises `RateLimitError` with our code."""
    with limited(chain, rpm=1) as client:
        until_refused(lambda: ask(client))
        with (
            sdk(chain, client.headers["authorization"].removeprefix("Bearer ")) as once,
            pytest.raises(openai.RateLimitError) as limit,
        ):
            once.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert (limit.value.code, limit.value.type) == ("rate_limited", "rate_limit_error")


def test_models_and_token_counts_have_their_own_allowance(chain: Chain) -> None:
    """A client may count the tokens of many files with a key for few generations, but not without end."""
    with limited(chain, rpm=2) as client:
        refused = until_refused(lambda: client.post("/tokenize", json={"prompt": "a b"}))
        assert error_of(refused)["code"] == "rate_limited"
        assert ask(client).status_code == 200


def test_tokens_a_minute(chain: Chain) -> None:
    """What a request may cost is set aside while it runs, and what it did not use is free again at its end."""
    with limited(chain, tpm=CONTEXT) as client:
        for _ in range(3):
            assert ask(client, max_tokens=CONTEXT // 2).status_code == 200
        key = client.headers["authorization"].removeprefix("Bearer ")
        chain.behave(tokens=1_000_000, delay_s=0.01)
        with client_of(chain.server.url, key) as streaming:
            body = {"prompt": "x", "max_tokens": CONTEXT // 2}
            with streaming.stream("POST", PROXY, json=body) as running:
                assert running.status_code == 200
                refused = ask(client, max_tokens=CONTEXT // 2 + 200)
                assert error_of(refused)["code"] == "rate_limited"
                assert "tokens per minute" in error_of(refused)["message"]
        chain.behave()
        eventually(lambda: ask(client, max_tokens=CONTEXT // 2 + 200).status_code == 200)


def test_more_responses_than_the_key_may_have(chain: Chain) -> None:
    """The key's own limit is named, not the gateway's."""
    with limited(chain, max_n=2) as client:
        error = error_of(ask(client, n=3))
        assert (error["code"], "2 responses per request" in error["message"]) == ("invalid_request", True)
        assert ask(client, n=2).status_code == 200
        forwarded = client.post("/v1/chat/completions", json={"messages": MESSAGES, "model": MODEL, "n": 3})
        assert "2 responses per request" in error_of(forwarded)["message"]


def test_a_heavy_key_cannot_starve_a_light_one(make_chain: Callable[..., Chain]) -> None:
    """With ten requests of one key in the queue, the only one of another is next."""
    chain = make_chain(max_running_responses=1)
    with limited(chain, "light") as light, ThreadPoolExecutor(12) as pool:
        with busy(chain):
            heavy = [pool.submit(chain.post, stream=False, seed=number) for number in range(10)]
            eventually(lambda: depth(chain) == 10)
            mine = pool.submit(ask, light, seed=1000)
            eventually(lambda: depth(chain) == 11)
        assert [task.result().status_code for task in [mine, *heavy]] == [200] * 11
    seeds = [chat["seed"] for chat in chain.fake.chats()]
    assert seeds.index(1000) <= 1


def test_responses_at_once(chain: Chain) -> None:
    """A key at its limit waits for its own responses, while others pass."""
    with limited(chain, concurrency=1) as client, ThreadPoolExecutor(1) as pool:
        chain.behave(tokens=1_000_000, delay_s=0.01)
        key = client.headers["authorization"].removeprefix("Bearer ")
        with (
            client_of(chain.server.url, key) as streaming,
            streaming.stream("POST", PROXY, json={"prompt": "x"}) as running,
        ):
            assert running.status_code == 200
            chain.behave()
            waiting = pool.submit(ask, client)
            eventually(lambda: depth(chain) == 1)
            assert chain.post(stream=False).status_code == 200
            assert depth(chain) == 1
        assert waiting.result().status_code == 200


def test_a_key_is_edited_while_the_gateway_runs(chain: Chain) -> None:
    """A limit holds from the next request on, and is gone as soon as it is taken away."""
    with limited(chain, "edited") as client:
        assert [ask(client).status_code for _ in range(5)] == [200] * 5
        with store(chain) as keys:
            keys.edit("edited", {"rpm": 1})
        assert error_of(until_refused(lambda: ask(client)))["code"] == "rate_limited"
        with store(chain) as keys:
            keys.edit("edited", {"rpm": None, "models": ["another"]})
        refused = ask(client)
        assert (refused.status_code, error_of(refused)["code"]) == (404, "model_not_found")
        with store(chain) as keys:
            keys.edit("edited", {"models": []})
        assert ask(client).status_code == 200


def test_a_key_is_rotated_while_the_gateway_runs(chain: Chain) -> None:
    """Both secrets are served during the overlap and share the limits; then the old one is refused."""
    with limited(chain, "rotated", rpm=2) as old:
        with store(chain) as keys:
            _, secret = keys.rotate("rotated", 3600)
        with client_of(chain.server.url, secret) as new:
            assert [ask(old).status_code, ask(new).status_code] == [200, 200]
            assert error_of(until_refused(lambda: ask(old)))["code"] == "rate_limited"
            assert error_of(ask(new))["code"] == "rate_limited"
            with store(chain) as keys:
                newest = keys.rotate("rotated", 0)[1]
            assert [error_of(ask(client))["code"] for client in (old, new)] == ["expired_key"] * 2
            with client_of(chain.server.url, newest) as last:
                assert last.get("/v1/models").status_code == 200


def test_a_key_sees_its_models_only(make_chain: Callable[..., Chain]) -> None:
    """Lists, defaults, hints and token counts are within what the key may use."""
    chain = make_chain(fake=FakeVllm(models=["secret-70b", MODEL]), aliases={"big": "secret-70b"})
    with limited(chain, models=(MODEL,)) as client:
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [MODEL]
        assert ask(client).json()["model"] == MODEL
        assert client.post("/tokenize", json={"prompt": "a b"}).json()["model"] == MODEL
        for path, name in (("/v1/chat/completions", "secret-70b"), (PROXY, "big"), ("/tokenize", "secret-7b")):
            refused = client.post(path, json={"messages": MESSAGES, "prompt": "x", "model": name} | _plain(path))
            error = error_of(refused)
            assert (refused.status_code, error["code"]) == (403, "model_not_allowed")
            assert "secret" not in (error["message"] + error["hint"]).replace(repr(name), "")
        with (
            sdk(chain, client.headers["authorization"].removeprefix("Bearer ")) as other,
            pytest.raises(openai.PermissionDeniedError),
        ):
            other.chat.completions.create(model="big", messages=MESSAGES)


def _plain(path: str) -> dict[str, Any]:
    """The system's own route takes a prompt or messages, not both."""
    return {"messages": None} if path == PROXY else {}


def test_a_budget(chain: Chain) -> None:
    """A budget that is used up is said with what is left and when it renews; streams count like answers."""
    with limited(chain, budget_tokens=400, budget_period="day") as client:
        refused = until_refused(lambda: ask(client, max_tokens=50))
        error = error_of(refused)
        assert (refused.status_code, error["code"]) == (429, "quota_exceeded")
        assert "400 tokens per day" in error["message"]
        assert "renews at" in error["message"]
        assert int(refused.headers["retry-after"]) <= 24 * 3600
        assert chain.fake.chats()


@pytest.mark.parametrize("period", ["day", "month", "total"])
def test_a_budget_is_kept_over_a_restart(tmp_path: Path, period: str) -> None:
    """What a key has used, in answers, streams, streams that were left and passed-on requests, is known to the gateway that is
    started next."""
    with Chain(tmp_path) as chain, limited(chain, budget_tokens=400, budget_period=period) as client:
        key = client.headers["authorization"].removeprefix("Bearer ")
        chain.key = key
        chain.ask(max_tokens=50)
        chain.behave(tokens=100, delay_s=0.001)
        with chain.stream(max_tokens=100) as left:
            left.until(lambda answer: answer.choices[0].text if answer.choices else "")
        eventually(chain.is_idle)
        chain.behave()
        chain.ask(
            "/v1/chat/completions", model=MODEL, stream=True, max_tokens=50, stream_options={"include_usage": True}
        )
        before = error_of(until_refused(lambda: ask(client, max_tokens=50)))
    with Chain(tmp_path) as again, client_of(again.server.url, key) as client:
        after = error_of(ask(client, max_tokens=50))
    assert after["code"] == "quota_exceeded"
    assert LEFT.findall(after["message"]) == LEFT.findall(before["message"]) != []


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_no_request_runs_for_ever(make_chain: Callable[..., Chain], owned_by: str) -> None:
    """A backend that goes on and on is cut at the total deadline: what had come is kept, the rest is lost with the reason."""
    chain = make_chain(owned_by, total_timeout_s=1.5)
    chain.behave(tokens=1_000_000, delay_s=SLOW)
    answer = chain.ask(n=2)
    assert {said.error["code"] for said in answer.choices.values()} == {"backend_timeout"}
    assert "total_timeout_s" in answer.error["message"]
    assert all(answer.texts().values())
    assert not answer.is_done
    whole = chain.post(stream=False)
    assert (whole.status_code, error_of(whole)["code"]) == (504, "backend_timeout")
    with chain.stream("/v1/chat/completions", model=MODEL, stream=True) as passed:
        passed.rest()
    assert "total_timeout_s" in passed.error["message"]
    assert passed.texts()[0]
    chain.behave(fault="stall")
    stalled = error_of(chain.post("/v1/chat/completions", model=MODEL))
    assert (stalled["code"], "total_timeout_s" in stalled["message"]) == ("backend_timeout", True)
    eventually(chain.is_idle)
    assert {backend.breaker.failures for backend in chain.server.gateway.backends} == {0}  # it was we who cut it
    chain.behave()
    assert chain.ask().is_done


def test_a_refusal_is_a_refusal_to_our_client(chain: Chain) -> None:
    """Our own client's error carries the wait."""
    with limited(chain, rpm=1) as client:
        refused = until_refused(lambda: ask(client))
        error: DceError = error_of_answer(refused.status_code, refused.headers, refused.content, chain.server.url)
        assert (error.code, error.kind.is_retryable) == ("rate_limited", True)
        assert error.retry_after_s
