"""The rows of taking the record out and in: one import is one transaction.

What must always hold: ids are the database's; into a store in which nothing was done yet, cycles keep their numbers, so that a history
comes back as it was; what is there already is never changed by an import.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.archive import (
    Checker,
    ChecksRecord,
    CycleRecord,
    GenerationRecord,
    JudgementRecord,
    PromptRecord,
    Record,
    ResponseRecord,
)
from dce.workspace.record.cycles import CycleRecords
from dce.workspace.record.records_generations import GenerationRecords
from dce.workspace.record.records_judging import Judgement
from dce.workspace.record.records_pictures import PictureRecords
from dce.workspace.record.responses import ACTIVE, Response, Status

SCOPE_TITLE = "Project scope (imported)"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import brought. `cycles`: number in the file → number here."""

    name: str
    cycles: dict[int, int]
    generations: int
    responses: int


class ArchiveRecords(CycleRecords, GenerationRecords, PictureRecords):
    """What export and import need of the rows beyond the nouns' own methods."""

    def slots(self, generation_id: int) -> tuple[int, ...]:
        """The slots a generation has, in order; reads no text."""
        rows = self._rows("SELECT DISTINCT slot FROM responses WHERE generation = ? ORDER BY slot", (generation_id,))
        return tuple(row[0] for row in rows)

    def raw_check_reports(self, generation_id: int) -> tuple[tuple[int, int, bytes], ...]:
        """Slot, version and report (JSON as stored) of a generation."""
        rows = self._rows(
            "SELECT slot, version, report FROM check_reports WHERE generation = ? ORDER BY slot, version",
            (generation_id,),
        )
        return tuple((row[0], row[1], row[2].encode()) for row in rows)

    def origin_extra(self, cycle_id: int) -> Mapping[str, Any]:
        """What an imported cycle held that there is no column for."""
        row = self._row("SELECT extra FROM origins WHERE cycle = ?", (cycle_id,))
        return msgspec.json.decode(row[0], type=dict[str, Any]) if row else {}

    def was_imported(self, sha256: str) -> bool:
        """Whether a file of these bytes was imported before."""
        return self._row("SELECT 1 FROM imports WHERE sha256 = ?", (sha256,)) is not None

    def import_records(self, name: str, sha256: str, records: Iterable[Record], now: float) -> Imported:
        """Keeps all of them or none. They are checked again as they come: the file may have changed since it was checked."""
        checker = Checker()
        with self._transaction() as db:
            import_id = int(
                db.execute(
                    "INSERT INTO imports (name, sha256, imported_at) VALUES (?, ?, ?)", (name, sha256, now)
                ).lastrowid
                or 0
            )
            taking = _Import(self, db, import_id, now)
            for record in records:
                checker.take(record)
                taking.take(record)
            checker.finish()
            return taking.finish(name)

    def is_untouched(self) -> bool:
        """Whether no cycle was ever begun and nothing generated: then an import may keep its numbers."""
        return (
            self._row("SELECT 1 FROM cycles WHERE id != 0 LIMIT 1") is None
            and self._row("SELECT 1 FROM sqlite_sequence WHERE name = 'cycles' AND seq > 0") is None
            and self._row("SELECT 1 FROM generations LIMIT 1") is None
        )


