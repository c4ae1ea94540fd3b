"""The public surface over real sockets: every route closed by default, one shape of error, one log line a request."""

import logging
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.front.dialects import MESSAGES
from dce.gateway.logs import JsonLines
from dce.gateway.route_table import Route, Routes
from dce.wire.errors import DceError
from tests.fakes.chain import Chain, client_of, drained, error_of, eventually, raw_request
from tests.fakes.vllm import MODEL, said


def rows(chain: Chain) -> tuple[Route, ...]:
    """The route table of the running gateway."""
    return chain.server.gateway._public._routes.rows


def path_of(row: Route) -> str:
    """A path that the row matches."""
    return re.sub(r"\{\w+\*?\}", "1", row.pattern)


def asked(chain: Chain, row: Route, headers: dict[str, str] | list[tuple[str, str]]) -> httpx2.Response:
    """One request to a route."""
    with client_of(chain.server.url, "") as client:
        return client.request(
            row.method, path_of(row), headers=headers, json=chain.body() if row.method == "POST" else None
        )


def test_every_route_asks_for_a_key(chain: Chain) -> None:
    """Without a key, with a wrong one or with two, every route but those that say they are public answers 401 in one shape."""
    public = {row.pattern for row in rows(chain) if row.is_public}
    assert public == {"/healthz", "/readyz", "/api/dce/privacy"}
    assert len(rows(chain)) >= 10
    right = f"Bearer {chain.key}"
    for row in rows(chain):
        unread = "invalid_key" if row.dialect is MESSAGES else "missing_key"
        for headers, code in [
            ({}, "missing_key"),
            ({"authorization": "Bearer dce_wrong"}, "invalid_key"),
            ([("authorization", right), ("authorization", right)], "invalid_key"),
            ({"x-api-key": "dce_wrong" if row.dialect is MESSAGES else chain.key}, unread),
        ]:
            response = asked(chain, row, headers)  # type: ignore[arg-type]
            if row.is_public:
                assert response.status_code == 200
                assert row.pattern == "/api/dce/privacy" or set(response.json()) == {"ok", "service"}
                continue
            error = response.json()["error"] if row.dialect is MESSAGES else error_of(response)
            assert (response.status_code, error["code"], error["hop"]) == (401, code, "gateway")
            assert response.headers["www-authenticate"] == "Bearer"
            assert "wrong" not in response.text
    assert chain.fake.requests == [] or all(request.path == "/v1/models" for request in chain.fake.requests)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/api/dce/proxy//",
        "//api/dce/proxy",
        "/API/DCE/PROXY",
        "/api/dce/streams/a%2fb",
        "/v1/models//",
        "/" + "x" * 5000,
    ],
    ids=lambda path: path[:30],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_no_oracle(chain: Chain, path: str, method: str) -> None:
    """What is not a route asks for a key first, and with one is 404 in the one shape; nothing is normalised."""
    with client_of(chain.server.url, "") as anonymous:
        assert error_of(anonymous.request(method, path))["code"] == "missing_key"
    response = chain.client.request(method, path)
    assert (response.status_code, error_of(response)["code"]) == (404, "route_not_found")


def test_dots_in_a_path_are_not_resolved(chain: Chain) -> None:
    """A path with `..` is not the route it would lead to."""
    request = (
        f"GET /x/../v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {chain.key}\r\n\r\n"
    )
    with raw_request(chain.server.url, request.encode()) as connection:
        assert drained(connection).startswith(b"HTTP/1.1 404")


def test_a_wrong_method_names_the_right_one(chain: Chain) -> None:
    """A known path with another method says what it takes."""
    response = chain.client.get("/api/dce/proxy")
    error = error_of(response)
    assert (response.status_code, error["code"], response.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert "POST" in error["hint"]
    assert chain.client.delete("/v1/models").headers["allow"] == "GET, HEAD"


def test_revoked_and_expired_keys_act_at_once(chain: Chain) -> None:
    """A key that another process makes, revokes or lets expire counts from the next request on, on open connections too."""
    keys = KeyStore(chain.folder)
    key, secret = keys.create("short-lived")
    with client_of(chain.server.url, secret) as client:
        assert client.get("/v1/models").status_code == 200
        keys.revoke(key.id)
        response = client.get("/v1/models")
    assert (response.status_code, error_of(response)["code"]) == (401, "invalid_key")
    _, expired = keys.create("expired", expires_at=1.0)
    keys.close()
    with client_of(chain.server.url, expired) as client:
        assert error_of(client.get("/v1/models"))["code"] == "expired_key"


def test_a_running_stream_outlives_a_key_that_expires(chain: Chain) -> None:
    """A key that expires, or gets a new secret, ends no stream that began before; revoking does (test_revoking.py)."""
    keys = KeyStore(chain.folder)
    key, secret = keys.create("short-lived")
    chain.behave(delay_s=0.05, tokens=20)
    with (
        client_of(chain.server.url, secret) as client,
        client.stream("POST", "/api/dce/proxy", json=chain.body(n=2)) as response,
    ):
        keys.rotate(key.id, 0.0)
        keys.edit(key.id, {"expires_at": 1.0})
        assert b"[DONE]" in response.read()
    keys.close()


def test_a_body_beyond_the_limit(make_chain: Callable[..., Chain]) -> None:
    """Too large by its declared length or as it comes: 413 with the limit, and a client that only sends first hears it too."""
    chain = make_chain(max_body_bytes=2048)
    for body in (b"x" * 3000, b"x" * 5_000_000):
        response = chain.client.post("/api/dce/proxy", content=body)
        error = error_of(response)
        assert (response.status_code, error["code"]) == (413, "body_too_large")
        assert "2048" in error["message"]
    response = chain.client.post("/api/dce/proxy", content=iter([b"x" * 1500] * 3))
    assert response.status_code == 413
    assert chain.post(n=1).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-encoding": "gzip"}, 400),
        ({"content-encoding": "identity"}, 200),
        ({"expect": "100-continue"}, 200),
        ({"transfer-encoding": "chunked"}, 200),
    ],
    ids=str,
)
def test_framings_of_a_body(chain: Chain, headers: dict[str, str], status: int) -> None:
    """Compressed bodies are refused by name; chunked ones and those that wait for a go-ahead are read."""
    body = b'{"prompt":"hi","stream":false}'
    content: Any = iter([body[:7], body[7:]]) if "transfer-encoding" in headers else body
    response = chain.client.post("/api/dce/proxy", content=content, headers=headers)
    assert response.status_code == status
    if status == 400:
        assert "compressed" in error_of(response)["message"]


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        b"POST /api/dce/proxy HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    ],
)
def test_what_is_not_http_is_refused(chain: Chain, bad: bytes) -> None:
    """Bytes that are no request, or could be read as two different ones, end the connection with 400."""
    with raw_request(chain.server.url, bad) as connection:
        assert drained(connection).startswith(b"HTTP/1.1 400")
    assert chain.client.get("/healthz").status_code == 200


