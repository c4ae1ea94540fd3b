"""`.dceallow`: findings that a team has reviewed and accepted as harmless. The file is meant to be committed.

Each line is a finding's fingerprint (that value, wherever it occurs) or a .gitignore-style path pattern (every finding in
matching files). `#` starts a comment.
"""

import re
from collections.abc import Iterable
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
        path = project.root / ALLOW_FILE
        try:
            if path.stat().st_size > MAX_ALLOW_BYTES:
                raise DceError("invalid_input", f"{path} is too large to be an allow-list.")
            return cls(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return cls(())
        except (OSError, UnicodeDecodeError) as error:
            raise DceError("invalid_input", f"{path} cannot be read: {error}.") from error

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
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = _HEADER
    known = {_entry(line) for line in before.splitlines()}
    added = [entry for entry in dict.fromkeys(map(str.strip, entries)) if entry not in known]
    if any(not entry or entry.startswith("#") or not entry.isprintable() for entry in added):
        raise DceError(
            "invalid_input", "An entry must be a fingerprint shown by `dce secrets scan`, or a path pattern."
        )
    comment = f"  # {' '.join(reason.split())}" if reason.strip() else ""
    text = before if not before or before.endswith("\n") else before + "\n"
    AllowList(added)  # refuse an invalid pattern before writing it
    durable.write(path, (text + "".join(f"{entry}{comment}\n" for entry in added)).encode())
    return tuple(added)


def _entry(line: str) -> str:
    return "" if line.lstrip().startswith("#") else line.partition(" #")[0].strip()
