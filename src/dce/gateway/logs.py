"""The log: a line of JSON for everything, to one stream, written by a thread of its own so that a full pipe stops nobody.

What must always hold: a line is printable ASCII and one line, whatever came in; a log that is not read costs lines, never a stream.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, Literal, TextIO

Level = Literal["debug", "info", "warning", "error"]

MAX_WAITING = 10_000
"""Most lines that wait for the stream; more are dropped and counted."""

BATCH_S = 0.05
"""How long lines gather before they are written: each wake-up of the thread takes the core away from the streams."""

CLOSE_S = 2.0
"""Longest wait for a stream that takes nothing when the process ends."""

_OURS = ("dce.gateway", "uvicorn")
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class JsonLines(logging.Formatter):
    """Records as JSON: time (UTC), level, and the record's `fields` if it was given some, else the message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", None) or {"message": record.getMessage()}
        line: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), **fields}
        request_id = getattr(record, "request_id", None)
        if request_id is not None:
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line).replace("\x7f", "\\u007f")


class WaitingLines(logging.Handler):
    """Hands records to a thread that writes them, those of BATCH_S at once; never waits."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.dropped = 0
        self.setFormatter(JsonLines())
        self._stream = stream
        self._records: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dce-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Into the queue if there is room."""
        if self._records.qsize() >= MAX_WAITING:
            self.dropped += 1
        else:
            self._records.put(record)

    def close(self) -> None:
        """Lets the thread write what waits, if the stream takes it within CLOSE_S."""
        self._closing.set()
        self._records.put(None)
        self._thread.join(CLOSE_S)
        super().close()

    def _run(self) -> None:
        while (first := self._records.get()) is not None:
            self._closing.wait(BATCH_S)
            records: list[logging.LogRecord | None] = [first]
            with contextlib.suppress(Empty):
                while records[-1] is not None:
                    records.append(self._records.get_nowait())
            self._write([record for record in records if record is not None])
            if records[-1] is None:
                return

    def _write(self, records: Sequence[logging.LogRecord]) -> None:
        # A stream that is closed, or whose reader has gone, costs lines and nothing else.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write("".join(f"{self.format(record)}\n" for record in records))
            self._stream.flush()


@contextlib.contextmanager
def logging_to(stream: TextIO, level: Level) -> Iterator[WaitingLines]:
    """Within the block the gateway's lines from that level on go to `stream`, and uvicorn's warnings."""
    waiting = WaitingLines(stream)
    loggers = [logging.getLogger(name) for name in _OURS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger, least in zip(loggers, (level.upper(), "WARNING"), strict=True):
        logger.addHandler(waiting)
        logger.setLevel(least)
        logger.propagate = False
    try:
        yield waiting
    finally:
        for logger, (old_level, is_propagated) in zip(loggers, before, strict=True):
            logger.removeHandler(waiting)
            logger.setLevel(old_level)
            logger.propagate = is_propagated
        waiting.close()
