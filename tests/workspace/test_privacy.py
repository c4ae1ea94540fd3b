"""The gateway's privacy notice, as fetched by a client."""

import asyncio

import httpx2

from dce.workspace.generating.privacy import MAX_BYTES, fetch_notice


def fetched(answer: httpx2.Response | Exception) -> tuple[str, list[httpx2.Request]]:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asyncio.run(fetch_notice("https://dce.example.org/v1", httpx2.MockTransport(handle))), asked


def test_the_text_is_had_without_a_key() -> None:
    """It is requested from the gateway's base URL, as text, without a key."""
    text, (request,) = fetched(httpx2.Response(200, text="What becomes of it\n"))
    assert text == "What becomes of it"
    assert (str(request.url), request.headers["accept"]) == ("https://dce.example.org/api/dce/privacy", "text/plain")
    assert "authorization" not in request.headers


def test_a_server_without_one_is_no_error() -> None:
    """An older gateway, a web page, a redirect and a server that is down have none."""
    for answer in (
        httpx2.Response(404, text="no"),
        httpx2.Response(200, html="<h1>Hello</h1>"),
        httpx2.Response(302, headers={"location": "https://elsewhere.example.org"}),
        httpx2.ConnectError("refused"),
    ):
        assert fetched(answer)[0] == ""


def test_an_endless_one_is_cut() -> None:
    """However much a server sends, at most `MAX_BYTES` are kept."""
    assert len(fetched(httpx2.Response(200, text="x" * 10 * MAX_BYTES))[0]) == MAX_BYTES
