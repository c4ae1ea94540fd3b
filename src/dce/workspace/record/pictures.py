"""A picture that goes with a prompt itself, and the line by which the prompt names it.

What must always hold: the line holds the hash of the picture's bytes, so that the same prompt always means the same pictures.
"""

import hashlib

import msgspec


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it is on the disk. `mime` by its content."""

    path: str
    mime: str
    content: bytes

    def __repr__(self) -> str:
        return f"Picture({self.path!r}, {self.mime}, {len(self.content)} bytes)"

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.content).hexdigest()


def note_of(picture: Picture) -> str:
    """The line in prompt.md that says that the picture itself goes along."""
    return f"[the picture itself goes with this prompt: sha256 {picture.sha256}]\n"
