"""The original extension, unmodified, on the gateway: a stand-in of its reading loop against each way a request can go."""

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.access.limits import Limits
from dce.gateway.app import Gateway
from dce.gateway.check import local_cautions
from dce.gateway.legacy import bound_key
from dce.gateway.logs import JsonLines
from dce.gateway.paths.profiles import LEGACY
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.gateway.streaming.legacy_output import LegacyFrames, LegacyOutput
from dce.wire.errors import DceError, encode_error
from tests.fakes.chain import PROXY, Chain, client_of, error_of, eventually
from tests.fakes.original import MODEL as ORIGINAL
from tests.fakes.original import Slot, _take, ask
from tests.fakes.vllm import MODEL, FakeVllm, said

LIMITED = Limits(rpm=1000, concurrency=8)


def url_of(chain: Chain) -> str:
    """What a user of the original enters as its URL."""
    return f"{chain.server.url}/api/dce/legacy/{chain.key}"


@pytest.fixture
def legacy(make_chain: Callable[..., Chain]) -> Chain:
    """A gateway that takes keys in the route."""
    return make_chain(legacy="route", max_retries=0)


@pytest.mark.parametrize("piece_bytes", [None, 1, 7])
def test_an_answer_is_read_whole(legacy: Chain, piece_bytes: int | None) -> None:
    """All of the text arrives, however the network cuts it, and only the model's own end is read as complete."""
    slot = ask(url_of(legacy), piece_bytes=piece_bytes)
    assert (slot.status, slot.content) == ("complete", said(8))
    assert slot.saw_complete_at == slot.lines
    (sent,) = legacy.fake.chats()
    assert sent["model"] == MODEL
    assert sent["reasoning_effort"] == "medium"


@pytest.mark.parametrize(
    ("asked", "status"), [(ORIGINAL, "complete"), ("local-model", "complete"), (MODEL, "complete"), ("qwen", "error")]
)
def test_its_two_model_names_mean_the_default(legacy: Chain, asked: str, status: str) -> None:
    """Demo mode sends one name and URL mode another, whatever is served; a name that somebody chose and nobody serves is an error."""
    slot = ask(url_of(legacy), model=asked)
    assert (slot.status, slot.http_status) == (status, 200 if status == "complete" else 404)


def test_a_served_model_of_that_name_is_used(make_chain: Callable[..., Chain]) -> None:
    """The name is a stand-in only while it is nobody's."""
    chain = make_chain(legacy="route", fake=FakeVllm(models=[MODEL, ORIGINAL]))
    assert ask(url_of(chain)).status == "complete"
    assert [body["model"] for body in chain.fake.chats()] == [ORIGINAL]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thinking_is_told_under_the_name_it_reads(name: str) -> None:
    """Servers name it either way; the original knows one name, and loses text that rides with the end."""
    frames = LegacyFrames("s", "m", 1)
    chunks: list[dict[str, Any]] = [
        {"delta": {"role": "assistant", "content": ""}, "finish_reason": None},
        {"delta": {name: "hm ", "content": None}, "finish_reason": None},
        {"delta": {name: "so", "content": "he"}},
        {"delta": {"content": "llo"}, "finish_reason": "stop"},
    ]
    slot = read(frames, *[{"choices": [{"index": 0, **chunk}]} for chunk in chunks], {"choices": [], "usage": {}})
    assert (slot.status, slot.thinking, slot.content) == ("complete", "hm so", "hello")
    assert slot.saw_complete_at == slot.lines
    assert frames.of(b"[DONE]") == [b"[DONE]"]


def read(frames: LegacyFrames, *values: dict[str, Any]) -> Slot:
    """What the original makes of the translation of some frames."""
    slot = Slot()
    for value in values:
        for frame in frames.of(msgspec.json.encode(value)):
            assert frame.isascii()
            slot.lines += 1
            _take(slot, frame.decode())
    return slot


def test_half_a_character_is_passed_on() -> None:
    """Two frames with the halves of one character join in the client, as its strings can."""
    frames = LegacyFrames("s", "m", 1)
    halves = [
        rb'{"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}',
        rb'{"choices":[{"index":0,"delta":{"content":"\ude42"}}]}',
    ]
    texts = [json.loads(frame)["choices"][0]["delta"]["content"] for half in halves for frame in frames.of(half)]
    assert texts == ["\ud83d", "\ude42"]
    with pytest.raises(DceError, match="the backend sent"):
        frames.of(b"{")


