"""A prompt as it was built: the exact text, where its sections lie, and the files it shows whole."""

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section's place in the text, in characters. `name` is M1…M7."""

    name: str
    start: int
    end: int


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the prompt. `sha256` is of its bytes on disk, `size` the bytes of the text as shown."""

    path: str
    sha256: str
    size: int


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A finished prompt. `sha256` is of the text as UTF-8."""

    text: str
    sha256: str
    nonce: str
    schema: str
    sections: tuple[Section, ...]
    manifest: tuple[ManifestEntry, ...]

    def __repr__(self) -> str:
        return f"Prompt({len(self.text)} characters, {self.sha256[:12]})"
