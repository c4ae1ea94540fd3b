"""Packing a large public package into one prompt, side by side with the tools that people use for it: time, and tokens against the truth.

What must hold: every tool is a program of its own that is started anew, over the same files, in turns; its own environment stands under
`${DCE_CACHE:-~/.cache/dce}` and is never altered; what a tool cannot do here (count without fetching a vocabulary) is told, not guessed.
"""

import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dce.engine.process import EngineProcess

ROUNDS = 5
PACKAGE, FOLDER = "django==5.2", "django"
"""The sources: every Python file of the package itself, some 700 of them."""

EDITED = f"{FOLDER}/shortcuts.py"
"""The file that has another line at its end while "after an edit" is timed."""

PEERS = {
    "gitingest": "gitingest==0.3.1",
    "code2prompt": "code2prompt==0.8.1",
    "files-to-prompt": "files-to-prompt==0.6",
}
REPOMIX = "repomix@1"


LOCAL, LOCAL_EDITED = "dce, a tokenizer.json here, first time", "dce, a tokenizer.json here, after an edit"
"""Counting without a server. There is such a file only where `scripts/real_parts.sh` made the model of the engine for vLLM."""

COUNTED = "files-to-prompt, then a count with that tokenizer.json"
"""What its users do who must know whether it fits: it counts nothing itself."""

_COUNT = """import sys, tokenizers
text = open(sys.argv[2], encoding="utf-8").read()
counted = tokenizers.Tokenizer.from_file(sys.argv[1]).encode_batch_fast([text], add_special_tokens=False)
print("tokens", len(counted[0]))"""


