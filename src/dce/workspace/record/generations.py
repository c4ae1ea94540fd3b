"""Generations: the parameters of requests for N responses to one prompt. `generator.py` runs them.

What must always hold: a generation and its N queued responses are created together or not at all.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from collections.abc import Sequence
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.failures import CHECK_HINT
from dce.workspace.record.responses import RESPONSES, Response
from dce.workspace.record.table import table_of


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """The request. `max_tokens` 0: the backend's own limit; `model` "": the gateway's default, until the gateway names the model.

    `card` names the model card used ("" for the model in the settings); `temperature_spread`: see `sampling.py`.
    """

    id: int
    cycle: int
    prompt_sha256: str
    model: str
    n: int
    schema: str
    nonce: str
    max_tokens: int
    temperature: float | None = None
    temperature_spread: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    created_at: float
    ended_at: float | None = None
    stream_id: str = ""
    prompt_tokens: int = 0
    card: str = ""


GENERATIONS = table_of("generations", Generation, joined={"schema": "prompts.schema", "nonce": "prompts.nonce"})
_GENERATIONS = f"SELECT {GENERATIONS.selected} FROM generations LEFT JOIN prompts ON prompts.sha256 = prompt_sha256"


class Generations:
    """The generations of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, generation: Generation) -> Generation:
        """Inserts a generation under a new id (the given id is ignored) and its N queued responses."""
        with self._database.transaction() as db:
            generation_id = GENERATIONS.insert(db, generation, id=None)
            for slot in range(1, generation.n + 1):
                RESPONSES.insert(db, Response(generation=generation_id, slot=slot, version=1))
            return self.get(generation_id)

    def get(self, generation_id: int) -> Generation:
        """One generation. Raises DceError not_found."""
        row = self._database.row(f"{_GENERATIONS} WHERE id = ?", (generation_id,))
        if row is None:
            raise self._database.not_found(f"there is no generation {generation_id}")
        return _read(row)

    def list(self, cycle_id: int | None = None) -> tuple[Generation, ...]:
        """The generations of a cycle (None: all), by id."""
        where, values = _of_cycle(cycle_id)
        return tuple(map(_read, self._database.rows(f"{_GENERATIONS} {where} ORDER BY id", values)))

    def latest(self, cycle_id: int | None = None) -> Generation | None:
        """The newest generation of a cycle (None: of all)."""
        where, values = _of_cycle(cycle_id)
        row = self._database.row(f"{_GENERATIONS} {where} ORDER BY id DESC", values)
        return _read(row) if row else None

    def end(self, generation_id: int, now: float) -> None:
        """Records when the last run of a generation ended."""
        with self._database.transaction() as db:
            db.execute("UPDATE generations SET ended_at = ? WHERE id = ?", (now, generation_id))


def _read(row: Sequence[Any]) -> Generation:
    """A row as a Generation. Raises DceError store_unreadable if its prompt is missing: no generation is ever stored without one."""
    generation = GENERATIONS.row(row)
    if generation.schema is None:
        raise DceError(
            "store_unreadable",
            f"the prompt of generation {generation.id} cannot be found in the store",
            hint=CHECK_HINT,
        )
    return generation


def _of_cycle(cycle_id: int | None) -> tuple[str, tuple[int, ...]]:
    return ("", ()) if cycle_id is None else ("WHERE cycle = ?", (cycle_id,))
