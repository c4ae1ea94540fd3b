"""HTTP's chunks, told by their length. Pure.

A backend writes an event as one chunk, and one read brings it: `<size in hex> CRLF <event> CRLF`. How such a piece must begin
follows from its length alone, so that one comparison finds it, and what is known to be one whole chunk needs no parser and no
framing anew. Whatever is framed otherwise (several chunks, half of one, extensions, upper-case digits) is the parser's.
"""

MAX_WHOLE_CHUNK = 2048
"""Longest piece looked at, framing included: a token's event has 200 to 400 bytes, one with logprobs goes to the parser."""


def chunk(data: bytes) -> bytes:
    """One chunk of a body. `data` must not be empty: that would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def content(framed: bytes) -> bytes:
    """What one whole chunk holds."""
    return framed.partition(b"\r\n")[2][:-2]


def _head(length: int) -> bytes:
    """How a piece of that length begins that is exactly one chunk; a line feed, which begins no chunk, if none has that length."""
    for digits in range(1, 4):
        head = b"%x\r\n" % max(0, length - digits - 4)
        if len(head) == digits + 2 and length > digits + 4:
            return head
    return b"\n"


CHUNK_HEADS = tuple(map(_head, range(MAX_WHOLE_CHUNK)))
"""By the length of a piece."""
