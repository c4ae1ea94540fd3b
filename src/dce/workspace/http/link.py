"""The link to one server: its URL, key and kind. `http/client.py` sends the requests.

What must always hold: each call has its own connections, so that a link works from any event loop; the key is sent only to this
server and appears in no message; an unused link loads no HTTP client, and a used one loads it outside the event loop.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from dce.wire.errors import DceError
from dce.workspace.http.peer import Peer
from dce.workspace.request_options import unusable

if TYPE_CHECKING:
    import httpx2

    from dce.workspace.http.client import HttpClient


class HttpLink:
    """The link to the server at `url`. `silence_s`: the longest allowed silence."""

    def __init__(
        self,
        url: str,
        key: str | None,
        peer: Peer,
        silence_s: float,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`headers`: sent with every request, besides the key."""
        self.url = url
        self._headers = headers
        self._key = key
        self._peer = peer
        self._silence_s = silence_s
        self._transport = transport
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def client(self) -> "AsyncIterator[HttpClient]":
        """A client for one call, closed afterwards. Raises DceError invalid_input for headers that cannot be sent."""
        if problem := unusable(self._headers):
            raise DceError(
                "invalid_input",
                problem,
                hint="Set the variable, or correct `headers` in the settings or the model card.",
            )
        # The first client loads httpx2 and reads the machine's certificate authorities, which takes 0.1 s in all.
        async with await asyncio.to_thread(self._new_client) as client:
            yield client

    def _new_client(self) -> "HttpClient":
        from dce.workspace.http.client import HttpClient, tls_for  # noqa: PLC0415 - see there

        if self._tls is None and self._transport is None:
            self._tls = tls_for(self.url)
        return HttpClient(self.url, self._key, self._peer, self._silence_s, self._tls, self._transport, self._headers)
