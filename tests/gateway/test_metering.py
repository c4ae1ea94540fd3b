"""The metering of a running gateway: whoever ends a response, however, its row is there once and says what was told."""

import asyncio
import contextlib
import functools
import json
import logging
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dce.gateway.accounting.ledger import COLUMNS, FILE, Entry
from dce.wire.sse import Decoder
from tests.fakes.chain import HIT, PROXY, SEED, SLOW, TOKENS, Chain, client_of, eventually, raw_post
from tests.fakes.logged import logged
from tests.fakes.vllm import MODEL

CHAT = "/v1/chat/completions"


def rows(folder: Path, **wanted: object) -> list[Entry]:
    """What is on disk, in order; only rows with these values."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db:
        found = db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM responses ORDER BY started_at, stream_id, choice"
        ).fetchall()
    entries = [Entry(**dict(zip(COLUMNS, row, strict=True))) for row in found]
    return [entry for entry in entries if all(getattr(entry, name) == value for name, value in wanted.items())]


def settled(chain: Chain) -> None:
    """Returns when every meter is closed and on disk."""
    gateway = chain.server.gateway
    eventually(lambda: chain.is_idle() and gateway.metering.open == 0 and gateway.ledger.pending == 0)


def test_a_finished_stream(both: Chain) -> None:
    """Ten rows, one a response, with key, model, backend, route, times and reason; tokens add up to what the client was told."""
    answer = both.ask(n=10, model=MODEL)
    settled(both)
    found = rows(both.folder, stream_id=answer.stream_id)
    assert [row.choice for row in found] == list(range(10))
    assert {(row.model, row.backend, row.route) for row in found} == {(MODEL, both.fake.url, PROXY)}
    assert {(row.outcome, row.finish_reason, row.ended_by, row.exactness) for row in found} == {
        ("finished", "stop", "model", "exact")
    }
    assert sum(row.completion_tokens for row in found) == answer.usage["completion_tokens"] == 10 * TOKENS
    assert [row.prompt_tokens for row in found] == [answer.usage["prompt_tokens"]] + [0] * 9
    assert all(0 < (row.ttft_s or 0) <= row.duration_s for row in found)
    (key,) = {row.key_id for row in found}
    assert key in [known.id for known in both.server.gateway.keys.list()]


def test_who_ended_it(both: Chain) -> None:
    """One stopped by the client, the others by its going: rows say who, and count what had come."""
    both.behave(delay_s=SLOW, tokens=10_000)
    with both.stream(n=3) as answer:
        answer.until(lambda seen: len([text for text in seen.texts().values() if text]) == 3)
        assert both.client.delete(f"/api/dce/streams/{answer.stream_id}/choices/1").status_code == 204
        answer.until(lambda seen: seen.ends().get(1))
    settled(both)
    found = rows(both.folder, stream_id=answer.stream_id)
    assert [(row.outcome, row.finish_reason, row.ended_by) for row in found] == [
        ("stopped", "gone", "client"),
        ("stopped", "stopped", "client"),
        ("stopped", "gone", "client"),
    ]
    assert {row.exactness for row in found} == {"running"}
    assert all(0 < row.completion_tokens < 10_000 for row in found)


def test_lost_responses(chain: Chain) -> None:
    """Those that the backend broke off are lost with the error's code; those that finished beside them are not."""
    chain.behave(fault="death", only_seed=SEED + HIT)
    answer = chain.ask(n=5, seed=SEED)
    settled(chain)
    found = rows(chain.folder, stream_id=answer.stream_id)
    assert [(row.outcome, row.ended_by) for row in found if row.choice != HIT] == [("finished", "model")] * 4
    assert (found[HIT].outcome, found[HIT].finish_reason, found[HIT].ended_by) == (
        "lost",
        "stream_interrupted",
        "backend",
    )
    assert sum(row.completion_tokens for row in found) == answer.usage["completion_tokens"]


def test_a_stopping_gateway_is_the_one_who_ended_it(make_chain: Callable[..., Chain]) -> None:
    """What runs when the gateway stops was ended by the gateway, with a grace period for the client and without."""
    for grace_s in (0.0, 30.0):
        chain = make_chain(resume_grace_s=grace_s)
        chain.behave(delay_s=SLOW, tokens=10_000)
        with chain.stream(n=2) as answer:
            answer.until(lambda seen: len(seen.choices) == 2)
            chain.server.stop()
        found = rows(chain.folder)
        assert [(row.outcome, row.finish_reason, row.ended_by) for row in found] == [
            ("stopped", "draining", "gateway")
        ] * 2


