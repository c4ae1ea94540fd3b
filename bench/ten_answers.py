"""Ten answers whose test needs 5 s of processor time each, from complete to a verdict; and the same again with nothing changed.

What must hold: the answers differ, so that none shares a run; the workspace's own report is in the cache, as it is from the second
generation on; the time is taken by the events that a user sees.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dce.workspace.events import ChecksFinished, Event, SlotProgress
from dce.workspace.judging.as_completed import AsCompleted
from dce.workspace.judging.checking import check_responses
from dce.workspace.project import Project
from dce.workspace.record.responses import Status, Tokens
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace

ANSWERS = 10
TEST_S = 5.0
CORES = 2
EVERY_S = (0.0, 2.0, 0.0)
"""Rounds: seconds between two answers that complete."""
AGAIN = 7

CHECKS = f"""
[[check]]
name = "tests"
command = ["python", "-c", "import time, ten\\nwhile time.process_time() < {TEST_S}: pass"]
"""


def run(folder: Path, fill: Callable[[Path], None]) -> dict[str, Any]:
    """Seconds, every round, each in a workspace of its own that `fill` fills."""
    rows = []
    for number, every_s in enumerate(EVERY_S):
        root = folder / f"ten{number}"
        fill(root)
        generation = _prepare(root)
        with Workspace.open(Project.find(root), Settings(provider="manual")) as workspace:
            rows.append(asyncio.run(_complete(workspace, generation, every_s)))
            again = [_timed(lambda: asyncio.run(check_responses(workspace, generation))) for _ in range(AGAIN)]  # noqa: B023
    command = [sys.executable, "-m", "dce", "run-checks"]
    verb = [_timed(lambda: subprocess.run(command, cwd=root, capture_output=True, check=True)) for _ in range(AGAIN)]
    again_s = {"in a running panel": again, "`dce run-checks`": verb}
    return {"least_s": ANSWERS * TEST_S / CORES, "rows": rows, "again_s": again_s}


def table(result: dict[str, Any]) -> Sequence[str]:
    """The lines of a table."""
    lines = [
        f"{ANSWERS} answers, each with a test of {TEST_S:g} s of processor time, {CORES} lanes at once; {result['least_s']:g} s is the least"
        " possible. Seconds after the last answer was complete:",
        "",
        "| the answers complete | last verdict | × least (target 1.15) | behaviour compared | load before |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        name = f"one every {row['every_s']:g} s" if row["every_s"] else "all at once"
        share = row["verdicts_s"] / result["least_s"]
        lines.append(
            f"| {name} | {row['verdicts_s']:.1f} | {share:.2f} | {row['behaviour_s']:.1f} | {row['load']:.1f} |"
        )
    lines += [
        "",
        "| the same ten again, nothing changed (target < 1 s) | fastest s | median s | slowest s |",
        "|---|---|---|---|",
    ]
    for name, rounds in result["again_s"].items():
        middle = sorted(rounds)[len(rounds) // 2]
        lines.append(f"| {name} | {min(rounds):.2f} | {middle:.2f} | {max(rounds):.2f} |")
    return lines


def _prepare(root: Path) -> int:
    """A generation of ten different answers, carried in by hand."""
    (root / "ten.py").write_text("def ten(x):\n    return x\n", "utf-8")
    (root / ".dce" / "checks.toml").write_text(CHECKS, "utf-8")

    def dce(*words: str, text: str = "") -> None:
        command = [sys.executable, "-m", "dce", *words]
        subprocess.run(command, cwd=root, input=text, text=True, check=True, capture_output=True)

    dce("settings", "set", "provider", "manual")
    dce("select", "add", "ten.py")
    dce("cycle", "new", "--title", "Ten")
    dce("prompt")
    for number in range(ANSWERS):
        dce("paste", "--as", "ten.py", text=f"def ten(x):\n    return x + {number} - {number}\n")
    dce("run-checks", "--workspace", "--yes")
    return 1


async def _complete(workspace: Workspace, generation: int, every_s: float) -> dict[str, float]:
    """The answers complete one after the other; the seconds from the last one's end."""
    load = os.getloadavg()[0]
    checks = AsCompleted(workspace, generation, ANSWERS)
    verdicts: list[float] = []

    def tell(event: Event) -> None:
        if isinstance(event, ChecksFinished):
            verdicts.append(time.perf_counter())

    running = asyncio.create_task(checks.run(tell))
    for slot in range(1, ANSWERS + 1):
        checks.on_event(_complete_event(generation, slot))
        if slot < ANSWERS:
            await asyncio.sleep(every_s)
    last = time.perf_counter()
    checks.close()
    reports = await running
    assert len(reports) == ANSWERS == len(verdicts)
    return {
        "every_s": every_s,
        "verdicts_s": round(max(verdicts) - last, 2),
        "behaviour_s": round(time.perf_counter() - last, 2),
        "load": round(load, 1),
    }


def _complete_event(generation: int, slot: int) -> SlotProgress:
    return SlotProgress(
        generation=generation,
        slot=slot,
        version=1,
        status=Status.COMPLETE,
        tokens=Tokens(),
        ttft_s=None,
        elapsed_s=None,
        tokens_per_s=None,
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)
