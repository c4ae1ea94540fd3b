"""Reads one connection's stream to its end: body pieces go into a reader, provider events come out."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dce.wire.errors import DceError
from dce.workspace.generating.provider_events import ProviderEvent
from dce.workspace.generating.stream_reader import StreamReader
from dce.workspace.http.peer import Peer

if TYPE_CHECKING:
    from dce.workspace.http.client import Answer

SETTLE_S = 5.0
"""How long to wait for more after a finish_reason on an open connection before it is the end: usage comes within milliseconds."""


async def events_of(
    reader: StreamReader, answer: "Answer", peer: Peer, silence_s: float
) -> AsyncGenerator[ProviderEvent, None]:
    """The events from one connection, until the stream is done or the connection is lost; the reader records how it was lost."""
    pieces = answer.pieces()
    loop = asyncio.get_running_loop()
    settled_at: float | None = None
    while not reader.is_done:
        try:
            async with asyncio.timeout_at(settled_at):
                piece = await anext(pieces)
        except TimeoutError:
            for event in reader.settle():
                yield event
            return
        except StopAsyncIteration:
            reader.lost(peer.interrupted("ended"), is_orderly=True)
            return
        except DceError as error:
            reader.lost(peer.silence(silence_s) if error.code == peer.silent else peer.interrupted("was lost"))
            return
        told = reader.feed(piece)
        for event in told:
            yield event
        if not reader.is_settling:
            settled_at = None
        elif told or settled_at is None:  # comments keep the connection alive, not the response
            settled_at = loop.time() + SETTLE_S
