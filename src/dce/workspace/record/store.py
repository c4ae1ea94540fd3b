"""The workspace's memory: `.dce/dce.db`, with a typed method for everything that is kept.

What must always hold: SQL is in the `records_*` modules and here, nowhere else; `database.py` says how it is made durable.
"""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager

from dce.workspace.record.records_archive import ArchiveRecords
from dce.workspace.record.records_history import HistoryRecords
from dce.workspace.record.records_judging import JudgingRecords

STORE_FILE = "dce.db"

_STOP = "stop:"
"""Key in the meta table, with a stream and a choice: what another process asked to be stopped."""

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

    def updating(self) -> AbstractContextManager[object]:
        """A read and the write that depends on it, as one step: other processes and threads wait. Keep the block short."""
        return self._transaction()

    def meta_under(self, prefix: str) -> dict[str, str]:
        """The named values whose names begin so."""
        return dict(
            self._rows("SELECT key, value FROM meta WHERE key >= ? AND key < ?", (prefix, f"{prefix}\U0010ffff"))
        )

    def meta_set_all(self, values: Mapping[str, str]) -> None:
        """Sets named values, all or none; durable when this returns."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(values.items()))

    def ask_to_stop(self, stream_id: str, index: int | None) -> None:
        """Leaves word for the process that runs a stream: this choice of it (None: all) is not wanted any more."""
        self.meta_set(f"{_STOP}{stream_id}:{'' if index is None else index}", "")

    def asked_to_stop(self, stream_id: str) -> list[int | None]:
        """The words that were left for a stream, once each."""
        prefix = f"{_STOP}{stream_id}:"
        asked = self.meta_under(prefix)
        if asked:
            with self._transaction() as db:
                db.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in asked])
        return [int(rest) if (rest := key.removeprefix(prefix)) else None for key in asked]

    def chosen_versions(self) -> dict[tuple[int, int], int]:
        """Generation and slot of each response that a cycle chose → the version that counts: the one accepted last, else the latest.

        A slot may have been written anew since it was accepted.
        """
        with self._snapshot():
            latest = self._rows(
                "SELECT chosen_generation, chosen_slot, (SELECT max(version) FROM responses"
                " WHERE generation = chosen_generation AND slot = chosen_slot) FROM cycles WHERE chosen_slot IS NOT NULL"
            )
            accepted = self._rows(
                "SELECT generation, slot, version FROM acceptances WHERE state = 'applied' ORDER BY id"
            )
        versions = {(generation, slot): version for generation, slot, version in accepted}
        return {row[:2]: versions.get(row[:2], row[2]) for row in latest}

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

    def is_counted(self, sha256: str, tokens: int, estimator: str) -> bool:
        """Whether some tokenizer other than the estimator counted so many tokens in a text: then the number is no estimate."""
        query = "SELECT 1 FROM token_counts WHERE sha256 = ? AND tokens = ? AND tokenizer != ?"
        return self._row(query, (sha256, tokens, estimator)) is not None

    def put_counts(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        """Keeps counts, so that a text is counted once."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO token_counts (tokenizer, sha256, tokens) VALUES (?, ?, ?)",
                [(tokenizer, sha256, tokens) for sha256, tokens in counts.items()],
            )
