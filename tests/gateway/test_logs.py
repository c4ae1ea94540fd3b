"""Log lines are JSON, one line each, and a log that nobody reads stops nobody."""

import io
import json
import logging
import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway import logs
from dce.gateway.logs import logging_to

log = logging.getLogger("dce.gateway")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_record_is_a_line() -> None:
    """A request's fields stand beside time and level; other messages are one field; a fault's traceback is one, too."""
    stream = io.StringIO()
    with logging_to(stream, "info"):
        log.info("request", extra={"fields": {"request_id": "r1", "status": 200}})
        log.debug("not wanted")
        log.warning("draining: %g s", 5.0)
        try:
            raise ValueError("line 1\nline 2")
        except ValueError:
            log.exception("a fault", extra={"request_id": "r2"})
    log.info("after the end")
    request, draining, fault = lines(stream)
    assert (request["request_id"], request["status"], request["level"]) == ("r1", 200, "info")
    assert (draining["message"], draining["level"]) == ("draining: 5 s", "warning")
    assert (fault["request_id"], fault["message"]) == ("r2", "a fault")
    assert "ValueError: line 1\nline 2" in fault["exception"]
    assert request["time"].endswith("+00:00")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_a_line_is_a_line(text: str) -> None:
    """Whatever a message holds, it is one line of printable ASCII and comes back as it was."""
    stream = io.StringIO()
    with logging_to(stream, "info"):
        log.info("%s", "x" + text)
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == "x" + text


class Stuck(io.StringIO):
    """A stream whose reader has stopped, until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def write(self, text: str) -> int:
        self.may_go_on.wait(30)
        return super().write(text)


def test_a_full_pipe_stops_nobody() -> None:
    """While nobody reads, logging returns at once; beyond the limit lines are counted instead of kept."""
    stream, many = Stuck(), 2 * logs.MAX_WAITING + 100
    with logging_to(stream, "info") as waiting:
        for _ in range(many):
            log.info("%s", "x")
        # Besides those that wait, what was taken for the stream before it got stuck may be under way.
        assert 100 <= waiting.dropped <= logs.MAX_WAITING + 100
        stream.may_go_on.set()
    assert len(lines(stream)) == many - waiting.dropped


def test_a_reader_that_has_gone_costs_lines_only() -> None:
    """A closed stream ends nothing: not the log's thread, nor who writes to it."""
    stream = io.StringIO()
    stream.close()
    with logging_to(stream, "info") as waiting:
        for _ in range(3):
            log.info("nobody reads this")
    assert waiting.dropped == 0
