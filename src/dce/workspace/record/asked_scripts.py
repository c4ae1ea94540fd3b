"""Scripts that a model was asked for, to compare a generation's answers with: the question after the prompt, and what the model said.

What must always hold: the whole request can be made again from here: the generation's prompt, then the question.
"""

import msgspec

from dce.workspace.record.database import Database
from dce.workspace.record.table import table_of


class AskedScripts(msgspec.Struct, frozen=True, kw_only=True):
    """One request for scripts. `question` followed the generation's prompt; `said` is the whole answer; `card`, `model`: who was asked."""

    generation: int
    card: str
    model: str
    question: str
    said: str


ASKED_SCRIPTS = table_of("asked_scripts", AskedScripts)


class AskedScriptsOf:
    """The requests for scripts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, asked: AskedScripts, now: float) -> None:
        """Stores a request; the earlier ones stay."""
        with self._database.transaction() as db:
            ASKED_SCRIPTS.insert(db, asked, created_at=now)

    def latest(self, generation_id: int) -> AskedScripts | None:
        """The last request of a generation; None if there was none."""
        row = self._database.row(
            f"SELECT {ASKED_SCRIPTS.selected} FROM asked_scripts WHERE generation = ? ORDER BY id DESC LIMIT 1",  # noqa: S608 - columns
            (generation_id,),
        )
        return ASKED_SCRIPTS.row(row) if row else None
