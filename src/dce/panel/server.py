"""The panel as a running server: a thread with its own event loop, uvicorn in it, and the URL that opens it.

What must always hold: it binds loopback only; when `stop` returns, nothing of it runs any longer and the port is free.
"""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from dce.panel.app import create_app
from dce.panel.assets import STATIC
from dce.panel.limits import MAX_WORKER_THREADS
from dce.panel.runtime import PanelRuntime
from dce.panel.security import Access, check_host
from dce.panel.tools import Tools
from dce.wire.errors import DceError
from dce.workspace.workspace import Workspace

DEFAULT_PORT = 8765
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
GRACEFUL_SHUTDOWN_S = 3
"""How long responses that are being written may go on after the stop."""


class PanelServer:
    """Serves one workspace on loopback. `port` 0 takes a free one. The caller closes the workspace, after `stop`."""

    def __init__(
        self,
        workspace: Workspace,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        static: Path = STATIC,
        tools: Tools | None = None,
    ) -> None:
        check_host(host)
        self._workspace = workspace
        self._host = host
        self._static = static
        self._tools = tools
        self._wanted_port = port
        self._access = Access()
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._server: uvicorn.Server | None = None
        self.port = port

    @property
    def address(self) -> str:
        """The address without a token: http://HOST:PORT."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self.port}"

    @property
    def url(self) -> str:
        """A new link, which signs in one browser; every read makes another."""
        return f"{self.address}/?token={self._access.mint()}"

    def start(self) -> Self:
        """Binds and serves; returns once requests are served. Raises DceError invalid_input if the port is taken."""
        listener = self._bind()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="dce-panel", daemon=True)
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S) or self._failure is not None:
            raise DceError("internal", f"the panel did not start: {self._failure or 'no response in time'}")
        return self

    def request_stop(self) -> None:
        """Begins to stop without waiting; safe in a signal handler."""
        if self._server is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Stops every run, ends every window's stream, frees the port. May be called twice."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            self._thread = None

    def wait(self) -> None:
        """Returns when the server has ended."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(1.0)  # in steps, so that Ctrl-C gets through

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._wanted_port))
        except OSError as error:
            listener.close()
            fact = f"the panel cannot use port {self._wanted_port} of {self._host}: {error.strerror}"
            raise DceError("invalid_input", fact, hint="Choose another port; --port 0 takes a free one.") from error
        self.port = listener.getsockname()[1]
        return listener

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in `start`
            self._failure = error
        finally:
            listener.close()
            self._started.set()

    async def _serve(self, listener: socket.socket) -> None:
        workers = ThreadPoolExecutor(MAX_WORKER_THREADS, thread_name_prefix="dce-panel-worker")
        asyncio.get_running_loop().set_default_executor(workers)
        panel = await asyncio.to_thread(PanelRuntime, self._workspace, tools=self._tools)
        config = uvicorn.Config(
            create_app(panel, self._access, self.port, self._static),
            access_log=False,  # its first line would contain the token
            log_level="warning",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        )
        self._server = _Server(config, self._started, panel)
        panel.start()
        try:
            await self._server.serve(sockets=[listener])
        finally:
            await panel.close()


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the program, says when it serves, and ends our streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, started: threading.Event, panel: PanelRuntime) -> None:
        super().__init__(config)
        self._has_started = started
        self._panel = panel

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then says that it serves."""
        await super().startup(sockets)
        self._has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the panel first: its event streams never end by themselves."""
        await self._panel.close()
        await super().shutdown(sockets)
