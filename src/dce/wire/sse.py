"""Server-sent events, both directions (WHATWG HTML, "Interpreting an event stream").

`Decoder.feed(bytes)` takes the stream in pieces of any size — a piece may end inside a UTF-8 character, a line end or a field
name — and returns whole events. It accepts CR, LF and CRLF line ends, ignores comments, and never raises on garbage.
"""

from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
"""The byte order mark in UTF-8. At the beginning of a stream it belongs to no event."""

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Maximum event size: a whole non-streamed answer fits; a peer that never ends a line cannot exhaust memory."""

ERROR = "error"
"""The type of an event that reports an error."""


class Event(NamedTuple):
    """One event: its data lines joined by LF, its type and its id (the last one seen)."""

    data: str
    event: str = "message"
    id: str = ""


class EventTooLarge(ValueError):
    """The peer sent an event longer than `MAX_EVENT_BYTES`."""


class Beginning:
    """The first bytes of a stream, without the byte order mark that may precede them."""

    def __init__(self) -> None:
        self._held = b""
        self.is_over = False
        """Whether no part of a mark is held back any more."""

    def strip(self, piece: bytes) -> bytes:
        """`piece`, or what is left of it without the mark; a part of the mark is held back until the next piece."""
        if self.is_over:
            return piece
        held = self._held + piece
        if len(held) < len(BOM) and BOM.startswith(held):
            self._held = held
            return b""
        self._held, self.is_over = b"", True
        return held.removeprefix(BOM)

    def rest(self) -> bytes:
        """What is still held back when the stream ends."""
        held, self._held, self.is_over = self._held, b"", True
        return held


class Decoder:
    """Decodes bytes, in pieces of any size, into events."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail = b""
        self._beginning = Beginning()
        self._data: list[str] = []
        self._data_bytes = 0
        self._event = ""
        self.last_event_id = ""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes."""
        buffer = self._tail + self._beginning.strip(piece)
        # A CR at the very end may be the first half of a CRLF: keep it until the next piece.
        end = len(buffer) - 1 if buffer.endswith(b"\r") else len(buffer)
        cut = max(buffer.rfind(b"\n", 0, end), buffer.rfind(b"\r", 0, end)) + 1
        self._tail = buffer[cut:]
        if len(self._tail) + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge(f"an event of more than {self._max_event_bytes} bytes")
        return [event for line in _lines(buffer[:cut]) if (event := self._line(line))]

    def flush(self) -> list[Event]:
        """The last event, if the stream ended without a blank line after it. The standard drops it; we keep the last frame."""
        events = self.feed(b"\n\n")
        if self._tail.strip(b"\r\n"):
            events += self.feed(b"\n\n")
        return events

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
            self._data_bytes += len(value)
        elif name == b"error":  # llama.cpp of 2025: a field of its own instead of an event
            self._data.append(text)
            self._data_bytes += len(value)
            self._event = ERROR
        elif name == b"event":
            self._event = text
        elif name == b"id" and "\0" not in text:
            self.last_event_id = text
        return None

    def _dispatch(self) -> Event | None:
        data, self._data, self._data_bytes = self._data, [], 0
        kind, self._event = self._event, ""
        return Event("\n".join(data), kind or "message", self.last_event_id) if data else None


def _lines(block: bytes) -> list[bytes]:
    """Splits at CR, LF and CRLF only (`bytes.splitlines` does just that), keeping blank lines."""
    return block.splitlines()


def encode(data: str, *, event: str = "", id: str = "") -> bytes:  # noqa: A002 - the field's own name
    """One event as bytes; data of several lines becomes several `data:` fields."""
    head = (f"id: {id}\n" if id else "") + (f"event: {event}\n" if event else "")
    body = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"{head}{body}\n".encode()


def comment(text: str = "") -> bytes:
    """A comment frame: a heartbeat that every client ignores."""
    return f": {text}\n\n".encode()
