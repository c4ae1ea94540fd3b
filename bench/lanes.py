"""What lanes add to checks: ten answers on a workspace of 4,000 files, two lanes at once, each running a command that does nothing; and
how soon ten answers have their verdicts (`ten_answers.py`).

What must hold: what is timed is what a user waits for beyond the commands themselves: making the lanes, the proof that Python imports
the answer, starting the command, ending it and removing everything.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import ten_answers
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from dce.workspace.schema.reading import FileBlock, Reading

FILES, FOLDERS, IGNORED = 4_000, 100, 20_000
ANSWERS = 10
ROUNDS = 7


def run() -> dict[str, Any]:
    """Builds the workspace in a temporary folder and times ten answers in lanes of both kinds; milliseconds, every round."""
    load = [round(each, 1) for each in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="dce-bench-") as folder:
        root = Path(folder) / "workspace"
        _fill(root)
        project = Project.init(root)
        found = {
            f"ten overlay lanes, nothing to run, {cores} at once": _rounds(project, "overlay", ROUNDS, cores)
            for cores in (1, 2)
        }
        found["ten copy lanes, nothing to run, 2 at once"] = _rounds(project, "copy", 2, 2)
        ten = ten_answers.run(Path(folder), _fill_repository)
    return {"files": FILES, "ignored": IGNORED, "cpus": os.cpu_count(), "load": load, "ms": found, "ten": ten}


def table(result: dict[str, Any]) -> str:
    """The medians, and the slowest round."""
    wanted = {
        "ten overlay lanes, nothing to run, 2 at once": "< 500",
    }
    lines = [
        f"{result['files']:,} files in a repository and {result['ignored']:,} ignored ones; {ANSWERS} answers that change the same Python file."
        f" {result['machine']}, {result['when']}, load before {result['load']}.",
        "",
        "| lanes | median ms | slowest ms | target ms |",
        "|---|---|---|---|",
    ]
    for name, rounds in result["ms"].items():
        lines.append(f"| {name} | {statistics.median(rounds):,.0f} | {max(rounds):,.0f} | {wanted.get(name, '–')} |")
    return "\n".join([*lines, "", *ten_answers.table(result["ten"])])


def _fill_repository(root: Path) -> None:
    _fill(root)
    Project.init(root)


def _fill(root: Path) -> None:
    for number in range(FILES):
        file = root / f"folder{number % FOLDERS}" / f"file{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n" * (number % 100 + 1), "utf-8")
        (file.parent / "__init__.py").touch()
    for number in range(IGNORED):
        file = root / "node_modules" / f"package{number % FOLDERS}" / f"file{number}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x\n", "utf-8")
    (root / ".gitignore").write_text("node_modules/\n", "utf-8")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


def _rounds(
    project: Project, kind: Kind, rounds: int, parallel: int, command: Sequence[str] = ("/bin/true",)
) -> list[float]:
    return [asyncio.run(_round(project, kind, parallel, command)) for _ in range(rounds)]


async def _round(project: Project, kind: Kind, parallel: int, command: Sequence[str]) -> float:
    """The time of all answers, from the first question to the machine to the last folder removed."""
    limit = asyncio.Semaphore(parallel)
    check = Check(name="c", command=tuple(command))
    began = time.perf_counter()
    lanes = Lanes(project, LaneSettings(), programs=() if kind == "copy" else None)
    assert await lanes.find_kind() == kind, lanes.why

    async def one(number: int) -> None:
        reading = Reading(files=(FileBlock(path="folder1/file1.py", content=f"x = {number}\n"),))
        async with limit:
            report = await run_checks(lanes, [check], reading)
        assert report.is_passed, report

    await asyncio.gather(*(one(number) for number in range(ANSWERS)))
    return round((time.perf_counter() - began) * 1000, 1)
