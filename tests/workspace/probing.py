"""A lane for tests of behaviour: a folder and a plain subprocess; and the material of a small project."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet, make_probe
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes


class FolderLane:
    """Runs a command in a folder."""

    def __init__(self, base: Path, files: Mapping[str, str]) -> None:
        self.root = base / "root"
        self.tmp = self.written_tmp = base / "tmp"
        self.tmp.mkdir(exist_ok=True)
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, "utf-8")

    async def run(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> None:
        """Waits for its end."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.root, env={**os.environ, **variables}, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(timeout_s):
            await process.wait()


def steps(*lines: str, header: str = "import answer") -> Probe:
    """A probe of these steps."""
    return make_probe(Snippet(header=(header,), steps=lines), "example")


def run(root: Path, text: str, *probes: Probe, probe_s: float = 10.0) -> list[Outcome]:
    """The outcomes of the probes on a module `answer` with this text, in their order. `probe_s` is small only where a probe loops."""
    limits = Limits(probe_s=probe_s, answer_s=60.0)
    lane = FolderLane(root, {"answer.py": text})
    found = asyncio.run(run_probes(lane, probes, Interpreter(program=sys.executable), limits=limits))
    return [found[probe.id] for probe in probes]
