"""CPU per streamed event: the gateway (pass-through and n-way) beside nginx and no proxy at all, in interleaved rounds.

What is stable on a shared machine is a proxy's own CPU time per event and ratios within one run; wall times are not. The
scripted backend and the client share core 0, the proxy has core 1. CPU is read from /proc of the proxy's process tree.
"""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dce.gateway.keys import KeyStore

FRAMES, FRAMES_PER_S = 400, 50.0
STREAMS, N = 100, 10
ROUNDS = 3
PROMPT_BYTES = 1000


def run(rounds: int = ROUNDS) -> dict[str, object]:
    """All subjects, `rounds` times, interleaved; medians and the raw rows."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        upstream_port = _free_port()
        command = [sys.executable, "-m", "bench.upstream", str(upstream_port), str(FRAMES), str(FRAMES_PER_S)]
        stack.enter_context(_process(command, upstream_port, core=0))
        key, gateway, gateway_port = _gateway(stack, Path(folder), upstream_port)
        subjects: dict[str, tuple[str, int | None, int]] = {
            "direct": (f"http://127.0.0.1:{upstream_port}/v1/chat/completions", None, 1),
            "dce /v1": (f"http://127.0.0.1:{gateway_port}/v1/chat/completions", gateway, 1),
            f"dce n={N}": (f"http://127.0.0.1:{gateway_port}/api/dce/proxy", gateway, N),
        }
        if shutil.which("nginx"):
            nginx, nginx_port = _nginx(stack, Path(folder), upstream_port)
            subjects["nginx"] = (f"http://127.0.0.1:{nginx_port}/v1/chat/completions", nginx, 1)
        rows = [
            {"round": at, "subject": name, **_measure(key, *subject)}
            for at in range(rounds)
            for name, subject in subjects.items()
        ]
    medians = {name: _median([row for row in rows if row["subject"] == name]) for name in subjects}
    return {
        "scenario": "gateway_streams",
        "streams": STREAMS,
        "frames": FRAMES,
        "frames_per_s": FRAMES_PER_S,
        "medians": medians,
        "raw": rows,
    }


def table(result: dict[str, object]) -> str:
    """The medians as Markdown."""
    medians = result["medians"]
    assert isinstance(medians, dict)
    nginx = medians.get("nginx", {}).get("cpu_us_per_event")
    lines = ["| subject | CPU µs per backend event | × nginx | added p50 ms | RSS MB |", "|---|---|---|---|---|"]
    base = medians["direct"]["latency_p50_ms"]
    for name, row in medians.items():
        ratio = f"{row['cpu_us_per_event'] / nginx:.2f}" if nginx and row["cpu_us_per_event"] else "–"
        lines.append(
            f"| {name} | {row['cpu_us_per_event'] or '–'} | {ratio} | {row['latency_p50_ms'] - base:.2f} | {row['rss_mb'] or '–'} |"
        )
    return "\n".join(lines)


def _measure(key: str, url: str, pid: int | None, n: int) -> dict[str, float]:
    before = _cpu_ns(pid) if pid else 0
    command = [sys.executable, "-m", "bench.client", url, key, str(STREAMS // n), str(n), str(PROMPT_BYTES)]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {0})
    )
    row: dict[str, float] = json.loads(answer.stdout)
    used = (_cpu_ns(pid) - before) / 1000 if pid else 0
    return {**row, "cpu_us_per_event": round(used / row["events"], 2), "rss_mb": round(_rss_mb(pid), 1) if pid else 0}


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    return {
        name: round(statistics.median(row[name] for row in rows), 3)
        for name in ("cpu_us_per_event", "latency_p50_ms", "latency_p99_ms", "rss_mb")
    }


def _gateway(stack: contextlib.ExitStack, folder: Path, upstream_port: int) -> tuple[str, int, int]:
    _, key = KeyStore(folder / "data").create("bench")
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "dce",
        "gateway",
        "serve",
        "--port",
        str(port),
        "--admin-port",
        "0",
        "--backend",
        f"http://127.0.0.1:{upstream_port}",
        "--data-dir",
        str(folder / "data"),
    ]
    return key, stack.enter_context(_process(command, port, core=1)), port


def _nginx(stack: contextlib.ExitStack, folder: Path, upstream_port: int) -> tuple[int, int]:
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"upstream backend {{ server 127.0.0.1:{upstream_port}; keepalive 256; }}\n"
        f"server {{ listen 127.0.0.1:{port}; client_max_body_size 50m; location / {{ proxy_pass http://backend; proxy_buffering off;\n"
        'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 600s; } } }\n',
        "utf-8",
    )
    return stack.enter_context(_process(["nginx", "-c", str(config)], port, core=1)), port


@contextlib.contextmanager
def _process(command: list[str], port: int, core: int) -> Iterator[int]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        _wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(other for child in children for other in _tree(int(child)))]


def _cpu_ns(pid: int) -> int:
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for process in _tree(pid)
        for task in Path(f"/proc/{process}/task").iterdir()
    )


def _rss_mb(pid: int) -> float:
    return (
        sum(int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in _tree(pid))
        * os.sysconf("SC_PAGE_SIZE")
        / 1e6
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
