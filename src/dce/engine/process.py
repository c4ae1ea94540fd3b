"""Runs the embedded engine in a child process.

Invariants: if the engine crashes, the parent can see it and survives; if the parent crashes, the engine ends too.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from dce.engine.child import ChildServer
from dce.engine.embedded import MODEL, usable_threads
from dce.engine.weights import find_weights, require_server

START_TIMEOUT_S = 60.0
"""Maximum wait for the engine: it takes 1.3 s with the file in memory, more from a slow disk on a busy machine."""

ADDRESS_BYTES = 4096
"""More than an address is long."""

STOP_TIMEOUT_S = 5.0
"""Maximum wait for an engine that was asked to stop, before it is killed."""


class EngineProcess(ChildServer):
    """A running engine. Created by `start`."""

    called = "the embedded engine"
    poll_s = 0.05
    model = MODEL
    _said = b""

    @classmethod
    def start(cls, port: int = 0, *, log: Path | None = None, timeout_s: float = START_TIMEOUT_S) -> "EngineProcess":
        """Starts an engine on loopback (port 0: any free one) and returns when `/health` answers; its output goes to `log`.

        Raises DceError `engine_unavailable` if it is not installed, exits, or is not ready in time; it is not left running.
        """
        require_server()
        find_weights()
        log = log or _new_log()
        with log.open("wb") as output:
            # The engine stops when its standard input closes, so it ends with this process. It gets its own session, so that Ctrl-C in
            # a terminal reaches only this process, which then stops the engine cleanly.
            process = subprocess.Popen(
                [sys.executable, "-m", "dce.engine.embedded", "--port", str(port), "--threads", str(usable_threads())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        engine = cls(process, log)
        engine.wait_until_ready(timeout_s)
        return engine

    def stop(self) -> None:
        """Stops the engine. Further calls do nothing."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _is_ready(self) -> bool:
        if not self.url:  # the engine chose the port; it writes its address, and nothing else, to its standard output
            self._said += _read_now(self._process.stdout)
            line, end, _ = self._said.partition(b"\n")
            self.url = line.decode() if end else ""
        return bool(self.url) and super()._is_ready()


def _read_now(stream: IO[bytes] | None) -> bytes:
    """What can be read without waiting."""
    if stream is None or stream.closed:
        return b""
    with contextlib.suppress(BlockingIOError):
        return os.read(stream.fileno(), ADDRESS_BYTES)
    return b""


def _new_log() -> Path:
    with tempfile.NamedTemporaryFile(prefix="dce-engine-", suffix=".log", delete=False) as file:
        return Path(file.name)
