"""A workspace for the tests of judging: a real folder and store, with answers given as files instead of text."""

import asyncio
import hashlib
import json
import os
import stat
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.context.prompt import PromptCycle, PromptFile, PromptInput, build
from dce.workspace.context.shown import ShownFiles
from dce.workspace.judging.checking import commands_to_run
from dce.workspace.judging.command_consent import CommandConsents
from dce.workspace.judging.lanes.on_ray.cluster import Clusters
from dce.workspace.project import STATE_DIR, Project
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.tree.files import read_text

Snapshot = dict[str, tuple[str, int, bytes]]


class Bench:
    """Implements `dce.workspace.judging.opened.Workspace`. `files` are written first; answers come from `answer`."""

    def __init__(self, root: Path, files: Mapping[str, str | bytes] | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        for path, content in (files or {}).items():
            write(root / path, content)
        self.project = Project.init(root)
        self.store = Store(self.project.state_dir / STORE_FILE)
        weakref.finalize(self, self.store.close)
        self.clusters = Clusters()
        self.clock: Callable[[], float] = lambda: 1000.0
        self.readings: dict[tuple[int, int], Reading] = {}
        self.is_locked_elsewhere = False

    @property
    def root(self) -> Path:
        """The workspace's folder."""
        return self.project.root

    def responses(self, generation_id: int) -> tuple[Response, ...]:
        """As stored."""
        return self.store.responses.latest(generation_id)

    def reading(self, generation_id: int, slot: int) -> Reading:
        """As given to `answer`."""
        return self.readings[generation_id, slot]

    def shown(self, generation_id: int) -> Callable[[str], str | None]:
        """The prompt's copy."""
        return ShownFiles(self.store.prompts.get(self.store.generations.get(generation_id).prompt_sha256)).get

    def agree_to_commands(self) -> None:
        """Agrees to the commands in checks.toml as they are now."""
        CommandConsents(self.store.meta).give(asyncio.run(commands_to_run(self)))

    @contextmanager
    def writer_lock(self, verb: str = "") -> Iterator[None]:
        """Can simulate another process's lock; this process may hold it several times, like the real one."""
        if self.is_locked_elsewhere:
            raise DceError("workspace_locked", f"process 1 generates; no {verb} now")
        yield

    def answer(
        self,
        *answers: Mapping[str, str] | Reading,
        shown: Sequence[str] | None = None,
        statuses: Mapping[int, Status] | None = None,
        cycle: int = 0,
        outlined: Sequence[str] = (),
    ) -> int:
        """Makes a generation whose responses 1..N write these files; the prompt shows `shown` (None: all text files). Returns its id."""
        paths = self._text_files() if shown is None else shown
        texts = [read_text(self.project, path) for path in paths]
        prompt = build(
            PromptInput(
                cycle=PromptCycle(id=0, title="", context=""),
                history=(),
                scope="",
                files=tuple(
                    PromptFile(
                        path=text.path,
                        text=text.text,
                        sha256=text.sha256,
                        detail="outline" if text.path in outlined else "full",
                    )
                    for text in texts
                ),
                schema="blocks",
            )
        )
        self.store.prompts.put(prompt, None, 0.0)
        generation = self.store.generations.insert(
            Generation(
                id=0,
                cycle=cycle,
                prompt_sha256=prompt.sha256,
                model="m",
                n=len(answers),
                schema="blocks",
                nonce=prompt.nonce,
                max_tokens=0,
                created_at=0.0,
                ended_at=None,
                stream_id="",
                prompt_tokens=0,
            )
        )
        for slot, answer in enumerate(answers, start=1):
            status = (statuses or {}).get(slot, Status.COMPLETE)
            self.readings[generation.id, slot] = answer if isinstance(answer, Reading) else reading_of(answer)
            if status not in {Status.QUEUED, Status.GENERATING}:
                self.store.progress.save_ends(
                    [
                        Response(
                            generation=generation.id,
                            slot=slot,
                            version=1,
                            status=status,
                            text="…",
                            started_at=1.0,
                            first_token_at=2.0,
                            ended_at=4.0,
                        )
                    ]
                )
        return generation.id

    def _text_files(self) -> list[str]:
        found = []
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if path.is_file() and not path.is_symlink() and relative.parts[0] not in {STATE_DIR, ".git"}:
                try:
                    found.append(read_text(self.project, relative.as_posix()).path)
                except DceError:
                    continue
        return found


def reading_of(files: Mapping[str, str]) -> Reading:
    """An answer that writes these files."""
    return Reading(files=tuple(FileBlock(path=path, content=content) for path, content in files.items()))


def write(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Writes a file, and the folders it needs; bytes are written unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if mode is not None:
        path.chmod(mode)


def snapshot(root: Path, *, skip: Sequence[str] = (STATE_DIR,)) -> Snapshot:
    """Every path below `root` with its kind, mode and content, except the top-level folders in `skip`."""
    found: Snapshot = {}
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in skip]
        for name in [*folders, *names]:
            path = Path(folder) / name
            status = path.lstat()
            kind = stat.filemode(status.st_mode)[0]
            content = {"l": lambda p: os.fsencode(p.readlink()), "-": Path.read_bytes}.get(kind, lambda _: b"")(path)
            found[path.relative_to(root).as_posix()] = (kind, stat.S_IMODE(status.st_mode), content)
    return found


def sha256(data: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def builtins(value: object) -> object:
    """The value as plain JSON types."""
    return json.loads(msgspec.json.encode(value))
