"""Imports a history; each import is one transaction.

What must always hold: ids are assigned by the database; in an unused store, cycles keep their numbers, so that a history is restored
unchanged; an import never changes existing data.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.archive import (
    Checker,
    ChecksRecord,
    CycleRecord,
    FollowUpRecord,
    GenerationRecord,
    JudgementRecord,
    PromptRecord,
    Record,
    ResponseRecord,
)
from dce.workspace.record.cycles import CYCLES, Cycles
from dce.workspace.record.database import Database
from dce.workspace.record.follow_ups import FOLLOW_UPS, FollowUp
from dce.workspace.record.generations import GENERATIONS
from dce.workspace.record.judgements import JUDGEMENTS, Judgement
from dce.workspace.record.pictures import Pictures
from dce.workspace.record.prompts import Prompts
from dce.workspace.record.responses import ACTIVE, RESPONSES, Response, Status

SCOPE_TITLE = "Project scope (imported)"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import. `cycles`: number in the file → number in this store."""

    name: str
    cycles: dict[int, int]
    generations: int
    responses: int


class Imports:
    """The imports of one store."""

    def __init__(self, database: Database, cycles: Cycles, prompts: Prompts, pictures: Pictures) -> None:
        self._database = database
        self._cycles = cycles
        self._prompts = prompts
        self._pictures = pictures

    def has(self, sha256: str) -> bool:
        """Whether a file with this SHA-256 was imported before."""
        return self._database.row("SELECT 1 FROM imports WHERE sha256 = ?", (sha256,)) is not None

    def origin_extra(self, cycle_id: int) -> Mapping[str, Any]:
        """Fields of an imported cycle for which there is no column."""
        row = self._database.row("SELECT extra FROM origins WHERE cycle = ?", (cycle_id,))
        return msgspec.json.decode(row[0], type=dict[str, Any]) if row else {}

    def is_untouched(self) -> bool:
        """Whether no cycle was ever created and nothing generated, so that an import may keep its numbers."""
        return (
            self._database.row("SELECT 1 FROM cycles WHERE id != 0 LIMIT 1") is None
            and self._database.row("SELECT 1 FROM sqlite_sequence WHERE name = 'cycles' AND seq > 0") is None
            and self._database.row("SELECT 1 FROM generations LIMIT 1") is None
        )

    def take(self, name: str, sha256: str, records: Iterable[Record], now: float) -> Imported:
        """Stores all records or none. They are checked again while being read: the file may have changed since the first check."""
        checker = Checker()
        with self._database.transaction() as db:
            begun = db.execute("INSERT INTO imports (name, sha256, imported_at) VALUES (?, ?, ?)", (name, sha256, now))
            taking = _Import(db, self, int(begun.lastrowid or 0), now)
            for record in records:
                checker.take(record)
                if isinstance(record, PromptRecord):
                    self._prompts.put(record.prompt, record.grammar, record.created_at or now)
                    self._pictures.put(record.prompt.sha256, record.pictures)
                else:
                    taking.take(record)
            checker.finish()
            return taking.finish(name, self._cycles)

    def scope(self, record: CycleRecord, now: float) -> bool:
        """Stores the scope in cycle 0 of a history if there is none yet; returns whether both are now the same, or the history has none."""
        here = self._cycles.get(0).context
        if record.context and not here:
            with self._database.transaction() as db:
                db.execute(
                    "UPDATE cycles SET context = ?, rev = rev + 1, updated_at = ? WHERE id = 0",
                    (record.context, record.updated_at or now),
                )
        return not here or record.context in ("", here)


class _Import:
    """One import in progress; maps old numbers to new ones."""

    def __init__(self, db: sqlite3.Connection, imports: Imports, import_id: int, now: float) -> None:
        self._db = db
        self._imports = imports
        self._import_id = import_id
        self._now = now
        self._keeps_ids = imports.is_untouched()
        self._cycles: dict[int, int] = {}
        self._generations: dict[int, int] = {}
        self._chosen: list[CycleRecord] = []
        self._responses = 0

    def take(self, record: Record) -> None:
        if isinstance(record, CycleRecord):
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
        elif isinstance(record, FollowUpRecord):
            self._follow_up(record.follow_up)

    def finish(self, name: str, cycles: Cycles) -> Imported:
        for cycle in self._chosen:
            here = self._cycles[cycle.id]
            if here == 0 and cycles.get(0).chosen_generation is not None:
                continue
            chosen = self._generations[cycle.chosen_generation or 0]
            cycles.choose(here, chosen, cycle.chosen_slot, at=cycle.updated_at or self._now)
        return Imported(name=name, cycles=self._cycles, generations=len(self._generations), responses=self._responses)

    def _cycle(self, record: CycleRecord) -> int:
        if record.id == 0 and self._imports.scope(record, self._now):
            return 0
        begun = record.created_at or self._now
        return CYCLES.insert(
            self._db,
            record.cycle(),
            id=record.id if self._keeps_ids and record.id else None,
            title=record.title if record.id else SCOPE_TITLE,
            chosen_generation=None,  # set at the end: the generation is inserted later
            chosen_slot=None,
            created_at=begun,
            updated_at=record.updated_at or begun,
        )

    def _origin(self, record: CycleRecord) -> None:
        if record.extra:
            self._db.execute(
                "INSERT OR IGNORE INTO origins (cycle, import, original_id, extra) VALUES (?, ?, ?, ?)",
                (self._cycles[record.id], self._import_id, record.id, msgspec.json.encode(record.extra).decode()),
            )

    def _generation(self, record: GenerationRecord) -> None:
        given = record.generation
        # A stream of a process on another machine cannot be stopped or followed from here.
        self._generations[given.id] = GENERATIONS.insert(
            self._db, given, id=None, cycle=self._cycles[given.cycle], stream_id=""
        )

    def _judgement(self, given: Judgement) -> None:
        JUDGEMENTS.insert(self._db, given, generation=self._generations[given.generation], updated_at=self._now)

    def _follow_up(self, given: FollowUp) -> None:
        FOLLOW_UPS.insert(self._db, given, generation=self._generations[given.generation], created_at=self._now)

    def _response(self, given: Response) -> None:
        if given.status in ACTIVE:  # it was running when exported; nothing runs it here
            given = msgspec.structs.replace(
                given,
                status=Status.INTERRUPTED,
                error=given.error or DceError("interrupted", "it was running when it was exported").body(),
                tokens=msgspec.structs.replace(given.tokens, exact=False),
            )
        RESPONSES.insert(self._db, given, generation=self._generations[given.generation])
        self._responses += 1
