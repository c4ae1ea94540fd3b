"""The prompt on disk: written atomically, and recognised as long as nobody changes it.

What must always hold: it is written to `.dce`, readable by its owner only and ignored by git, because it can hold the text of files
that git ignores. A copy elsewhere is written only on request, and never over a file that DCE did not write.
"""

import hashlib
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import Store
from dce.workspace.record.written_files import WrittenFiles

WRITTEN_KEY = "prompt_written"
"""Key in the store's meta table: the prompt on disk without its text, so that a pasted answer can be matched to its prompt."""

OLD_PLACE = "prompt.md"
"""Where older versions wrote the prompt, in the workspace's root."""

_TOLD_KEY = "old_prompt_told"
"""Key in the store's meta table: the user has been told about the file in the old place."""


class PromptOnDisk:
    """The prompt of one workspace, in `.dce/prompt.md`."""

    def __init__(self, project: Project, store: Store) -> None:
        self._path = project.root / PROMPT_FILE
        self._old = project.root / OLD_PLACE
        self._state_dir = project.state_dir
        self._store = store
        self._written = WrittenFiles(project.root, store.meta)

    def write(self, prompt: Prompt) -> Path:
        """Writes the prompt's bytes to `.dce/prompt.md`. Raises DceError invalid_input."""
        with updating(self._state_dir):  # otherwise file and metadata could come from two processes
            try:
                durable.write(self._path, prompt.text.encode(), durable.PRIVATE)
            except OSError as error:
                raise DceError("invalid_input", f"{self._path} cannot be written: {error.strerror or error}") from error
            without_text = msgspec.structs.replace(prompt, text="")
            self._store.meta.set(WRITTEN_KEY, msgspec.json.encode(without_text).decode())
        return self._path

    def copy(self, prompt: Prompt, out: Path, *, is_forced: bool = False) -> Path:
        """Writes the prompt's bytes to `out` as well. Raises DceError conflict (a file that DCE did not write), invalid_input."""
        if out.absolute() != self._path:
            with self._written.draft(out, is_forced=is_forced) as draft:
                draft.write_bytes(prompt.text.encode())
        self.write(prompt)
        return out

    def read(self) -> Prompt | None:
        """The prompt on disk, with its manifest; None if the file was changed or never written."""
        return self._read(self._path) or self._read(self._old)

    def old_prompt(self) -> Path | None:
        """The path of a prompt that an older version left in the workspace's root, on the first call only; otherwise None."""
        if self._store.meta.get(_TOLD_KEY) or self._read(self._old) is None:
            return None
        self._store.meta.set(_TOLD_KEY, "yes")
        return self._old

    def _read(self, path: Path) -> Prompt | None:
        kept = self._store.meta.get(WRITTEN_KEY)
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None
        prompt = msgspec.json.decode(kept, type=Prompt) if kept else None
        if prompt is None or hashlib.sha256(text.encode()).hexdigest() != prompt.sha256:
            return None
        return msgspec.structs.replace(prompt, text=text)
