"""The tasks of our own, measured: what each way of choosing picks, for several seeds of the probes."""

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.judging.choosing import NOTHING, SHOWS, Judged
from bench.judging.contained import opened_lanes
from bench.judging.own_tasks import Task, outcomes, probes_for, run_tests
from dce.workspace.judging.behaviour.classes import compared_texts
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.lanes.opening import Lanes


class Kept:
    """Results in a file, each asked for once: running the tests and probes takes minutes, comparing ways to choose seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        self._known = dict(json.loads(line) for line in lines)

    async def get(self, key: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What is kept under the key; asks for it, and keeps it, if there is nothing."""
        if key not in self._known:
            self._known[key] = await ask()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


def pools(tasks: Mapping[str, Task], seeds: int, kept: Path) -> dict[str, list[list[Judged]]]:
    """For each task and seed of the probes, what is known of its answers. Results are added to the file `kept` as they come."""
    return asyncio.run(_pools(tasks, seeds, Kept(kept)))


async def _pools(tasks: Mapping[str, Task], seeds: int, held: Kept) -> dict[str, list[list[Judged]]]:
    found: dict[str, list[list[Judged]]] = {}
    async with opened_lanes() as lanes:
        for name, task in tasks.items():
            print(name, file=sys.stderr, flush=True)
            texts = [answer.text for answer in task.answer]
            tests = [await held.get(_key(task, text, "tests"), partial(_tests, task, text)) for text in texts]
            for seed in range(seeds):
                probes = probes_for(task, seed)
                asked = json.dumps([probe.id for probe in probes])
                shown = [
                    await held.get(_key(task, text, asked), partial(_shown, lanes, task, probes, text))
                    for text in texts
                ]
                found.setdefault(name, []).append(_pool(task, tests, probes, shown))
                if not probes:
                    break  # another seed would give the same
    return found


def _key(task: Task, text: str, asked: str) -> str:
    parts = [task.language, task.path, task.files, task.visible, task.hidden, text, asked]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


async def _tests(task: Task, text: str) -> list[Any]:
    visible, hidden = run_tests(task, task.visible, text), run_tests(task, task.hidden, text)
    return [hidden.is_passed, len(visible.passed), len(visible.tests)]


async def _shown(lanes: Lanes, task: Task, probes: tuple[Probe, ...], text: str) -> dict[str, list[Any]]:
    return {
        name: [outcome.kind, hashlib.sha256(outcome.text.encode()).hexdigest()[:10], outcome.cpu_s, outcome.shown]
        for name, outcome in (await outcomes(lanes, task, probes, text)).items()
    }


def _pool(task: Task, tests: list[Any], probes: tuple[Probe, ...], shown: list[Any]) -> list[Judged]:
    results = {
        slot: {
            name: Outcome(kind=kind, text=text if kind in {"value", "raised"} else kind, shown=seen, cpu_s=cpu)
            for name, (kind, text, cpu, seen) in found.items()
        }
        for slot, found in enumerate(shown)
    }
    texts = {probe.id: compared_texts(probe.id, results) for probe in probes}
    by_origin: dict[str, list[str]] = {}
    for probe in probes:
        by_origin.setdefault(probe.origin, []).append(probe.id)
    return [
        Judged(
            is_right=is_right,
            text="\n".join(line.rstrip() for line in answer.text.splitlines() if line.strip()),
            tests_passed=passed,
            tests=count,
            probes={
                "made": {probe.id: texts[probe.id][slot] for probe in probes},
                "made loose": {probe.id: _loose(results[slot][probe.id], texts[probe.id][slot]) for probe in probes},
                **{origin: {name: texts[name][slot] for name in names} for origin, names in by_origin.items()},
            },
            shown={
                kind: {name: _said(results[slot][name]) for name in names}
                for kind, names in {"made": [probe.id for probe in probes], **by_origin}.items()
            },
        )
        for slot, (answer, (is_right, passed, count)) in enumerate(zip(task.answer, tests, strict=True))
    ]


def _said(outcome: Outcome) -> str:
    """What a probe showed, in a word."""
    if outcome.kind == "value":
        return NOTHING if outcome.shown in {"None", "nothing recorded"} else SHOWS
    return outcome.shown.removeprefix("raises ").split("(")[0] if outcome.kind == "raised" else outcome.kind


def _loose(outcome: Outcome, text: str) -> str:
    """Any exception is the same as any other."""
    return "raised" if outcome.kind == "raised" else text
