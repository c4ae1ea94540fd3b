"""Streaming responses: which stream they come from, the text they receive, and how they end.

What must always hold: streamed text is appended as pieces and written as a whole once, with the terminal status, in one transaction;
a terminal row is never written again.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.responses import ACTIVE_LIST, KEY, RESPONSES, News, Response, Responses, Status, key_of

_IS_RUNNING = f"generation = ? AND slot = ? AND version = ? AND status IN ({ACTIVE_LIST})"
_STATE = tuple(column for column in RESPONSES.columns if column not in (*KEY, "thinking", "text"))
"""The columns that change while a response streams: all except its key and its text, which is in pieces until the response ends."""


class StreamTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The source of a running response: a stream of the gateway and the 0-based choice in it."""

    slot: int
    version: int
    stream_id: str
    index: int


class Progress:
    """The running responses of one store."""

    def __init__(self, database: Database, responses: Responses) -> None:
        self._database = database
        self._responses = responses

    def open_stream(self, generation_id: int, stream_id: str, model: str, responses: Sequence[Response]) -> None:
        """Records which stream and model answer. `responses` are in the order of the stream's choices."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE generations SET stream_id = ?, model = coalesce(nullif(?, ''), model) WHERE id = ?",
                (stream_id, model, generation_id),
            )
            db.executemany(
                "UPDATE responses SET stream_id = ?, stream_index = ? WHERE generation = ? AND slot = ? AND version = ?",
                [(stream_id, index, *key_of(response)) for index, response in enumerate(responses)],
            )

    def targets(self, generation_id: int, slot: int | None = None) -> tuple[StreamTarget, ...]:
        """The running responses of a generation (or of one slot) and their streams."""
        rows = self._database.rows(
            "SELECT slot, version, stream_id, stream_index FROM responses WHERE generation = ?"
            f" AND status IN ({ACTIVE_LIST}) ORDER BY slot",
            (generation_id,),
        )
        targets = (StreamTarget(slot=row[0], version=row[1], stream_id=row[2], index=row[3]) for row in rows)
        return tuple(target for target in targets if slot in (None, target.slot))

    def save(self, progress: Iterable[tuple[Response, News]]) -> None:
        """Saves the current state of running responses and the text they received, in one transaction."""
        with self._database.transaction() as db:
            for response, news in progress:
                if _update(db, response) and news:
                    db.execute(
                        "INSERT INTO pieces (generation, slot, version, thinking, text) VALUES (?, ?, ?, ?, ?)",
                        (*key_of(response), news.thinking, news.text),
                    )

    def save_ends(self, responses: Iterable[Response]) -> None:
        """Saves ended responses completely, with status and text, in one transaction."""
        with self._database.transaction() as db:
            for response in responses:
                # The text first: `_update` makes the row terminal, and a terminal row is never written again.
                db.execute(
                    f"UPDATE responses SET thinking = ?, text = ? WHERE {_IS_RUNNING}",
                    (response.thinking, response.text, *key_of(response)),
                )
                _update(db, response)
                db.execute("DELETE FROM pieces WHERE generation = ? AND slot = ? AND version = ?", key_of(response))

    def has_active(self) -> bool:
        """Whether any response is running, or was when its process died."""
        query = f"SELECT 1 FROM responses WHERE status IN ({ACTIVE_LIST}) LIMIT 1"
        return self._database.row(query) is not None

    def interrupt_active(self, now: float) -> int:
        """Marks responses that no living process is running as `interrupted`, keeping their text; returns how many."""
        error = DceError("interrupted", "the process that ran this generation ended before it did").body()
        with self._database.transaction():
            dangling = self._responses.active()
            self.save_ends(
                msgspec.structs.replace(
                    response,
                    status=Status.INTERRUPTED,
                    error=error,
                    ended_at=now,
                    tokens=msgspec.structs.replace(response.tokens, exact=False),
                )
                for response in dangling
            )
        return len(dangling)


def _update(db: sqlite3.Connection, response: Response) -> bool:
    """Writes everything except the text; returns whether the row was written. A terminal row is left unchanged: its end is final."""
    values = RESPONSES.values(response)
    changes = ", ".join(f"{column} = ?" for column in _STATE)
    cursor = db.execute(
        f"UPDATE responses SET {changes} WHERE {_IS_RUNNING}",
        (*(values[column] for column in _STATE), *key_of(response)),
    )
    return cursor.rowcount == 1
