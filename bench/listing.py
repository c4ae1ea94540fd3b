"""Listing a large workspace: 100,000 files in a repository, all of them, and again after one has changed; scanning text for secrets.

What must hold: what is timed is what a UI waits for; the text that is scanned is this project's own source.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dce.workspace.outbound.secrets import scan
from dce.workspace.project import Project
from dce.workspace.tree.files import list_files
from dce.workspace.tree.listing import Listing

FILES, FOLDERS = 100_000, 1_000
SCANNED_BYTES = 4_000_000
ROUNDS = 7


def run() -> dict[str, Any]:
    """Builds the workspace in a temporary folder and times it; milliseconds, every round."""
    with tempfile.TemporaryDirectory(prefix="dce-bench-") as folder:
        root = Path(folder)
        _fill(root)
        project = Project.init(root)
        assert len(list_files(project)) == FILES
        listing, numbers = Listing(project), iter(range(1, 1_000_000))

        def update() -> None:
            (root / "part3" / "folder3" / "file7.py").write_text("x" * next(numbers), "utf-8")
            assert listing.update(["part3/folder3/file7.py"])

        listed, updated = _rounds(lambda: list_files(project)), _rounds(update)
    source = "\n".join(path.read_text("utf-8") for path in sorted(Path(__file__).parents[1].rglob("src/dce/**/*.py")))
    text = (source * (SCANNED_BYTES // len(source) + 1))[:SCANNED_BYTES]
    megabytes = len(text.encode()) / 1e6
    scanned = [round(ms / megabytes, 2) for ms in _rounds(lambda: scan(text, "a.py"))]
    return {"files": FILES, "ms": {"list": listed, "list after a change": updated, "scan 1 MB for secrets": scanned}}


def table(result: dict[str, Any]) -> str:
    """The medians, and the slowest round."""
    wanted = {"list": "< 1500", "list after a change": "< 100", "scan 1 MB for secrets": "< 50"}
    lines = [
        f"{result['files']:,} files in a repository. {result['machine']}, {result['when']}.",
        "",
        "| operation | median ms | slowest ms | target ms |",
        "|---|---|---|---|",
    ]
    for name, rounds in result["ms"].items():
        lines.append(f"| {name} | {statistics.median(rounds):.1f} | {max(rounds):.1f} | {wanted[name]} |")
    return "\n".join(lines)


def _fill(root: Path) -> None:
    for number in range(FOLDERS):
        folder = root / f"part{number % 40}" / f"folder{number}"
        folder.mkdir(parents=True)
        for file in range(FILES // FOLDERS):
            (folder / f"file{file}.py").write_text("x = 1\n" * (file + 1), "utf-8")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


def _rounds(work: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found.append(round((time.perf_counter() - began) * 1000, 2))
    return found
