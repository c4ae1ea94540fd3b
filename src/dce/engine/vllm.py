"""Starting a real vLLM and knowing when it serves. It runs in an environment of its own: DCE never imports vllm or torch.

What must always hold: a server that was started is ended with everything it started; a server that cannot start says so with
the end of its own log, at once and not when a timeout passes.
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
"""Longest wait for a server: 50 s on two cores, minutes when it has weights to load over a network."""
STOP_TIMEOUT_S = 20.0
"""Longest wait for a server that was asked to stop; then its whole process group is killed."""


class VllmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `python` is the interpreter of vLLM's environment, `model` a Hugging Face folder or name."""

    python: Path
    model: str
    served_name: str
    host: str = "127.0.0.1"
    port: int = 8000
    context_tokens: int = 8192
    max_sequences: int = 32
    cpu_kv_cache_gib: int | None = None
    """Set for a machine without a GPU; None leaves memory to vLLM."""
    extra_arguments: tuple[str, ...] = ()


def command(settings: VllmSettings) -> list[str]:
    """The command line, without a shell."""
    # As a module, not `vllm serve`: the CPU build's console script looks for a distribution called vllm and fails.
    arguments = [str(settings.python), "-m", "vllm.entrypoints.openai.api_server"]
    arguments += ["--model", settings.model, "--served-model-name", settings.served_name]
    arguments += ["--host", settings.host, "--port", str(settings.port)]
    arguments += ["--max-model-len", str(settings.context_tokens), "--max-num-seqs", str(settings.max_sequences)]
    if settings.cpu_kv_cache_gib is not None:
        # Compiling takes minutes and gains nothing here. Chunked prefill must be off: on a CPU, vLLM 0.32 dies of a request
        # that has both a seed and a prompt longer than one chunk ("CPU Generator does not use offset").
        arguments += ["--dtype", "bfloat16", "--enforce-eager"]
        arguments += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(settings.context_tokens)]
    return [*arguments, *settings.extra_arguments]


def environment(settings: VllmSettings, base: Mapping[str, str]) -> dict[str, str]:
    """The server's variables: those of `base` without DCE's own key, nothing fetched from or reported to anybody."""
    values = {name: value for name, value in base.items() if name != "DCE_API_KEY"}
    values |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(settings.model).is_dir():
        values["HF_HUB_OFFLINE"] = "1"
    if settings.cpu_kv_cache_gib is not None:
        values["VLLM_CPU_KVCACHE_SPACE"] = str(settings.cpu_kv_cache_gib)
    return values


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


class VllmProcess(ChildServer):
    """A vLLM server that serves, its engine processes in the same process group. Made by `start`."""

    called = "vLLM"
    poll_s = 0.25

    def __init__(self, process: subprocess.Popen[bytes], settings: VllmSettings, log: Path) -> None:
        super().__init__(process, log, f"http://{settings.host}:{settings.port}")
        self.settings = settings
        self.model = settings.served_name

    @classmethod
    def start(cls, settings: VllmSettings, log: Path, timeout_s: float = START_TIMEOUT_S) -> "VllmProcess":
        """Starts a server and returns when `/health` answers. Its output goes to the file `log`.

        Raises engine_unavailable: it is not installed, it ended, or it was not ready in time; none is left running then.
        """
        try:
            with log.open("wb") as output:
                # A session of its own: Ctrl-C in a terminal reaches us, and we stop the server in order.
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
                hint="docs/operations/vllm.md says how to make one.",
            ) from None
        server = cls(process, settings, log)
        server.wait_until_ready(timeout_s)
        return server

    def stop(self) -> None:
        """Ends the server and every process it started. Calling it twice does nothing more."""
        if self.is_alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        # An engine may outlive a server that died hard; the group is ours alone.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
