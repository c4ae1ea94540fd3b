"""Runs probes on an answer: one process in the answer's lane, and what came of each probe.

How a command is isolated is not decided here: `Lane` is the whole of what is needed from it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from dce.workspace.judging.behaviour.probe import Kind, Outcome, Probe

MAX_BATCH = 1000
"""Maximum probes that share a process: starting one for each takes longer than running it."""

MAX_SHOWN = 120
"""Longest result that is shown in a cell of the table, in characters."""

_SCRIPT = Path(__file__).with_name("in_lane.py")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long probes may take. Tests' values are small: what takes a second loops, and ten answers must not take minutes."""

    probe_s: float = 1.0
    answer_s: float = 30.0
    """For all probes on one answer, in each round."""
    max_timeouts: int = 5
    """After so many probes that ran into their limit, the rest is not run: the answer loops wherever it is asked."""


class Lane(Protocol):
    """Where an answer's files stand and a command can be run on them."""

    def run(self, command: Sequence[str], *, stdin: bytes, environment: Mapping[str, str], timeout_s: float) -> bytes:
        """Runs the command in the lane's root and returns its standard output, whatever its exit code. At the deadline
        everything that it started is killed, and what it had written is returned."""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """The project's Python, and the folders in the lane from which its tests import, relative to the lane's root."""

    program: str
    paths: tuple[str, ...] = ("", "src")


def run_probes(
    lane: Lane, probes: Sequence[Probe], interpreter: Interpreter, *, limits: Limits | None = None
) -> dict[str, Outcome]:
    """The outcome of each probe, by its id.

    All probes run twice, in opposite order and under different hash seeds. Where the two differ, a probe may have seen what
    another left behind, so it runs twice more in processes of its own; if it still differs, it is `unstable` and says nothing
    about the answer.
    """
    limits = limits or Limits()
    first = _round(lane, probes, interpreter, limits, _Way(0, MAX_BATCH))
    second = _round(lane, probes[::-1], interpreter, limits, _Way(1, MAX_BATCH))
    differing = [probe for probe in probes if _differ(first[probe.id], second[probe.id])]
    if differing:
        first |= _round(lane, differing, interpreter, limits, _Way(0, 1))
        second |= _round(lane, differing, interpreter, limits, _Way(1, 1))
    unstable = Outcome(kind="unstable", text="unstable", shown="changes from run to run")
    return {name: unstable if _differ(found, second[name]) else found for name, found in first.items()}


class _Way(msgspec.Struct, frozen=True):
    """How the probes are run: the seed of Python's hashes, and how many share a process."""

    hash_seed: int
    batch: int


def _differ(one: Outcome, other: Outcome) -> bool:
    return one.text != other.text and "not run" not in {one.kind, other.kind}


def _round(
    lane: Lane, probes: Sequence[Probe], interpreter: Interpreter, limits: Limits, way: _Way
) -> dict[str, Outcome]:
    job = {
        "probes": [{"id": probe.id, "header": probe.header, "steps": probe.steps} for probe in probes],
        "paths": interpreter.paths,
        "batch": way.batch,
        "probe_s": limits.probe_s,
        "total_s": limits.answer_s,
        "max_timeouts": limits.max_timeouts,
    }
    output = lane.run(
        (interpreter.program, "-c", _SCRIPT.read_text("utf-8")),
        stdin=json.dumps(job).encode(),
        environment={"PYTHONHASHSEED": str(way.hash_seed), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout_s=limits.answer_s + 10 * limits.probe_s,
    )
    outcomes = {found_id: outcome for line in output.splitlines() for found_id, outcome in _read(line)}
    died = Outcome(kind="died", text="died", shown="the process ended")
    return {probe.id: outcomes.get(probe.id, died) for probe in probes}


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
