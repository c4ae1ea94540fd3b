"""A stream whose connection breaks is resumed where it broke: no gap, no repetition, and an honest error if that is impossible."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from dce.workspace.generating.provider import (
    RESUME_DELAYS_S,
    Delta,
    Ended,
    GatewayProvider,
    GenerationRequest,
    Opened,
    ProviderEvent,
)
from tests.fakes.gateway import END, Asked, FakeGateway, Step, json_answer, piece, stream_head


def _frame(number: int, text: str = "", finish: str | None = None) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return b"id: s1:%d\ndata: %b\n\n" % (number, msgspec.json.encode(chunk))


_DONE = b"data: [DONE]\n\n"


def _play(*scripts: Sequence[Step]) -> tuple[list[ProviderEvent], list[Asked]]:
    async def work() -> tuple[list[ProviderEvent], list[Asked]]:
        async with FakeGateway.serve(*scripts) as gateway, asyncio.timeout(100):
            provider = GatewayProvider(gateway.url, "key")
            async with aclosing(provider.stream(GenerationRequest(prompt="p", n=1))) as events:
                seen = [event async for event in events if not isinstance(event, Opened)]
            return list[ProviderEvent](seen), gateway.asked

    return asyncio.run(work())


def _text(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def test_a_cut_stream_goes_on_where_it_broke() -> None:
    """If the stream is cut inside a frame, even after its id, it is resumed after the last whole one."""
    half = _frame(3, "c")[:12]
    events, asked = _play(
        [stream_head(), piece(_frame(1, "a") + _frame(2, "b") + half)],
        [stream_head(), piece(_frame(3, "c") + _frame(4, "d"))],
        [stream_head(), piece(_frame(5, "e", "stop") + _DONE), END],
    )
    assert [(one.method, one.path) for one in asked[1:]] == [
        ("GET", "/api/dce/streams/s1?after=2"),
        ("GET", "/api/dce/streams/s1?after=4"),
    ]
    assert _text(events) == "abcde"
    assert events[-1] == Ended(index=0, finish_reason="stop")


def test_a_stream_cut_before_its_first_frame_is_asked_for_from_the_beginning() -> None:
    """A cut while only heartbeats come, since the backend is still reading the prompt, loses nothing either."""
    events, asked = _play(
        [stream_head(), piece(b": ping\n\n")], [stream_head(), piece(_frame(1, "a", "stop") + _DONE), END]
    )
    assert asked[1].path.endswith("?after=0")
    assert _text(events) == "a"


def test_a_stream_that_is_gone_ends_with_what_was_lost() -> None:
    """A gateway that no longer has the stream is asked once; the error names the broken connection, and the text is kept."""
    gone = {"error": {"message": "no such stream", "type": "x", "code": "not_found", "hop": "gateway"}}
    events, asked = _play([stream_head(), piece(_frame(1, "a"))], [json_answer(gone, 404)])
    assert len(asked) == 2
    assert _text(events) == "a"
    assert isinstance(events[-1], Ended)
    assert events[-1].error is not None
    assert events[-1].error.code == "stream_interrupted"


def test_frames_without_numbers_are_not_asked_for_again() -> None:
    """If the gateway does not number its frames, the stream is not resumed, since that would repeat text."""
    chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    events, asked = _play([stream_head(), piece(chunk)])
    assert len(asked) == 1
    assert _text(events) == "a"


def test_attempts_without_progress_are_limited() -> None:
    """A gateway that cuts every connection is not retried forever."""
    _, asked = _play([stream_head(), piece(b": ping\n\n")])
    assert len(asked) == 1 + len(RESUME_DELAYS_S)


def test_every_success_allows_as_many_attempts_again() -> None:
    """Only consecutive attempts are limited: one that brings a frame resets their count and their waits."""
    cut = [stream_head(), piece(b": ping\n\n")]
    events, asked = _play(cut, cut, cut, [stream_head(), piece(_frame(1, "a"))], cut)
    assert len(asked) == 4 + len(RESUME_DELAYS_S)
    assert _text(events) == "a"
