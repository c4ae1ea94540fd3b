"""A workspace with a small Python project, and a provider that answers its prompt as a model would: some well, some badly.

The provider is paced by a sleep that is given: tests pass one that only yields, a person looking at the panel a real one.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from dce.panel.app import create_app
from dce.panel.runtime import PanelRuntime
from dce.panel.security import Access
from dce.wire.errors import DceError
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import CountUpdate, Delta, Ended, GenerationRequest, Opened, ProviderEvent
from dce.workspace.project import Project
from dce.workspace.schema.reading import file_block
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace

STUB = '''\
"""Small things with words."""


def initials(name: str) -> str:
    """The first letters of a name's parts, upper case: "ada lovelace" -> "AL"."""
    raise NotImplementedError


def slug(title: str) -> str:
    """A title as it stands in a web address: "Hello, World!" -> "hello-world"."""
    raise NotImplementedError
'''
RIGHT = STUB.replace(
    "    raise NotImplementedError\n\n\ndef slug",
    '    return "".join(part[0].upper() for part in name.split())\n\n\ndef slug',
).replace(
    "    raise NotImplementedError\n",
    '    words = "".join(char if char.isalnum() else " " for char in title.lower()).split()\n    return "-".join(words)\n',
)
HALF = RIGHT.replace(".upper()", "")
WRONG = RIGHT.replace("title.lower()", "title")
TESTS = """\
import unittest

from words import initials, slug


class Words(unittest.TestCase):
    def test_initials(self):
        self.assertEqual(initials("ada lovelace"), "AL")

    def test_slug(self):
        self.assertEqual(slug("Hello, World!"), "hello-world")


if __name__ == "__main__":
    unittest.main()
"""
README = "# Words\n\nA tiny library. Grüße, 世界 🎉\n"
CHECKS = '[[check]]\nname = "tests"\ncommand = ["python", "-m", "unittest", "-q"]\ntimeout_s = 30\n'

SUMMARY = "Implemented `initials` and `slug` in words.py, so that the tests pass."
PLAN = "1. Split the name and take first letters.\n2. Keep letters and digits, join words by dashes.\n3. Run the tests."
THINKING = "The tests show what is wanted. A name may have several parts; a title may hold punctuation. "


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How one response goes. `content` None: an answer in no known form."""

    content: str | None = RIGHT
    thinking: str = THINKING
    finish: str = "stop"
    error: DceError | None = None
    path: str = "words.py"


SCRIPT: Sequence[Line] = (
    Line(),
    Line(content=WRONG),
    Line(content=HALF),
    Line(thinking=THINKING * 3),
    Line(content=None),
    Line(content=RIGHT, path="../../etc/passwd"),
    Line(finish="length"),
    Line(error=DceError("backend_error", "the engine ended the request: out of memory")),
    Line(content=WRONG, thinking=""),
    Line(content=HALF.replace("part[0]", "part[:1]")),
)
"""Ten responses of every kind."""


async def at_once(_seconds: float) -> None:
    """A sleep that only lets others run."""
    await asyncio.sleep(0)


class AnsweringProvider:
    """Streams answers in the prompt's own form. `hold` keeps every stream from ending until it is set."""

    name = "rig"

    def __init__(
        self,
        script: Sequence[Line] = SCRIPT,
        sleep: Callable[[float], Awaitable[None]] = at_once,
        piece_chars: int = 40,
        failure: DceError | None = None,
    ) -> None:
        self._script = script
        self._sleep = sleep
        self._piece_chars = piece_chars
        self._stopped: set[tuple[str, int]] = set()
        self._streams = 0
        self.failure = failure
        self.hold: asyncio.Event | None = None

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """All choices side by side, a piece of each in turn."""
        if self.failure is not None:
            raise self.failure
        self._streams += 1
        stream_id = f"stream-{self._streams}"
        yield Opened(stream_id=stream_id, model="rig-model")
        nonces: list[str] = re.findall(r'nonce="(\w+)"', request.prompt)
        lines = [self._script[(index + self._streams - 1) % len(self._script)] for index in range(request.n)]
        feeds = {index: self._pieces(line, nonces[0] if nonces else "") for index, line in enumerate(lines)}
        counts = dict.fromkeys(feeds, 0)
        while feeds:
            for index in tuple(feeds):
                is_stopped = (stream_id, index) in self._stopped or (stream_id, -1) in self._stopped
                piece = None if is_stopped else next(feeds[index], None)
                if piece is not None:
                    counts[index] += 8
                    yield Delta(index=index, thinking=piece[0], text=piece[1])
                    yield CountUpdate(index=index, completion_tokens=counts[index])
                    continue
                if self.hold is not None and not is_stopped and not self.hold.is_set():
                    continue
                del feeds[index]
                error = None if is_stopped or lines[index].error is None else lines[index].error
                finish = "stopped" if is_stopped else ("error" if error else lines[index].finish)
                yield Ended(index=index, finish_reason=finish, error=error.body() if error else None)
            await self._sleep(0.05)

    def _pieces(self, line: Line, nonce: str) -> Iterator[tuple[str, str]]:
        text = "I am not sure what you want me to do.\n"
        if line.content is not None:
            block = file_block(line.path, line.content, nonce)
            text = f"<summary>\n{SUMMARY}\n</summary>\n<plan>\n{PLAN}\n</plan>\n\n{block}\n"
        if line.finish == "length" or line.error is not None:
            text = text[: len(text) * 2 // 3]
        step = self._piece_chars
        for at in range(0, len(line.thinking), step):
            yield line.thinking[at : at + step], ""
        for at in range(0, len(text), step):
            yield "", text[at : at + step]

    async def stop(self, stream_id: str, index: int | None) -> None:
        """The choice ends as `stopped` when its turn comes."""
        self._stopped.add((stream_id, -1 if index is None else index))

    async def models(self) -> list[Model]:
        """One model with a window of 8192."""
        return [Model(id="rig-model", max_model_len=8192)]

    async def count(self, texts: Sequence[str]) -> list[int]:
        """A token for about four characters."""
        return [-(-len(text) // 4) for text in texts]


def make_project(folder: Path) -> Project:
    """The sample project, as a workspace."""
    (folder / "docs").mkdir(parents=True)
    (folder / "words.py").write_text(STUB, encoding="utf-8")
    (folder / "test_words.py").write_text(TESTS, encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    (folder / "docs" / "notes.md").write_text("# Notes\n\nKeep it small.\n", encoding="utf-8")
    (folder / "logo.bin").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    project = Project.init(folder)
    (project.state_dir / "checks.toml").write_text(CHECKS, encoding="utf-8")
    return project


def make_workspace(
    folder: Path, provider: AnsweringProvider | None = None, settings: Settings | None = None
) -> Workspace:
    """The sample workspace over a scripted provider: code and tests selected, and one cycle that says what to do."""
    project = make_project(folder)
    workspace = Workspace.open(project, settings or Settings(), provider=provider or AnsweringProvider())
    workspace.selection.replace(["words.py", "test_words.py"])
    workspace.cycles.edit(0, context="Words is a tiny library of string functions.")
    workspace.cycles.create("Fill in the stubs", "Implement the two functions in words.py so that the tests pass.")
    return workspace


PORT = 8765
ORIGIN = f"http://127.0.0.1:{PORT}"


class Window:
    """A browser window without a browser: it has the cookie and says where its requests come from."""

    def __init__(self, panel: PanelRuntime, client: httpx2.AsyncClient) -> None:
        self.panel = panel
        self.client = client

    async def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """One request; `body` becomes JSON."""
        return await self.client.request(method, path, json=body, headers={"origin": ORIGIN})

    async def get(self, path: str) -> Any:
        """The JSON of an answer that must be 200."""
        return self._json(await self.ask("GET", path))

    async def post(self, path: str, body: object = None) -> Any:
        """As `get`."""
        return self._json(await self.ask("POST", path, body))

    async def put(self, path: str, body: object) -> Any:
        """As `get`."""
        return self._json(await self.ask("PUT", path, body))

    async def error(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Status and error body of an answer that must be an error."""
        answer = await self.ask(method, path, body)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]

    async def ended(self, generation: int) -> Any:
        """The generation once nothing of it runs any more."""
        async for _ in self.news():
            view = await self.get(f"/api/generations/{generation}")
            if not view["is_running"]:
                return view
        raise AssertionError("the log was closed")

    async def news(self) -> AsyncIterator[bytes]:
        """Whatever the event log says, from now on."""
        async for frames in self.panel.log.follow(self.panel.log.cursor, heartbeat_s=0.05):
            yield frames

    @staticmethod
    def _json(answer: httpx2.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def window_of(workspace: Workspace, static: Path | None = None) -> AsyncIterator[Window]:
    """A window over a workspace, in process."""
    panel, access = PanelRuntime(workspace, watch_interval_s=0.01), Access()
    app = create_app(panel, access, PORT, static or workspace.project.root / "no-build")
    panel.start()
    try:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as client:
            assert (await client.get("/", params={"token": access.mint()})).status_code == 303
            yield Window(panel, client)
    finally:
        await panel.close()
