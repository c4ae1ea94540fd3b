"""The gateway beside nginx, Caddy, vllm-router and LiteLLM: one run, one backend, the same questions (gateway_scenarios.py).

The gateway runs as `dce gateway serve` does, with a real key that has limits, its ledger and its metrics. Two rows are its:
`dce /v1` passes an OpenAI stream through; `dce n-way` is /api/dce/proxy, ten responses in one client stream, each of them a
backend request of its own, so its events are counted at the backend's side.
"""

import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.gateway_peers import Site, Subject, start_peers
from bench.gateway_scenarios import SIZES, Bench, Row
from bench.process import free_port, running
from dce.gateway.access.keys import KeyStore
from dce.gateway.access.limits import Limits

PLENTY = Limits(rpm=10_000_000, tpm=10_000_000_000, concurrency=100_000, budget_tokens=10**12, max_n=20)
"""Limits that are checked and never reached."""


def run(*, is_quick: bool = False) -> dict[str, Any]:
    """Starts everything, asks everything; every row is kept."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the gateway's benchmark needs two cores: one for the proxy, one for backend and client")
    with tempfile.TemporaryDirectory(prefix="dce-bench-") as folder, contextlib.ExitStack() as stack:
        upstream = free_port()
        stack.enter_context(running([sys.executable, "-m", "bench.upstream", str(upstream)], upstream, cores[0]))
        site = Site(stack=stack, folder=Path(folder), upstream=upstream, core=cores[1])
        peers, absent = start_peers(site)
        direct = Subject(name="direct", url=f"http://127.0.0.1:{upstream}/v1/chat/completions")
        bench = Bench([direct, *peers, *_ours(site)], upstream, is_quick=is_quick)
        rows = {}
        for name, ask in (
            ("events", bench.events),
            ("scale", bench.scale),
            ("prompts", bench.prompts),
            ("big_beside_small", bench.big_beside_small),
            ("requests", bench.requests),
            ("cancellation", bench.cancellation),
        ):
            print(f"  {name} …", file=sys.stderr)
            rows[name] = ask()
        versions = {subject.name: subject.version for subject in bench.subjects if subject.version}
    load = [round(value, 2) for value in os.getloadavg()]
    return {"is_quick": is_quick, "versions": versions, "absent": absent, "load_average": load, "rows": rows}


def _ours(site: Site) -> Iterable[Subject]:
    data = site.folder / "data"
    _, key = KeyStore(data).create("bench", limits=PLENTY)
    port = free_port()
    command = [sys.executable, "-m", "dce", "gateway", "serve", "--port", str(port), "--admin-port", "0"]
    command += ["--backend", f"http://127.0.0.1:{site.upstream}", "--data-dir", str(data)]
    config = os.environ.get("DCE_BENCH_GATEWAY_CONFIG")
    command += ["--config", config] if config else []
    pid = site.stack.enter_context(running(command, port, site.core))
    url = f"http://127.0.0.1:{port}"
    yield Subject(name="dce /v1", url=f"{url}/v1/chat/completions", pid=pid, key=key)
    yield Subject(name="dce n-way", url=f"{url}/api/dce/proxy", pid=pid, key=key, is_n_way=True)


# -- the table --------------------------------------------------------------------------------------------------------


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown: medians over rounds, differences to the backend alone."""
    rows: dict[str, list[Row]] = result["rows"]
    names = list(dict.fromkeys(row["subject"] for row in rows["events"]))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    absent = "".join(f"\n\nAbsent: {name} ({why})." for name, why in result["absent"].items())
    quick = " **A quick look, not a measurement.**" if result["is_quick"] else ""
    parts = [
        f"{result['machine']}, {result['when']}; load average at the end {result['load_average'][0]}.{quick} {versions}.{absent}",
        "Added times are differences from the backend without a proxy in the same run. CPU is the proxy's own, over all its processes."
        " *Age* is the time from the backend sending an event to the client receiving it, *ITL* the time between two tokens.",
        _main_table(names, rows),
        "Added time to first token (ms, median / 99th percentile), by size of the prompt and number of responses:",
        _prompt_table(names, rows["prompts"]),
        "CPU µs per event and peak memory, by number of running responses. In the last column each response has its own connection.",
        _scale_table(rows["scale"]),
        "Twenty streams while five prompts of 1 MB arrive each second: longest gap between two tokens, and 99th percentile of the age of events (ms).",
        _beside_table(rows["big_beside_small"]),
        "Load generator and backend share one core; its busiest share in the runs of the first table: "
        f"{_busiest(rows['events']):.0%}.",
    ]
    return "\n\n".join(parts)