def test_a_refused_request_of_a_backend_is_lost(chain: Chain) -> None:
    """What a backend would not take makes rows without tokens; what we refused before, none."""
    chain.behave(fault="too_long")
    assert chain.post(n=3).status_code == 400
    refused_before = [chain.post(n=0), chain.post(model="gpt-9"), chain.post(CHAT, model="gpt-9")]
    assert [answer.status_code for answer in refused_before] == [400, 404, 404]
    settled(chain)
    found = rows(chain.folder)[-3:]
    assert {(row.outcome, row.finish_reason, row.ended_by, row.tokens) for row in found} == {
        ("lost", "prompt_too_long", "backend", 0)
    }
    assert len({row.request_id for row in found}) == 1


def test_one_json_answer(both: Chain) -> None:
    """Responses that come as one JSON answer are rows like streamed ones."""
    answer = both.post(n=3, stream=False).json()
    settled(both)
    found = rows(both.folder, stream_id=answer["id"])
    assert sum(row.completion_tokens for row in found) == answer["usage"]["completion_tokens"]
    assert [row.outcome for row in found] == ["finished"] * 3


COUNTED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("fields", "exactness", "completion"),
    [
        ({"n": 3, **COUNTED}, "exact", 3 * TOKENS),
        ({"n": 3, "stream": True}, "estimated", 3 * TOKENS),
        ({"stream": False}, "exact", TOKENS),
    ],
    ids=["counted stream", "uncounted stream", "json"],
)
def test_a_passed_on_request(chain: Chain, fields: dict[str, Any], exactness: str, completion: int) -> None:
    """One row for all its responses: exact when the answer has a usage, an estimate when the client did not ask for one."""
    answer = chain.post(CHAT, model=MODEL, **fields)
    assert answer.status_code == 200
    settled(chain)
    (row,) = rows(chain.folder, request_id=answer.headers["x-request-id"])
    assert (row.route, row.responses, row.exactness) == (CHAT, fields.get("n", 1), exactness)
    assert abs(row.completion_tokens - completion) <= (3 if exactness == "estimated" else 0)
    assert (row.outcome, row.finish_reason, row.ended_by) == ("finished", "stop", "model")


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    ("path", "body", "completion"),
    [
        ("/v1/messages", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 50}, TOKENS),
        ("/v1/responses", {"input": "x"}, TOKENS),
        ("/v1/completions", {"prompt": "x", "stream_options": {"include_usage": True}}, TOKENS),
        ("/v1/embeddings", {"input": "x"}, 0),
    ],
)
def test_every_dialect_is_counted(
    chain: Chain, path: str, body: dict[str, Any], completion: int, is_stream: bool
) -> None:
    """The other routes' answers are counted exactly too, streamed or not."""
    how = {"stream": is_stream} if path != "/v1/embeddings" else {}
    if not is_stream:
        body = {name: value for name, value in body.items() if name != "stream_options"}
    answer = chain.client.post(path, json={"model": MODEL, **body, **how})
    assert answer.status_code == 200, answer.text
    settled(chain)
    (row,) = rows(chain.folder, request_id=answer.headers["x-request-id"])
    assert (row.route, row.outcome, row.exactness) == (path, "finished", "exact")
    assert (row.completion_tokens, row.prompt_tokens > 0) == (completion, True)


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("death", ("lost", "stream_interrupted", "backend")),
        ("error_then_done", ("lost", "backend_error", "backend")),
        ("too_long", ("lost", "prompt_too_long", "backend")),
    ],
)
def test_a_passed_on_request_that_is_lost(chain: Chain, fault: str, end: tuple[str, str, str]) -> None:
    """A break, an error event and a refusal each are a lost row."""
    chain.behave(fault=fault)
    answer = chain.post(CHAT, model=MODEL, stream=True)
    settled(chain)
    (row,) = rows(chain.folder, request_id=answer.headers["x-request-id"])
    assert (row.outcome, row.finish_reason, row.ended_by) == end


def is_logged(caplog: pytest.LogCaptureFixture, request_id: str) -> bool:
    """Whether the line of a request has come."""
    return any(request_id in line for line in logged(caplog))


