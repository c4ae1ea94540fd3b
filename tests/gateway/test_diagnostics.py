"""What the gateway tells its caller about the way between them."""

import httpx2
import msgspec
import pytest

from dce.gateway.diagnostics import FRAMES
from tests.fakes.chain import SLOW, Chain, client_of, error_of, eventually, other_key

STREAMS = "/api/dce/streams"


def test_paced_events_say_when_they_were_sent(chain: Chain) -> None:
    """The paced stream has its events in order, each later than the one before it, and its end; no backend hears of it."""
    before = len(chain.fake.posts())
    answer = chain.client.get("/api/dce/streamcheck")
    *events, end = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    values = [msgspec.json.decode(event) for event in events]
    assert [value["frame"] for value in values] == list(range(FRAMES))
    sent = [value["sent_ms"] for value in values]
    assert sent == sorted(set(sent))
    assert (end, answer.headers["x-accel-buffering"]) == ("[DONE]", "no")
    assert len(chain.fake.posts()) == before


def test_a_silent_stream_says_what_follows(chain: Chain) -> None:
    """The silent stream promises padding, heartbeats and a silence, and keeps its promise; no backend hears of it."""
    before = len(chain.fake.posts())
    answer = chain.client.get("/api/dce/streamcheck?silence_s=0.1&bytes=20000")
    first, *rest = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    promise = msgspec.json.decode(first)
    assert promise == {"silence_s": 0.1, "bytes": 20_000, "comments": 3}
    assert len(answer.content) >= 20_000
    assert rest.count(": keep-alive") == 3
    assert rest[-2:] == ['{"end":true}', "[DONE]"]
    assert len(chain.fake.posts()) == before


@pytest.mark.parametrize(
    "query",
    ["silence_s=601", "silence_s=-1", "silence_s=nan", "silence_s=1e3", "silence_s=1&bytes=4000001", "silence_s=²"],
)
def test_a_silence_that_is_not_allowed_is_refused_by_name(chain: Chain, query: str) -> None:
    """Longer silences, larger answers and what is no number are refused."""
    error = error_of(chain.client.get(f"/api/dce/streamcheck?{query}"))
    assert error["code"] == "invalid_request"
    assert "must be a number from 0 to" in error["message"]


def test_own_streams_are_listed_while_they_run(chain: Chain) -> None:
    """A caller sees its running stream with its model and how many responses run, until it has ended."""
    chain.behave(tokens=10_000, delay_s=SLOW)
    with chain.stream(n=3) as answer:
        answer.until(lambda seen: seen.texts())
        (row,) = chain.client.get(STREAMS).json()["streams"]
        assert row == {"id": answer.stream_id, "model": "fake-7b", "running": 3}
    eventually(lambda: chain.client.get(STREAMS).json() == {"streams": []})
    eventually(chain.is_idle)


def test_others_streams_are_not_listed(chain: Chain) -> None:
    """Another key sees nothing of it, and a stranger is not answered at all."""
    chain.behave(tokens=10_000, delay_s=SLOW)
    with chain.stream(n=1) as answer, client_of(chain.server.url, other_key(chain)) as other:
        answer.until(lambda seen: seen.texts())
        assert other.get(STREAMS).json() == {"streams": []}
        for path in (STREAMS, "/api/dce/streamcheck"):
            assert error_of(httpx2.get(chain.server.url + path))["code"] == "missing_key"
    eventually(chain.is_idle)
