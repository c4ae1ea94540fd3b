"""The log: JSON lines to one file object, written by a separate thread so that a full pipe blocks nothing.

Invariants: every record is one line of printable ASCII, whatever it contains; a log that nobody reads loses lines, never a response.
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
"""Maximum pending lines; further ones are dropped and counted."""

BATCH_S = 0.05
"""How long lines are batched: each wake-up of the thread takes the core away from the responses."""

CLOSE_S = 2.0
"""Maximum wait at exit for an output that accepts nothing."""

_OURS = ("dce.gateway", "uvicorn")
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class JsonLines(logging.Formatter):
    """Formats records as JSON: time (UTC), level, and the record's `fields` if it has any, otherwise the message."""

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
    """Passes records to a thread that writes them in batches of BATCH_S; never blocks."""

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
        """Queues a record if there is room."""
        if self._records.qsize() >= MAX_WAITING:
            self.dropped += 1
        else:
            self._records.put(record)

    def close(self) -> None:
        """Lets the thread write pending lines, if the output accepts them within CLOSE_S."""
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
        # An output that is closed, or whose reader is gone, costs lines and nothing else.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write("".join(f"{self.format(record)}\n" for record in records))
            self._stream.flush()


@contextlib.contextmanager
def logging_to(stream: TextIO, level: Level) -> Iterator[WaitingLines]:
    """Within the block, the gateway's lines from `level` up and uvicorn's warnings go to `stream`."""
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
