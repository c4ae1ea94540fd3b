"""Frames of an event stream as bytes: cut, looked at and renumbered without JSON. Pure.

The usual frame of a stream holds one choice that is not finished yet. It is recognised, its index read and rewritten by
byte search; only the few others (a choice's last, usage, errors) are decoded. A JSON string cannot contain an unescaped
quote, so the patterns below cannot occur inside the text that the model wrote.
"""

from dce.wire.errors import DceError

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Longest frame of a backend: a token with twenty logprobs has 3 KB; a backend that never ends one is broken."""

_UNFINISHED = b'"finish_reason":null'
_INDEX = b'"index":'
_FIRST = b'"index":0'


class FrameSplitter:
    """Bytes in any pieces to the data of whole frames, comments left out."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the frames that `piece` completes. Raises DceError when a frame has no end."""
        buffer = self._tail + piece if self._tail else piece
        if b"\r" in buffer:
            # A CR at the very end may be half of a CRLF; it waits for its other half.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *frames, self._tail = buffer.split(b"\n\n")
        if len(self._tail) > MAX_FRAME_BYTES:
            raise DceError("backend_error", f"the backend sent a frame of more than {MAX_FRAME_BYTES} bytes")
        return [data for frame in frames if (data := _data_of(frame))]

    def flush(self) -> list[bytes]:
        """The frame left without its blank line when the stream ended."""
        tail, self._tail = self._tail.strip(b"\r\n"), b""
        data = _data_of(tail)
        return [data] if data else []


def _data_of(frame: bytes) -> bytes:
    """The data of one frame. Only the usual form, one `data:` line, is on the quick way."""
    frame = frame.lstrip(b"\n")
    if frame.startswith(b"data:") and b"\n" not in frame:
        return frame[5:].lstrip(b" ")
    lines = [line[5:].removeprefix(b" ") for line in frame.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def is_plain(data: bytes) -> bool:
    """Whether this is the usual frame in the usual, compact spelling: one choice, not finished."""
    return _UNFINISHED in data and data.count(_INDEX) == 1


def index_of(data: bytes) -> int:
    """The choice index of a plain frame; -1 if it is not where it should be."""
    at = data.find(_INDEX) + len(_INDEX)
    end = at
    while data[end : end + 1].isdigit():
        end += 1
    return int(data[at:end]) if at < end <= at + 4 else -1


def with_index(data: bytes, index: int, was: int = 0) -> bytes | None:
    """A plain frame renumbered: its index `was` becomes `index`. None if it has another."""
    name = b'"index":%d' % was if was else _FIRST
    return data.replace(name, b'"index":%d' % index, 1) if name in data else None
