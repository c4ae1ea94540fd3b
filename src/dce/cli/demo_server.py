"""The built-in card `demo`: the embedded engine behind its own gateway, started when a cycle first generates with it.

What must hold: nothing starts before it is needed; engine, gateway and key end with the panel that started them.
"""

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dce.cli.local_chain import local_chain, require_parts
from dce.cli.sample import GENERATION_SETTINGS
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.settings import Settings

CARD = "demo"
RESPONSES = 4
"""Default number of responses from a model that shares this machine's processor with everything else."""


def can_serve() -> bool:
    """Whether engine, weights and gateway are installed."""
    try:
        require_parts()
    except DceError:
        return False
    return True


class DemoServer:
    """Starts serving when its settings are first asked for. A context manager that ends what it started."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._settings: Settings | None = None

    def settings(self) -> "Settings":
        """The settings for the engine, which it starts if needed. Blocks for seconds. Raises DceError engine_unavailable."""
        with self._lock:
            if self._settings is None:
                with contextlib.ExitStack() as stack:
                    self._settings = self._start(stack)
                    self._stack = stack.pop_all()
            return self._settings

    def _start(self, stack: contextlib.ExitStack) -> "Settings":
        from dce.workspace.settings import Settings  # noqa: PLC0415

        chain = stack.enter_context(local_chain(self._state_dir, "panel-demo"))
        return Settings(url=chain.url, key=chain.secret, n=RESPONSES, card=CARD, **GENERATION_SETTINGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._settings = None
            self._stack.close()
