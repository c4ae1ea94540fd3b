"""Frames as bytes: the quick way must never differ from decoding and encoding JSON."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.streaming.frames import MAX_FRAME_BYTES, FrameSplitter, FrameTemplate, index_of, is_plain, with_index
from dce.wire.errors import DceError
from dce.wire.sse import BOM, Decoder

COMPACT, SPACED = (",", ":"), (", ", ": ")
NASTY = [
    '"index":0',
    '"index": 0',
    '\\"index\\":7',
    '"finish_reason":null',
    "\\",
    '"',
    "\n",
    "🙂",
    "}",
    '{"error"',
    "data: ",
    "x",
]
MODEL_TEXT = st.lists(st.sampled_from(NASTY), max_size=6).map("".join) | st.text(max_size=10)
STREAM_BYTES = st.lists(
    st.sampled_from(
        [b"data: ", b"data:", b"\n", b"\r", b"\r\n", b"\n\n", b": note", b"id: 1", b'{"a":1}', "é🙂".encode(), b"\xff"]
    ),
    max_size=14,
).map(b"".join)


def frame_of(text: str, *, finish: str | None, order: str, separators: tuple[str, str], is_ascii: bool) -> bytes:
    """A chunk as vLLM (index first) or llama.cpp (index in the middle) writes it."""
    parts = {"index": 0, "delta": {"content": text}, "finish_reason": finish, "logprobs": None}
    names = ["index", "delta", "logprobs", "finish_reason"] if order == "vllm" else ["finish_reason", "index", "delta"]
    choice = {name: parts[name] for name in names}
    value = (
        {"id": "c1", "model": text, "choices": [choice]} if order == "vllm" else {"choices": [choice], "model": text}
    )
    return json.dumps(value, ensure_ascii=is_ascii, separators=separators).encode()


def split(*pieces: bytes) -> list[bytes]:
    """The data of the frames of a stream given in these pieces."""
    splitter = FrameSplitter()
    return [data for piece in pieces for data in splitter.feed(piece)] + splitter.flush()


@given(
    text=MODEL_TEXT,
    finish=st.sampled_from([None, "stop"]),
    order=st.sampled_from(["vllm", "llama"]),
    separators=st.sampled_from([COMPACT, SPACED]),
    is_ascii=st.booleans(),
    index=st.integers(0, 19),
)
def test_renumbering_by_bytes_equals_renumbering_by_json(
    text: str, finish: str | None, order: str, separators: tuple[str, str], is_ascii: bool, index: int
) -> None:
    """Whatever the model wrote, the quick way changes the choice's index and nothing else, or leaves the frame to JSON."""
    data = frame_of(text, finish=finish, order=order, separators=separators, is_ascii=is_ascii)
    value = json.loads(data)
    if not is_plain(data):
        assert finish or separators is SPACED, "the usual frame must be on the quick way"
        return
    assert finish is None
    assert index_of(data) == 0
    numbered = with_index(data, index)
    assert numbered is not None
    value["choices"][0]["index"] = index
    assert json.loads(numbered) == value
    assert index_of(numbered) == index


