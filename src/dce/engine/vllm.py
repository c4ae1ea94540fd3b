"""Starts a real vLLM server and waits until it is ready. It runs in its own environment: DCE never imports vllm or torch.

Invariants: stopping a server stops everything it started; a server that cannot start fails at once, with the end of its own log, and
not only after a timeout.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dce.engine.child import ChildServer
from dce.wire.errors import DceError

START_TIMEOUT_S = 300.0
"""Maximum wait for a server: it takes 50 s on two cores, minutes when weights are loaded over a network."""
STOP_TIMEOUT_S = 20.0
"""Maximum wait for a server that was asked to stop, before its whole process group is killed."""


class VllmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `python` is the interpreter of vLLM's environment, `model` a model folder or Hugging Face name."""

    python: Path
    model: str
    served_name: str
    host: str = "127.0.0.1"
    port: int = 8000
    context_tokens: int = 8192
    max_sequences: int = 32
    cpu_kv_cache_gib: int | None = None
    """Set on machines without a GPU; None lets vLLM decide."""
    extra_arguments: tuple[str, ...] = ()


def command(settings: VllmSettings) -> list[str]:
    """The command line, without a shell."""
    # As a module, not `vllm serve`: the CPU build's console script requires a distribution named vllm and fails.
    arguments = [str(settings.python), "-m", "vllm.entrypoints.openai.api_server"]
    arguments += ["--model", settings.model, "--served-model-name", settings.served_name]
    arguments += ["--host", settings.host, "--port", str(settings.port)]
    arguments += ["--max-model-len", str(settings.context_tokens), "--max-num-seqs", str(settings.max_sequences)]
    if settings.cpu_kv_cache_gib is not None:
        # Compiling takes minutes and gains nothing here. Chunked prefill must be off: on a CPU, vLLM 0.32 crashes on a request with
        # both a seed and a prompt longer than one chunk ("CPU Generator does not use offset").
        arguments += ["--dtype", "bfloat16", "--enforce-eager"]
        arguments += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(settings.context_tokens)]
    return [*arguments, *settings.extra_arguments]


def environment(settings: VllmSettings, base: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: `base` without DCE's key; no downloads for a local model, no telemetry."""
    values = {name: value for name, value in base.items() if name != "DCE_API_KEY"}
    values |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(settings.model).is_dir():
        values["HF_HUB_OFFLINE"] = "1"
    if settings.cpu_kv_cache_gib is not None:
        values["VLLM_CPU_KVCACHE_SPACE"] = str(settings.cpu_kv_cache_gib)
    return values


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is currently free."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


class VllmProcess(ChildServer):
    """A running vLLM server, with its engine processes in the same process group. Created by `start`."""

    called = "vLLM"
    poll_s = 0.25

    def __init__(self, process: subprocess.Popen[bytes], settings: VllmSettings, log: Path) -> None:
        super().__init__(process, log, f"http://{settings.host}:{settings.port}")
        self.settings = settings
        self.model = settings.served_name

    @classmethod
    def start(cls, settings: VllmSettings, log: Path, timeout_s: float = START_TIMEOUT_S) -> "VllmProcess":
        """Starts a server and returns when `/health` answers. Its output goes to the file `log`.

        Raises engine_unavailable if it is not installed, exits, or is not ready in time; it is not left running.
        """
        try:
            with log.open("wb") as output:
                # In its own session: Ctrl-C in a terminal reaches only this process, which then stops the server cleanly.
                process = subprocess.Popen(
                    command(settings),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment(settings, os.environ),
                    start_new_session=True,
                )
        except FileNotFoundError:
            raise DceError(
                "engine_unavailable",
                f"there is no vLLM environment: {settings.python} does not exist",
                hint="See docs/operations/vllm.md for how to create one.",
            ) from None
        server = cls(process, settings, log)
        server.wait_until_ready(timeout_s)
        return server

    def stop(self) -> None:
        """Stops the server and every process it started. Further calls do nothing."""
        if self.is_alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        # An engine may outlive a crashed server; the process group contains nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
