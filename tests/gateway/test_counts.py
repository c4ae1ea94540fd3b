"""What choices cost, from what backends of every dialect say, and what is made of it when they say little."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.accounting.counts import Count, counts, total
from dce.wire.chat import Usage


@dataclass
class FakeChoice:
    """A choice of a stream that has ended."""

    index: int
    last_frame: bytes = b""
    usage: Usage | None = None
    is_finished: bool = False


@dataclass
class FakePart:
    """A backend request."""

    indices: tuple[int, ...]
    sum: Usage | None = None


def frame(completion: int | None, prompt: int = 7) -> bytes:
    """A frame with a running count, or without."""
    usage = {} if completion is None else {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
    return json.dumps({"choices": [{"index": 0, "delta": {}}], **usage}).encode()


def test_what_the_backend_said_last_counts() -> None:
    """A final count is exact; a running one is exact for a finished choice and within a frame for another; none is an estimate."""
    choices = [
        FakeChoice(0, frame(3), Usage(prompt_tokens=7, completion_tokens=4), is_finished=True),
        FakeChoice(1, frame(5), is_finished=True),
        FakeChoice(2, frame(6)),
        FakeChoice(3, frame(None)),
        FakeChoice(4),
    ]
    found = counts([FakePart((at,)) for at in range(5)], choices, frames=50)
    assert [(count.usage.completion_tokens, count.exactness) for count in found] == [
        (4, "exact"),
        (5, "exact"),
        (6, "running"),
        (10, "estimated"),
        (0, "exact"),
    ]
    assert total(found) == Usage(prompt_tokens=7, completion_tokens=15)


@given(
    st.lists(st.integers(0, 50) | st.none(), min_size=2, max_size=6),
    st.integers(0, 400),
)
def test_a_sum_is_shared_without_loss(running: list[int | None], whole: int) -> None:
    """A sum over several choices is told whole: each has its own running count, the first has the rest."""
    choices = [FakeChoice(at, frame(count)) for at, count in enumerate(running)]
    said = sum(count or 0 for count in running)
    (part,) = [FakePart(tuple(range(len(running))), Usage(prompt_tokens=7, completion_tokens=said + whole))]
    found = counts([part], choices, frames=100)
    assert total(found) == Usage(prompt_tokens=7, completion_tokens=said + whole)
    assert [count.usage.completion_tokens for count in found[1:]] == [count or 0 for count in running[1:]]
    assert {count.exactness for count in found} == {"exact"}


@pytest.mark.parametrize("data", [b"", b"not JSON", b"[1]", b'{"usage": 5}', b"\xff\xfe"])
def test_a_broken_last_frame_is_no_count(data: bytes) -> None:
    """Whatever a backend sent last, counting does not fail."""
    (count,) = counts([FakePart((0,))], [FakeChoice(0, data)], frames=3)
    assert count == (
        Count() if not data else Count(usage=Usage(completion_tokens=3), exactness="estimated", is_known=False)
    )