def test_a_place_in_the_queue_is_not_complete(make_chain: Callable[..., Chain]) -> None:
    """While another request runs, queue frames and heartbeats reach the original, and it goes on waiting."""
    chain = make_chain(legacy="route", max_running_responses=1, heartbeat_s=0.05)
    chain.behave(delay_s=0.05, tokens=30)
    with chain.stream(n=1) as running:
        running.until(lambda answer: answer.texts())
        slot = ask(url_of(chain))
        assert slot.lines > 32
    assert (slot.status, slot.content) == ("complete", said(30))
    assert slot.saw_complete_at == slot.lines


def test_a_queue_that_gives_up_is_an_error_it_shows(make_chain: Callable[..., Chain]) -> None:
    """Before the head it is a status; after it, text in the answer and an end, so that the slot does not hang."""
    for heartbeat_s, queue_timeout_s, http_status in ((10.0, 0.2, 429), (0.01, 1.5, 200)):
        chain = make_chain(
            legacy="route", max_running_responses=1, heartbeat_s=heartbeat_s, queue_timeout_s=queue_timeout_s
        )
        chain.behave(delay_s=0.02, tokens=10_000)
        with chain.stream(n=1) as running:
            running.until(lambda answer: answer.texts())
            slot = ask(url_of(chain))
        assert slot.http_status == http_status
        assert slot.status == ("error" if http_status == 429 else "complete")
        assert ("ERROR at the gateway (queue_full)" in slot.content) is (http_status == 200)


@pytest.mark.parametrize(
    ("fault", "http_status"),
    [
        ("html", 502),
        ("reset", 502),
        ("engine_dead", 502),
        ("death_at_once", 502),
        ("error_at_once", 502),
        ("too_long", 400),
    ],
)
def test_a_failure_before_the_first_word_is_an_error_it_shows(legacy: Chain, fault: str, http_status: int) -> None:
    """The head waits for something to say, so that the only error the original knows is still possible."""
    legacy.behave(fault=fault)
    slot = ask(url_of(legacy))
    assert (slot.status, slot.http_status, slot.content) == ("error", http_status, "")
    eventually(legacy.is_idle)


def test_it_waits_for_a_busy_backend(make_chain: Callable[..., Chain]) -> None:
    """A backend that stays busy is an error it shows, and no notice meanwhile is read as complete."""
    for head_patience_s, status in ((30.0, "error"), (0.02, "complete")):
        chain = make_chain(legacy="route", busy_timeout_s=0.5, heartbeat_s=0.02, head_patience_s=head_patience_s)
        chain.behave(fault="busy")
        slot = ask(url_of(chain))
        assert (slot.status, slot.saw_complete_at) == (status, None if status == "error" else slot.lines)
        assert ("ERROR at the backend (rate_limited)" in slot.content) is (status == "complete")


@pytest.mark.parametrize("fault", ["death", "error_then_done", "no_finish", "silent_end"])
def test_a_failure_in_the_middle_is_told_in_the_answer(legacy: Chain, fault: str) -> None:
    """The text so far is kept, the error stands behind it where both views show it, and the slot ends."""
    legacy.behave(fault=fault)
    slot = ask(url_of(legacy))
    assert (slot.status, slot.is_stuck) == ("complete", False)
    assert slot.content.startswith(said(1))
    assert slot.content.count("ERROR at the backend") == 1
    assert slot.content.rstrip().endswith("</curator_activity>")
    assert "not complete" in slot.content


def test_a_silent_backend_gets_the_head_out_in_time(make_chain: Callable[..., Chain]) -> None:
    """The head does not wait for ever: the original gives up on a connection that is silent for a minute."""
    chain = make_chain(legacy="route", head_patience_s=0.05, heartbeat_s=0.05)
    chain.behave(fault="mute")
    with client_of(chain.server.url, "") as client, client.stream("POST", url_of(chain), json=chain.body()) as response:
        assert response.status_code == 200
        assert next(response.iter_raw()).startswith(b": ")
    eventually(chain.is_idle)
    assert chain.fake.aborted == 1


