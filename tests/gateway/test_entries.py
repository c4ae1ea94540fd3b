"""However a request ends, each of its responses is one row, and the rows add up to what the client was told."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.accounting.ledger import EndedBy, Entry
from dce.gateway.backends.transport import Exchange
from dce.gateway.paths.entries import RelayResult, RequestFacts, relay_entry, stream_entries
from dce.gateway.streaming.streams import ChoiceState, Stream
from dce.gateway.streaming.tail import Tail
from dce.wire.chat import Usage
from dce.wire.errors import DceError, Hop
from tests.fakes.opener import FakeOpener
from tests.gateway.test_streams import END_OF_STREAM, Ends, Play, frame, usage

FACTS = RequestFacts(
    request_id="r1",
    key_id="k1",
    route="/api/dce/proxy",
    model="m",
    text_bytes=4000,
    began_at=100.0,
    started_at=1e9,
)
PLANS = [[[0], [1], [2]], [[0, 1, 2]], [[0, 1], [2]]]


def backend_of(index: int) -> str:
    """Each response has its own backend."""
    return f"http://b{index}"


def running(tokens: int) -> dict[str, Any]:
    """A running count."""
    return {"usage": {"prompt_tokens": 7, "completion_tokens": tokens}}


Step = st.tuples(st.sampled_from(["token", "finish", "count", "stop", "done", "break"]), st.integers(0, 2))


@settings(max_examples=300, deadline=None)
@given(
    plan=st.sampled_from(PLANS),
    steps=st.lists(Step, max_size=40),
    has_counts=st.booleans(),
    by=st.sampled_from(["client", "gateway"]),
)
def test_random_ends(plan: list[list[int]], steps: list[tuple[str, int]], has_counts: bool, by: EndedBy) -> None:
    """After any order of tokens, ends, counts, stops and breaks: a row for each response, once; tokens are those told."""

    async def scene() -> None:
        play = await Play(plan, output=Ends()).open()
        stream = play.stream
        written = [0, 0, 0]
        for what, at in steps:
            part = next(part for part, indices in enumerate(plan) if at in indices)
            exchange, inner = play.exchanges[part], plan[part].index(at)
            if what in ("token", "finish"):
                written[at] += 1
                more = running(written[at]) if has_counts else {}
                exchange.say(frame(index=inner, finish="length" if what == "finish" else None, **more))
            elif what == "count":
                exchange.say(usage(sum(written[index] for index in plan[part])))
            elif what == "stop":
                stream.stop(at)
            elif what == "done":
                exchange.say(END_OF_STREAM)
            else:
                exchange.end(DceError("stream_interrupted", "broke"))
        told = stream.usage()
        entries = stream_entries(FACTS, stream, backend_of, asyncio.get_running_loop().time(), by)
        check_rows(stream.choices, entries, by)
        counted = [entry for entry in entries if entry.exactness != "estimated"]
        assert sum(entry.completion_tokens for entry in counted) == told.completion_tokens
        assert entries[0].prompt_tokens == told.prompt_tokens or (not told.prompt_tokens and len(counted) < 3)
        assert not any(entry.prompt_tokens + entry.cached_tokens for entry in entries[1:])

    asyncio.run(scene())


def check_rows(choices: list[Any], entries: list[Entry], by: EndedBy) -> None:
    """One row a choice, saying how it ended and by whom."""
    assert [entry.choice for entry in entries] == [0, 1, 2]
    assert [entry.backend for entry in entries] == ["http://b0", "http://b1", "http://b2"]
    expected = {
        ChoiceState.FINISHED: ("finished", "length", "model"),
        ChoiceState.STOPPED: ("stopped", "stopped", "client"),
        ChoiceState.LOST: ("lost", "stream_interrupted", "backend"),
        ChoiceState.OPEN: ("stopped", "gone" if by == "client" else "draining", by),
    }
    for choice, entry in zip(choices, entries, strict=True):
        assert (entry.outcome, entry.finish_reason, entry.ended_by) == expected[choice.state]
        assert (entry.ttft_s is None) is (not choice.last_frame)


def test_a_refused_request_is_lost_whole() -> None:
    """When a backend refuses the request, the responses that were still on their way end with the same error."""

    async def scene() -> None:
        async def send(indices: Sequence[int]) -> Exchange:
            if indices == (0,):
                raise DceError("prompt_too_long", "9000")
            await asyncio.get_running_loop().create_future()
            raise AssertionError("it waits for ever")

        stream = Stream("s", "owner", "m", [[0], [1]])
        with pytest.raises(DceError) as caught:
            await stream.open(FakeOpener(send), patience_s=0.001)
        await stream.close()
        entries = stream_entries(FACTS, stream, backend_of, 101.0, "gateway", caught.value)
        assert [(entry.outcome, entry.finish_reason, entry.ended_by) for entry in entries] == [
            ("lost", "prompt_too_long", "backend")
        ] * 2
        assert [entry.tokens for entry in entries] == [0, 0]

    asyncio.run(scene())


def test_an_uncounted_abort_is_an_estimate() -> None:
    """A backend that counts nothing while it runs: frames and the body's bytes stand for tokens, and the row says so."""

    async def scene() -> None:
        play = await Play([[0]], output=Ends()).open()
        for _ in range(30):
            play.exchanges[0].say(frame())
        (entry,) = stream_entries(FACTS, play.stream, backend_of, 101.0, "client")
        assert (entry.completion_tokens, entry.prompt_tokens, entry.exactness) == (30, 1000, "estimated")

    asyncio.run(scene())


