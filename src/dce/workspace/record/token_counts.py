"""Token counts by tokenizer and text, stored so that each text is counted only once."""

from collections.abc import Collection, Mapping

from dce.workspace.record.database import Database

_MAX_VARIABLES = 500
"""Values in one statement: below the smallest limit among SQLite builds (999)."""


class TokenCounts:
    """The counts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, tokenizer: str, shas: Collection[str]) -> dict[str, int]:
        """SHA-256 of a text → its tokens under this tokenizer; unknown texts are absent."""
        wanted, found = list(shas), dict[str, int]()
        for at in range(0, len(wanted), _MAX_VARIABLES):
            part = wanted[at : at + _MAX_VARIABLES]
            marks = ", ".join("?" * len(part))
            # Only placeholders are put into the SQL; values are parameters.
            query = f"SELECT sha256, tokens FROM token_counts WHERE tokenizer = ? AND sha256 IN ({marks})"  # noqa: S608
            found |= self._database.rows(query, (tokenizer, *part))
        return found

    def put(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        """Stores counts by the SHA-256 of the text. In a read-only store this does nothing, and texts are counted again next time."""
        if self._database.is_read_only:
            return
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO token_counts (tokenizer, sha256, tokens) VALUES (?, ?, ?)",
                [(tokenizer, sha256, tokens) for sha256, tokens in counts.items()],
            )

    def is_counted(self, sha256: str, tokens: int, estimator: str) -> bool:
        """Whether a tokenizer other than the estimator counted exactly `tokens` in a text, so that the number is not an estimate."""
        query = "SELECT 1 FROM token_counts WHERE sha256 = ? AND tokens = ? AND tokenizer != ?"
        return self._database.row(query, (sha256, tokens, estimator)) is not None
