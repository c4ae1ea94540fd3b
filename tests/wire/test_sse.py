"""Reading and writing event streams, whatever way the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.sse import Decoder, Event, EventTooLarge, comment, encode

LINE_ENDS = ("\n", "\r", "\r\n")
STREAM_TEXT = st.text(st.sampled_from(list("data: \n\r:xié🙂\0\ufeff")), max_size=60)
PLAIN_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)


def read(*pieces: bytes) -> list[Event]:
    """The events of a whole stream given in these pieces."""
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` cut at the places that lie inside it."""
    marks = [0, *sorted({place for place in places if place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@given(STREAM_TEXT, st.lists(st.integers(0, 240), max_size=12))
def test_any_chunking_gives_the_same_events(text: str, places: list[int]) -> None:
    """However a stream is cut, inside characters, line ends or field names, the events are those of the whole."""
    whole = text.encode()
    assert read(*cut(whole, places)) == read(whole)


@given(st.binary(max_size=80))
def test_byte_at_a_time_equals_whole_and_garbage_never_raises(garbage: bytes) -> None:
    """Any bytes at all are taken, one by one as well as whole."""
    assert read(*(bytes([byte]) for byte in garbage)) == read(garbage)


@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
def test_every_line_end_counts(end: str) -> None:
    """LF, CR and CRLF end lines alike, byte by byte too."""
    stream = end.join(["event: tick", "id: 7", "data: Grüße", "data: 日本", "", "data: b", "", ""]).encode()
    expected = [Event("Grüße\n日本", "tick", "7"), Event("b", "message", "7")]
    assert read(stream) == expected
    assert read(*(bytes([byte]) for byte in stream)) == expected


@pytest.mark.parametrize(
    "separator", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"], ids=lambda s: f"U+{ord(s):04X}"
)
def test_nothing_else_ends_a_line(separator: str) -> None:
    """Characters that Python's str.splitlines would split at are text like any other."""
    assert read(f"data: a{separator}b\n\n".encode()) == [Event(f"a{separator}b")]


def test_an_event_comes_as_soon_as_it_is_whole() -> None:
    """Nothing is held back: the blank line gives the event, before more bytes come."""
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("a")]
    assert decoder.feed(b"data: b\r\n\r") == []
    assert decoder.feed(b"\n") == [Event("b")]


def test_small_print_of_the_standard() -> None:
    """A leading BOM, comments, unknown fields, a field without colon, one space after it, empty data, NUL in an id."""
    stream = b"\xef\xbb\xbfdata:a\n\n: note\nretry: 5\nnonsense\n\ndata\n\ndata:  b\nid: 1\nid: x\0\n\nevent: e\n\n"
    assert read(stream) == [Event("a"), Event(""), Event(" b", "message", "1")]


def test_a_last_event_without_its_blank_line_is_kept() -> None:
    """A stream that ends right after its last line, or in the middle of it, still gives that event."""
    assert read(b"data: a\n\ndata: b") == [Event("a"), Event("b")]
    assert read(b"data: b\n") == [Event("b")]
    assert read(b"data: b\r") == [Event("b")]
    assert read(b"data: \xf0\x9f") == [Event("\ufffd")]
    assert read(b"da") == []


def test_an_event_without_end_is_refused() -> None:
    """A peer that never ends an event cannot fill the memory, in one line or in many."""
    with pytest.raises(EventTooLarge):
        Decoder(max_event_bytes=10).feed(b"data: 12345678")
    decoder = Decoder(max_event_bytes=10)
    with pytest.raises(EventTooLarge):
        [decoder.feed(b"data: 12\n") for _ in range(9)]


@given(st.lists(PLAIN_TEXT, min_size=1, max_size=4).map("\n".join), PLAIN_TEXT, PLAIN_TEXT)
def test_what_is_encoded_is_decoded(data: str, event: str, name: str) -> None:
    """encode and Decoder are inverses for any data, event name and id, with heartbeats between."""
    framed = comment("keep-alive") + encode(data, event=event, id=name) + comment()
    assert read(framed) == [Event(data, event or "message", name)]
