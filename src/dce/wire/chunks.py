"""HTTP chunks, recognised by their length. Pure.

A backend writes an event as one chunk, which arrives in one read: `<size in hex> CRLF <event> CRLF`. The length of such a piece
determines how it must begin, so one comparison recognises it, and a piece known to be one whole chunk needs neither parsing nor
reframing. Anything else (several chunks, part of one, extensions, upper-case digits) goes to the parser.
"""

MAX_WHOLE_CHUNK = 2048
"""Maximum size recognised, framing included: a token's event has 200 to 400 bytes; larger ones (with logprobs) go to the parser."""


def chunk(data: bytes) -> bytes:
    """One chunk of a body. `data` must not be empty: an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def content(framed: bytes) -> bytes:
    """The content of one whole chunk."""
    return framed.partition(b"\r\n")[2][:-2]


def _head(length: int) -> bytes:
    """How a piece of this length begins if it is exactly one chunk; a line feed, which starts no chunk, if none has this length."""
    for digits in range(1, 4):
        head = b"%x\r\n" % max(0, length - digits - 4)
        if len(head) == digits + 2 and length > digits + 4:
            return head
    return b"\n"


CHUNK_HEADS = tuple(map(_head, range(MAX_WHOLE_CHUNK)))
"""Indexed by the length of a piece."""
