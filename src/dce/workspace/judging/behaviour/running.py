"""Runs probes on an answer: one process in the answer's lane, and what came of each probe.

How a command is isolated is not decided here: `Lane` is the whole of what is needed from it. The job and the results are files in
the lane's temporary folder, because a lane keeps only the end of what a command prints.
"""

import asyncio
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from dce.workspace.judging.behaviour.probe import Kind, Outcome, Probe

MAX_RESULTS_BYTES = 64 * 1024**2
"""Most that is read from the script's results: it writes at most 200 KB for each probe, and usually less than one."""

MAX_BATCH = 1000
"""Maximum probes that share a process: starting one for each takes longer than running it."""

MAX_SHOWN = 120
"""Longest result that is shown in a cell of the table, in characters."""

_SCRIPT = Path(__file__).with_name("in_lane.py")
_PROVIDED = tuple(Path(__file__).with_name(name) for name in ("stand_ins.py", "programs.py"))
"""Sources of what a probe finds around it: each defines `provided`."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long probes may take. Tests' values are small: what takes a second loops, and ten answers must not take minutes."""

    probe_s: float = 1.0
    answer_s: float = 15.0
    """For all probes on one answer, in each round. The second round begins with the last probe, so both ends are run."""
    import_s: float = 15.0
    """For importing the project, once a round: a large library takes seconds, on a busy machine more."""
    max_timeouts: int = 5
    """After so many probes that ran into their limit, the rest is not run: the answer loops wherever it is asked."""


class Lane(Protocol):
    """Where an answer's files stand and a command can be run on them."""

    @property
    def tmp(self) -> Path:
        """The temporary folder, as commands see it."""

    @property
    def written_tmp(self) -> Path:
        """The same folder, as DCE sees it."""

    async def run(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> None:
        """Runs the command in the lane's root, whatever its exit code. At the deadline everything that it started is killed."""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """The project's Python, and the folders in the lane from which its tests import, relative to the lane's root.

    `script`: where another language's script that runs probes lies in the lane's temporary folder; "" for Python's.
    """

    program: str
    paths: tuple[str, ...] = ("", "src")
    script: str = ""


async def run_probes(
    lane: Lane, probes: Sequence[Probe], interpreter: Interpreter, *, limits: Limits | None = None
) -> dict[str, Outcome]:
    """The outcome of each probe, by its id.

    All probes run twice, in opposite order and under different hash seeds. Where the two differ, a probe may have seen what
    another left behind, so it runs twice more in processes of its own; if it still differs, it is `unstable` and says nothing
    about the answer.
    """
    limits = limits or Limits()
    first = await _round(lane, probes, interpreter, limits, _Way(0, MAX_BATCH))
    second = await _round(lane, probes[::-1], interpreter, limits, _Way(1, MAX_BATCH))
    differing = [probe for probe in probes if _differ(first[probe.id], second[probe.id])]
    if differing:
        first |= await _round(lane, differing, interpreter, limits, _Way(0, 1))
        second |= await _round(lane, differing, interpreter, limits, _Way(1, 1))
    # What one round had no time for, the other may have run.
    first |= {name: second[name] for name, found in first.items() if found.kind == "not run"}
    unstable = Outcome(kind="unstable", text="unstable", shown="changes from run to run")
    return {name: unstable if _differ(found, second[name]) else found for name, found in first.items()}


class _Way(msgspec.Struct, frozen=True):
    """How the probes are run: the seed of Python's hashes, and how many share a process."""

    hash_seed: int
    batch: int


def _differ(one: Outcome, other: Outcome) -> bool:
    return one.text != other.text and "not run" not in {one.kind, other.kind}


async def _round(
    lane: Lane, probes: Sequence[Probe], interpreter: Interpreter, limits: Limits, way: _Way
) -> dict[str, Outcome]:
    job: dict[str, object] = {
        "probes": [{"id": probe.id, "header": probe.header, "steps": probe.steps} for probe in probes],
        "paths": interpreter.paths,
        "batch": way.batch,
        "probe_s": limits.probe_s,
        "total_s": limits.answer_s,
        "max_timeouts": limits.max_timeouts,
        "import_s": limits.import_s,
    }
    name = f"probes-{secrets.token_hex(4)}"
    asked, answered = (f"{name}.{end}" for end in ("json", "jsonl"))

    def written() -> tuple[str, ...]:
        provided = [path.read_text("utf-8") for path in _PROVIDED]
        (lane.written_tmp / asked).write_text(json.dumps({**job, "provided": provided}), "utf-8")
        return (str(lane.tmp / interpreter.script),) if interpreter.script else ("-c", _SCRIPT.read_text("utf-8"))

    started = await asyncio.to_thread(written)
    await lane.run(
        (interpreter.program, *started, str(lane.tmp / asked), str(lane.tmp / answered)),
        variables={"PYTHONHASHSEED": str(way.hash_seed), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout_s=limits.answer_s + limits.import_s + 10 * limits.probe_s,
    )
    outcomes = await asyncio.to_thread(lambda: dict(_outcomes(_read_results(lane.written_tmp / answered))))
    died = Outcome(kind="died", text="died", shown="the process ended")
    return {probe.id: outcomes.get(probe.id, died) for probe in probes}


def _read_results(path: Path) -> bytes:
    """What the script wrote. An answer's own code may have put anything in its place: only a plain file is read, and not all of it."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""  # it never began, or the path is a link
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return b""
    with os.fdopen(handle, "rb") as file:
        return file.read(MAX_RESULTS_BYTES)


def _outcomes(output: bytes) -> Iterator[tuple[str, Outcome]]:
    for line in output.splitlines():
        yield from _read(line)


def _read(line: bytes) -> list[tuple[str, Outcome]]:
    try:
        result = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []  # the process was killed in the middle of a line
    if result.kind:
        shown = {"timeout": "no result in time", "died": "the process ended"}.get(result.kind, result.kind)
        return [(result.id, Outcome(kind=result.kind, text=result.kind, shown=shown))]
    text = json.dumps([result.seen, result.after, result.stdout, result.files, result.digest])
    last = result.seen[-1] if result.seen else ("value", result.stdout or "nothing recorded")
    kind: Kind = "raised" if last[0] == "raised" else "value"
    shown = f"raises {last[1]}" if kind == "raised" else last[1]
    return [(result.id, Outcome(kind=kind, text=text, shown=shown[:MAX_SHOWN], cpu_s=result.cpu_s))]


class _Line(msgspec.Struct, frozen=True):
    id: str
    kind: Kind | None = None
    seen: list[tuple[str, str]] = []
    after: list[str] = []
    stdout: str = ""
    files: list[tuple[str, str]] = []
    digest: str = ""
    cpu_s: float = 0.0
