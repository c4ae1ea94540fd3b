"""How a stream of N responses looks to a client: to DCE's own, or to the original extension. A new profile is a class."""

import asyncio

from dce.gateway.backends.catalog import Catalog
from dce.gateway.front.dialects import Own
from dce.gateway.paths.queue_notice import QueuedStream
from dce.gateway.settings import GatewaySettings
from dce.gateway.streaming.legacy_output import LegacyFrames, LegacyOutput
from dce.gateway.streaming.output import EventOutput
from dce.wire.errors import DceError, encode_error

ORIGINAL_MODEL = "unsloth/gpt-oss-20b"
"""The name that the original's demo mode always sends."""


class Profile:
    """DCE's own clients: frames as they are, a queue notice at once."""

    queued: type[QueuedStream] = QueuedStream
    """What the client sees while its request waits for its turn."""

    def asked(self, name: str, catalog: Catalog) -> str:
        """The model that a request means by a name; empty for the default."""
        del catalog
        return name

    def output(self, stream_id: str, n: int, settings: GatewaySettings, model: str) -> EventOutput:
        """Where the frames go."""
        del model, n
        return EventOutput(stream_id, settings.replay_bytes, settings.backlog_bytes)


class LegacyQueued(QueuedStream):
    """Keeps the head back for one heartbeat's time: until then an error of the wait is an HTTP status, which the original shows."""

    _since: float | None = None

    async def tell(self, position: int) -> None:
        if not self._is_early() and (position or self.output is not None):
            await super().tell(position)

    async def busy(self, error: DceError, left_s: float) -> None:
        if not self._is_early():
            await super().busy(error, left_s)

    def _is_early(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        return self.output is None and now - self._since < self._settings.heartbeat_s


class LegacyProfile(Profile):
    """The original's client, unmodified."""

    queued = LegacyQueued

    def asked(self, name: str, catalog: Catalog) -> str:
        """Its demo mode cannot be told another model: that name means the default one, unless it is served or an alias."""
        is_known = name != ORIGINAL_MODEL or any(model.id == name for model in catalog.models())
        return name if is_known else ""

    def output(self, stream_id: str, n: int, settings: GatewaySettings, model: str) -> EventOutput:
        frames = LegacyFrames(stream_id, model, n)
        return LegacyOutput(frames, stream_id, settings.replay_bytes, settings.backlog_bytes, settings.head_patience_s)


class LegacyDialect(Own):
    """Errors of a legacy stream that has started, where no output takes them."""

    def event(self, error: DceError, request_id: str) -> bytes:
        frames = LegacyFrames("", "", 1).of(encode_error(error, request_id))
        return b"".join(b"data: %b\n\n" % frame for frame in frames)


OWN_PROFILE = Profile()
LEGACY_PROFILE = LegacyProfile()
LEGACY = LegacyDialect()
