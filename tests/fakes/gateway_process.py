"""`dce gateway serve` as a process of its own, to be killed, paused, measured and starved."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from dce.gateway.access.keys import KeyStore
from tests.fakes.chain import free_port

START_S = 120.0


class GatewayProcess:
    """One process at a time over one data folder and one port; the key stays the same over restarts."""

    def __init__(self, folder: Path, backend: str, *options: str) -> None:
        self.folder = folder / "gateway"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "gateway.log"
        self._command = [sys.executable, "-m", "dce", "gateway", "serve", "--port", str(self.port), "--admin-port", "0"]
        self._command += ["--data-dir", str(self.folder), "--backend", backend, *options]
        keys = KeyStore(self.folder)
        self.key = keys.create("tester")[1]
        keys.close()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "GatewayProcess":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def start(self) -> "GatewayProcess":
        """Starts it and waits until it is ready to serve."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=os.environ | {"HOME": "/"})
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def is_ready(self) -> bool:
        """Whether it says that it can serve a generation."""
        try:
            return httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends a signal that ends it and waits for that; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text("utf-8", "replace")

    def rss_bytes(self) -> int:
        """Its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        """Its file descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