@pytest.mark.parametrize("reason", ["x" * 1000, "Stop!", "the secret plan", "\ud800", ""])
def test_free_text_is_no_reason(reason: str) -> None:
    """What a backend calls the end is kept if it is one plain word; anything else could be content."""

    async def scene() -> None:
        play = await Play([[0]], output=Ends()).open()
        play.stream.finish(0, reason)
        (entry,) = stream_entries(FACTS, play.stream, backend_of, 101.0, "client")
        assert entry.finish_reason == "other"

    asyncio.run(scene())


USAGE = Usage(prompt_tokens=30, completion_tokens=12, cached_tokens=16)


@pytest.mark.parametrize(
    ("relayed", "tokens", "exactness", "end"),
    [
        (RelayResult(n=3, backend="b", tail=Tail(usage=USAGE, finish_reason="stop"), frames=20, is_whole=True), (30, 12), "exact", ("finished", "stop", "model")),
        (RelayResult(n=3, backend="b", tail=Tail(finish_reason="stop"), frames=23, is_whole=True), (1000, 20), "estimated", ("finished", "stop", "model")),
        (RelayResult(n=1, backend="b", tail=Tail(usage=USAGE), frames=13), (30, 12), "running", ("stopped", "gone", "client")),
        (RelayResult(n=3, backend="b", tail=Tail(usage=USAGE), frames=40), (30, 37), "estimated", ("stopped", "gone", "client")),
        (RelayResult(n=2, backend="b", fault=DceError("prompt_too_long", "9000")), (0, 0), "exact", ("lost", "prompt_too_long", "backend")),
        (RelayResult(n=2, backend="b", fault=DceError("internal", "x", hop=Hop.GATEWAY)), (0, 0), "exact", ("lost", "internal", "gateway")),
        (RelayResult(n=1, backend="b"), (0, 0), "running", ("stopped", "gone", "client")),
    ],
    ids=["counted", "uncounted", "aborted, counted", "aborted, n", "refused", "our fault", "aborted before the first byte"],
)  # fmt: skip
def test_passed_on_answers(
    relayed: RelayResult, tokens: tuple[int, int], exactness: str, end: tuple[str, str, str]
) -> None:
    """One row for all responses of a passed-on request, exact where the backend said so and honest where it did not."""
    entry = relay_entry(FACTS, relayed, 103.0, "client")
    assert (entry.prompt_tokens, entry.completion_tokens) == tokens
    assert entry.exactness == exactness
    assert (entry.outcome, entry.finish_reason, entry.ended_by) == end
    assert (entry.responses, entry.duration_s, entry.stream_id) == (relayed.n, 3.0, "r1")


def test_an_entry_is_json() -> None:
    """A row can go to any program as it is."""
    entry = relay_entry(FACTS, RelayResult(n=1, backend="b"), 103.0, "client")
    assert json.loads(json.dumps({name: getattr(entry, name) for name in Entry.__struct_fields__}))
