"""The pictures that went with a prompt, so that a slot is regenerated from exactly what was sent: bytes by content, names by the prompt."""

from collections.abc import Sequence

import msgspec

from dce.workspace.record.pictures import Picture
from dce.workspace.record.records_judging import JudgingRecords

_KEY = "pictures:"
"""Prefix in the meta table: the prompt's hash behind it, a JSON list of `_Kept` as value."""


class _Kept(msgspec.Struct, frozen=True):
    path: str
    mime: str
    sha256: str


class PictureRecords(JudgingRecords):
    """Pictures, as blobs that a prompt names."""

    def put_pictures(self, prompt_sha256: str, pictures: Sequence[Picture]) -> None:
        """Keeps what goes with a prompt, durably. None at all leaves no trace."""
        if not pictures:
            return
        with self._transaction() as db:
            hashes = self.put_blobs(picture.content for picture in pictures)
            kept = [_Kept(each.path, each.mime, sha256) for each, sha256 in zip(pictures, hashes, strict=True)]
            value = msgspec.json.encode(kept).decode()
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_KEY + prompt_sha256, value))

    def pictures(self, prompt_sha256: str) -> tuple[Picture, ...]:
        """What went with a prompt, in its order."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (_KEY + prompt_sha256,))
        kept = msgspec.json.decode(row[0], type=tuple[_Kept, ...]) if row else ()
        return tuple(Picture(path=each.path, mime=each.mime, content=self.get_blob(each.sha256)) for each in kept)
