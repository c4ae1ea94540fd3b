"""Reloads the settings of a running gateway: read, checked and applied as a whole, or not at all.

To every part of the gateway its settings are constants. So a reload builds a new request path around the objects that stay
(connections, streams, keys, ledger, queue, unchanged backends) and swaps it in one step. A request that started before finishes on the
old path; one that starts after sees only the new one.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.breaker import Breaker, BreakerLimits
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError

log = logging.getLogger("dce.gateway")

FIXED = frozenset(
    {
        "host",
        "port",
        "admin_host",
        "admin_port",
        "admin_name",
        "admin_open",
        "no_admin",
        "data_dir",
        "insecure",
        "tracing",
        "head_timeout_s",
        "body_window_s",
        "min_body_bytes_per_s",
    }
)
"""Settings that listeners and databases were opened with. Changing them needs a restart."""


def changed_names(old: GatewaySettings, new: GatewaySettings) -> list[str]:
    """The settings that differ."""
    names = [field.name for field in msgspec.structs.fields(GatewaySettings)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def applicable(old: GatewaySettings, new: GatewaySettings) -> GatewaySettings:
    """The new settings as far as a running gateway can take them."""
    return msgspec.structs.replace(new, **{name: getattr(old, name) for name in FIXED})


def breaker_limits(settings: GatewaySettings) -> BreakerLimits:
    """The breaker's limits from the settings."""
    return BreakerLimits(failures=settings.breaker_failures, max_wait_s=settings.breaker_max_wait_s)


def new_backends(
    old: Sequence[Backend], settings: GatewaySettings, chance: Callable[[], float] = random.random
) -> list[tuple[Backend, BackendSettings]]:
    """The backends in their new order, each with its new settings. A backend whose URL stays keeps its object, with load, breaker and
    discovered models. Changes nothing yet."""
    limits = breaker_limits(settings)
    left = list(old)
    found: list[tuple[Backend, BackendSettings]] = []
    for row in settings.backends:
        known = next((backend for backend in left if backend.url == row.url), None)
        if known is not None:
            left.remove(known)
        found.append((known or Backend(row, Breaker(limits, _loop_time, chance)), row))
    return found


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Reloader:
    """Reads and applies new settings, one reload at a time, and logs the result."""

    def __init__(
        self, read: Callable[[], GatewaySettings], apply: Callable[[GatewaySettings], Awaitable[list[str]]]
    ) -> None:
        self._read = read
        self._apply = apply
        self._task: asyncio.Task[None] | None = None
        self._is_wanted = False

    def request(self) -> None:
        """A signal arrived. Any number of signals during a reload cause one more after it."""
        self._is_wanted = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Cancels a running reload, because the gateway is stopping."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                await self._reload()
        finally:
            self._task = None

    async def _reload(self) -> None:
        try:
            settings = await asyncio.to_thread(self._read)
            changed = await self._apply(settings)
        except DceError as error:
            log.warning("settings not reloaded, the old ones stay: %s", _one_line(error.message))
        except Exception:
            log.exception("settings not reloaded, the old ones stay: unexpected error")
        else:
            applied = ", ".join(name for name in changed if name not in FIXED) or "nothing"
            waiting = ", ".join(name for name in changed if name in FIXED)
            log.warning("settings reloaded; changed: %s%s", applied, f"; needs a restart: {waiting}" if waiting else "")


def _one_line(text: str) -> str:
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()