def test_stopping_one_frees_the_backend_while_it_waits(make_chain: Callable[..., Chain]) -> None:
    """The original stops a response by closing its connection, also before the head."""
    chain = make_chain(legacy="route", head_patience_s=30)
    chain.behave(fault="mute")
    with (
        httpx2.Client(trust_env=False, timeout=0.3) as client,
        pytest.raises(httpx2.TimeoutException),
    ):
        client.post(url_of(chain), json=chain.body())
    eventually(chain.is_idle)
    eventually(lambda: chain.fake.aborted == 1)


def test_a_busy_backend_does_not_bring_the_head_forward() -> None:
    """A notice that a backend is still loading is nothing said: an error after it is still a status, a word after it opens the stream."""
    busy = msgspec.json.encode({"choices": [], "busy": {"choices": [0], "code": "rate_limited", "retry_in_s": 1}})
    word = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'
    lost = (
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"m","code":"backend_error"}}]}'
    )

    async def ready(*later: bytes) -> int:
        output = LegacyOutput(LegacyFrames("s", "m", 1), "s", 4096, 4096, patience_s=60)
        output.frame(busy)
        waiting = asyncio.create_task(output.ready())
        for data in later:
            await asyncio.sleep(0)
            assert not waiting.done()
            output.frame(data)
        await waiting
        output.flush()
        return output.last

    assert asyncio.run(ready(busy, word)) == 3
    with pytest.raises(DceError) as caught:
        asyncio.run(ready(busy, lost))
    assert caught.value.code == "backend_error"


def test_several_responses_in_one_request_are_each_ended() -> None:
    """Older versions asked for n at once: each gets its own text, error and end, once."""
    frames = LegacyFrames("s", "m", 2)
    first = [*frames.of(b'{"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":"length"}]}')]
    late = frames.of(b'{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"},{"index":7,"delta":{}}]}')
    lost = frames.of(encode_error(DceError("stream_interrupted", "gone")))
    assert frames.of(encode_error(DceError("stream_interrupted", "gone"))) == []
    choices = [json.loads(frame)["choices"] for frame in [*first, *late, *lost]]
    assert all(len(one) == 1 for one in choices)
    assert [(one[0]["index"], one[0]["finish_reason"]) for one in choices] == [
        (1, None), (1, "length"), (0, None), (0, "error"),
    ]  # fmt: skip
    assert frames.fault is None


def test_an_error_where_no_output_is_left_is_text_too() -> None:
    """The gateway's own last word on a stream that has started reads the same."""
    slot = Slot()
    for line in LEGACY.event(DceError("draining", "the gateway is stopping"), "r").decode().split("\n\n"):
        if line:
            _take(slot, line.removeprefix("data: "))
    assert slot.status == "complete"
    assert "(draining)" in slot.content


# -- keys --------------------------------------------------------------------------------------------------------------


def test_it_is_off_by_default(chain: Chain) -> None:
    """Neither a key in the URL nor none at all opens anything."""
    assert ask(url_of(chain)).http_status == 401
    assert ask(chain.server.url + PROXY).http_status == 401
    unknown = chain.client.post(url_of(chain), json=chain.body())
    assert (unknown.status_code, chain.key in unknown.text) == (404, False)


def test_the_key_in_the_route_counts_like_any_other(legacy: Chain) -> None:
    """Limits, revoking and the ledger apply; a wrong key, two keys and the ordinary routes stay closed."""
    keys = KeyStore(legacy.folder)
    key, secret = keys.create("colleague", limits=Limits(rpm=2))
    url = f"{legacy.server.url}/api/dce/legacy/{secret}"
    assert [ask(url).http_status for _ in range(3)] == [200, 200, 429]
    other, gone = keys.create("gone")
    keys.revoke(other.id)
    keys.close()
    for path in (f"/api/dce/legacy/{gone}", "/api/dce/legacy/dce_wrong", "/api/dce/legacy/", "/api/dce/legacy", PROXY):
        assert ask(legacy.server.url + path).http_status == 401
    assert error_of(legacy.client.post(url, json=legacy.body()))["code"] == "invalid_key"
    eventually(lambda: legacy.server.gateway.ledger.pending == 0)
    eventually(lambda: legacy.server.gateway.ledger.used(key.id, 0) > 0)


