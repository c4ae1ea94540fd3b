"""prompt.md on the disk: written whole or not at all, and known again as long as nobody changed it."""

import hashlib
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import Store

WRITTEN_KEY = "prompt_written"
"""Key in the store's meta table: the prompt in prompt.md but for its text, so that a pasted answer finds what it answers."""


class PromptOnDisk:
    """The prompt.md of one workspace."""

    def __init__(self, project: Project, store: Store) -> None:
        self._path = project.root / PROMPT_FILE
        self._state_dir = project.state_dir
        self._store = store

    def write(self, prompt: Prompt, out: Path | None = None) -> Path:
        """Writes the prompt's bytes; None: into prompt.md in the workspace. Raises DceError invalid_input."""
        if out is not None:
            _put(out, prompt)
            return out
        with updating(self._state_dir):  # else the file could be one process's and what is known of it another's
            _put(self._path, prompt)
            without_text = msgspec.structs.replace(prompt, text="")
            self._store.meta.set(WRITTEN_KEY, msgspec.json.encode(without_text).decode())
        return self._path

    def read(self) -> Prompt | None:
        """The prompt in prompt.md, with its manifest; None if the file was changed or never written."""
        kept = self._store.meta.get(WRITTEN_KEY)
        try:
            text = self._path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None
        prompt = msgspec.json.decode(kept, type=Prompt) if kept else None
        if prompt is None or hashlib.sha256(text.encode()).hexdigest() != prompt.sha256:
            return None
        return msgspec.structs.replace(prompt, text=text)


def _put(path: Path, prompt: Prompt) -> None:
    try:
        durable.write(path, prompt.text.encode())
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be written: {error.strerror or error}") from error
