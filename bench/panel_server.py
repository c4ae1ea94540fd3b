"""`python -m bench.panel_server FOLDER KIND`: a panel in a process of its own over a workspace made for a measurement; prints its link.

KIND `streams`: a provider that writes N responses at 200 tokens a second each. `history`: 500 cycles. `files`: 100,000 files.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec

from bench.store import fill
from dce.panel.server import PanelServer
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import CountUpdate, Delta, Ended, GenerationRequest, Opened, ProviderEvent
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace

TOKENS_PER_S = 200
STEP_S = 0.02
"""Between two pieces of a response: an engine's step."""
TOKEN = "word "
FILES, FOLDERS = 100_000, 1_000


class PacedProvider:
    """Every response writes 200 tokens a second for `seconds`, whatever the panel makes of it."""

    name = "paced"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """All choices side by side, as an engine's steps bring them."""
        yield Opened(stream_id="paced", model="paced")
        began, sent, step_tokens = time.monotonic(), 0, round(TOKENS_PER_S * STEP_S)
        while (now := time.monotonic() - began) < self.seconds:
            due = int(now * TOKENS_PER_S)
            while sent + step_tokens <= due:
                sent += step_tokens
                line = TOKEN * step_tokens + ("\n" if sent % 80 == 0 else "")
                for index in range(request.n):
                    yield Delta(index=index, thinking="", text=line)
                    yield CountUpdate(index=index, completion_tokens=sent)
            await asyncio.sleep(STEP_S)
        for index in range(request.n):
            yield Ended(index=index, finish_reason="stop", error=None)

    async def stop(self, stream_id: str, index: int | None) -> None:
        """Nobody stops a measurement."""

    async def models(self) -> list[Model]:
        """One with room for everything."""
        return [Model(id="paced", max_model_len=10_000_000)]

    async def count(self, texts: Sequence[str]) -> list[int]:
        """A token a word."""
        return [len(text.split()) for text in texts]


def make_files(folder: Path) -> None:
    """A repository of 100,000 small files in 1,000 folders."""
    for at in range(FOLDERS):
        inside = folder / f"part{at // 50:02}" / f"module{at:04}"
        inside.mkdir(parents=True)
        for number in range(FILES // FOLDERS):
            (inside / f"file{number:03}.py").write_text(f"value = {at * 1000 + number}\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)


def main(folder: Path, kind: str, seconds: float) -> None:
    """Serves until its standard input ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.py").write_text("# words\n")
    if kind == "files":
        make_files(folder)
    project = Project.init(folder)
    with Workspace.open(project, Settings(max_tokens=1_000_000), provider=PacedProvider(seconds)) as workspace:
        if kind == "history":
            fill(workspace)
        workspace.selection.replace(["words.py"])
        workspace.cycles.create("Measured", "Write.")
        with PanelServer(workspace, port=0) as server:
            print(msgspec.json.encode({"url": server.url}).decode(), flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0)
