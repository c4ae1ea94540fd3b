"""A model server as a child process: whether it is running, whether it is ready, and what it logged if not.

Invariant: a server that cannot start fails at once, with the end of its own log, and not only after a timeout.
"""

import contextlib
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from dce.wire.errors import DceError

PROBE_TIMEOUT_S = 5.0
LOG_TAIL_BYTES = 1500
"""How much of a dead server's log goes into the error: the last exception, within the 2,400 bytes of an error message."""


class ChildServer:
    """A started server, as a context manager that stops it. `called` is its name in errors."""

    called = "the server"
    poll_s = 0.1

    def __init__(self, process: subprocess.Popen[bytes], log: Path, url: str = "") -> None:
        self._process = process
        self.log = log
        self.url = url

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the server's process is running."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The server's exit code; a negative signal number if it was killed; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Stops the server. Further calls do nothing."""
        raise NotImplementedError

    def log_tail(self) -> str:
        """The end of the server's log."""
        with contextlib.suppress(OSError):
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
        return ""

    def wait_until_ready(self, timeout_s: float) -> None:
        """Returns when the server is ready. If it exits or is not ready in time, stops it and raises engine_unavailable."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                # Checked first: after the server has exited, another process may answer on its port.
                if not self.is_alive:
                    raise self._failure(f"{self.called} exited with code {self.exit_code} while starting")
                if self._is_ready():
                    return
                if time.monotonic() > deadline:
                    raise self._failure(f"{self.called} was not ready after {timeout_s:g} s")
                time.sleep(self.poll_s)
        except BaseException:
            self.stop()
            raise

    def _is_ready(self) -> bool:
        """Whether `/health` answers."""
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.url}/health", timeout=PROBE_TIMEOUT_S, trust_env=False).is_success
        return False

    def _failure(self, fact: str) -> DceError:
        return DceError("engine_unavailable", f"{fact}:\n{self.log_tail()}", hint=f"See its full log: {self.log}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
