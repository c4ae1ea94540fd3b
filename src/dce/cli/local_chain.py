"""Engine and gateway on this machine, for `dce demo` and the panel's card `demo`: both on free ports, with their own key.

What must hold: a missing part is reported before anything is created; engine, gateway and key end with the context.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.engine.process import EngineProcess

READY_TIMEOUT_S = 30.0
"""Longest wait for the gateway to find the engine's model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalChain:
    """The running engine, and the gateway in front of it with the key that it accepts."""

    engine: "EngineProcess"
    url: str
    key_id: str
    secret: str = dataclasses.field(repr=False)


def require_parts() -> None:
    """Raises DceError engine_unavailable if the engine, its weights, the gateway or the panel is not installed."""
    try:
        import dce.gateway.server  # noqa: PLC0415
        import dce.panel.server  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise DceError("engine_unavailable", f"the demo needs {error.name}, which is not installed") from error
    from dce.engine.weights import find_weights, require_server  # noqa: PLC0415

    require_server()
    find_weights()


@contextlib.contextmanager
def local_chain(state_dir: Path, key_name: str) -> Iterator[LocalChain]:
    """Starts both and waits until the model is ready, which takes seconds. Keys and the engine's log are in `state_dir`.

    Raises DceError engine_unavailable, or no_healthy_backend if the gateway does not find the engine's model.
    """
    from dce.engine.process import EngineProcess  # noqa: PLC0415
    from dce.gateway.access.keys import KeyStore  # noqa: PLC0415
    from dce.gateway.server import GatewayServer  # noqa: PLC0415
    from dce.gateway.settings import BackendSettings, GatewaySettings  # noqa: PLC0415

    data = state_dir / "gateway"
    with contextlib.closing(KeyStore(data)) as keys:
        key, secret = keys.create(key_name)
    try:
        with EngineProcess.start(log=state_dir / "engine.log") as engine:
            backends = (BackendSettings(url=engine.url),)
            settings = GatewaySettings(port=0, no_admin=True, data_dir=str(data), backends=backends)
            with GatewayServer(settings) as gateway:
                _wait_until_ready(gateway.url)
                yield LocalChain(engine=engine, url=gateway.url, key_id=key.id, secret=secret)
    finally:
        # The key ends with its gateway: the next run creates its own.
        with contextlib.closing(KeyStore(data)) as keys:
            keys.revoke(key.id)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while httpx2.get(f"{url}/readyz", trust_env=False).is_error:
        if time.monotonic() > deadline:
            raise DceError("no_healthy_backend", "the gateway has not found the engine's model")
        time.sleep(0.05)
