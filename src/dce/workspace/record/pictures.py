"""Pictures attached to a prompt: the line by which the prompt names each, and the bytes sent, stored for the next run.

What must always hold: the line contains the hash of the picture's bytes, so that the same prompt always means the same pictures.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from dce.workspace.record.blobs import Blobs
from dce.workspace.record.database import Database
from dce.workspace.record.meta import Meta

_KEY = "pictures:"
"""Key prefix in the meta table, followed by the prompt's hash; the value is a JSON list of `_Kept`."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it is on disk. `mime` is determined from its content."""

    path: str
    mime: str
    content: bytes

    def __repr__(self) -> str:
        return f"Picture({self.path!r}, {self.mime}, {len(self.content)} bytes)"

    @property
    def sha256(self) -> str:
        """The SHA-256 of its bytes."""
        return hashlib.sha256(self.content).hexdigest()


def note_of(picture: Picture) -> str:
    """The line in .dce/prompt.md that says that the picture itself is attached."""
    return f"[the picture itself goes with this prompt: sha256 {picture.sha256}]\n"


class _Kept(msgspec.Struct, frozen=True):
    path: str
    mime: str
    sha256: str


class Pictures:
    """The pictures of one store, stored as blobs and listed by prompt."""

    def __init__(self, database: Database, meta: Meta, blobs: Blobs) -> None:
        self._database = database
        self._meta = meta
        self._blobs = blobs

    def put(self, prompt_sha256: str, pictures: Sequence[Picture]) -> None:
        """Durably stores the pictures attached to a prompt. Writes nothing if there are none."""
        if not pictures:
            return
        with self._database.transaction():
            hashes = self._blobs.put_all(picture.content for picture in pictures)
            kept = [_Kept(each.path, each.mime, sha256) for each, sha256 in zip(pictures, hashes, strict=True)]
            self._meta.set(_KEY + prompt_sha256, msgspec.json.encode(kept).decode())

    def of(self, prompt_sha256: str) -> tuple[Picture, ...]:
        """The pictures attached to a prompt, in order."""
        value = self._meta.get(_KEY + prompt_sha256)
        kept = msgspec.json.decode(value, type=tuple[_Kept, ...]) if value else ()
        return tuple(Picture(path=each.path, mime=each.mime, content=self._blobs.get(each.sha256)) for each in kept)
