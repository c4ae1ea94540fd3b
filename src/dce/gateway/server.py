"""Listening, signals and stopping. uvicorn does HTTP; `dce gateway serve` and the demo start it here."""

import functools
import gc
import socket
import threading

import uvicorn

from dce.gateway.app import Gateway
from dce.gateway.guard import Patience
from dce.gateway.settings import GatewaySettings
from dce.gateway.wire import StreamingProtocol
from dce.wire.errors import DceError

BACKLOG = 2048
KEEP_ALIVE_S = 60
START_TIMEOUT_S = 30.0


class GatewayServer:
    """One listening gateway: `run` in this thread until a signal, or `start`/`stop` in a thread of its own."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.gateway = Gateway(settings)
        patience = Patience(
            head_s=settings.head_timeout_s,
            body_window_s=settings.body_window_s,
            body_bytes_per_s=settings.min_body_bytes_per_s,
        )
        config = uvicorn.Config(
            self.gateway.app,
            http=functools.partial(StreamingProtocol, patience=patience),  # type: ignore[arg-type]
            loop="auto",  # uvloop where there is one
            interface="asgi3",
            proxy_headers=False,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(settings.shutdown_timeout_s),
        )
        self._server = uvicorn.Server(config)
        try:
            self._socket = _bind(settings)
        except DceError:
            self.gateway.keys.close()
            raise
        self._thread: threading.Thread | None = None
        self.host, self.port = settings.host, int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM."""
        gc.freeze()  # what is loaded by now lives as long as the process: no use in looking at it again
        self._server.run(sockets=[self._socket])

    def start(self) -> "GatewayServer":
        """Serves in a thread; returns when it listens."""
        self._thread = threading.Thread(target=self.run, name="dce-gateway", daemon=True)
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(START_TIMEOUT_S / 0.02)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            waiting.wait(0.02)
        raise DceError("internal", "the gateway did not start")

    def stop(self) -> None:
        """Ends it; open streams are closed after the shutdown timeout."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> "GatewayServer":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _bind(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise DceError(
            "invalid_input",
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            hint="Stop whatever listens there, or choose another --port.",
        ) from None
    return listener


def serve(settings: GatewaySettings) -> None:
    """`dce gateway serve`: until a signal."""
    GatewayServer(settings).run()


async def check(settings: GatewaySettings) -> list[tuple[str, DceError | None, tuple[str, ...]]]:
    """`dce gateway check`: reaches every backend without serving: (url, fault or None, served models)."""
    gateway = Gateway(settings)
    try:
        await gateway.discoverer.probe_all()
        return [
            (upstream.url, upstream.fault, tuple(model.id for model in upstream.models))
            for upstream in gateway.upstreams
        ]
    finally:
        await gateway.close()
