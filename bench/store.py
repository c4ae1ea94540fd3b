"""The store at the size of years of work: 500 cycles, each with 13 responses of 100 KB. How long opening and looking around take.

What must hold: the texts are different words, so that nothing is smaller than in life; what is timed is what a UI does.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dce.workspace.context.prompt import PromptCycle, PromptInput, build
from dce.workspace.project import Project
from dce.workspace.record.generations import Generation
from dce.workspace.record.history import match_expression
from dce.workspace.record.responses import Status, Tokens
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace

CYCLES, RESPONSES, SIZE = 500, 13, 100_000
ROUNDS = 11
_WORDS = 20_000
"""Different words: the vocabulary of a large project."""


def run() -> dict[str, Any]:
    """Builds the store in a temporary folder and times it; milliseconds, every round."""
    with tempfile.TemporaryDirectory(prefix="dce-bench-") as folder:
        project = Project.init(Path(folder))
        began = time.perf_counter()
        with Workspace.open(project, Settings()) as workspace:
            fill(workspace)
        built_s = time.perf_counter() - began
        size = sum(path.stat().st_size for path in project.state_dir.iterdir() if path.is_file())
        return {
            "cycles": CYCLES,
            "responses_per_cycle": RESPONSES,
            "response_bytes": SIZE,
            "store_bytes": size,
            "built_s": round(built_s, 1),
            "ms": _times(project),
        }


def table(result: dict[str, Any]) -> str:
    """The medians, and the slowest round."""
    lines = [
        f"{result['cycles']} cycles × {result['responses_per_cycle']} responses of {result['response_bytes']:,} bytes"
        f" ({result['store_bytes'] / 1e6:,.0f} MB on disk, index included). {result['machine']}, {result['when']}.",
        "",
        "| operation | median ms | slowest ms | target ms |",
        "|---|---|---|---|",
    ]
    wanted = {"open": "< 200", "navigate to a cycle": "< 50", "next prompt": "< 200"}
    for name, rounds in result["ms"].items():
        lines.append(f"| {name} | {statistics.median(rounds):.1f} | {max(rounds):.1f} | {wanted.get(name, '')} |")
    return "\n".join(lines)


def _times(project: Project) -> dict[str, list[float]]:
    chance = random.Random(2)
    opened: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        Workspace.open(project, Settings()).close()
        opened.append(_ms(began))
    with Workspace.open(project, Settings()) as workspace:
        store = workspace.store

        def navigate() -> None:
            cycle = store.cycles.get(chance.randrange(1, CYCLES + 1))
            generation = store.generations.latest(cycle.id)
            assert generation is not None
            assert len(store.responses.latest(generation.id)) == RESPONSES

        def prompt() -> None:
            asyncio.run(workspace.preparation.build(CYCLES))

        workspace.selection.clear()
        first = _timed(prompt)

        def search() -> None:
            assert store.history.search(match_expression(f"word{chance.randrange(_WORDS)}"), 20)

        return {
            "open": opened,
            "navigate to a cycle": _rounds(navigate),
            "next prompt, the first ever": [first],
            "next prompt": _rounds(prompt),
            "history at a glance": _rounds(store.history.cycles),
            "search for a word": _rounds(search),
        }


def _rounds(work: Callable[[], object]) -> list[float]:
    return [_timed(work) for _ in range(ROUNDS)]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return _ms(began)


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def fill(workspace: Workspace) -> None:
    chance = random.Random(1)
    store = workspace.store
    prompt = build(
        PromptInput(cycle=PromptCycle(id=1, title="", context=""), history=(), scope="", files=(), schema="blocks")
    )
    store.prompts.put(prompt, None, 1.0)
    words = [f"word{number}" for number in range(_WORDS)]
    texts = [_answer(" ".join(chance.choices(words, k=SIZE // 10))[:SIZE], prompt.nonce) for _ in range(40)]
    for number in range(CYCLES):
        cycle = workspace.cycles.create(f"Cycle {number}", chance.choice(texts)[:4000])
        generation = store.generations.insert(
            Generation(
                id=0,
                cycle=cycle.id,
                prompt_sha256=prompt.sha256,
                model="",
                n=RESPONSES,
                schema="blocks",
                nonce=prompt.nonce,
                max_tokens=0,
                created_at=1.0,
            )
        )
        store.progress.save_ends(
            msgspec.structs.replace(
                response, status=Status.COMPLETE, text=chance.choice(texts), tokens=Tokens(answer=25_000, exact=True)
            )
            for response in store.responses.latest(generation.id)
        )
        store.cycles.choose(cycle.id, generation.id, 1, 1.0)


def _answer(text: str, nonce: str) -> str:
    """A text as an answer in the form that the prompt asks for."""
    said = "<summary>\nWhat was done.\n</summary>\n<plan>\n1. The next step.\n</plan>\n"
    return f'{said}<file path="a.py" nonce="{nonce}">\n{text}\n</file nonce="{nonce}">\n'
