"""The gate: who gets in, and who does not."""

import asyncio
from collections.abc import Mapping

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from dce.panel.http_responses import json_response
from dce.panel.limits import MAX_OPEN_TOKENS
from dce.panel.security import Access, Gate, check_host
from dce.wire.errors import DceError

PORT = 8765
HERE = f"http://127.0.0.1:{PORT}"


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    answer = await json_response({"inside": True})
    await answer(scope, receive, send)


def encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")


class Door:
    """A gate over an application that answers everything, and requests to it."""

    def __init__(self) -> None:
        self.access = Access()
        self.gate = Gate(inside, self.access, PORT, public=["/healthz"])

    def ask(
        self, path: str = "/api/workspace", method: str = "GET", cookie: str = "", **headers: str
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            named["cookie"] = cookie
        return self.send(method, path, named)

    def send(self, method: str, path: str, headers: Mapping[str, str | bytes]) -> httpx2.Response:
        async def go() -> httpx2.Response:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self.gate), base_url=HERE) as client:
                return await client.request(
                    method, path, headers=[(name.encode(), encoded(value)) for name, value in headers.items()]
                )

        return asyncio.run(go())

    def enter(self) -> str:
        """The cookie that a token is exchanged for."""
        answer = self.ask(f"/?token={self.access.mint()}")
        return answer.headers["set-cookie"].split(";")[0]


def code_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 403
    return str(answer.json()["error"]["code"])


def test_a_token_becomes_a_strict_cookie_and_leaves_the_address() -> None:
    """The exchange answers with a redirect to `/` and a cookie that no script and no other site can use."""
    door = Door()
    answer = door.ask(f"/?token={door.access.mint()}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert door.ask(cookie=cookie.split(";")[0]).json() == {"inside": True}


def test_a_token_works_once() -> None:
    """A link that was used is of no use to whoever reads it in a log or over a shoulder."""
    door = Door()
    token = door.access.mint()
    assert door.ask(f"/?token={token}").status_code == 303
    assert code_of(door.ask(f"/?token={token}")) == "forbidden"


def test_a_used_link_takes_its_user_back_in() -> None:
    """Following the same link again in the same browser only cleans the address."""
    door = Door()
    token = door.access.mint()
    cookie = door.ask(f"/?token={token}").headers["set-cookie"].split(";")[0]
    answer = door.ask(f"/?token={token}", cookie=cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_prefetch_does_not_use_the_token_up() -> None:
    """A browser that looks ahead while the address is typed leaves the token for the visit itself."""
    door = Door()
    token = door.access.mint()
    assert door.ask(f"/?token={token}", sec_purpose="prefetch;prerender").status_code == 403
    assert door.ask(f"/?token={token}").status_code == 303


def test_open_tokens_are_bounded() -> None:
    """Asking for links for ever keeps only the newest."""
    access = Access()
    first = access.mint()
    newest = [access.mint() for _ in range(MAX_OPEN_TOKENS)]
    assert access.redeem(first) is None
    assert all(access.redeem(token) for token in newest)


@pytest.mark.parametrize("cookie", ["", "dce_panel_8765=wrong", "dce_panel_8765=", "other=x", 'a="\x01', "é=ü"])
def test_without_the_session_everything_is_closed(cookie: str) -> None:
    """No cookie, a wrong one or garbage gets the error shape and nothing else."""
    door = Door()
    for path in ("/", "/api/workspace", "/assets/index.js", "/anything"):
        answer = door.send("GET", path, {"cookie": cookie} if cookie else {})
        assert code_of(answer) == "forbidden"
        assert answer.json()["error"]["hint"]


def test_a_person_without_a_session_is_shown_a_page() -> None:
    """A browser that opens the bare address is told in words what to do."""
    answer = Door().ask("/", accept="text/html,*/*")
    assert answer.status_code == 403
    assert "dce panel" in answer.text


def test_a_route_must_say_that_it_is_public() -> None:
    """The one public path needs no session; its neighbours do."""
    door = Door()
    assert door.ask("/healthz").json() == {"inside": True}
    assert code_of(door.ask("/healthz/")) == "forbidden"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8766", "127.0.0.1.evil.example:8765", ""])
def test_only_our_own_names_are_answered(host: str) -> None:
    """A name that was made to point at this machine gets nothing, not even with the cookie."""
    door = Door()
    cookie = door.enter()
    assert code_of(door.ask(cookie=cookie, host=host)) == "forbidden"


@pytest.mark.parametrize("host", ["localhost:8765", "[::1]:8765"])
def test_all_loopback_names_are_ours(host: str) -> None:
    """The panel may be opened by any name of loopback."""
    door = Door()
    assert door.ask(cookie=door.enter(), host=host).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_sites_pages_are_refused(method: str, headers: dict[str, str]) -> None:
    """What another page starts is refused, whatever it does and although the browser adds the cookie."""
    door = Door()
    cookie = door.enter()
    assert code_of(door.send(method, "/api/workspace", {"cookie": cookie, **headers})) == "forbidden"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_changes_something_must_say_where_it_comes_from(method: str) -> None:
    """A missing Origin is no pass; our own is, and so is the browser's word that the request is our page's."""
    door = Door()
    cookie = door.enter()
    assert code_of(door.send(method, "/api/accept", {"cookie": cookie})) == "forbidden"
    assert door.send(method, "/api/accept", {"cookie": cookie, "origin": HERE}).status_code == 200
    assert door.send(method, "/api/accept", {"cookie": cookie, "sec-fetch-site": "same-origin"}).status_code == 200


def test_every_answer_carries_the_policy() -> None:
    """Allowed or refused, an answer lets a page load only our own files and nobody frame it."""
    door = Door()
    for answer in (door.ask(), door.ask(cookie=door.enter()), door.ask(host="evil.example")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_a_nonce_is_never_used_twice() -> None:
    """Each answer has a style nonce of its own."""
    door = Door()
    cookie = door.enter()
    policies = {door.ask(cookie=cookie).headers["content-security-policy"] for _ in range(3)}
    assert len(policies) == 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_only_loopback_is_bound(host: str) -> None:
    """There is no flag that puts the panel on a network."""
    with pytest.raises(DceError) as caught:
        check_host(host)
    assert caught.value.code == "forbidden"
    assert "ssh -L" in caught.value.hint