class _Import:
    """One import while it lasts: old numbers to new ones."""

    def __init__(self, records: ArchiveRecords, db: Any, import_id: int, now: float) -> None:
        self._records = records
        self._db = db
        self._import_id = import_id
        self._now = now
        self._keeps_ids = records.is_untouched()
        self._cycles: dict[int, int] = {}
        self._generations: dict[int, int] = {}
        self._chosen: list[CycleRecord] = []
        self._responses = 0

    def take(self, record: Record) -> None:
        if isinstance(record, PromptRecord):
            self._records.put_prompt(record.prompt, record.grammar, record.created_at or self._now)
            self._records.put_pictures(record.prompt.sha256, record.pictures)
        elif isinstance(record, CycleRecord):
            self._cycles[record.id] = self._cycle(record)
            self._origin(record)
            if record.chosen_generation is not None:
                self._chosen.append(record)
        elif isinstance(record, GenerationRecord):
            self._generation(record)
        elif isinstance(record, ResponseRecord):
            self._response(record.response)
        elif isinstance(record, ChecksRecord):
            self._db.execute(
                "INSERT INTO check_reports (generation, slot, version, report) VALUES (?, ?, ?, ?)",
                (self._generations[record.generation], record.slot, record.version, bytes(record.report).decode()),
            )
        elif isinstance(record, JudgementRecord):
            self._judgement(record.judgement)

    def finish(self, name: str) -> Imported:
        for cycle in self._chosen:
            here = self._cycles[cycle.id]
            if here == 0 and self._records.get_cycle(0).chosen_generation is not None:
                continue
            chosen = self._generations[cycle.chosen_generation or 0]
            self._records.choose(here, chosen, cycle.chosen_slot, cycle.updated_at or self._now)
        return Imported(name=name, cycles=self._cycles, generations=len(self._generations), responses=self._responses)

    def _cycle(self, record: CycleRecord) -> int:
        title = record.title
        if record.id == 0:
            scope = self._records.get_cycle(0).context
            if record.context and not scope:
                self._records.update_cycle(0, None, {"context": record.context}, record.updated_at or self._now)
            if record.context in ("", scope) or not scope:
                return 0
            title = SCOPE_TITLE
        begun = record.created_at or self._now
        cursor = self._db.execute(
            "INSERT INTO cycles (id, title, context, ephemeral, card, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.id if self._keeps_ids else None,
                title,
                record.context,
                record.ephemeral,
                record.card,
                begun,
                record.updated_at or begun,
            ),
        )
        return int(cursor.lastrowid)

    def _origin(self, record: CycleRecord) -> None:
        if record.extra:
            self._db.execute(
                "INSERT OR IGNORE INTO origins (cycle, import, original_id, extra) VALUES (?, ?, ?, ?)",
                (self._cycles[record.id], self._import_id, record.id, msgspec.json.encode(record.extra).decode()),
            )

    def _generation(self, record: GenerationRecord) -> None:
        given = record.generation
        cursor = self._db.execute(
            "INSERT INTO generations (cycle, prompt_sha256, model, n, max_tokens, temperature, temperature_spread, seed,"
            " reasoning_effort, prompt_tokens, card, created_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._cycles[given.cycle],
                given.prompt_sha256,
                given.model,
                given.n,
                given.max_tokens,
                given.temperature,
                given.temperature_spread,
                given.seed,
                given.reasoning_effort,
                given.prompt_tokens,
                given.card,
                given.created_at,
                given.ended_at,
            ),
        )
        self._generations[given.id] = int(cursor.lastrowid)

    def _judgement(self, given: Judgement) -> None:
        here = msgspec.structs.replace(given, generation=self._generations[given.generation])
        self._db.execute(
            "INSERT INTO judgements (generation, slot, version, mark, rating, note, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*msgspec.structs.astuple(here), self._now),
        )

    def _response(self, response: Response) -> None:
        is_cut = response.status in ACTIVE  # it was running where it comes from; here nobody works on it
        error = response.error or (
            DceError("interrupted", "it was running when it was exported").body() if is_cut else None
        )
        self._responses += 1
        self._db.execute(
            "INSERT INTO responses (generation, slot, version, status, thinking, text, thinking_tokens, answer_tokens,"
            " is_exact, finish_reason, error, started_at, first_token_at, thinking_ended_at, ended_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._generations[response.generation],
                response.slot,
                response.version,
                Status.INTERRUPTED if is_cut else response.status,
                response.thinking,
                response.text,
                response.tokens.thinking,
                response.tokens.answer,
                response.tokens.exact and not is_cut,
                response.finish_reason,
                msgspec.json.encode(error).decode() if error else None,
                response.started_at,
                response.first_token_at,
                response.thinking_ended_at,
                response.ended_at,
            ),
        )
