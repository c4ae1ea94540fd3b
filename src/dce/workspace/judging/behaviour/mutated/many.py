"""Runs the project's checks many times in a lane, each time with another text in a test file, by one process (`in_lane_runs.py`)."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Lane, RunOptions
from dce.workspace.judging.report_files import read
from dce.workspace.judging.results.asking import ask

MARGIN_S = 10.0
"""How long the process may take beside the runs: for its own start, and for putting files back."""

SAID = "dce-said"
"""The file in the lane's temporary folder in which tests say what they see."""

_SCRIPT = Path(__file__).with_name("in_lane_runs.py")


class Text(msgspec.Struct, frozen=True):
    """A text to lay in a file before a run."""

    id: str
    path: str
    text: str


class OneEnd(msgspec.Struct, frozen=True):
    """How one check's command ended. `exit` None: it was killed at the limit. `reports`: by the file's name."""

    exit: int | None
    output: str
    s: float
    reports: Mapping[str, str] = {}


class OneRun(msgspec.Struct, frozen=True):
    """What a run left. `said`: what the tests wrote to SAID. `files`: those that the run made or changed, if they were kept."""

    id: str
    ended: Sequence[OneEnd]
    said: str = ""
    files: Mapping[str, str] = {}

    @property
    def duration_s(self) -> float:
        """How long all its checks took."""
        return sum(one.s for one in self.ended)


class Times(msgspec.Struct, frozen=True):
    """How long all the runs, and each, may take."""

    total_s: float
    run_s: float


async def run_many(
    lane: Lane, checks: Sequence[Check], texts: Sequence[Text], times: Times, *, is_kept: bool
) -> dict[str, OneRun]:
    """What came of the runs, by id; of those for which there was no time, nothing. `is_kept`: after each run all files are put back."""
    name = f"dce-runs-{secrets.token_hex(4)}"
    commands = []
    for check in checks:
        asked = ask(check.command, str(lane.tmp), check.env)
        reports = [str(lane.tmp / report) for report in asked.reports]
        commands.append({"argv": asked.command, "cwd": check.cwd, "variables": asked.variables, "reports": reports})
    job = {
        "runs": [msgspec.structs.asdict(text) for text in texts],
        "commands": commands,
        "said": str(lane.tmp / SAID),
        "is_kept": is_kept,
        "total_s": times.total_s,
        "run_s": times.run_s,
    }
    (asked_for, answered) = (f"{name}.{end}" for end in ("json", "jsonl"))
    await asyncio.to_thread((lane.written_tmp / asked_for).write_text, json.dumps(job), "utf-8")
    command = ("python", "-c", _SCRIPT.read_text("utf-8"), str(lane.tmp / asked_for), str(lane.tmp / answered))
    named = tuple(dict.fromkeys(variable for check in checks for variable in check.env))
    limit_s = times.total_s + times.run_s * len(checks) + MARGIN_S
    await lane.run(command, RunOptions(timeout_s=limit_s, env=named))
    written = await asyncio.to_thread(read, [lane.written_tmp / answered])
    return {run.id: run for data in written.values() for run in _runs(data)}


def _runs(data: bytes) -> Iterator[OneRun]:
    decoder = msgspec.json.Decoder(OneRun)
    for line in data.splitlines():
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # the process was killed in the middle of a line
