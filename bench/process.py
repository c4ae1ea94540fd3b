"""Processes of a benchmark: started on a core of their own, measured from /proc with all their children, ended at the end."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

START_TIMEOUT_S = 90.0
"""LiteLLM takes half a minute to import."""


@contextlib.contextmanager
def running(command: Sequence[str], port: int, core: int, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server that listens on `port`; its process id. What it writes is kept until it has started, for the error."""
    log = Path(f"/tmp/dce-bench-{port}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        _wait_for(port, process, log)
        yield process.pid
    finally:
        children = tree(process.pid)[1:] if process.poll() is None else []
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)
        log.unlink(missing_ok=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and all it has started."""
    with contextlib.suppress(OSError):
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
        return [pid, *(other for child in children for other in tree(child))]
    return [pid]


def cpu_us(pid: int) -> float:
    """CPU time of a process and its children, all threads, in microseconds."""
    used = 0
    for process in tree(pid):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                used += int((task / "schedstat").read_text().split()[0])
    return used / 1000


def rss_mb(pid: int) -> float:
    """Resident memory of a process and its children. Pages that children share with it count again."""
    pages = 0
    for process in tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    said = log.read_text("utf-8", "replace")[-800:]
    raise RuntimeError(f"nothing listens on {port}: {said}")