def _main_table(names: list[str], rows: dict[str, list[Row]]) -> str:
    events = {name: _medians(rows["events"], name) for name in names}
    base, nginx = events["direct"], events.get("nginx", {}).get("cpu_us_per_event")
    asked = {row["subject"]: row for row in rows["requests"]}
    cut = {row["subject"]: row for row in rows["cancellation"]}
    lines = [
        "| | CPU µs per event | × nginx | added age ms p50 / p99 | added ITL p99 ms | CPU µs per small request | requests/s | backend freed after, ms p50 / max | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        row, small, gone = events[name], asked.get(name, {}), cut.get(name, {})
        cpu = row.get("cpu_us_per_event")
        rate = f"{small['events'] / small['wall_s']:,.0f}" if small.get("wall_s") else "–"
        freed = f"{gone['abort_p50_ms']} / {gone['abort_max_ms']}" if "abort_p50_ms" in gone else "never"
        missing = gone.get("expected", 0) - gone.get("aborted", 0)
        freed += f" ({missing} not)" if missing > 0 and "abort_p50_ms" in gone else ""
        lines.append(
            f"| {name} | {_text(cpu)} | {f'{cpu / nginx:.2f}' if cpu and nginx else '–'} "
            f"| {_added(row, base, 'age_p50_ms')} / {_added(row, base, 'age_p99_ms')} | {_added(row, base, 'itl_p99_ms')} "
            f"| {_text(small.get('cpu_us_per_event'))} | {rate} | {freed} | {_text(row.get('peak_rss_mb'))} |"
        )
    return "\n".join(lines)


def _prompt_table(names: list[str], rows: list[Row]) -> str:
    found = {(row["size"], row["n"], row["subject"]): row for row in rows}
    cells = [(size, n) for size in SIZES for n in (1, 10)]
    lines = ["| | " + " | ".join(f"{size}, n={n}" for size, n in cells) + " |", "|---" * (len(cells) + 1) + "|"]
    for name in names[1:]:
        texts = []
        for size, n in cells:
            row, base = found[size, n, name], found[size, n, "direct"]
            texts.append(f"{_added(row, base, 'ttft_p50_ms')} / {_added(row, base, 'ttft_p99_ms')}")
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _scale_table(rows: list[Row]) -> str:
    columns = list(dict.fromkeys((row["responses"], row["is_apart"]) for row in rows))
    found = {(row["subject"], row["responses"], row["is_apart"]): row for row in rows}
    lines = ["| | " + " | ".join(f"{count:,}{', separate' * is_apart}" for count, is_apart in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in dict.fromkeys(row["subject"] for row in rows):
        cells = [found[name, *column] for column in columns]
        texts = [f"{_text(cell['cpu_us_per_event'])} µs, {_text(cell['peak_rss_mb'])} MB" for cell in cells]
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _beside_table(rows: list[Row]) -> str:
    lines = ["| | alone: longest gap, age p99 | with prompts: longest gap, age p99 |", "|---|---|---|"]
    for name in dict.fromkeys(row["subject"] for row in rows):
        alone, beside = [row for row in rows if row["subject"] == name]
        texts = [f"{_text(row.get('itl_max_ms'))}, {_text(row.get('age_p99_ms'))}" for row in (alone, beside)]
        lines.append(f"| {name} | {texts[0]} | {texts[1]} |")
    return "\n".join(lines)


def _medians(rows: list[Row], name: str) -> Row:
    mine = [row for row in rows if row["subject"] == name and "fault" not in row]
    keys = {key for row in mine for key, value in row.items() if isinstance(value, int | float)}
    return {key: statistics.median(row[key] for row in mine) for key in keys}


def _busiest(rows: list[Row]) -> float:
    return max(
        (row["client_cpu_s"] + row["upstream_cpu_s"]) / row["wall_s"] for row in rows if row.get("wall_s", 0) > 0
    )


def _added(row: Row, base: Row, key: str) -> str:
    return f"{row[key] - base[key]:.2f}" if key in row and key in base else "–"


def _text(value: float | None) -> str:
    return f"{value:g}" if value else "–"
