"""Starting the embedded engine in a child process, and knowing how it does.

What must hold: the engine's end, however hard, is a fact that the parent can ask for and never the parent's own end; no engine
outlives the process that started it, however hard that one ends.
"""

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from dce.engine.embedded import MODEL, usable_threads
from dce.engine.weights import find_weights, require_server
from dce.wire.errors import DceError

START_TIMEOUT_S = 60.0
"""Longest wait for the engine: 1.3 s with the file in memory, more from a slow disk on a busy machine."""

STOP_TIMEOUT_S = 5.0
"""Longest wait for an engine that was asked to stop; then it is killed."""

POLL_S = 0.05
PROBE_TIMEOUT_S = 5.0
LOG_TAIL_BYTES = 1_000
_SERVING = re.compile(rb"^serving \S+ at (http://\S+)$", re.MULTILINE)


class EngineProcess:
    """An engine that serves. Made by `start`; a context manager that stops it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log
        self.model = MODEL
        self.url = ""

    @classmethod
    def start(cls, port: int = 0, *, log: Path | None = None, timeout_s: float = START_TIMEOUT_S) -> "EngineProcess":
        """Starts an engine on loopback (port 0: any free one) and returns when `/health` answers; its output goes to `log`.

        DceError `engine_unavailable`: it is not installed, it ended, or it was not ready in time; none is left running then.
        """
        require_server()
        find_weights()
        log = log or _new_log()
        with log.open("wb") as output:
            # Its standard input is the leash: the pipe closes when we end, and the engine ends with it. A session of its own:
            # Ctrl-C in a terminal reaches us alone, and we stop the engine in order.
            process = subprocess.Popen(
                [sys.executable, "-m", "dce.engine.embedded", "--port", str(port), "--threads", str(usable_threads())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        engine = cls(process, log)
        try:
            engine._wait_until_ready(timeout_s)
        except BaseException:
            engine.stop()
            raise
        return engine

    @property
    def pid(self) -> int:
        """The engine's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the engine's process runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the engine ended; negative for a signal's number; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ends the engine. Calling it twice does nothing more."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> str:
        """The end of what the engine said."""
        with contextlib.suppress(OSError):
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
        return ""

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            if not self.is_alive:
                raise self._failure(f"the embedded engine ended with exit code {self.exit_code} while starting")
            if time.monotonic() > deadline:
                raise self._failure(f"the embedded engine was not ready after {timeout_s:g} s")
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        if not self.url:
            said = _SERVING.search(self.log.read_bytes())
            self.url = said[1].decode() if said else ""
        if not self.url:
            return False
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=PROBE_TIMEOUT_S, trust_env=False).is_success
        return False

    def _failure(self, fact: str) -> DceError:
        return DceError("engine_unavailable", f"{fact}:\n{self.log_tail()}", hint=f"Its whole log is {self.log}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _new_log() -> Path:
    with tempfile.NamedTemporaryFile(prefix="dce-engine-", suffix=".log", delete=False) as file:
        return Path(file.name)