def test_the_log_line_has_the_account(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """The line of a request names model, backend, responses and tokens as the ledger has them."""
    caplog.set_level(logging.INFO, "dce.gateway")
    answers = [chain.ask(n=3).response, chain.post(CHAT, model=MODEL, stream=False)]
    settled(chain)
    for answer in answers:
        request_id = answer.headers["x-request-id"]
        eventually(functools.partial(is_logged, caplog, request_id))
        line = next(json.loads(line) for line in logged(caplog) if request_id in line)
        found = rows(chain.folder, request_id=request_id)
        assert (line["model"], line["backend"]) == (MODEL, chain.fake.url)
        assert line["n"] == sum(row.responses for row in found)
        assert line["tokens"] == sum(row.tokens for row in found)


def test_a_locked_ledger_hinders_nobody(chain: Chain) -> None:
    """While another process holds the ledger's database, requests are answered; their rows come when it lets go."""
    settled(chain)
    with contextlib.closing(sqlite3.connect(chain.folder / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ids = [chain.ask(n=2).stream_id for _ in range(3)]
        eventually(lambda: chain.server.gateway.ledger.pending == 6)
    settled(chain)
    assert all(len(rows(chain.folder, stream_id=stream_id)) == 2 for stream_id in ids)


CANARY = "canary-5f2c"


def test_no_content_anywhere(make_chain: Callable[..., Chain], caplog: pytest.LogCaptureFixture) -> None:
    """Neither prompts nor answers nor keys are in the ledger, the log, metrics or status, whatever route and however it ended."""
    caplog.set_level(logging.DEBUG)
    chain = make_chain(no_admin=False)
    words = [{"role": "user", "content": CANARY}]
    for path in (PROXY, CHAT):
        for fault in ("", "death", "error_then_done", "too_long", "garbage", "html"):
            chain.behave(fault=fault)
            chain.post(path, model=MODEL, messages=words, stream=True, user=CANARY, metadata={"x": CANARY})
    chain.post(model=CANARY, messages=words)
    settled(chain)
    with client_of(chain.server.admin_url, "") as admin:
        sinks = [admin.get(path).content for path in ("/metrics", "/status")]
    chain.server.stop()
    sinks += [path.read_bytes() for path in chain.folder.iterdir() if path.name.startswith(FILE)]
    sinks.append("\n".join([caplog.text, *logged(caplog)]).encode())
    assert len(rows(chain.folder)) == 12
    for secret in (CANARY, chain.key, "Grüße", "EngineCore", "maximum context"):
        assert not any(secret.encode() in sink for sink in sinks), secret


# -- a thousand aborts -------------------------------------------------------------------------------------------------

ABORTS = 1000
AT_ONCE = 40


async def aborted(chain: Chain, rng: random.Random) -> tuple[str, str, int, int]:
    """One request over a socket that is cut after some bytes: (path, id, responses, tokens seen); the id is empty if no head came."""
    url = urlsplit(chain.server.url)
    n, path = rng.randint(1, 3), rng.choice([PROXY, PROXY, CHAT])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(raw_post(chain.key, chain.body(n=n, model=MODEL, stream=True, seed=1), path))
    received, enough = b"", rng.choice([0, 0, 1, 200, 1000, 5000, 50_000])
    while len(received) < enough and not received.endswith(b"\r\n0\r\n\r\n") and (piece := await reader.read(4096)):
        received += piece
        assert received.startswith(b"HTTP/1.1 200 OK\r\n"[: len(received)])
    if rng.random() < 0.3:
        await asyncio.sleep(rng.random() * 0.02)
    writer.transport.abort()
    head, _, body = received.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    name = b"x-dce-stream-id" if path == PROXY else b"x-request-id"
    return path, headers.get(name, b"").decode(), n, tokens_in(body)


def tokens_in(body: bytes) -> int:
    """Tokens in a chunked body that may be cut anywhere."""
    data = b""
    while b"\r\n" in body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        data, body = data + rest[:length], rest[length + 2 :]
    events = [event.data for event in Decoder().feed(data) if event.data.startswith("{")]
    choices = [choice for event in events for choice in json.loads(event).get("choices", [])]
    return sum(bool(choice["delta"].get("content")) for choice in choices)


def test_a_thousand_aborts_lose_no_row(make_chain: Callable[..., Chain]) -> None:
    """Connections cut at any moment, on both routes: every request that had a head has all its rows once, nothing is left open,
    and the tokens lie between what clients saw and what the backend sent."""
    chain = make_chain(resume_grace_s=0.0)
    chain.behave(tokens=40, delay_s=0.0005)
    rng = random.Random(7)

    async def scene() -> list[tuple[str, str, int, int]]:
        left = asyncio.Semaphore(AT_ONCE)

        async def one() -> tuple[str, str, int, int]:
            async with left:
                return await aborted(chain, rng)

        return await asyncio.gather(*(one() for _ in range(ABORTS)))

    results = asyncio.run(scene())
    settled(chain)
    by_id: dict[str, list[Entry]] = {}
    for row in rows(chain.folder):
        by_id.setdefault(row.stream_id, []).append(row)
    for path, name, n, seen in results:
        if not name:
            continue
        mine = by_id[name]
        assert sum(row.responses for row in mine) == n
        assert [row.choice for row in mine] == (list(range(n)) if path == PROXY else [0])
        if path == PROXY:
            assert sum(row.completion_tokens for row in mine) >= seen
    streamed = sum(row.completion_tokens for mine in by_id.values() for row in mine)
    assert 0 < streamed <= chain.fake.tokens_sent
    requests = len({row.request_id for mine in by_id.values() for row in mine})
    assert sum(bool(name) for _, name, _, _ in results) <= requests <= ABORTS