@pytest.mark.parametrize("mode", ["route", "injected"])
def test_revoking_the_key_ends_a_stream_with_words(tmp_path: Path, mode: str) -> None:
    """What the key runs ends within a second, and the original shows why instead of hanging."""
    chain = a_chain_with_a_bound_key(tmp_path) if mode == "injected" else Chain(tmp_path, legacy="route")
    with chain:
        chain.behave(delay_s=0.02, tokens=10_000)
        url = url_of(chain) if mode == "route" else chain.server.url + PROXY
        keys = KeyStore(chain.folder)
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(ask, url)
            eventually(lambda: chain.fake.tokens_sent > 3)
            keys.revoke("legacy" if mode == "injected" else "tester")
            slot = asked.result(timeout=60)
        keys.close()
        assert (slot.status, slot.is_stuck) == ("complete", False)
        assert "ERROR at the gateway (invalid_key): the key was revoked" in slot.content
        eventually(chain.is_idle)


def test_a_key_in_a_path_reaches_no_log(make_chain: Callable[..., Chain], caplog: pytest.LogCaptureFixture) -> None:
    """The log line has the route without the key, also when the key is mistyped or the profile is off."""
    caplog.set_level(logging.DEBUG)
    for mode in ("route", "off"):
        chain = make_chain(legacy=mode)
        canaries = [chain.key, "canary-without-prefix", chain.key + "/more"]
        for canary in canaries:
            ask(f"{chain.server.url}/api/dce/legacy/{canary}")
        mine = {"httpx2", "httpcore2.http11", "httpcore2.connection", "uvicorn.access"}
        text = "\n".join(JsonLines().format(record) for record in caplog.records if record.name not in mine)
        assert text.count("/api/dce/legacy/(key)") >= 3
        assert not [canary for canary in canaries if canary in text]
        caplog.clear()


def a_chain_with_a_bound_key(folder: Path, limits: Limits = LIMITED, **settings: Any) -> Chain:
    """A gateway where callers without a key count as `legacy`. Not started yet."""
    chain = Chain(folder, legacy="injected", legacy_key="legacy", **settings)
    keys = KeyStore(chain.folder)
    keys.create("legacy", limits=limits)
    keys.close()
    return chain


def test_a_bound_key_serves_callers_without_one(tmp_path: Path) -> None:
    """The demo's own path works unmodified; clients of DCE are served as before, and no other route opens."""
    with a_chain_with_a_bound_key(tmp_path) as chain:
        slot = ask(chain.server.url + PROXY)
        assert (slot.status, slot.content) == ("complete", said(8))
        assert slot.saw_complete_at == slot.lines
        answer = chain.ask(n=2)
        assert answer.usage["completion_tokens"] == 16
        with client_of(chain.server.url, "") as nobody:
            for method, path in (
                ("GET", "/v1/models"),
                ("POST", "/v1/chat/completions"),
                ("POST", "/api/dce/generate"),
            ):
                assert nobody.request(method, path, json={}).status_code == 401
            wrong = nobody.post(PROXY, json=chain.body(), headers={"authorization": "Bearer dce_wrong"})
            assert error_of(wrong)["code"] == "invalid_key"
        keys = KeyStore(chain.folder)
        keys.revoke("legacy")
        keys.close()
        assert ask(chain.server.url + PROXY).http_status == 401
        assert chain.post(n=1).status_code == 200


def test_a_key_that_lost_its_limits_closes_the_door(tmp_path: Path) -> None:
    """Nobody without a key gets in while the bound key has no limit, although it had one at the start."""
    with a_chain_with_a_bound_key(tmp_path) as chain:
        keys = KeyStore(chain.folder)
        keys.edit("legacy", dict.fromkeys(("rpm", "tpm", "concurrency", "budget_tokens")))
        assert ask(chain.server.url + PROXY).http_status == 401
        assert chain.post(n=1).status_code == 200
        keys.edit("legacy", {"rpm": 100})
        keys.close()
        assert ask(chain.server.url + PROXY).http_status == 200


