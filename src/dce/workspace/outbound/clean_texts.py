"""Cache of texts that were scanned and hold no secret, so that a text is scanned once and not for every prompt.

What must always hold: an entry is the hash of a whole text, in a file named after a hash of the rules' source, so it never applies to
another text, other rules or another kind of file. Only "nothing found" is kept: a text with findings is scanned every time, and no
trace of a secret is written here. If the cache cannot be read or written, texts are scanned again and nothing worse happens.
"""

import contextlib
import hashlib
import sys
from pathlib import Path

from dce.workspace.outbound.secrets import Kind

FOLDER = "cache"
"""Below `.dce/`."""

MAX_KEPT = 100_000
"""Texts remembered, about 3 MB. A fuller cache is discarded."""

_SIZE = hashlib.sha256().digest_size
RULES = (
    *("secrets.py", "secret_rules.py", "secret_values.py", "credential_rules.py", "structured_rules.py"),
    *("chat_tokens.py", "clean_texts.py"),
)
"""The modules that decide what a scan finds."""


def rules_version(folder: Path = Path(__file__).parent) -> str:
    """An identifier of the rules and of the Python whose regular expressions apply them; "" if their source cannot be read."""
    found = hashlib.sha256(sys.version.encode())
    try:
        for name in RULES:
            found.update((folder / name).read_bytes())
    except OSError:
        return ""
    return found.hexdigest()[:16]


class CleanTexts:
    """The texts of one workspace known to hold no secret. With `version` "" nothing is kept on disk."""

    def __init__(self, state_dir: Path, version: str) -> None:
        self._path = state_dir / FOLDER / f"clean-{version}" if version else None
        self._known: set[bytes] | None = None
        self._fresh: list[bytes] = []

    def has(self, digest: bytes, kind: Kind) -> bool:
        """Whether the text with this SHA-256 was scanned and found clean, as this kind of file."""
        if self._known is None:
            self._known = self._read()
        return _entry(digest, kind) in self._known

    def add(self, digest: bytes, kind: Kind) -> None:
        """Remembers that a text holds no secret. `keep` writes it to disk."""
        if not self.has(digest, kind) and self._known is not None:
            entry = _entry(digest, kind)
            self._known.add(entry)
            self._fresh.append(entry)

    def keep(self) -> None:
        """Appends the new entries. Losing them costs one scan, so a failed write is ignored."""
        fresh, self._fresh = self._fresh, []
        if not fresh or self._path is None:
            return
        with contextlib.suppress(OSError):
            if not self._path.exists():
                self._path.parent.mkdir(exist_ok=True)
                for old in self._path.parent.glob("clean-*"):  # of other rules
                    old.unlink(missing_ok=True)
            with self._path.open("ab") as file:
                file.write(b"".join(fresh))

    def _read(self) -> set[bytes]:
        if self._path is None:
            return set()
        try:
            content = self._path.read_bytes()
            if len(content) > MAX_KEPT * _SIZE or len(content) % _SIZE:  # full, or torn
                self._path.unlink(missing_ok=True)
                return set()
        except OSError:
            return set()
        return {content[at : at + _SIZE] for at in range(0, len(content), _SIZE)}


def _entry(digest: bytes, kind: Kind) -> bytes:
    return digest if kind == "code" else hashlib.sha256(kind.encode() + digest).digest()
