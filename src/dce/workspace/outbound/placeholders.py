"""Placeholders for secrets: `__DCE_SECRET_7__` is sent, the value stays here and is restored in the files of an answer.

What must always hold: a value keeps its placeholder for the life of the workspace (so that prompts stay byte-identical and share
a prefix); a file that gets a value which the prompt did not show in it is flagged; a placeholder is a number that reveals nothing about the value; no export contains the values.
"""

import re
from collections.abc import Callable, Iterable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.outbound.chat_tokens import is_control_token
from dce.workspace.outbound.secrets import fingerprint, hits
from dce.workspace.record.meta import MetaStore
from dce.workspace.schema.reading import FileBlock, Reading, Shown

META_KEY = "secret_placeholders"
"""Key in the store's meta table. The values are a JSON list; a placeholder's number is the position in it, from 1."""

SECRET_MOVED = "secret_moved"  # noqa: S105 - a flag's name
"""Flag of a file that would get a secret which it did not hold: an answer can name any placeholder anywhere."""

_PLACEHOLDER = re.compile(r"__DCE_SECRET_(\d{1,9})__")


class Placeholders:
    """All secrets of the workspace that were ever replaced."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    def hide(self, text: str, path: str, is_allowed: Callable[[str, str], bool]) -> str:
        """`text` with a placeholder for each secret that is not allowed. Raises invalid_input if such a text already holds placeholders."""
        content = text.encode("utf-8", "surrogatepass")
        found = [hit for hit in hits(content, path) if not is_allowed(path, fingerprint(content[hit.start : hit.end]))]
        if not found:
            return text
        if _PLACEHOLDER.search(text):
            raise DceError(
                "invalid_input",
                f"{path or 'The text'} contains both secrets and text that looks like placeholders for them.",
                hint="Remove it from the selection, or rename the text that looks like __DCE_SECRET_1__.",
            )
        values = [content[hit.start : hit.end].decode("utf-8", "surrogatepass") for hit in found]
        numbers = self._numbers(values)
        parts, at = [], 0
        for hit, value in zip(found, values, strict=True):
            parts += [content[at : hit.start], b"__DCE_SECRET_%d__" % numbers[value]]
            at = hit.end
        parts.append(content[at:])
        return b"".join(parts).decode("utf-8", "surrogatepass")

    def restore(self, text: str) -> str:
        """`text` with its placeholders replaced by the values. An unknown number is left as it is."""
        if not _PLACEHOLDER.search(text):
            return text
        known = self._values()
        return _PLACEHOLDER.sub(
            lambda match: known[number] if (number := int(match[1]) - 1) in range(len(known)) else match[0], text
        )

    def restored(self, reading: Reading, shown: Shown) -> Reading:
        """The answer with the values restored in its files. Its summary and other texts keep the placeholders.

        `shown`: the files as the prompt showed them, with placeholders; a file that gets another secret than it had is flagged.
        """
        files = tuple(self._restored(file, shown) for file in reading.files)
        if files == reading.files:
            return reading
        notes = tuple(
            f"{file.path} would get a secret that the prompt did not show in it: check where the value goes."
            for file in files
            if SECRET_MOVED in file.flags
        )
        flags = (*reading.flags, *((SECRET_MOVED,) if notes and SECRET_MOVED not in reading.flags else ()))
        return msgspec.structs.replace(reading, files=files, flags=flags, notes=(*reading.notes, *notes))

    def _restored(self, file: FileBlock, shown: Shown) -> FileBlock:
        used = _used(file.content)
        if not used:
            return file
        known = self._values()
        had = _used(shown(file.from_path or file.path) or "")
        moved = [number for number in used - had if number in range(1, len(known) + 1)]
        is_moved = any(not is_control_token(known[number - 1].encode("utf-8", "surrogatepass")) for number in moved)
        flags = (*file.flags, SECRET_MOVED) if is_moved else file.flags
        return msgspec.structs.replace(file, content=self.restore(file.content), flags=flags)

    def _numbers(self, values: Iterable[str]) -> dict[str, int]:
        """The number of each value. New numbers are assigned in one transaction, so that two processes never assign one number to two values."""
        known = self._values()
        if not set(values) <= set(known):
            with self._store.updating():
                known = self._values()
                known += [value for value in dict.fromkeys(values) if value not in known]
                self._store.set(META_KEY, msgspec.json.encode(known).decode())
        return {value: place for place, value in enumerate(known, 1)}

    def _values(self) -> list[str]:
        value = self._store.get(META_KEY)
        return [] if value is None else msgspec.json.decode(value, type=list[str])


def _used(text: str) -> set[int]:
    """The numbers of the placeholders in a text."""
    return {int(number) for number in _PLACEHOLDER.findall(text)}
