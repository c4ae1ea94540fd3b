"""The built-in card `demo`: the embedded engine behind a gateway of its own, started when a cycle first generates by it.

What must hold: nothing runs before it is asked for; engine, gateway and key end with the panel that started them.
"""

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dce.cli.sample import ASKING
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.settings import Settings

CARD = "demo"
RESPONSES = 4
"""How many Generate asks a model for that shares this machine's processor with everything else."""


def can_serve() -> bool:
    """Whether engine, weights and gateway are installed."""
    try:
        import dce.gateway.server  # noqa: F401, PLC0415
        from dce.engine.weights import find_weights, require_server  # noqa: PLC0415

        require_server()
        find_weights()
    except (ModuleNotFoundError, DceError):
        return False
    return True


class DemoServer:
    """Serves once it is asked for its settings. A context manager that ends what it started."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._settings: Settings | None = None

    def settings(self) -> "Settings":
        """The settings by which the engine is asked; starts it. Blocks for seconds. Raises DceError engine_unavailable."""
        with self._lock:
            if self._settings is None:
                with contextlib.ExitStack() as stack:
                    self._settings = self._start(stack)
                    self._stack = stack.pop_all()
            return self._settings

    def _start(self, stack: contextlib.ExitStack) -> "Settings":
        from dce.engine.process import EngineProcess  # noqa: PLC0415
        from dce.gateway.access.keys import KeyStore  # noqa: PLC0415
        from dce.gateway.server import GatewayServer  # noqa: PLC0415
        from dce.gateway.settings import BackendSettings, GatewaySettings  # noqa: PLC0415
        from dce.workspace.settings import Settings  # noqa: PLC0415

        data = self._state_dir / "gateway"
        with contextlib.closing(KeyStore(data)) as keys:
            key, secret = keys.create("panel-demo")
        stack.callback(_revoke, data, key.id)
        engine = stack.enter_context(EngineProcess.start(log=self._state_dir / "engine.log"))
        settings = GatewaySettings(
            port=0, no_admin=True, data_dir=str(data), backends=(BackendSettings(url=engine.url),)
        )
        gateway = stack.enter_context(GatewayServer(settings))
        return Settings(url=gateway.url, key=secret, n=RESPONSES, card=CARD, **ASKING)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._settings = None
            self._stack.close()


def _revoke(data: Path, key_id: str) -> None:
    """The key ends with the panel: the next one makes its own."""
    from dce.gateway.access.keys import KeyStore  # noqa: PLC0415

    with contextlib.closing(KeyStore(data)) as keys:
        keys.revoke(key_id)
