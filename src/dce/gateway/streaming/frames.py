"""Frames of an event stream as bytes: split, inspected and renumbered without parsing JSON. Pure.

The usual frame holds one unfinished choice. It is recognised, and its index read and rewritten, by byte search; only the few others
(a choice's last frame, usage, errors) are decoded. The usual frame also resembles the one before it: with the same beginning, the same
end and no quote between, it is the same frame with another text (`FrameTemplate`). A JSON string cannot contain an unescaped quote, so
the patterns below cannot occur inside text the model wrote.
"""

import re

import msgspec

from dce.wire.chat import read_error
from dce.wire.errors import DceError, ErrorBody
from dce.wire.sse import Beginning, Decoder

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Maximum frame size: a token with twenty logprobs takes 3 KB; a backend that never ends a frame is broken."""

MAX_TOLD_BYTES = 2048
"""How much of a body that is no event stream is read for its error."""

_FIELD = re.compile(rb"(?m)^(?:data|event|id|retry|error)?:")
_UNFINISHED = b'"finish_reason":null'
_INDEX = b'"index":'
_FIRST = b'"index":0'
_TEXT = re.compile(rb'"delta":\{"\w+":"')
_DIGITS = b"0123456789"
_LF, _CR = b"\n\r"


class FrameSplitter:
    """Splits bytes, in pieces of any size, into the data of whole frames, without comments and without a byte order mark."""

    def __init__(self) -> None:
        self._beginning = Beginning()
        self._tail = b""
        self._rest = b""
        self._has_frames = False

    @property
    def is_between_frames(self) -> bool:
        """Whether no partial frame is buffered."""
        return not self._tail and self._beginning.is_over

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the frames that `piece` completes. Raises DceError when a frame has no end."""
        if not self._beginning.is_over:
            piece = self._beginning.strip(piece)
        buffer = self._tail + piece if self._tail else piece
        if b"\r" in buffer:
            # A CR at the very end may be the first half of a CRLF, so it is kept.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *frames, self._tail = buffer.split(b"\n\n")
        if len(self._tail) > MAX_FRAME_BYTES:
            raise DceError("backend_error", f"the backend sent a frame of more than {MAX_FRAME_BYTES} bytes")
        found = [data for frame in frames if (data := _data_of(frame))]
        self._has_frames = self._has_frames or bool(found)
        return found

    def flush(self) -> list[bytes]:
        """The last frame, if the stream ended without a blank line after it."""
        tail, self._tail = (self._tail + self._beginning.rest()).strip(b"\r\n"), b""
        data = _data_of(tail)
        self._rest = b"" if data or _FIELD.search(tail) else tail
        return [data] if data else []

    @property
    def said(self) -> ErrorBody | None:
        """What a backend said, after `flush`, that sent no event stream at all: an error as JSON or plain text, under status 200."""
        is_told = bool(self._rest) and not self._has_frames
        return read_error(self._rest[:MAX_TOLD_BYTES].decode("utf-8", "replace")) if is_told else None


def _data_of(frame: bytes) -> bytes:
    """The data of one frame. The usual form, a single `data:` line, takes the fast path."""
    frame = frame.lstrip(b"\n")
    if frame.startswith(b"data:") and b"\n" not in frame:
        return frame[5:].lstrip(b" ")
    if any(line.startswith((b"error:", b"event: error", b"event:error")) for line in frame.split(b"\n")):
        return _error_of(frame)
    lines = [line[5:].removeprefix(b" ") for line in frame.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _error_of(frame: bytes) -> bytes:
    """The data of a frame that reports an error in a field of its own or by the event's type, as an error object."""
    said = "\n".join(event.data for event in Decoder().feed(frame + b"\n\n"))
    return msgspec.json.encode({"error": read_error(said)})


def is_plain(data: bytes) -> bool:
    """Whether this is the usual frame in compact JSON: one line, one choice, not finished."""
    return _UNFINISHED in data and data.count(_INDEX) == 1 and _LF not in data


def index_of(data: bytes) -> int:
    """The choice index of a plain frame; -1 if it is not where expected."""
    at = data.find(_INDEX) + len(_INDEX)
    end = at
    while data[end : end + 1].isdigit():
        end += 1
    return int(data[at:end]) if at < end <= at + 4 else -1


def with_index(data: bytes, index: int, was: int = 0) -> bytes | None:
    """A plain frame renumbered: its index `was` becomes `index`. None if it has another."""
    name = b'"index":%d' % was if was else _FIRST
    return data.replace(name, b'"index":%d' % index, 1) if name in data else None


class FrameTemplate:
    """What the frames of one choice have in common, so that the next is recognised and renumbered by comparing instead of searching.

    Learnt from a plain frame that arrived as one event. Another piece is the same frame with another text if it has the same beginning
    (up to the text's opening quote) and the same end (from its closing quote), except for digits (running counts). The text between
    contains no quote, so it cannot hide anything. A text with an escaped quote does not match and takes the slow path.
    """

    def __init__(self) -> None:
        self._start = self._numbered = self._end = b""

    def learn(self, piece: bytes, data: bytes, numbered: bytes) -> None:
        """`piece` is the event as received, `data` its plain frame, `numbered` the same with the client's index."""
        begin = _TEXT.search(data)
        if begin is None or not piece.startswith(b"data: ") or piece[6:] != data + b"\n\n":
            return
        text = begin.end()
        end = data.find(b'"', text)
        if _INDEX in data[:text] and data[end - 1 : end] != b"\\":
            self._start = piece[: 6 + text]
            self._numbered = numbered[: len(numbered) - len(data) + text]
            self._end = piece[6 + end + 1 :].translate(None, _DIGITS)

    def frame(self, piece: bytes) -> bytes:
        """The renumbered data of an event that matches the template; empty for any other."""
        start = self._start
        at = len(start)
        if not at or piece[:at] != start:  # a slice: `startswith` spends longer parsing its arguments
            return b""
        rest = piece[at:]
        text, _, end = rest.partition(b'"')
        if end.translate(None, _DIGITS) != self._end or _LF in text or _CR in text:
            return b""
        return self._numbered + rest[:-2]
