"""The gateway's privacy notice, as a client gets it."""

import asyncio

import httpx

from dce.workspace.generating.privacy import MAX_BYTES, fetch_notice


def fetched(answer: httpx.Response | Exception) -> tuple[str, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asyncio.run(fetch_notice("https://dce.example.org/v1", httpx.MockTransport(handle))), asked


def test_the_text_is_had_without_a_key() -> None:
    """It is asked for at the gateway's base, as text, and no key goes there."""
    text, (request,) = fetched(httpx.Response(200, text="What becomes of it\n"))
    assert text == "What becomes of it"
    assert (str(request.url), request.headers["accept"]) == ("https://dce.example.org/api/dce/privacy", "text/plain")
    assert "authorization" not in request.headers


def test_a_server_without_one_is_no_error() -> None:
    """An older gateway, a web page, a redirect and a server that is down have none."""
    for answer in (
        httpx.Response(404, text="no"),
        httpx.Response(200, html="<h1>Hello</h1>"),
        httpx.Response(302, headers={"location": "https://elsewhere.example.org"}),
        httpx.ConnectError("refused"),
    ):
        assert fetched(answer)[0] == ""


def test_an_endless_one_is_cut() -> None:
    """However much a server sends, a page is kept."""
    assert len(fetched(httpx.Response(200, text="x" * 10 * MAX_BYTES))[0]) == MAX_BYTES
