"""What a client sees while it waits: its place in frames, comments or not at all; and that leaving gives the place up."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager

import msgspec
import openai
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.paths.queue_notice import queued_frame
from dce.wire.chat import read_chunks
from dce.wire.sse import Decoder
from dce.workspace.generating.provider import Ended, GatewayProvider, GenerationRequest, Opened, ProviderEvent, Queued
from tests.fakes.chain import PROXY, SLOW, TOKENS, Answer, Chain, check_sound, client_of, error_of, eventually
from tests.fakes.vllm import MODEL, said
from tests.gateway.test_openai_sdk import MESSAGES, sdk


@contextmanager
def busy(chain: Chain) -> Iterator[Answer]:
    """A stream that has all the room there is, until the block is left; later ones are quick."""
    chain.behave(tokens=1_000_000, delay_s=SLOW)
    with chain.stream() as answer:
        answer.until(lambda read: read.choices)
        chain.behave()
        yield answer


def depth(chain: Chain) -> int:
    """Requests that wait."""
    return chain.server.gateway.admission.queue_depth


def places(answer: Answer) -> list[int]:
    """The places that were told."""
    values = [msgspec.json.decode(event.data) for event in Decoder().feed(answer.raw) if event.data != "[DONE]"]
    return [value["queued"]["position"] for value in values if "queued" in value]


@pytest.fixture
def narrow(make_chain: Callable[..., Chain]) -> Chain:
    """A gateway with room for one response."""
    return make_chain(max_running_responses=1)


def test_a_stream_that_waits_begins_with_its_place(narrow: Chain) -> None:
    """The head comes at once and says that it waits; then the place, then that the turn has come, then the responses, all with ids
    that count on."""
    with busy(narrow):
        waiting = narrow.stream(n=1)
        answer = waiting.__enter__()
        answer.until(places)
        assert answer.response.headers["x-dce-queued"] == "1"
        assert answer.stream_id
        assert not answer.choices
    answer.rest()
    waiting.__exit__(None, None, None)
    assert places(answer) == [1, 0]
    check_sound(answer, 1)


def test_who_does_not_wait_is_told_nothing(narrow: Chain) -> None:
    """Without a queue a stream is what it always was."""
    answer = narrow.ask()
    assert "x-dce-queued" not in answer.response.headers
    assert places(answer) == []


def test_a_stream_that_waited_can_be_resumed(narrow: Chain) -> None:
    """Frames of the queue count among those that a client has seen."""
    with busy(narrow):
        waiting = narrow.stream(n=1)
        answer = waiting.__enter__()
        answer.until(places)
        narrow.behave(tokens=200, delay_s=0.001)
    answer.until(lambda read: read.choices)
    seen = answer.ids[-1]
    headers = {"last-event-id": seen}
    with narrow.client.stream("GET", f"/api/dce/streams/{answer.stream_id}", headers=headers) as response:
        resumed = Answer(response).rest()
    waiting.__exit__(None, None, None)
    first = int(seen.split(":")[1]) + 1
    assert [int(number.split(":")[1]) for number in resumed.ids] == list(range(first, first + len(resumed.ids)))
    assert resumed.is_done


def test_leaving_gives_up_the_place(narrow: Chain) -> None:
    """A client that goes while it waits is forgotten at once, and no backend ever hears of it."""
    with busy(narrow):
        with narrow.stream(n=1) as answer:
            answer.until(places)
            assert depth(narrow) == 1
        eventually(lambda: depth(narrow) == 0)
        assert narrow.fake.chats() == []
    eventually(narrow.is_idle)


def test_places_move_up(narrow: Chain) -> None:
    """When one before it has left, a waiting stream is told its new place."""
    with busy(narrow):
        first, second = narrow.stream(), narrow.stream()
        answers = [first.__enter__()]
        eventually(lambda: depth(narrow) == 1)
        answers.append(second.__enter__())
        answers[1].until(lambda read: places(read) == [2])
        first.__exit__(None, None, None)
        answers[1].until(lambda read: places(read) == [2, 1])
    answers[1].rest()
    second.__exit__(None, None, None)
    assert places(answers[1]) == [2, 1, 0]


def test_our_own_client_shows_the_place(narrow: Chain) -> None:
    """The client's provider tells the place, then opens the stream, then goes on as ever."""

    async def read() -> list[ProviderEvent]:
        provider = GatewayProvider(narrow.server.url, narrow.key)
        async with aclosing(provider.stream(GenerationRequest(prompt="x", n=2))) as events:
            return [event async for event in events]

    with ThreadPoolExecutor(1) as pool:
        with busy(narrow):
            reading = pool.submit(asyncio.run, read())
            eventually(lambda: depth(narrow) == 1)
        events = reading.result()
    assert events[0] == Queued(position=1)
    assert isinstance(events[1], Opened)
    assert events[1].stream_id
    assert [event.finish_reason for event in events if isinstance(event, Ended)] == ["stop"] * 2


