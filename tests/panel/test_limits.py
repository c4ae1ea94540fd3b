"""The panel's limits agree with the workspace's, the gateway's and each other's."""

import base64
import json

import msgspec
import pytest

from dce.gateway.settings import GatewaySettings
from dce.panel import limits
from dce.panel.app import ROUTES
from dce.panel.resources.cycles import CycleEdit, CycleNew
from dce.panel.resources.files import FindFilesRequest
from dce.panel.resources.responses import Correction, PastedAnswer
from dce.panel.resources.review import JudgementRequest
from dce.wire.asking import MAX_RESPONSES
from dce.wire.sse import MAX_EVENT_BYTES
from dce.workspace.context.pictures import MAX_PICTURES_BYTES
from dce.workspace.context.sources import MAX_NAMED_BYTES
from dce.workspace.correct import Words
from dce.workspace.generating.generation_run import TELL_EVERY_S
from dce.workspace.manual import MAX_PASTED_CHARS
from dce.workspace.record.cycles import MAX_FIELD_CHARS
from dce.workspace.record.judgements import MAX_NOTE_CHARS

BROWSER_RETRY_S = 1.0
"""What the stream tells browsers to wait before they reconnect."""

Body = msgspec.Struct


def longest_bodies() -> list[Body]:
    """Each body with long texts, at the workspace's own limits but for a thousandth of their length."""
    field, answer = "x" * (MAX_FIELD_CHARS // 1000), "x" * (MAX_PASTED_CHARS // 1000)
    trace, note = "x" * (MAX_NAMED_BYTES // 1000), "x" * (MAX_NOTE_CHARS // 1000)
    return [
        CycleNew(title=field, context=field, ephemeral=field),
        CycleEdit(rev=1, title=field, context=field, ephemeral=field),
        PastedAnswer(slot=1, text=answer, prompt="0"),
        Correction(version=1, text=answer),
        Correction(version=1, words=Words(summary=answer)),
        FindFilesRequest(source="trace", text=trace),
        JudgementRequest(version=1, note=note),
    ]


@pytest.mark.parametrize("body", longest_bodies(), ids=lambda body: type(body).__name__)
def test_what_the_workspace_accepts_fits_into_a_body(body: Body) -> None:
    """Every text that the workspace accepts can be sent to it, whatever characters it is of."""
    (row,) = [route for route in ROUTES if route.takes is type(body)]
    texts = sum(len(text) for text in msgspec.to_builtins(body).values() if isinstance(text, str))
    texts += (
        sum(map(len, msgspec.to_builtins(body).get("words", {}).values()))
        if isinstance(body, Correction) and body.words
        else 0
    )
    assert texts * 1000 * limits.JSON_BYTES_PER_CHAR < row.max_body_bytes


@pytest.mark.parametrize("char", ["\x1b", "x", '"', "\n", "ü", "世", "🎉"])
def test_no_character_is_longer_in_json_than_assumed(char: str) -> None:
    """A control character is the longest, for browsers write the others as they are."""
    assert len(json.dumps(char, ensure_ascii=False).encode()) - 2 <= limits.JSON_BYTES_PER_CHAR


def test_a_route_without_long_texts_keeps_the_small_limit() -> None:
    """A body is only as large as its route needs; the general limit holds a selection of a hundred thousand files."""
    large = {route.takes for route in ROUTES if route.max_body_bytes > limits.MAX_BODY_BYTES}
    assert large == {CycleNew, CycleEdit, PastedAnswer, Correction, FindFilesRequest}
    assert limits.MAX_BODY_BYTES >= 100_000 * 80


def test_the_pictures_of_a_prompt_fit_into_a_gateways_body() -> None:
    """As base64 they leave most of the body to the prompt's text."""
    encoded = len(base64.b64encode(b"x" * 3)) / 3 * MAX_PICTURES_BYTES
    assert encoded < GatewaySettings(backends=()).max_body_bytes / 2


def test_the_event_log_outlasts_a_reconnecting_browser() -> None:
    """With the most responses that a generation has, each as busy as it may be, it holds more than a browser's wait; and any one event."""
    per_second = MAX_RESPONSES * 2 / TELL_EVERY_S
    assert limits.MAX_EVENTS / per_second > 5 * BROWSER_RETRY_S
    assert limits.MAX_EVENT_LOG_BYTES >= MAX_EVENT_BYTES
