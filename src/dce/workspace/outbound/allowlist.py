"""`.dceallow`: findings that a team has reviewed and accepted as harmless. The file is meant to be committed.

Each line is a finding's fingerprint (that value, wherever it occurs) or a .gitignore-style path pattern (every finding in
matching files). `#` starts a comment.

What must always hold: the file is the user's. Entries are added at its end, in its own encoding and line ends, and every other byte
stays; a link stays a link, and what it leads to gets the entries.
"""

import codecs
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating
from dce.workspace.outbound.secrets import FINGERPRINT_CHARS, Finding
from dce.workspace.project import Project

if TYPE_CHECKING:
    import pathspec

ALLOW_FILE = ".dceallow"

MAX_ALLOW_BYTES = 1_000_000
"""Largest allow-list. A larger file is probably something else."""

_FINGERPRINT = re.compile(rf"[0-9a-f]{{{FINGERPRINT_CHARS}}}")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, and the encoding of what follows."""

_HEADER = "# Findings of `dce secrets` that are not secrets: one fingerprint or path pattern per line.\n"


class AllowList:
    """The workspace's allow-list, as of when it was read."""

    _paths: "pathspec.GitIgnoreSpec | None" = None

    def __init__(self, lines: Iterable[str]) -> None:
        entries = [entry for line in lines if (entry := _entry(line))]
        self._fingerprints = frozenset(entry for entry in entries if _FINGERPRINT.fullmatch(entry))
        patterns = [entry for entry in entries if not _FINGERPRINT.fullmatch(entry)]
        if not patterns:
            return
        import pathspec  # noqa: PLC0415 - most workspaces have none

        try:
            self._paths = pathspec.GitIgnoreSpec.from_lines(patterns)
        except ValueError as error:
            raise DceError("invalid_input", f"{ALLOW_FILE} contains an invalid pattern: {error}.") from error

    @classmethod
    def of(cls, project: Project) -> "AllowList":
        """The allow-list of a workspace; empty if the file is missing. Raises invalid_input for a file that is not an allow-list."""
        found = _read(project.root / ALLOW_FILE)
        return cls(()) if found is None else cls(found[1].splitlines())

    def unresolved(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings that the list does not allow."""
        return tuple(found for found in findings if not self.allows(found.path, found.fingerprint))

    def allows(self, path: str, fingerprint: str) -> bool:
        """Whether this value, or everything in this file, is on the list."""
        return fingerprint in self._fingerprints or (
            bool(path) and self._paths is not None and self._paths.match_file(path)
        )


def allow(project: Project, entries: Iterable[str], reason: str = "") -> tuple[str, ...]:
    """Adds fingerprints and path patterns to the list and returns the new ones. Raises invalid_input."""
    with updating(project.state_dir):
        return _allow(project, entries, reason)


def _allow(project: Project, entries: Iterable[str], reason: str) -> tuple[str, ...]:
    path = project.root / ALLOW_FILE
    found = _read(path)
    encoding, before = ("utf-8", _HEADER) if found is None else found
    known = {_entry(line) for line in before.splitlines()}
    added = [entry for entry in dict.fromkeys(map(str.strip, entries)) if entry not in known]
    if any(not entry or entry.startswith("#") or not entry.isprintable() for entry in added):
        raise DceError(
            "invalid_input", "An entry must be a fingerprint shown by `dce secrets scan`, or a path pattern."
        )
    AllowList(added)  # refuse an invalid pattern before writing it
    comment = f"  # {' '.join(reason.split())}" if reason.strip() else ""
    end = "\r\n" if "\r\n" in before else "\n"
    text = "" if not before or before.endswith(("\n", "\r")) else end
    text += "".join(f"{entry}{comment}{end}" for entry in added)
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError as error:
        raise DceError(
            "invalid_input",
            f"{path} is not UTF-8, and the entry has characters that its encoding lacks.",
            hint=f"Save {ALLOW_FILE} as UTF-8, then repeat. Nothing was changed.",
        ) from error
    if added:
        _append(project, path, data if found is not None else _HEADER.encode() + data)
    return tuple(added)


def _read(path: Path) -> tuple[str, str] | None:
    """The encoding that entries are added in, and the text; None without a file. Raises invalid_input."""
    try:
        if path.stat().st_size > MAX_ALLOW_BYTES:
            raise DceError("invalid_input", f"{path} is too large to be an allow-list.")
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise DceError(
                "invalid_input", f"{path} is a link to a file that does not exist.", hint="Remove the link, or mend it."
            ) from None
        return None
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}.") from error
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return encoding, data[len(mark) :].decode(encoding)
            except UnicodeDecodeError:
                break
    else:
        if b"\0" not in data:
            try:
                return "utf-8", data.decode()
            except UnicodeDecodeError:
                return "latin-1", data.decode("latin-1")  # any bytes: comments of old editors
    raise DceError("invalid_input", f"{path} is not text.", hint=f"Save {ALLOW_FILE} as UTF-8, then repeat.")


def _append(project: Project, path: Path, data: bytes) -> None:
    """Adds bytes at the end of the file, or of what it links to. Raises invalid_input for a link to a file that may be no allow-list."""
    target = path.resolve()
    if not target.is_relative_to(project.root.resolve()) and ALLOW_FILE.strip(".") not in target.name:
        raise DceError(
            "invalid_input",
            f"{path} links to {target}, outside the workspace, so DCE does not write it.",
            hint="Add the entry there by hand, or replace the link by a file.",
        )
    try:
        if target.exists() and target.stat().st_nlink > 1:
            with target.open("ab") as file:  # replacing it would leave its other names with the old content
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return
        durable.write(target, (target.read_bytes() if target.exists() else b"") + data)
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be written: {error.strerror or error}.") from error


def _entry(line: str) -> str:
    return "" if line.lstrip().startswith("#") else line.partition(" #")[0].strip()
