"""The rows of prompts, generations and their responses.

What must always hold: a generation and its N queued responses appear together or not at all; text that streams in is appended
as pieces and written whole once, with the terminal status, in one transaction; a terminal row is not written again.
"""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from dce.wire.errors import DceError, ErrorBody
from dce.workspace.record.database import Database
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import ManifestEntry, Prompt, Section
from dce.workspace.record.responses import ACTIVE, News, Response, Status, Tokens

_GENERATION = (
    "id, cycle, prompt_sha256, model, n, schema, nonce, max_tokens, temperature, temperature_spread, seed,"
    " reasoning_effort, prompt_tokens, stream_id, card, generations.created_at, ended_at"
)
_GENERATIONS = f"SELECT {_GENERATION} FROM generations JOIN prompts ON prompts.sha256 = prompt_sha256"
_RESPONSE = (
    "generation, slot, version, status, thinking, text, thinking_tokens, answer_tokens, is_exact, finish_reason, error,"
    " started_at, first_token_at, thinking_ended_at, ended_at"
)
_ACTIVE = ", ".join(f"'{status}'" for status in sorted(ACTIVE))
_LATEST = (
    "version = (SELECT max(version) FROM responses AS other"
    " WHERE other.generation = responses.generation AND other.slot = responses.slot)"
)


class StreamTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running response comes from: a stream of the gateway and the 0-based choice in it."""

    slot: int
    version: int
    stream_id: str
    index: int


class GenerationRecords(Database):
    """Prompts, generations and responses, as rows."""

    # prompts

    def put_prompt(self, prompt: Prompt, grammar: str | None, now: float) -> None:
        """Keeps the exact prompt by its hash, and the grammar that belongs to it."""
        sections, manifest = (msgspec.json.encode(part).decode() for part in (prompt.sections, prompt.manifest))
        with self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO prompts (sha256, text, schema, nonce, sections, manifest, grammar, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (prompt.sha256, prompt.text, prompt.schema, prompt.nonce, sections, manifest, grammar, now),
            )

    def get_prompt(self, sha256: str) -> Prompt:
        """Raises DceError not_found."""
        row = self._row("SELECT text, schema, nonce, sections, manifest FROM prompts WHERE sha256 = ?", (sha256,))
        if row is None:
            raise DceError("not_found", f"there is no prompt {sha256}")
        return Prompt(
            text=row[0],
            sha256=sha256,
            schema=row[1],
            nonce=row[2],
            sections=msgspec.json.decode(row[3], type=tuple[Section, ...]),
            manifest=msgspec.json.decode(row[4], type=tuple[ManifestEntry, ...]),
        )

    def get_grammar(self, sha256: str) -> str | None:
        """The grammar kept with a prompt."""
        row = self._row("SELECT grammar FROM prompts WHERE sha256 = ?", (sha256,))
        return row[0] if row else None

    # generations

    def insert_generation(self, generation: Generation) -> Generation:
        """A new generation with an id of its own (the given id is ignored) and its N queued responses."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO generations (cycle, prompt_sha256, model, n, max_tokens, temperature, temperature_spread, seed,"
                " reasoning_effort, prompt_tokens, card, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    generation.cycle,
                    generation.prompt_sha256,
                    generation.model,
                    generation.n,
                    generation.max_tokens,
                    generation.temperature,
                    generation.temperature_spread,
                    generation.seed,
                    generation.reasoning_effort,
                    generation.prompt_tokens,
                    generation.card,
                    generation.created_at,
                ),
            )
            generation_id = int(cursor.lastrowid or 0)
            db.executemany(
                "INSERT INTO responses (generation, slot, version, status) VALUES (?, ?, 1, ?)",
                [(generation_id, slot, Status.QUEUED) for slot in range(1, generation.n + 1)],
            )
            return self.get_generation(generation_id)

    def get_generation(self, generation_id: int) -> Generation:
        """Raises DceError not_found."""
        row = self._row(f"{_GENERATIONS} WHERE id = ?", (generation_id,))
        if row is None:
            raise DceError("not_found", f"there is no generation {generation_id}")
        return _generation(row)

    def generations(self, cycle_id: int | None = None) -> tuple[Generation, ...]:
        """Those of a cycle (None: all), by id."""
        where = "" if cycle_id is None else "WHERE cycle = ?"
        rows = self._rows(f"{_GENERATIONS} {where} ORDER BY id", () if cycle_id is None else (cycle_id,))
        return tuple(_generation(row) for row in rows)

    def latest_generation(self, cycle_id: int | None = None) -> Generation | None:
        """The newest, of a cycle or of all."""
        where = "" if cycle_id is None else "WHERE cycle = ?"
        row = self._row(f"{_GENERATIONS} {where} ORDER BY id DESC", () if cycle_id is None else (cycle_id,))
        return _generation(row) if row else None

    def end_generation(self, generation_id: int, now: float) -> None:
        """Notes when its last run ended."""
        with self._transaction() as db:
            db.execute("UPDATE generations SET ended_at = ? WHERE id = ?", (now, generation_id))

    # responses

    def responses(self, generation_id: int) -> tuple[Response, ...]:
        """The latest version of each slot, by slot, with all text stored so far."""
        return self._responses(f"generation = ? AND {_LATEST}", (generation_id,))

    def response(self, generation_id: int, slot: int, version: int | None = None) -> Response:
        """One response; version None is the latest. Raises DceError not_found."""
        found = self._responses(
            f"generation = ? AND slot = ? AND {_LATEST if version is None else 'version = ?'}",
            (generation_id, slot) if version is None else (generation_id, slot, version),
        )
        if not found:
            wanted = f"response {slot}" if version is None else f"version {version} of response {slot}"
            raise DceError("not_found", f"generation {generation_id} has no {wanted}")
        return found[0]

    def versions(self, generation_id: int, slot: int) -> tuple[Response, ...]:
        """All versions of a slot, oldest first."""
        return self._responses("generation = ? AND slot = ?", (generation_id, slot))

    def insert_versions(self, generation_id: int, slots: Sequence[int]) -> tuple[Response, ...]:
        """A new queued version of each slot; the older ones stay. Raises DceError not_found, or conflict while one is running."""
        with self._transaction() as db:
            for slot in slots:
                last = self.response(generation_id, slot)
                if last.status in ACTIVE:
                    raise DceError("conflict", f"response {slot} of generation {generation_id} is still {last.status}")
                db.execute(
                    "INSERT INTO responses (generation, slot, version, status) VALUES (?, ?, ?, ?)",
                    (generation_id, slot, last.version + 1, Status.QUEUED),
                )
            return tuple(self.response(generation_id, slot) for slot in slots)

    def insert_continued(self, earlier: Response) -> Response:
        """A new queued version that begins with the text of `earlier`, which stays. Raises DceError conflict if that is not the latest."""
        with self._transaction() as db:
            [response] = self.insert_versions(earlier.generation, [earlier.slot])
            if response.version != earlier.version + 1:
                raise DceError(
                    "conflict", f"response {earlier.slot} of generation {earlier.generation} has a newer version"
                )
            db.execute(
                "INSERT INTO pieces (generation, slot, version, thinking, text) VALUES (?, ?, ?, ?, ?)",
                (*_key(response), earlier.thinking, earlier.text.rstrip()),
            )
            return response

    def insert_pasted(self, response: Response) -> Response:
        """An ended response, as the next version of its slot (a new slot widens the generation). Raises DceError not_found, or
        conflict while the slot is being written.
        """
        with self._transaction() as db:
            self.get_generation(response.generation)
            earlier = self.versions(response.generation, response.slot)
            if earlier and earlier[-1].status in ACTIVE:
                raise DceError(
                    "conflict",
                    f"response {response.slot} of generation {response.generation} is still {earlier[-1].status}",
                )
            response = msgspec.structs.replace(response, version=len(earlier) + 1)
            db.execute(
                "INSERT INTO responses (generation, slot, version, status) VALUES (?, ?, ?, ?)",
                (*_key(response), Status.QUEUED),
            )
            self.save_ends([response])
            db.execute(
                "UPDATE generations SET n = max(n, ?), ended_at = ? WHERE id = ?",
                (response.slot, response.ended_at, response.generation),
            )
        return response

    def open_stream(self, generation_id: int, stream_id: str, model: str, responses: Sequence[Response]) -> None:
        """Notes which stream and model answer. `responses` are in the order of the stream's choices."""
        with self._transaction() as db:
            db.execute(
                "UPDATE generations SET stream_id = ?, model = coalesce(nullif(?, ''), model) WHERE id = ?",
                (stream_id, model, generation_id),
            )
            db.executemany(
                "UPDATE responses SET stream_id = ?, stream_index = ? WHERE generation = ? AND slot = ? AND version = ?",
                [
                    (stream_id, index, response.generation, response.slot, response.version)
                    for index, response in enumerate(responses)
                ],
            )

    def stream_targets(self, generation_id: int, slot: int | None = None) -> tuple[StreamTarget, ...]:
        """The running responses of a generation (or of one slot) and where they come from."""
        rows = self._rows(
            "SELECT slot, version, stream_id, stream_index FROM responses WHERE generation = ?"
            f" AND status IN ({_ACTIVE}) ORDER BY slot",
            (generation_id,),
        )
        targets = (StreamTarget(slot=row[0], version=row[1], stream_id=row[2], index=row[3]) for row in rows)
        return tuple(target for target in targets if slot in (None, target.slot))

    def save_progress(self, progress: Iterable[tuple[Response, News]]) -> None:
        """The present state of running responses and the text they gained, in one transaction."""
        with self._transaction() as db:
            for response, news in progress:
                if self._update(db, response) and news:
                    db.execute(
                        "INSERT INTO pieces (generation, slot, version, thinking, text) VALUES (?, ?, ?, ?, ?)",
                        (*_key(response), news.thinking, news.text),
                    )

    def save_ends(self, responses: Iterable[Response]) -> None:
        """Ended responses, whole: status, text and all, in one transaction."""
        with self._transaction() as db:
            for response in responses:
                # The text first: `_update` makes the row terminal, and a terminal row is not written again.
                db.execute(
                    "UPDATE responses SET thinking = ?, text = ?"
                    f" WHERE generation = ? AND slot = ? AND version = ? AND status IN ({_ACTIVE})",
                    (response.thinking, response.text, *_key(response)),
                )
                self._update(db, response)
                db.execute("DELETE FROM pieces WHERE generation = ? AND slot = ? AND version = ?", _key(response))

    def has_active(self) -> bool:
        """Whether any response is running, or was when its process died."""
        return self._row(f"SELECT 1 FROM responses WHERE status IN ({_ACTIVE}) LIMIT 1") is not None

    def interrupt_active(self, now: float) -> int:
        """What no living process works on becomes `interrupted`, its text kept. How many these were."""
        error = DceError("interrupted", "the process that ran this generation ended before it did").body()
        with self._transaction():
            dangling = self._responses(f"status IN ({_ACTIVE})", ())
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

    def _responses(self, where: str, parameters: Sequence[object]) -> tuple[Response, ...]:
        with self._snapshot():
            rows = self._rows(
                f"SELECT {_RESPONSE} FROM responses WHERE {where} ORDER BY generation, slot, version", parameters
            )
            return tuple(self._with_pieces(_response(row)) for row in rows)

    def _with_pieces(self, response: Response) -> Response:
        """A running response's text is still in pieces."""
        if response.status not in ACTIVE:
            return response
        rows = self._rows(
            "SELECT thinking, text FROM pieces WHERE generation = ? AND slot = ? AND version = ? ORDER BY id",
            _key(response),
        )
        return msgspec.structs.replace(
            response, thinking="".join(row[0] for row in rows), text="".join(row[1] for row in rows)
        )

    @staticmethod
    def _update(db: sqlite3.Connection, response: Response) -> bool:
        """All but the text. A terminal row stays as it is: whoever ended it knew. Whether the row was written."""
        error = msgspec.json.encode(response.error).decode() if response.error else None
        cursor = db.execute(
            "UPDATE responses SET status = ?, thinking_tokens = ?, answer_tokens = ?, is_exact = ?, finish_reason = ?,"
            " error = ?, started_at = ?, first_token_at = ?, thinking_ended_at = ?, ended_at = ?"
            f" WHERE generation = ? AND slot = ? AND version = ? AND status IN ({_ACTIVE})",
            (
                response.status,
                response.tokens.thinking,
                response.tokens.answer,
                response.tokens.exact,
                response.finish_reason,
                error,
                response.started_at,
                response.first_token_at,
                response.thinking_ended_at,
                response.ended_at,
                *_key(response),
            ),
        )
        return cursor.rowcount == 1


def _key(response: Response) -> tuple[int, int, int]:
    return response.generation, response.slot, response.version


def _generation(row: Any) -> Generation:
    names = (name.strip().removeprefix("generations.") for name in _GENERATION.split(","))
    return Generation(**dict(zip(names, row, strict=True)))


def _response(row: Any) -> Response:
    generation, slot, version, status, thinking, text, thought, answered, is_exact, finish_reason, error, *times = row
    return Response(
        generation=generation,
        slot=slot,
        version=version,
        status=Status(status),
        thinking=thinking,
        text=text,
        tokens=Tokens(thinking=thought, answer=answered, exact=bool(is_exact)),
        finish_reason=finish_reason,
        error=msgspec.json.decode(error, type=ErrorBody) if error else None,
        started_at=times[0],
        first_token_at=times[1],
        thinking_ended_at=times[2],
        ended_at=times[3],
    )