def test_readyz_says_whether_a_model_is_served(make_chain: Callable[..., Chain]) -> None:
    """Ready with a model, not ready without; the answer has no detail."""
    chain = make_chain()
    assert chain.client.get("/readyz").json() == {"ok": True, "service": "dce-gateway"}
    chain.fake.models.clear()
    eventually(lambda: chain.client.get("/readyz").status_code == 503)
    assert chain.client.get("/readyz").json() == {"ok": False, "service": "dce-gateway"}
    assert "no model" in error_of(chain.post())["message"]


def test_an_unforeseen_fault_is_internal_and_logged(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours becomes `internal` with a request id that finds the traceback in the log; nothing of it is shown."""

    async def broken(request: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    table = chain.server.gateway._public._routes
    whole = chain.server.gateway._public
    whole._routes = Routes([Route("GET", "/broken", broken)])
    try:
        response = chain.client.get("/broken")
    finally:
        whole._routes = table
    error = error_of(response)
    assert (response.status_code, error["code"]) == (500, "internal")
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.__dict__["request_id"] == error["request_id"]


def test_logs_and_files_hold_no_key_prompt_or_answer(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is asked and however it fails, nothing secret is written; one line a request says what became of it."""
    caplog.set_level(logging.DEBUG)
    canary = "canary-prompt-7531"
    chain.ask(n=3, prompt=canary, messages=None)
    chain.post(stream=False, prompt=canary, messages=None)
    chain.post("/v1/chat/completions", model=MODEL, messages=[{"role": "user", "content": canary}], stream=True)
    chain.client.post("/tokenize", json={"prompt": canary})
    chain.client.post("/api/dce/proxy", content=b'{"prompt": "' + canary.encode())
    chain.post(prompt=canary, n=0)
    chain.client.post(f"/api/dce/proxy?key={chain.key}", json=chain.body())
    chain.client.get(f"/nope/{canary}"[:5])
    chain.behave(fault="death")
    chain.ask(n=2, prompt=canary, messages=None)
    with client_of(chain.server.url, "dce_canary-wrong-key") as client:
        client.get("/v1/models")
    # The test's own client logs too, and pytest alone switches on uvicorn's access log, which the gateway keeps off.
    mine = {"httpx2", "httpcore2.http11", "httpcore2.connection", "uvicorn.access"}
    text = "\n".join(JsonLines().format(record) for record in caplog.records if record.name not in mine)
    for secret in (chain.key, canary, "canary-wrong-key", "Grüße", "Gr\\u00fc", said(2)):
        assert secret not in text
    assert text.count('"outcome"') >= 10
    assert '"outcome":"invalid_key"' in text
    for file in chain.folder.iterdir():
        content = file.read_bytes()
        assert chain.key.encode() not in content
        assert canary.encode() not in content


def test_routes_are_found_by_exact_path() -> None:
    """Path values are single plain segments; nothing longer, empty or encoded gets through."""

    async def handler(request: Any) -> None:
        """Never called."""

    table = Routes([Route("DELETE", "/s/{id}/c/{index}", handler)])
    assert table.find("DELETE", "/s/aB_-9/c/3")[1] == {"id": "aB_-9", "index": "3"}
    assert table.find("DELETE", "/s/a/c/3/")[1] == {"id": "a", "index": "3"}
    for path in (
        "/s//c/3",
        "/s/a.b/c/3",
        "/s/a/c/3//",
        "/s/a/c/3\n",
        "/s/a/c/3/\n",
        "/s/ä/c/3",
        f"/s/{'x' * 65}/c/3",
        "x/s/a/c/3",
    ):
        with pytest.raises(DceError):
            table.find("DELETE", path)


def test_the_database_holds_digests_only(chain: Chain) -> None:
    """What a thief of the database gets is a name and a digest that is useless without the pepper."""
    with sqlite3.connect(Path(chain.folder) / "gateway.db") as db:
        found = db.execute("SELECT * FROM keys").fetchall()
    db.close()
    assert found
    assert all(chain.key not in str(row) for row in found)