def test_json_just_waits(narrow: Chain) -> None:
    """Whoever wants one answer gets it when it is there."""
    with ThreadPoolExecutor(1) as pool:
        with busy(narrow):
            asking = pool.submit(lambda: narrow.post(stream=False))
            eventually(lambda: depth(narrow) == 1)
        assert asking.result().json()["responses"] == [said(TOKENS)]


def test_a_passed_on_stream_gets_comments(make_chain: Callable[..., Chain]) -> None:
    """The OpenAI SDK waits through the comments and reads the stream behind them."""
    chain = make_chain(max_running_responses=1, heartbeat_s=0.01)
    with ThreadPoolExecutor(1) as pool, sdk(chain, chain.key) as client:

        def read() -> str:
            with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
                return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

        with busy(chain):
            with chain.stream("/v1/chat/completions", model=MODEL, stream=True) as raw:
                raw.until(lambda answer: b": queued, number 1\n\n" in answer.raw)
            reading = pool.submit(read)
            eventually(lambda: depth(chain) == 1)
        assert reading.result() == said(TOKENS)


def test_waiting_in_vain_ends_with_the_error(make_chain: Callable[..., Chain]) -> None:
    """After the queue's time limit a stream that has begun ends with an error frame, JSON is answered with 429."""
    chain = make_chain(max_running_responses=1, queue_timeout_s=1.0)
    with busy(chain):
        answer = chain.ask()
        assert (answer.error["code"], answer.error["hop"]) == ("queue_full", "gateway")
        assert answer.ids == [f"{answer.stream_id}:1", f"{answer.stream_id}:2"]
        assert not answer.is_done
        refused = chain.post(stream=False)
        assert (refused.status_code, error_of(refused)["code"]) == (429, "queue_full")
        assert refused.headers["retry-after"] == "10"


def test_a_backend_that_refuses_after_the_wait(narrow: Chain) -> None:
    """A refusal that comes when the stream has begun is an error frame, for the system's own route and the passed-on one alike."""
    with busy(narrow):
        waiting = narrow.stream()
        answer = waiting.__enter__()
        answer.until(places)
        narrow.behave(fault="too_long")
    answer.rest()
    waiting.__exit__(None, None, None)
    assert answer.error["code"] == "prompt_too_long"
    assert answer.ids == [f"{answer.stream_id}:{at + 1}" for at in range(len(answer.ids))]
    eventually(narrow.is_idle)


def test_a_full_queue_is_a_rate_limit_to_sdks(make_chain: Callable[..., Chain]) -> None:
    """`RateLimitError`, with our code, the next step and when to come again."""
    chain = make_chain(max_running_responses=1, max_queued_requests=0)
    with busy(chain), sdk(chain, chain.key) as client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert refused.value.code == "queue_full"
    assert refused.value.response.headers["retry-after"] == "10"


def test_the_frame_is_one_that_others_pass_over() -> None:
    """An OpenAI chunk without choices, which our own reader takes for a place."""
    data = queued_frame("s1", "m", 3)
    (chunk,) = read_chunks(data.decode())
    assert (chunk.queue_position, chunk.choices, chunk.id, chunk.model) == (3, (), "s1", "m")
    assert openai.types.chat.ChatCompletionChunk.construct(**msgspec.json.decode(data)).choices == []


@pytest.mark.parametrize(
    ("path", "type_at"), [("/v1/chat/completions", ("error", "type")), ("/v1/messages", ("error", "type")), (PROXY, ())]
)
def test_a_key_revoked_in_the_queue(narrow: Chain, path: str, type_at: tuple[str, ...]) -> None:
    """A request whose key is revoked while it waits never reaches a backend: 401 in the shape of its route."""
    keys = KeyStore(narrow.folder)
    owner, secret = keys.create("revoked meanwhile")
    with ThreadPoolExecutor() as pool, client_of(narrow.server.url, secret) as client:
        with busy(narrow):
            waiting = pool.submit(client.post, path, json=narrow.body(stream=False, max_tokens=5))
            eventually(lambda: depth(narrow) == 1)
            keys.revoke(owner.id)
        answer = waiting.result()
    keys.close()
    assert answer.status_code == 401
    value = answer.json()
    assert "revoked" in value["error"]["message"]
    for name in type_at:
        value = value[name]
    assert not type_at or value == "authentication_error"
    assert narrow.fake.posts() == []
    eventually(lambda: narrow.server.gateway.is_idle)


def test_a_stream_whose_key_is_revoked_in_the_queue(narrow: Chain) -> None:
    """It has begun already, so it is told in an event, with the gateway as the hop, and never with an end that looks good."""
    keys = KeyStore(narrow.folder)
    owner, secret = keys.create("revoked meanwhile")
    with client_of(narrow.server.url, secret) as client:
        with busy(narrow):
            waiting = client.stream("POST", PROXY, json=narrow.body(n=1))
            answer = Answer(waiting.__enter__()).until(places)
            keys.revoke(owner.id)
        answer.rest()
        waiting.__exit__(None, None, None)
    keys.close()
    assert (answer.error["code"], answer.error["hop"]) == ("invalid_key", "gateway")
    assert not answer.is_done
    assert not answer.choices
