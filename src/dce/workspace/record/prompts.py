"""Prompts as built: the exact text, the positions of its sections, and the files shown whole. Stored by hash."""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

import msgspec

from dce.workspace.record.database import Database
from dce.workspace.record.table import Table

FILES_SECTION = "M7"
"""The section that holds the selected files."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section's position in the text, in characters. `name` is M1…M7."""

    name: str
    start: int
    end: int


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the prompt. `sha256` is the hash of its bytes on disk, `size` the size in bytes of the text as shown."""

    path: str
    sha256: str
    size: int


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A finished prompt. `sha256` is the hash of the text as UTF-8."""

    text: str
    sha256: str
    nonce: str
    schema: str
    sections: tuple[Section, ...]
    manifest: tuple[ManifestEntry, ...]

    def start_of(self, name: str) -> int | None:
        """Where a section begins; None if there is no section of that name."""
        return next((section.start for section in self.sections if section.name == name), None)

    def __repr__(self) -> str:
        return f"Prompt({len(self.text)} characters, {self.sha256[:12]})"


def _pack(prompt: Prompt) -> tuple[object, ...]:
    sections, manifest = (msgspec.json.encode(part).decode() for part in (prompt.sections, prompt.manifest))
    return prompt.text, prompt.sha256, prompt.nonce, prompt.schema, sections, manifest


def _unpack(text: str, sha256: str, nonce: str, schema: str, sections: str, manifest: str) -> Prompt:
    return Prompt(
        text=text,
        sha256=sha256,
        nonce=nonce,
        schema=schema,
        sections=msgspec.json.decode(sections, type=tuple[Section, ...]),
        manifest=msgspec.json.decode(manifest, type=tuple[ManifestEntry, ...]),
    )


PROMPTS = Table("prompts", Prompt.__struct_fields__, _pack, _unpack)


class Prompts:
    """The prompts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, prompt: Prompt, grammar: str | None, now: float) -> None:
        """Stores the exact prompt under its hash, with its grammar."""
        with self._database.transaction() as db:
            PROMPTS.insert(db, prompt, "IGNORE", grammar=grammar, created_at=now)

    def get(self, sha256: str) -> Prompt:
        """The prompt with this hash. Raises DceError not_found."""
        row = self._database.row(f"SELECT {PROMPTS.selected} FROM prompts WHERE sha256 = ?", (sha256,))
        if row is None:
            raise self._database.not_found(f"there is no prompt {sha256}")
        return PROMPTS.row(row)

    def grammar(self, sha256: str) -> str | None:
        """The grammar stored with a prompt."""
        row = self._database.row("SELECT grammar FROM prompts WHERE sha256 = ?", (sha256,))
        return row[0] if row else None
