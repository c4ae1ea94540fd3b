"""The types that every reader produces, whatever the answer's format.

A reading is a view. The store keeps the raw text, so nothing that a reader leaves out is lost. But a reader must state in `notes`
what it left out or repaired, and must never invent or cut a file silently.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

BlockStatus = Literal["complete", "truncated", "ambiguous", "repaired"]
Action = Literal["write", "delete", "rename", "mode"]
Parse = Literal["ok", "repaired", "failed"]


Shown = Callable[[str], str | None]
"""The text of a file as the prompt showed it; None if it was not shown whole. Edits apply to that text."""


def nothing_shown(_: str) -> str | None:
    """No file was shown."""
    return None


class PromptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as a prompt shows it. `sha256` is of the bytes on disk, to detect later changes.

    `detail` says how much of the file `text` holds (full, outline, head-tail, path, extract): only a file shown whole may be rewritten.
    `guess`: its encoding, if that is only guessed; `is_doubtful`: the guess may well be wrong, and `text` garbled.
    """

    path: str
    text: str
    sha256: str
    detail: str = "full"
    guess: str = ""
    is_doubtful: bool = False


class FileBlock(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an answer with its whole new text. `truncated`: it has no end; `ambiguous`: its limits or its text are a guess.

    `action`: what the answer does to the file. "rename" moves `from_path` here unchanged and has no text; "write" with a `from_path`
    moves it and replaces its text; "delete" and "mode" have no text. `mode`: "755" or "644" if the answer sets it, else "".
    `written_path`: the path in the answer, if it was read as another; else "". `flags`: what is doubtful about this file.
    """

    path: str
    content: str
    status: BlockStatus = "complete"
    action: Action = "write"
    from_path: str = ""
    mode: str = ""
    written_path: str = ""
    flags: tuple[str, ...] = ()


class Unapplied(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose edits could not be applied, and why, with the nearest lines. Accepting refuses it."""

    path: str
    reason: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed answer. `flags` are those of the board (elision, missing_files, …); `notes` are sentences for the user."""

    summary: str = ""
    plan: str = ""
    activity: str = ""
    files: tuple[FileBlock, ...] = ()
    parse: Parse = "ok"
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unapplied: tuple[Unapplied, ...] = ()


class Reader(Protocol):
    """A reader for answers in one form, or in one of several."""

    @property
    def name(self) -> str:
        """The name that settings, prompts and notes use."""

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:
        """The reading, or None if the text is not in this form. Edits apply to what was `shown`. Never raises."""


class Schema(Reader, Protocol):
    """An interaction schema: the instructions to the model and the reader for its answer."""

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:
        """The text of section M3."""

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:
        """A GBNF grammar that enforces the format where the backend supports it; None if the format needs none."""


def excerpt_block(file: PromptFile, nonce: str) -> str:
    """A file that is not shown whole, in delimiters that no reader accepts as an answer's file."""
    text = file.text if file.text.endswith("\n") else file.text + "\n"
    return f'<excerpt path="{file.path}" shows="{file.detail}" nonce="{nonce}">\n{text}</excerpt nonce="{nonce}">'


def file_block(path: str, content: str, nonce: str) -> str:
    """A file between its delimiters, as prompts show it and answers are asked to write it.

    Everything between the newline after the opening tag and the closing tag is the file, so a file without a final newline has
    the closing tag on its last line.
    """
    return f'<file path="{path}" nonce="{nonce}">\n{content}</file nonce="{nonce}">'
