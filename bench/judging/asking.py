"""Runs the recorded answers once and keeps what came: the answers are many and the ways to choose are compared on the same results.

An answer is asked in two parts, kept apart: what the reference tables need (the hidden check, the examples, the inputs of the model's
asserts), and the probes made without a model, which change with their generator.
"""

import ast
import asyncio
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.judging.choosing import CRASHES, NOTHING, SHOWS, Judged
from bench.judging.contained import contained, opened_lanes
from bench.judging.recorded import Recorded, draws
from dce.workspace.judging.behaviour.in_lane import Describer
from dce.workspace.judging.behaviour.in_real_lane import ProbeLane
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes
from dce.workspace.judging.lanes.opening import Lanes

LIMITS = Limits(probe_s=1.0, answer_s=20.0, max_timeouts=3)
TRUTH_LIMITS = Limits(probe_s=5.0, answer_s=20.0, max_timeouts=1)

PARTS: Mapping[str, Callable[[Recorded], tuple[Probe, ...]]] = {
    "tables": lambda task: (*task.tests, *task.asserts, task.truth),
    "made": lambda task: task.made,
}

Found = dict[str, list[str]]
"""By the probe's id: how it ended, and digests of what was returned and of everything."""


def judged(tasks: Sequence[Recorded], seeds: int, kept: Path, parts: Sequence[str]) -> dict[tuple[int, str], Judged]:
    """What is known of every answer that some draw holds, by task and body. Results are added to the file `kept` as they come."""
    known = _read(kept)
    wanted = {
        (part, task.number, body): (part, task, body)
        for seed in range(seeds)
        for part in parts
        for task in tasks
        for body in (task.bodies[at] for at in draws(task, seed + 1)[seed])
    }
    missing = [asked for asked in wanted.values() if _key(*asked) not in known]
    asyncio.run(_ask_all(missing, kept, known))
    return {
        (number, body): _judged(task, body, {part: known[_key(part, task, body)] for part in parts})
        for (part, number, body), (_, task, _) in wanted.items()
        if part == parts[0]
    }


async def _ask_all(missing: Sequence[tuple[str, Recorded, str]], kept: Path, known: dict[str, Found]) -> None:
    async with opened_lanes() as lanes:
        with kept.open("a", encoding="utf-8") as file:
            for number, (part, task, body) in enumerate(missing):
                key = _key(part, task, body)
                known[key] = await _ask(lanes, PARTS[part](task), task, body)
                file.write(json.dumps([key, known[key]]) + "\n")
                file.flush()
                if number % 100 == 0:
                    print(f"{number} of {len(missing)} runs", file=sys.stderr, flush=True)


def _read(kept: Path) -> dict[str, Found]:
    lines = kept.read_text("utf-8").splitlines() if kept.is_file() else []
    return dict(json.loads(line) for line in lines if line.endswith("]"))


def _key(part: str, task: Recorded, body: str) -> str:
    """Depends on everything that is run, so that changed probes are run again."""
    asked = [probe.id for probe in PARTS[part](task)]
    return hashlib.sha256(json.dumps([task.module(body), asked]).encode()).hexdigest()[:24]


async def _ask(lanes: Lanes, probes: Sequence[Probe], task: Recorded, body: str) -> Found:
    python = Interpreter(program=sys.executable, paths=("",))
    async with contained(lanes, {"answer.py": task.module(body)}) as lane:
        seen = ProbeLane(lane)
        found = await run_probes(seen, probes, python, limits=LIMITS)
        if task.truth.id in found and found[task.truth.id].kind in {"timeout", "not run", "unstable"}:
            found |= await run_probes(seen, (task.truth,), python, limits=TRUTH_LIMITS)
    return {name: _compared(outcome) for name, outcome in found.items()}


def _compared(outcome: Outcome) -> list[str]:
    if outcome.kind not in {"value", "raised"}:
        return [outcome.kind, outcome.kind, outcome.kind]
    seen = json.dumps(json.loads(outcome.text)[0])
    return [outcome.kind, _digest(seen), _digest(outcome.text)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def shows(value: object) -> str:
    """The digest that a probe has whose value is this one."""
    return _digest(json.dumps([["value", Describer("<none>").text(value)]]))


_EXCEPTIONS = {_digest(json.dumps([["raised", name]])): name for name in CRASHES}


def _judged(task: Recorded, body: str, found: Mapping[str, Found]) -> Judged:
    tables = found["tables"]
    groups = {"asserts": {probe.id: tables[probe.id] for probe in task.asserts}, "made": found.get("made", {})}
    probes = {kind: {name: parts[2] for name, parts in group.items()} for kind, group in groups.items()}
    for kind, group in groups.items():
        probes[f"{kind} kinds"] = {name: _loose(parts) for name, parts in group.items()}
    probes["claims"] = {
        f"{identifier} {expected}": "holds" if tables[identifier][1] == shows(ast.literal_eval(expected)) else "fails"
        for identifier, expected in task.claims
    }
    text = "\n".join(line.rstrip() for line in body.splitlines() if line.strip())
    passed = [tables[probe.id][1] == shows(True) for probe in task.tests]
    strict = [tables[probe.id][1] == shows(True) for probe in task.tests if probe.id in task.strict]
    return Judged(
        is_right=tables[task.truth.id][1] == shows(None),
        text=text,
        tests_passed=sum(passed),
        tests=len(passed),
        probes=probes,
        strict_passed=sum(strict),
        claims={f"{identifier} {expected}": count for (identifier, expected), count in task.claims.items()},
        shown={kind: {name: _said(parts) for name, parts in group.items()} for kind, group in groups.items()},
    )


def _said(parts: Sequence[str]) -> str:
    """What a probe showed, in a word."""
    if parts[0] == "value":
        return NOTHING if parts[1] == shows(None) else SHOWS
    return _EXCEPTIONS.get(parts[1], "another exception") if parts[0] == "raised" else parts[0]


def _loose(parts: Sequence[str]) -> str:
    """Any exception is the same as any other."""
    return parts[0] if parts[0] == "raised" else parts[1]
