"""A lane for tests of behaviour: a folder and a plain subprocess; and the material of a small project."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet, make_probe
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes


class FolderLane:
    """Runs a command in a folder."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")

    def run(self, command: Sequence[str], *, stdin: bytes, environment: Mapping[str, str], timeout_s: float) -> bytes:
        """Its standard output."""
        done = subprocess.run(
            command,
            input=stdin,
            cwd=self.root,
            env={**os.environ, **environment},
            timeout=timeout_s,
            capture_output=True,
            check=False,
        )
        return done.stdout


def steps(*lines: str, header: str = "import answer") -> Probe:
    """A probe of these steps."""
    return make_probe(Snippet(header=(header,), steps=lines), "example")


def run(root: Path, text: str, *probes: Probe) -> list[Outcome]:
    """The outcomes of the probes on a module `answer` with this text, in their order."""
    limits = Limits(probe_s=0.5, answer_s=20.0)
    lane = FolderLane(root, {"answer.py": text})
    found = run_probes(lane, probes, Interpreter(program=sys.executable), limits=limits)
    return [found[probe.id] for probe in probes]
