"""HTTP's chunks, told by their length."""

from dce.wire.chunks import CHUNK_HEADS, MAX_WHOLE_CHUNK, chunk


def test_every_short_chunk_begins_as_its_length_says() -> None:
    """The table knows each size's framing, and lengths that no chunk has match nothing."""
    lengths = set()
    for size in range(1, MAX_WHOLE_CHUNK):
        framed = chunk(b"x" * size)
        if len(framed) < MAX_WHOLE_CHUNK:
            lengths.add(len(framed))
            assert framed == CHUNK_HEADS[len(framed)] + b"x" * size + b"\r\n"
    for length in set(range(MAX_WHOLE_CHUNK)) - lengths:
        assert CHUNK_HEADS[length] == b"\n"


def test_the_last_chunk_is_the_parsers() -> None:
    """The empty chunk that ends a body is never taken for one with data."""
    assert not b"0\r\n\r\n".startswith(CHUNK_HEADS[5])
