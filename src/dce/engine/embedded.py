"""The embedded engine: llama.cpp's OpenAI-compatible server with SmolLM2-135M, run in this process until it is stopped.

It is meant to run in a separate process (`python -m dce.engine.embedded`, or `dce engine serve`), so that a crash in native code ends
nothing else. The measurements behind the settings are in docs/adr/0003-engine.md.
Invariant: no mix of requests can exhaust the cache, because llama.cpp then fails every client at once.
"""

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TextIO

import msgspec

from dce.engine.weights import find_weights, require_server
from dce.wire.errors import DceError

MODEL = "smollm2-135m"
"""The served model name. llama.cpp's default would be the file's path."""

CONTEXT_TOKENS = 8_192
"""Context of one sequence: the length the model was trained for."""

PARALLEL = 10
"""Concurrent sequences, and the largest `n` of a request: one generation of ten."""

CACHE_TOKENS = CONTEXT_TOKENS * PARALLEL
"""Cache for ten full sequences, about 1.9 GB. With less, ten long requests all fail with "Context size has been exceeded"."""

BATCH_TOKENS = 512
"""Prompt tokens per batch: a new or cancelled request waits for one batch at most."""

PROMPT_CACHE_MIB = 256
"""Memory for the prompts of finished requests. llama.cpp's default is 8 GB."""

PROMPT_THREADS_FACTOR = 2
"""Prefill threads, as a multiple of decoding threads: prefill is long uninterrupted work and uses every core well."""

EXIT_UNAVAILABLE = 4

STDOUT, STDERR = 1, 2
"""File descriptors."""


class EmbeddedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engine listens and how many threads it uses. Port 0: any free one."""

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 1


def usable_threads() -> int:
    """Threads for decoding: half of the processors.

    The native threads spin while they wait for each other, many times per token, so a core held by another program stalls them all.
    Ten responses on two busy cores: 15-21 s with one thread, 87-176 s with two; on two free cores 8-12 s and 11-13 s.
    """
    return max(1, (os.cpu_count() or 1) // 2)


class EmbeddedEngine:
    """A running server. It serves from native threads; deleting the object stops them."""

    def __init__(self, settings: EmbeddedSettings) -> None:
        """Loads the model and starts listening, in about a second. Raises DceError `engine_unavailable` if it cannot."""
        require_server()
        weights = find_weights()
        # Native code of 34 MB: only the process that serves loads it.
        from xllamacpp import CommonParams, Server  # noqa: PLC0415

        try:
            self._server = Server(_parameters(CommonParams(), settings, weights))
        except RuntimeError as error:
            raise DceError(
                "engine_unavailable",
                f"the embedded engine could not start on {settings.host}:{settings.port}: {_refusal(settings) or error}",
                hint="If the port is in use, choose another with --port; see the engine's log for details.",
            ) from error
        self.url: str = self._server.listening_address


def _refusal(settings: EmbeddedSettings) -> str:
    """Why that address cannot be listened on, in the system's words; "" if it can. The native log may not say."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return ""


def _parameters(parameters: "CommonParams", settings: EmbeddedSettings, weights: Path) -> "CommonParams":  # type: ignore[name-defined]  # noqa: F821
    parameters.model.path = str(weights)
    parameters.model_alias = {MODEL}
    parameters.hostnames = [settings.host]
    parameters.port = settings.port
    parameters.n_ctx = CACHE_TOKENS
    parameters.n_parallel = PARALLEL
    parameters.kv_unified = True  # n=10 shares the prompt's cache instead of copying it ten times
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.cpuparams.n_threads = settings.threads
    parameters.cpuparams_batch.n_threads = settings.threads * PROMPT_THREADS_FACTOR
    parameters.ui = False
    parameters.cors_origins = ""  # no web page may talk to it
    return parameters


def serve(settings: EmbeddedSettings, on_ready: Callable[[str], None], stop: threading.Event) -> None:
    """Serves until `stop` is set; `on_ready` is given the URL when requests are answered."""
    engine = EmbeddedEngine(settings)
    on_ready(engine.url)
    stop.wait()


def stop_on_signals(stop: threading.Event) -> None:
    """Makes SIGINT and SIGTERM stop the server cleanly. Call it on the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())


def stop_at_end_of(stream: IO[bytes], stop: threading.Event) -> threading.Thread:
    """Sets `stop` when the other end of `stream` is closed, even by the death of its process."""

    def watch() -> None:
        while stream.read(1):
            pass
        stop.set()

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread


def main(arguments: Sequence[str] | None = None) -> int:
    """The child process of `EngineProcess`: serves until its standard input ends. Its standard output is its address, when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m dce.engine.embedded", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=usable_threads())
    given = parser.parse_args(arguments)
    address = _own_output()
    stop = threading.Event()
    stop_on_signals(stop)
    stop_at_end_of(sys.stdin.buffer, stop)
    try:
        serve(
            EmbeddedSettings(host=given.host, port=given.port, threads=given.threads),
            lambda url: print(url, file=address, flush=True),
            stop,
        )
    except DceError as error:
        sys.stderr.write(f"{error.message}. {error.hint}\n")
        return EXIT_UNAVAILABLE
    return 0


def _own_output() -> TextIO:
    """The standard output, for the address alone. What native code writes there from now on goes to the log, standard error.

    The native log is written in pieces, so that a line of ours between them cannot be relied on.
    """
    own = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    return os.fdopen(own, "w")


if __name__ == "__main__":
    code = main()
    # The native threads are no longer needed; waiting for their responses to end would hold the port for minutes.
    os._exit(code)