def test_frames_with_more_than_one_index_are_not_plain() -> None:
    """Two choices in a frame, or a tool call with an index of its own, are left to JSON."""
    choice = {"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "x"}]}, "finish_reason": None}
    assert not is_plain(json.dumps({"choices": [choice]}, separators=COMPACT).encode())
    plain = {"index": 0, "delta": {}, "finish_reason": None}
    assert not is_plain(json.dumps({"choices": [plain, plain]}, separators=COMPACT).encode())


def test_an_index_that_is_none_is_not_found() -> None:
    """A plain-looking frame whose index is no number, or absurdly long, is left to JSON."""
    assert index_of(b'{"index":null,"finish_reason":null}') == -1
    assert index_of(b'{"index":' + b"1" * 10_000 + b',"finish_reason":null}') == -1
    assert with_index(b'{"index":3,"finish_reason":null}', 5) is None


@given(STREAM_BYTES, st.lists(st.integers(0, 60), max_size=10))
def test_any_chunking_gives_the_same_frames(stream: bytes, places: list[int]) -> None:
    """However the bytes are cut, also one by one, the frames are those of the whole."""
    marks = [0, *sorted({place for place in places if place < len(stream)}), len(stream)]
    whole = split(stream)
    assert split(*(stream[start:end] for start, end in pairwise(marks))) == whole
    assert split(*(bytes([byte]) for byte in stream)) == whole


@given(STREAM_BYTES)
def test_the_splitter_agrees_with_the_decoder(stream: bytes) -> None:
    """The gateway cuts a stream where the standard's reader does; only the spaces around the data differ."""
    decoder = Decoder()
    events = decoder.feed(stream) + decoder.flush()
    expected = [event.data.strip() for event in events if event.data.strip()]
    assert [data.decode("utf-8", "replace").strip() for data in split(stream) if data.strip()] == expected


@given(st.binary(max_size=60))
def test_garbage_never_raises(garbage: bytes) -> None:
    """Any bytes at all are taken, and any frame can be asked whether it is plain."""
    for data in split(garbage):
        if is_plain(data):
            index_of(data)
            with_index(data, 3)


def test_a_frame_comes_as_soon_as_it_is_whole() -> None:
    """Nothing is held back, comments are dropped, data of several lines is joined."""
    splitter = FrameSplitter()
    assert splitter.feed(b": keep-alive\n\ndata: a\n") == []
    assert splitter.feed(b"\ndata: b\ndata: c\n\ndata") == [b"a", b"b\nc"]
    assert splitter.flush() == []


def test_a_frame_without_end_is_refused() -> None:
    """A backend that never ends a frame cannot fill the memory."""
    splitter = FrameSplitter()
    splitter.feed(b"data: " + b"x" * (MAX_FRAME_BYTES - 6))
    with pytest.raises(DceError, match="frame of more than"):
        splitter.feed(b"x")


def usual(text: str, index: int = 0, tokens: int = 3, **more: Any) -> bytes:
    """An event of vLLM with running counts."""
    choice = {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": None, **more}
    return (
        b"data: "
        + json.dumps(
            {"id": "c1", "choices": [choice], "usage": {"completion_tokens": tokens}},
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        + b"\n\n"
    )


def learnt(index: int, text: str = "a") -> FrameTemplate:
    likeness, piece = FrameTemplate(), usual(text)
    numbered = with_index(piece[6:-2], index)
    assert numbered is not None
    likeness.learn(piece, piece[6:-2], numbered)
    return likeness


@given(st.text(), st.integers(0, 19), st.integers(1, 10**6))
def test_a_frame_like_the_one_before_is_renumbered(text: str, index: int, tokens: int) -> None:
    """Whatever the text and the counts: what is taken for alike is the same frame with the other index; else it is left."""
    frame = learnt(index).frame(usual(text, tokens=tokens))
    assert frame == (b"" if '"' in text else usual(text, index, tokens)[6:-2])


@pytest.mark.parametrize(
    "piece",
    [
        usual("a")[:-1],
        usual("a") + b"\n",
        usual("a") + usual("b"),
        usual("a", finish_reason="stop"),
        usual("a", index=1),
        usual("a", delta={"reasoning": "a"}),
        usual("a", delta={"content": "a", "tool_calls": [{"index": 0}]}),
        usual("a").replace(b'"a"', b'"a\n\n"'),
        usual("a").replace(b'"a"', b'"a\r"'),
        usual("a").replace(b'"a"', b'"a\\""'),
        usual("a").replace(b'"a"', b'"a"},"finish_reason":"stop"},{"index":0,"delta":{"content":"b"'),
        b"",
        b"data: [DONE]\n\n",
        b": comment\n\n",
    ],
)
def test_what_is_not_alike_is_left(piece: bytes) -> None:
    """A frame of another shape, half of one, two at once, or one that hides something in its text goes the long way."""
    assert learnt(3).frame(piece) == b""


def test_nothing_is_alike_before_something_is_learnt() -> None:
    """Only an event of its own, in the usual form, with a text that ends at its quote teaches anything."""
    likeness = FrameTemplate()
    assert likeness.frame(usual("a")) == b""
    for piece in (
        b"data:" + usual("a")[6:],
        usual("a") + usual("b"),
        usual('a"'),
        usual("a", delta={"role": "x", "n": 1}),
    ):
        data = usual("a")[6:-2] if piece.count(b"data:") > 1 else piece.removeprefix(b"data:").strip()
        likeness.learn(piece, data, data)
        assert likeness.frame(usual("a")) == b""
    assert learnt(0).frame(usual("b")) == usual("b")[6:-2]


def test_a_frame_of_several_lines_is_not_plain() -> None:
    """Data that came in several lines is decoded: passed on as it is, its second line would belong to no event."""
    splitter = FrameSplitter()
    (data,) = splitter.feed(b'data: {"choices":[{"index":0,\ndata: "finish_reason":null}]}\n\n')
    assert not is_plain(data)
    assert is_plain(data.replace(b"\n", b""))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error": "CUDA out of memory"}', b"CUDA"),
        (b"upstream said no\n", b"upstream"),
        (b": comment\n", b""),
        (b"", b""),
    ],
)
def test_a_body_that_is_no_event_stream_is_told(body: bytes, says: bytes) -> None:
    """Under status 200 some servers send an error as JSON or plain text: it is told, but only where no event came before it."""
    splitter = FrameSplitter()
    assert splitter.feed(body) + splitter.flush() == []
    assert says.decode() in splitter.said.message if splitter.said else not says
    splitter.feed(b"data: {}\n\n" + body)
    splitter.flush()
    assert splitter.said is None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_a_byte_order_mark_is_part_of_no_frame(size: int) -> None:
    """The first frame of a stream that begins with one is not lost, wherever the mark is cut; a stream of half a mark has no frame."""
    splitter, data = FrameSplitter(), BOM + b"data: one\n\ndata: two\n\n"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == [b"one", b"two"]
    splitter = FrameSplitter()
    assert splitter.feed(BOM[:2]) == splitter.flush() == []
