"""Runs the recorded answers once and keeps what came: the answers are many and the ways to choose are compared on the same results."""

import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.judging.choosing import Judged
from bench.judging.local_lane import local_lane
from bench.judging.recorded import Recorded, draws
from dce.workspace.judging.behaviour.probe import Outcome
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes

LIMITS = Limits(probe_s=1.0, answer_s=20.0, max_timeouts=3)
TRUTH_LIMITS = Limits(probe_s=5.0, answer_s=20.0, max_timeouts=1)


def judged(tasks: Sequence[Recorded], seeds: int, kept: Path, *, jobs: int = 2) -> dict[tuple[int, str], Judged]:
    """What is known of every answer that some draw holds, by task and body. Results are added to the file `kept` as they come."""
    found = _read(kept)
    wanted = {
        (task.number, body): (task, body)
        for task in tasks
        for pool in draws(task, seeds)
        for body in (task.bodies[at] for at in pool)
    }
    missing = [asked for key, asked in wanted.items() if _key(*asked) not in found]
    with kept.open("a", encoding="utf-8") as file, ThreadPoolExecutor(jobs) as pool:
        for number, (key, result) in enumerate(pool.map(lambda asked: (_key(*asked), _ask(*asked)), missing)):
            found[key] = result
            file.write(json.dumps([key, result]) + "\n")
            if number % 100 == 0:
                print(f"{number} of {len(missing)} answers", file=sys.stderr, flush=True)
    return {key: _judged(found[_key(*asked)], asked[1]) for key, asked in wanted.items()}


def _read(kept: Path) -> dict[str, dict]:
    if not kept.is_file():
        return {}
    return dict(json.loads(line) for line in kept.read_text("utf-8").splitlines())


def _key(task: Recorded, body: str) -> str:
    """Depends on everything that is run, so that changed probes are run again."""
    asked = [probe.id for probe in (*task.asserts, *task.made, *task.tests, task.truth)]
    return hashlib.sha256(json.dumps([task.module(body), asked]).encode()).hexdigest()[:24]


def _ask(task: Recorded, body: str) -> dict:
    with local_lane({"answer.py": task.module(body)}) as lane:
        python = Interpreter(program=sys.executable, paths=("",))
        truth = asyncio.run(run_probes(lane, (task.truth,), python, limits=TRUTH_LIMITS))[task.truth.id]
        probes = (*task.tests, *task.asserts, *task.made)
        found = asyncio.run(run_probes(lane, probes, python, limits=LIMITS))
    return {
        "right": truth.kind == "value" and truth.shown == "None",
        "tests": [found[probe.id].shown == "True" for probe in task.tests],
        "asserts": {probe.id: _compared(found[probe.id]) for probe in task.asserts},
        "made": {probe.id: _compared(found[probe.id]) for probe in task.made},
    }


def _compared(outcome: Outcome) -> list[str]:
    """Three parts: the kind, what was returned, and everything."""
    if outcome.kind not in {"value", "raised"}:
        return [outcome.kind, outcome.kind, outcome.kind]
    seen = json.dumps(json.loads(outcome.text)[0])
    return [outcome.kind, *(hashlib.sha256(text.encode()).hexdigest()[:10] for text in (seen, outcome.text))]


def _judged(result: dict, body: str) -> Judged:
    probes = {kind: {probe: parts[2] for probe, parts in result[kind].items()} for kind in ("asserts", "made")}
    probes["made values"] = {probe: parts[1] for probe, parts in result["made"].items()}
    probes["asserts kinds"] = {probe: _loose(parts) for probe, parts in result["asserts"].items()}
    probes["made kinds"] = {probe: _loose(parts) for probe, parts in result["made"].items()}
    text = "\n".join(line.rstrip() for line in body.splitlines() if line.strip())
    return Judged(result["right"], text, sum(result["tests"]), len(result["tests"]), probes)


def _loose(parts: Sequence[str]) -> str:
    """Any exception is the same as any other."""
    return parts[0] if parts[0] == "raised" else parts[1]
