"""The prompt's copy of its files: the base that edits refer to, and the common ancestor if a file has changed since.

The copy is read from the stored prompt, so it is exactly what the model saw. Only files shown whole are included.
"""

import re
from collections.abc import Iterator

from dce.workspace.record.prompts import FILES_SECTION, Prompt


def shown_paths(prompt: Prompt) -> set[str]:
    """Every file that a prompt shows, whole or in part."""
    opener = rf'^<(?:file|excerpt) path="([^"\n]*)"[^\n]*? nonce="{re.escape(prompt.nonce)}">$'
    return set(re.findall(opener, prompt.text, re.MULTILINE))


class ShownFiles:
    """The files that one prompt shows whole, by path. Their text has no byte-order mark and keeps the line endings on disk."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._found: dict[str, str] | None = None

    def get(self, path: str) -> str | None:
        """The text shown for `path`; None if the prompt does not show it whole."""
        if self._found is None:  # a prompt of megabytes is searched only on demand
            self._found = dict(self._files())
        return self._found.get(path)

    def _files(self) -> Iterator[tuple[str, str]]:
        """The files in the order of M7. The nonce occurs in no file, so the first closing tag is the end."""
        text, closer = self._prompt.text, f'</file nonce="{self._prompt.nonce}">'
        start = self._prompt.start_of(FILES_SECTION)
        at = len(text) if start is None else start
        for entry in self._prompt.manifest:
            opener = f'<file path="{entry.path}" nonce="{self._prompt.nonce}">\n'
            begin = text.find(opener, at)
            end = text.find(closer, begin)
            if begin >= 0 and end >= 0:
                yield entry.path, text[begin + len(opener) : end]
                at = end
