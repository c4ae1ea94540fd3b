"""One connection's stream, read to its end: pieces of an answer go into a reader, provider events come out."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dce.wire.errors import DceError
from dce.workspace.generating.provider_events import ProviderEvent
from dce.workspace.generating.stream_reader import StreamReader
from dce.workspace.http.peer import Peer

if TYPE_CHECKING:
    from dce.workspace.http.client import Answer


async def events_of(
    reader: StreamReader, answer: "Answer", peer: Peer, silence_s: float
) -> AsyncGenerator[ProviderEvent, None]:
    """What one connection brings, until the stream is done or the connection is lost: then the reader knows how."""
    pieces = answer.pieces()
    while not reader.is_done:
        try:
            piece = await anext(pieces)
        except StopAsyncIteration:
            reader.lost(peer.interrupted("ended"), is_orderly=True)
            return
        except DceError as error:
            reader.lost(peer.silence(silence_s) if error.code == peer.silent else peer.interrupted("was lost"))
            return
        for event in reader.feed(piece):
            yield event
