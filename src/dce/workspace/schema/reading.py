"""What an answer says, whatever form it came in: the types that every interaction schema reads into.

A reading is a view. The raw text is kept by the store, so nothing a reader leaves out is lost; but a reader must say in `notes`
what it left out or repaired, and must never invent or cut a file silently.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

BlockStatus = Literal["complete", "truncated", "ambiguous", "repaired"]
Action = Literal["write", "delete", "rename", "mode"]
Parse = Literal["ok", "repaired", "failed"]


Shown = Callable[[str], str | None]
"""The text of a file as the prompt showed it; None if it did not, or not whole. Edits are changes of that text."""


def nothing_shown(_: str) -> str | None:
    """No file was shown."""
    return None


class PromptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as a prompt shows it. `sha256` is of the bytes on disk, so that a later change can be noticed.

    `detail` says how much of it `text` is (full, outline, head-tail, path, extract): only what is shown whole may be rewritten.
    """

    path: str
    text: str
    sha256: str
    detail: str = "full"


class FileBlock(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an answer with its whole new text. `truncated`: its end never came; `ambiguous`: its end had to be guessed.

    `action`: what is done to the file. "rename" moves `from_path` here as it is; "write" with a `from_path` moves it and replaces its
    text; "delete" and "mode" have no text either. `mode`: "755" or "644" if the answer sets it, else "".
    """

    path: str
    content: str
    status: BlockStatus = "complete"
    action: Action = "write"
    from_path: str = ""
    mode: str = ""


class Unapplied(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose edits could not be applied, and why: the lines that come nearest are named. Accepting refuses it."""

    path: str
    reason: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """An answer taken apart. `flags` are those of the board (elision, missing_files, …); `notes` are sentences for people."""

    summary: str = ""
    plan: str = ""
    activity: str = ""
    files: tuple[FileBlock, ...] = ()
    parse: Parse = "ok"
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unapplied: tuple[Unapplied, ...] = ()


class Schema(Protocol):
    """An interaction schema: how a model is asked to answer, and the reader for what it then writes."""

    @property
    def name(self) -> str:
        """The name that settings and prompts use."""

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:
        """The text of section M3."""

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:
        """GBNF that holds the model to the form, where the backend can; None if the form needs none."""

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:
        """The answer, or None if the text is not in this schema's form. Edits are applied to what was `shown`. Never raises."""


def excerpt_block(file: PromptFile, nonce: str) -> str:
    """A file that is not shown whole, in delimiters that no reader takes for an answer's file."""
    text = file.text if file.text.endswith("\n") else file.text + "\n"
    return f'<excerpt path="{file.path}" shows="{file.detail}" nonce="{nonce}">\n{text}</excerpt nonce="{nonce}">'


def file_block(path: str, content: str, nonce: str) -> str:
    """A file between its delimiters, as prompts show it and answers are asked to write it.

    Everything between the newline after the opener and the closer is the file, so what is shown is exact: a file without a last
    newline has its closer on its last line.
    """
    return f'<file path="{path}" nonce="{nonce}">\n{content}</file nonce="{nonce}">'
