"""Listeners, signals and shutdown. uvicorn handles HTTP; `dce gateway serve` and the demo start it here."""

import asyncio
import contextlib
import functools
import gc
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import uvicorn

from dce.gateway.app import Gateway
from dce.gateway.front.connection import StreamingProtocol
from dce.gateway.front.guard import ClientTimeouts
from dce.gateway.reload import Reloader
from dce.gateway.settings import DEFAULT_ADMIN_PORT, GatewaySettings
from dce.gateway.tracing import Tracing
from dce.wire.errors import DceError

BACKLOG = 2048
KEEP_ALIVE_S = 60
START_TIMEOUT_S = 30.0
TICK_S, DRAINING_TICK_S = 1.0, 0.1
"""How often the server checks whether to stop."""
GC_THRESHOLDS = (10_000, 20, 20)
"""A request creates about a hundred objects that die with it: at CPython's default of 700 the collector scans those of running requests
again and again. With this, a collection takes at most half a millisecond, about every fifty requests."""


class GatewayServer:
    """One listening gateway: `run` in this thread until a signal, or `start`/`stop` in a thread of its own."""

    def __init__(
        self,
        settings: GatewaySettings,
        read_settings: Callable[[], GatewaySettings] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.gateway = Gateway(settings, tracing)
        self._sockets: list[socket.socket] = []
        try:
            self._sockets.append(_bind(settings.host, settings.port, "--port"))
            if not settings.no_admin:
                self._sockets.append(_bind(settings.admin_host, _admin_port(settings), "--admin-port"))
        except DceError:
            self._close_unused()
            raise
        admin = None if settings.no_admin else _AdminServer(_config(settings, self.gateway.admin, "off", _nobody))
        public = _config(settings, self.gateway.app, "on", self.gateway.metrics.request_refused)
        self._server = _Server(public, self.gateway, admin, self._sockets[1:])
        self._server.reloader = Reloader(read_settings, self.gateway.reload) if read_settings else None
        self._thread: threading.Thread | None = None
        self.host, self.port = settings.host, _port(self._sockets[0])
        self.admin_url = "" if admin is None else _url(settings.admin_host, _port(self._sockets[1]))
        """The admin listener's URL; empty if there is none."""

    @property
    def url(self) -> str:
        """The public listener's URL."""
        return _url(self.host, self.port)

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM: the first signal lets running responses finish, a second does not. SIGHUP reloads the
        settings if there is a file to reload; otherwise it ends the process, as when a terminal closes."""
        gc.freeze()  # everything loaded by now lives as long as the process: the collector need not scan it
        gc.set_threshold(*GC_THRESHOLDS)
        self._server.run(sockets=self._sockets[:1])

    def start(self) -> "GatewayServer":
        """Serves in a thread; returns once it is listening."""
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
        """Stops serving; open streams are closed after the shutdown timeout."""
        self._server.should_exit = True
        self._server.wake()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_running(self) -> bool:
        """Whether a started server is still running, neither stopped nor drained."""
        return self._thread is not None and self._thread.is_alive()

    def _close_unused(self) -> None:
        for listener in self._sockets:
            listener.close()
        self.gateway.discard()

    def __enter__(self) -> "GatewayServer":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _QuietServer(uvicorn.Server):
    """uvicorn's server checks ten times a second whether to stop, so that an idle gateway never sleeps. This one checks once a second
    (when it also renews the Date header) and when it is woken."""

    tick_s = TICK_S
    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Runs until `on_tick` returns True."""
        self._loop, self._wakeup = asyncio.get_running_loop(), asyncio.Event()
        while not await self.on_tick(0):
            self._wakeup.clear()
            timer = self._loop.call_later(self.tick_s, self._wakeup.set)
            await self._wakeup.wait()
            timer.cancel()

    def wake(self) -> None:
        """Makes the server check now whether to stop. Callable from any thread and from signal handlers."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended with the server
                self._loop.call_soon_threadsafe(self._wakeup.set)


class _AdminServer(_QuietServer):
    """The admin listener. It runs in the public listener's loop and leaves the signals to it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures no signals."""
        yield


class _Server(_QuietServer):
    """The public listener; starts and stops the admin listener with it, drains at the first signal."""

    def __init__(
        self, config: uvicorn.Config, gateway: Gateway, admin: _AdminServer | None, admin_sockets: list[socket.socket]
    ) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._admin = admin
        self._admin_sockets = admin_sockets
        self._admin_task: asyncio.Task[None] | None = None
        self.reloader: Reloader | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening, on the admin address first, so that the status is available once the gateway is."""
        if self.reloader is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reloader.request)
        if self._admin is not None:
            self._admin_task = asyncio.create_task(self._admin.serve(sockets=self._admin_sockets))
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Stops when draining is over; while draining it checks more often."""
        drain = self._gateway.drain
        self.tick_s = DRAINING_TICK_S if drain.is_on else TICK_S
        if drain.is_over(is_idle=self._gateway.is_idle):
            self.config.timeout_graceful_shutdown = int(drain.left_s)
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the connections, then the admin listener, so that the status stays available to the end."""
        if self.reloader is not None:
            await self.reloader.close()
        await super().shutdown(sockets)
        if self._admin is not None and self._admin_task is not None:
            self._admin.should_exit = self._admin.force_exit = True
            self._admin.wake()
            await self._admin_task

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets running responses finish, the second cuts them off, a third skips the shutdown altogether. Unlike
        uvicorn, no signal is raised again afterwards: the process ends by itself, with its last log lines and rows written."""
        del sig, frame
        if self._gateway.drain.is_on:
            self.force_exit = self.should_exit
            self.config.timeout_graceful_shutdown = 0
            self.should_exit = True
        else:
            self._gateway.drain.begin()
        self.wake()


def _nobody(_code: str) -> None:
    """Ignores the admin listener's refusals: they are the operator's own mistakes."""


def _config(
    settings: GatewaySettings, app: Callable[..., Any], lifespan: Any, on_refused: Callable[[str], object]
) -> uvicorn.Config:
    patience = ClientTimeouts(
        head_s=settings.head_timeout_s,
        body_window_s=settings.body_window_s,
        body_bytes_per_s=settings.min_body_bytes_per_s,
    )
    return uvicorn.Config(
        app,
        http=functools.partial(StreamingProtocol, patience=patience, on_refused=on_refused),  # type: ignore[arg-type]
        loop="auto",  # uvloop where there is one
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s),
    )


def _admin_port(settings: GatewaySettings) -> int:
    """The admin port. Several gateways on free ports must not collide on the default admin port."""
    return 0 if settings.port == 0 and settings.admin_port == DEFAULT_ADMIN_PORT else settings.admin_port


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(host: str, port: int, flag: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise DceError(
            "invalid_input",
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint=f"Stop whatever listens there, or choose another {flag}.",
        ) from None
    return listener


def serve(settings: GatewaySettings) -> None:
    """`dce gateway serve`: serves until a signal."""
    GatewayServer(settings).run()
