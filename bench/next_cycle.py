"""How soon the next cycle's first token comes from a real vLLM: with a prompt's sections by number, and with the stable ones first.

What must hold: each round has a scope of its own, so that nothing of an earlier round's prompt is in the server's prefix cache but its
first lines; both orders have the same files and texts; every request goes through a gateway, as people's do.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from bench.process import free_port, running
from dce.engine.vllm import VllmProcess, VllmSettings

ROUNDS = 5
ORDERS = ("numbered", "stable")
SOURCES = ("context/prompt.py", "context/summaries.py", "context/shown.py", "tree/git.py")
"""Of src/dce/workspace: some 5,000 tokens."""
ROOT = Path(__file__).parents[1]


def run() -> dict[str, Any]:
    """Two cycles by each order in turns; every round."""
    script = [str(ROOT / "scripts" / "real_parts.sh"), "--where"]
    environment = os.environ | {"DCE_PYTHON": sys.executable}
    where = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    settings = VllmSettings(
        python=Path(where[0]), model=where[1], served_name="smollm2-135m", port=free_port(), cpu_kv_cache_gib=2
    )
    with (
        tempfile.TemporaryDirectory(prefix="dce-bench-") as folder,
        VllmProcess.start(settings, Path(folder) / "vllm.log") as vllm,
    ):
        port = free_port()
        gateway = [sys.executable, "-m", "dce.cli.main", "gateway", "serve", "--insecure", "--no-admin"]
        gateway += ["--port", str(port), "--backend", vllm.url, "--data-dir", f"{folder}/gateway"]
        with running(gateway, port, 0):
            rows = [
                row
                for number in range(ROUNDS)
                for order in (ORDERS if number % 2 else ORDERS[::-1])
                for row in _two_cycles(Path(folder) / f"{order}-{number}", order, number, port, vllm.url)
            ]
    return {"rows": rows}


def table(result: dict[str, Any]) -> str:
    """Medians by order and cycle."""
    rows = result["rows"]
    lines = [
        f"Two consecutive cycles with the same files, SmolLM2-135M on a real vLLM without a GPU. {result['machine']}, {result['when']}."
        " Cached tokens need not be computed again before the first token.",
        "",
        "| section order | cycle | prompt tokens | cached tokens | TTFT s | slowest TTFT s |",
        "|---|---|---|---|---|---|",
    ]
    for order in ORDERS:
        for cycle in (1, 2):
            own = [row for row in rows if (row["order"], row["cycle"]) == (order, cycle)]
            tokens, cached = (statistics.median(row[key] for row in own) for key in ("tokens", "cached"))
            waits = [row["ttft_s"] for row in own]
            lines.append(
                f"| {order} | {cycle} | {tokens:,.0f} | {cached:,.0f} | {statistics.median(waits):.2f} | {max(waits):.2f} |"
            )
    return "\n".join(lines)


def _two_cycles(tree: Path, order: str, number: int, port: int, vllm_url: str) -> list[dict[str, Any]]:
    tree.mkdir()
    for name in SOURCES:
        (tree / Path(name).name).write_bytes((ROOT / "src/dce/workspace" / name).read_bytes())
    (tree / "scope.md").write_text(f"Round {number}, sections {order}: a tool that makes prompts of files.\n", "utf-8")

    def dce(*arguments: str) -> str:
        command = [sys.executable, "-m", "dce.cli.main", *arguments]
        environment = os.environ | {"DCE_URL": f"http://127.0.0.1:{port}", "NO_COLOR": "1"}
        return subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True).stdout

    dce("init", "--scope", "scope.md")
    dce("settings", "set", "section_order", order)
    dce("settings", "set", "max_tokens", "8")
    dce("select", "add", *(Path(name).name for name in SOURCES))
    rows = []
    for cycle in (1, 2):
        (tree / "question.md").write_text(f"Round {number}: say in one sentence what function {cycle} does.\n", "utf-8")
        dce("cycle", "new", "--title", f"Question {cycle} of round {number}", "--context", "question.md")
        before = _cached(vllm_url)
        dce("generate", "-n", "1")
        answer = json.loads(dce("board", "--json"))[0]
        row = {"order": order, "round": number, "cycle": cycle, "cached": _cached(vllm_url) - before}
        row["tokens"] = json.loads(dce("prompt", "--json"))["total"]
        # An answer may be empty: then its end is what came first.
        rows.append(row | {"ttft_s": answer["ttft_s"] or answer["elapsed_s"]})
    return rows


def _cached(url: str) -> int:
    """The server's own count of the tokens that it found in its prefix cache."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r"^vllm:prefix_cache_hits_total\{[^}]*\} ([\d.e+]+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0
