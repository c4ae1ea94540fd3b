"""The workspace's memory: `.dce/dce.db`, with a typed method for everything that is kept.

What must always hold: SQL is in the `records_*` modules and here, nowhere else; `database.py` says how it is made durable.
"""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

from collections.abc import Collection, Mapping

from dce.workspace.records_archive import ArchiveRecords
from dce.workspace.records_history import HistoryRecords
from dce.workspace.records_judging import JudgingRecords

STORE_FILE = "dce.db"

_MAX_VARIABLES = 500
"""Values in one statement: under the smallest limit that SQLite builds have (999)."""


class Store(ArchiveRecords, HistoryRecords, JudgingRecords):
    """Everything kept for one workspace; threads may share it. Raises DceError store_unreadable, or workspace_locked when
    another process writes for longer than `BUSY_TIMEOUT_S`."""

    def meta_get(self, key: str) -> str | None:
        """A named value."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    def meta_set(self, key: str, value: str) -> None:
        """Sets a named value; durable when this returns."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def get_counts(self, tokenizer: str, shas: Collection[str]) -> dict[str, int]:
        """SHA-256 of a text → its tokens by that tokenizer; unknown ones are absent."""
        wanted, found = list(shas), dict[str, int]()
        for at in range(0, len(wanted), _MAX_VARIABLES):
            part = wanted[at : at + _MAX_VARIABLES]
            marks = ", ".join("?" * len(part))
            found |= self._rows(
                f"SELECT sha256, tokens FROM token_counts WHERE tokenizer = ? AND sha256 IN ({marks})",
                (tokenizer, *part),
            )
        return found

    def put_counts(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        """Keeps counts, so that a text is counted once."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO token_counts (tokenizer, sha256, tokens) VALUES (?, ?, ?)",
                [(tokenizer, sha256, tokens) for sha256, tokens in counts.items()],
            )