def test_its_limits_hold_for_all_of_them_together(tmp_path: Path) -> None:
    """Everybody without a key is one caller."""
    with a_chain_with_a_bound_key(tmp_path, Limits(rpm=2)) as chain:
        assert [ask(chain.server.url + PROXY).http_status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"legacy": "injected"}, "anyone use the gateway"),
        ({"legacy": "injected", "legacy_key": "nobody"}, "no live key"),
        ({"legacy": "injected", "legacy_key": "unlimited"}, "open relay"),
        ({"legacy": "injected", "legacy_key": "models only"}, "open relay"),
        ({"legacy": "injected", "legacy_key": "twice"}, "2 live keys"),
        ({"legacy": "injected", "legacy_key": "expired"}, "has expired"),
        ({"legacy": "injected", "legacy_key": "limited", "insecure": True}, "--insecure"),
        ({"legacy": "route", "insecure": True}, "--insecure"),
    ],
)
def test_it_is_never_an_open_relay(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    """The gateway refuses to start without a key to count against, or with one that has no limit, and says what to do."""
    keys = KeyStore(tmp_path)
    keys.create("unlimited")
    keys.create("models only", limits=Limits(models=("m",), max_n=1))
    keys.create("limited", limits=LIMITED)
    keys.create("twice", limits=LIMITED)
    keys.create("twice", limits=LIMITED)
    keys.create("expired", limits=LIMITED, expires_at=1.0)
    keys.close()
    with pytest.raises(DceError, match=told) as caught:
        Gateway(GatewaySettings(data_dir=str(tmp_path), **settings))
    assert caught.value.code == "invalid_input"
    assert caught.value.hint
    found = local_cautions(GatewaySettings(data_dir=str(tmp_path), **settings), None)
    assert [caution for caution in found if caution.name == "legacy_refused" and told in caution.detail]


@pytest.mark.parametrize("limit", ["rpm", "tpm", "concurrency", "budget_tokens"])
def test_any_limit_on_what_it_costs_is_enough(tmp_path: Path, limit: str) -> None:
    """And the check names the key that everyone uses."""
    keys = KeyStore(tmp_path)
    keys.create("shared", limits=msgspec.convert({limit: 5}, Limits))
    settings = GatewaySettings(data_dir=str(tmp_path), legacy="injected", legacy_key="shared")
    key = bound_key(settings, keys)
    keys.close()
    assert key is not None
    assert key.name == "shared"
    (caution,) = [caution for caution in local_cautions(settings, None) if caution.name == "legacy"]
    assert "'shared'" in caution.detail


def test_the_check_warns_of_keys_in_urls(tmp_path: Path) -> None:
    """Off there is nothing to say; with keys in the route there is."""
    keys = KeyStore(tmp_path)
    keys.create("one")
    keys.close()
    for mode, expected in (("off", []), ("route", ["legacy"])):
        found = local_cautions(GatewaySettings(data_dir=str(tmp_path), legacy=mode), None)  # type: ignore[arg-type]
        assert [caution.name for caution in found if caution.name.startswith("legacy")] == expected


def test_a_reload_cannot_open_it_either(tmp_path: Path) -> None:
    """Settings that would make an open relay are refused, and the old ones stay."""
    keys = KeyStore(tmp_path)
    keys.create("unlimited")
    keys.close()
    settings = GatewaySettings(data_dir=str(tmp_path), backends=(BackendSettings(url="http://127.0.0.1:9"),))
    wanted = msgspec.structs.replace(settings, legacy="injected", legacy_key="unlimited")

    async def reloaded() -> str:
        gateway = Gateway(settings)
        try:
            with pytest.raises(DceError, match="open relay"):
                await gateway.reload(wanted)
            return gateway.settings.legacy
        finally:
            gateway.discard()

    assert asyncio.run(reloaded()) == "off"


@pytest.mark.parametrize("delta", [{}, {"content": "Hello"}])
def test_a_whole_message_counts_only_if_no_delta_said_anything(delta: dict[str, Any]) -> None:
    """A server that says everything in a message beside its delta is read; one that repeats everything there is not read twice."""
    frames = LegacyFrames("s", "m", 1)
    told = []
    for part, reason in ((delta, None), ({}, "stop")):
        choice = {"index": 0, "delta": part, "message": {"content": "Hello"}, "finish_reason": reason}
        if part or reason:
            told += frames.of(json.dumps({"choices": [choice]}).encode())
    texts = [json.loads(frame)["choices"][0]["delta"].get("content", "") for frame in told]
    assert "".join(texts) == "Hello"