def run() -> dict[str, Any]:
    """Installs what is missing, then times every tool in turns; seconds of wall clock and of processor, every round."""
    cache = Path(os.environ.get("DCE_CACHE") or Path.home() / ".cache" / "dce") / "packers"
    commands = _install(cache)
    with tempfile.TemporaryDirectory(prefix="dce-bench-") as folder, contextlib.ExitStack() as stack:
        engine = EngineProcess.start()
        stack.callback(engine.stop)
        tree = Path(folder) / "tree"
        size, files = _sources(cache, tree)
        port = _free_port()
        gateway = [sys.executable, "-m", "dce.cli.main", "gateway", "serve", "--insecure", "--port", str(port)]
        gateway += ["--admin-port", str(_free_port()), "--backend", engine.url, "--data-dir", f"{folder}/gateway"]
        with subprocess.Popen(gateway, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
            try:
                tools = _tools(commands, tree, Path(folder), f"http://127.0.0.1:{port}")
                edited = tools.pop(LOCAL_EDITED)
                if tokenizer := next(cache.parent.glob("smollm2-*/tokenizer.json"), None):
                    tools[LOCAL] = _local(tools["dce, no server: an estimate"], tree, tokenizer)
                    tools[LOCAL_EDITED] = _local(edited, tree, tokenizer)
                    tools[COUNTED] = _counted(tools["files-to-prompt"], Path(folder) / "ftp.txt", tokenizer)
                _wait_for(lambda: tools["dce, exact, first time"]()["tokens"] is not None)
                rows = [{"tool": name, **work()} for _ in range(ROUNDS) for name, work in tools.items()]
            finally:
                serving.terminate()
    return {"package": PACKAGE, "files": files, "bytes": size, "rows": rows}


def table(result: dict[str, Any]) -> str:
    """Medians; how far each count is from the served model's own."""
    rows = result["rows"]
    truth = next(row["tokens"] for row in rows if row["tool"] == "dce, exact, first time")
    lines = [
        f"{result['files']:,} Python files of {result['package']} ({result['bytes'] / 1e6:.1f} MB), packed into one file."
        f" {result['machine']}, {result['when']}. Token counts are compared with the served model's own"
        " count of DCE's prompt. DCE asks that server for counts; the server's CPU time is part of the wall time only.",
        "",
        "| tool | wall s | CPU s | files | tokens | error |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["tool"] for row in rows):
        own = [row for row in rows if row["tool"] == name]
        wall, cpu = (statistics.median(row[key] for row in own) for key in ("wall_s", "cpu_s"))
        tokens = own[-1]["tokens"]
        off = (
            "no count in this run"
            if tokens is None
            else f"{(tokens - truth) / truth:+.2%}"
            if tokens != truth
            else "exact"
        )
        off = "exact" if name.startswith("dce, exact") else off
        shown = "–" if tokens is None else f"{tokens:,}"
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {own[-1]['files']:,} | {shown} | {off} |")
    return "\n".join(lines)


def _install(cache: Path) -> dict[str, list[str]]:
    """Each peer in an environment of its own; tool → how it is started. Only what is not there is fetched."""
    commands = {}
    for name, requirement in PEERS.items():
        home = cache / requirement
        program = home / "bin" / name
        if not program.exists():
            _build(
                home,
                [[sys.executable, "-m", "venv", "{}"], ["{}/bin/python", "-m", "pip", "-q", "install", requirement]],
            )
        commands[name] = [str(program)]
    home = cache / REPOMIX
    if not (home / "node_modules" / ".bin" / "repomix").exists():
        _build(home, [["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "{}", REPOMIX]])
    commands["repomix"] = [str(home / "node_modules" / ".bin" / "repomix")]
    return commands


def _build(home: Path, steps: list[list[str]]) -> None:
    """In its place, since environments know where they are; what fails is taken away whole."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        for step in steps:
            subprocess.run([part.replace("{}", str(home)) for part in step], check=True)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _sources(cache: Path, tree: Path) -> tuple[int, int]:
    """The package's Python files as a repository in `tree`; their bytes and number."""
    archives = cache / "sources"
    if not list(archives.glob("*.tar.gz")):
        pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "-d", str(archives), PACKAGE], check=True)
    size = files = 0
    with tarfile.open(next(iter(archives.glob("*.tar.gz")))) as archive:
        for member in archive:
            inside = member.name.partition("/")[2]
            content = (
                archive.extractfile(member) if inside.startswith(f"{FOLDER}/") and inside.endswith(".py") else None
            )
            if content is None or not (text := content.read()):
                continue  # empty files are counted by some and left out by others
            (tree / inside).parent.mkdir(parents=True, exist_ok=True)
            (tree / inside).write_bytes(text)
            size, files = size + len(text), files + 1
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tree, check=True, capture_output=True)
    return size, files


def _tools(commands: dict[str, list[str]], tree: Path, out: Path, url: str) -> dict[str, Callable[[], dict[str, Any]]]:
    dce = [str(Path(sys.executable).with_name("dce"))]  # the installed program, as the others are
    nobody = f"http://127.0.0.1:{_free_port()}"
    for command in (["init"], ["select", "add", FOLDER]):
        subprocess.run([*dce, *command], cwd=tree, check=True, capture_output=True)
    empty = (tree / ".dce" / "dce.db").read_bytes()

    def packed(server: str, *, is_first: bool) -> dict[str, Any]:
        if is_first:  # counts are kept with the rest of the workspace's memory, what was scanned beside it
            shutil.rmtree(tree / ".dce" / "cache", ignore_errors=True)
            for path in (tree / ".dce").glob("dce.db*"):
                path.unlink()
            (tree / ".dce" / "dce.db").write_bytes(empty)
        row, told = _timed([*dce, "prompt", "--out", str(out / "dce.md")], tree, {"DCE_URL": server})
        # An estimate is marked: it counts only where there is nobody to ask.
        tokens = _number(r"\ball +([\d,]+)" if server == url else r"\ball +≈?([\d,]+)", told)
        return row | {"files": _number(r", ([\d,]+) files", told), "tokens": tokens}

    edits = itertools.count(1)

    def edited(server: str) -> dict[str, Any]:
        before = (tree / EDITED).read_bytes()
        (tree / EDITED).write_bytes(before + b"# edit %d\n" % next(edits))
        row = packed(server, is_first=False)
        (tree / EDITED).write_bytes(before)
        return row

    def listed() -> dict[str, Any]:
        row, told = _timed([*dce, "files", "--json"], tree, {"DCE_URL": nobody})
        return row | {"files": len(json.loads(told)), "tokens": None}

    def repomix(*options: str) -> dict[str, Any]:
        row, told = _timed([*commands["repomix"], "-o", str(out / "repomix.xml"), *options], tree)
        return row | {
            "files": _number(r"Total Files: ([\d,]+)", told),
            "tokens": _number(r"Total Tokens: ([\d,]+)", told),
        }

    def gitingest() -> dict[str, Any]:
        row, told = _timed([*commands["gitingest"], "-o", str(out / "gitingest.txt"), "."], tree)
        thousands = re.search(r"Estimated tokens: ([\d.]+)k", told)
        tokens = round(float(thousands[1]) * 1000) if thousands else None
        return row | {"files": _number(r"Files analyzed: ([\d,]+)", told), "tokens": tokens}

    def code2prompt() -> dict[str, Any]:
        row, told = _timed([*commands["code2prompt"], "-p", ".", "-o", str(out / "c2p.md"), "--tokens"], tree)
        files = (out / "c2p.md").read_text("utf-8", "replace").count("## File: ")
        return row | {"files": files, "tokens": _number(r"Token count: ([\d,]+)", told) or None}

    def files_to_prompt() -> dict[str, Any]:
        row, _ = _timed([*commands["files-to-prompt"], ".", "-c", "-o", str(out / "ftp.txt")], tree)
        files = len(re.findall(r'^<document index="', (out / "ftp.txt").read_text("utf-8"), re.MULTILINE))
        return row | {"files": files, "tokens": None}

    return {
        "dce, exact, first time": lambda: packed(url, is_first=True),
        "dce, exact, again": lambda: packed(url, is_first=False),
        "dce, exact, after an edit": lambda: edited(url),
        LOCAL_EDITED: lambda: edited(nobody),
        "dce, no server: an estimate": lambda: packed(nobody, is_first=True),
        "repomix": repomix,
        "gitingest": gitingest,
        "code2prompt": code2prompt,
        "files-to-prompt": files_to_prompt,
        "dce, listing with tokens": listed,
        "dce, listing again": listed,
        "repomix, listing with tokens": lambda: repomix("--no-files", "--token-count-tree") | {"tokens": None},
    }


def _local(work: Callable[[], dict[str, Any]], tree: Path, tokenizer: Path) -> Callable[[], dict[str, Any]]:
    """The same work with the tokenizer named in the workspace's configuration."""
    config = tree / ".dce" / "config.toml"

    def measured() -> dict[str, Any]:
        config.write_text(f"tokenizer = {json.dumps(str(tokenizer))}\n", "utf-8")
        try:
            return work()
        finally:
            config.unlink()

    return measured


def _counted(work: Callable[[], dict[str, Any]], written: Path, tokenizer: Path) -> Callable[[], dict[str, Any]]:
    """A tool that does not count, and a program that counts what it wrote."""

    def measured() -> dict[str, Any]:
        packed = work()
        row, told = _timed([sys.executable, "-c", _COUNT, str(tokenizer), str(written)], written.parent)
        both = {key: round(packed[key] + row[key], 3) for key in row}
        return packed | both | {"tokens": _number(r"tokens (\d+)", told)}

    return measured


def _timed(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """How long a program takes, and what its processor time is, children included; and what it says."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, **(environ or {}), "NO_COLOR": "1"}
    # Installed programs have their byte code; a checkout's is kept by its first run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    told = done.stdout if "--json" in command else done.stdout + done.stderr
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}, told


def _number(pattern: str, told: str) -> int | None:
    found = re.search(pattern, told)
    return int(found[1].replace(",", "")) if found else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(is_so: Callable[[], bool], patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError("the gateway did not count in time")
        time.sleep(0.2)
