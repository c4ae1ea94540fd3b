"""Reads the original tool's history as DCE records: `dce_history.json`, exports of cycles, and its `dce.db`.

What must always hold: every field may be missing; a field of the wrong type is refused by name, before anything is stored; fields
without a place in DCE are kept in `extra`. The original's parsed form of a response (`parsedContent`) is dropped if the response's
text is present, because it can be derived from the text.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.archive import (
    CycleRecord,
    End,
    GenerationRecord,
    Header,
    PromptRecord,
    Record,
    ResponseRecord,
)
from dce.workspace.record.estimate import estimate
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response, Status, Tokens

SCHEMA = "tags"
"""The answer format that the original tool asked for."""

_NO_PROMPT = Prompt(text="", sha256=sha256(b"").hexdigest(), nonce="", schema=SCHEMA, sections=(), manifest=())
"""The original kept no prompt."""

_STATUS = {
    "complete": Status.COMPLETE,
    "stopped": Status.STOPPED,
    "error": Status.ERROR,
    "pending": Status.INTERRUPTED,
    "thinking": Status.INTERRUPTED,
    "generating": Status.INTERRUPTED,
}


class _Response(msgspec.Struct, rename="camel"):
    content: str | None = None
    status: str | None = None
    start_time: float | None = None
    thinking_end_time: float | None = None
    end_time: float | None = None
    thinking_tokens: float | None = None
    response_tokens: float | None = None


class _Cycle(msgspec.Struct, rename="camel"):
    cycle_id: int
    timestamp: str | float | None = None
    title: str | None = None
    cycle_context: str | None = None
    ephemeral_context: str | None = None
    responses: dict[str, _Response] | None = None
    selected_response_id: str | int | None = None


_OWN = ("cycleId", "timestamp", "title", "cycleContext", "ephemeralContext", "responses")


def read_json(content: bytes, name: str) -> tuple[Record, ...]:
    """The records of a JSON history: a complete one, a list of cycles, or a single cycle. Raises DceError invalid_input."""
    try:
        value = _clean(json.loads(content.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise DceError("invalid_input", f"{name} is not JSON: {error}", hint="Nothing was changed.") from error
    if isinstance(value, list):
        value = {"cycles": value}
    elif isinstance(value, dict) and "cycleId" in value:
        value = {"cycles": [value]}
    if not isinstance(value, dict) or not isinstance(value.get("cycles"), list):
        raise DceError(
            "invalid_input", f"{name} contains no history: there is no list of cycles", hint="Nothing was changed."
        )
    scope = value.get("projectScope")
    return _records(value["cycles"], scope, name)


def read_database(path: Path, name: str) -> tuple[Record, ...]:
    """The records of the original's SQLite file; `path` is a copy that may be opened. Raises DceError invalid_input."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.row_factory = sqlite3.Row
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "cycles" not in tables:
                raise DceError("invalid_input", f"{name} contains no history: there is no table of cycles")
            cycles = [_camel(row, "id") for row in db.execute("SELECT * FROM cycles ORDER BY id")]
            for cycle in cycles:
                cycle["cycleId"] = cycle.pop("id", None)
                cycle["responses"] = {}
            by_id = {cycle["cycleId"]: cycle for cycle in cycles}
            for row in db.execute("SELECT * FROM responses") if "responses" in tables else ():
                response = _camel(row, "parsedContent")
                cycle_id, tab = response.pop("cycleId", None), response.pop("tabId", None)
                if cycle_id not in by_id:
                    raise DceError(
                        "invalid_input", f"{name}: a response belongs to cycle {cycle_id}, which does not exist"
                    )
                by_id[cycle_id]["responses"][str(tab)] = response
            scope = None
            if "key_value_store" in tables:
                row = db.execute("SELECT value FROM key_value_store WHERE key = 'project_scope'").fetchone()
                scope = _json_or_text(row[0]) if row else None
    except sqlite3.Error as error:
        raise DceError("invalid_input", f"{name} cannot be read: {error}", hint="Nothing was changed.") from error
    return _records(_clean(cycles), _clean(scope), name)


_JSON_COLUMNS = ("selectedFilesForReplacement", "parsedContent")
_FLAG_COLUMNS = (
    "isParsedMode",
    "isSortedByTokens",
    "isEphemeralContextCollapsed",
    "isCycleCollapsed",
    "hasGeneratedPrompt",
)


def _camel(row: sqlite3.Row, *_: str) -> dict[str, Any]:
    """A row with the field names of the JSON history; NULL fields are omitted."""
    found: dict[str, Any] = {}
    for column in row.keys():  # noqa: SIM118 - iterating a Row gives values
        head, *rest = column.split("_")
        name = head + "".join(part.capitalize() for part in rest)
        value = row[column]
        if value is None:
            continue
        if name in _JSON_COLUMNS:
            value = _json_or_text(value)
        elif name in _FLAG_COLUMNS:
            value = bool(value)
        found[name] = value
    return found


def _json_or_text(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _clean(value: Any) -> Any:
    """Replaces lone surrogates, which JavaScript strings may contain but which are not characters, with U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _records(cycles: list[Any], scope: Any, name: str) -> tuple[Record, ...]:
    found = [Header(), PromptRecord(prompt=_NO_PROMPT), *_all_cycles(cycles, scope, name)]
    return (*found, End(records=len(found)))


def _all_cycles(cycles: list[Any], scope: Any, name: str) -> Iterator[Record]:
    if scope is not None and not isinstance(scope, str):
        raise DceError("invalid_input", f"{name}: projectScope is not text", hint="Nothing was changed.")
    read = [(_converted(cycle, at, name), cycle) for at, cycle in enumerate(cycles)]
    read.sort(key=lambda pair: pair[0].cycle_id)
    if scope and not any(cycle.cycle_id == 0 for cycle, _ in read):
        yield CycleRecord(id=0, context=scope)
    for cycle, raw in read:
        yield from _cycle(cycle, raw, scope or "", name)


def _converted(raw: Any, at: int, name: str) -> _Cycle:
    try:
        return msgspec.convert(raw, _Cycle)
    except msgspec.ValidationError as error:
        raise DceError("invalid_input", f"{name}, cycles[{at}]: {error}", hint="Nothing was changed.") from error


def _cycle(cycle: _Cycle, raw: Mapping[str, Any], scope: str, name: str) -> Iterator[Record]:
    began = _seconds(cycle.timestamp)
    responses = dict(_responses(cycle, began, name))
    chosen = _slot(cycle.selected_response_id)
    has_chosen = chosen in responses
    generation_id = cycle.cycle_id + 1  # any unique number: the store assigns another
    extra = {key: value for key, value in raw.items() if key not in _OWN}
    extra |= {"responses": kept} if (kept := _left_over(raw.get("responses"))) else {}
    yield CycleRecord(
        id=cycle.cycle_id,
        title=cycle.title or "",
        context=cycle.cycle_context or (scope if cycle.cycle_id == 0 else ""),
        ephemeral=cycle.ephemeral_context or "",
        chosen_generation=generation_id if has_chosen else None,
        chosen_slot=chosen if has_chosen else None,
        created_at=began,
        updated_at=began,
        extra=extra,
    )
    if not responses:
        return
    yield GenerationRecord(
        generation=Generation(
            id=generation_id,
            cycle=cycle.cycle_id,
            prompt_sha256=_NO_PROMPT.sha256,
            model="",
            n=max(responses),
            schema=SCHEMA,
            nonce="",
            max_tokens=0,
            created_at=began,
            ended_at=max((response.ended_at or began for response in responses.values()), default=began),
        )
    )
    for response in responses.values():
        yield ResponseRecord(response=msgspec.structs.replace(response, generation=generation_id))


def _responses(cycle: _Cycle, began: float, name: str) -> Iterator[tuple[int, Response]]:
    """Slot and response of every tab that is not empty."""
    for tab, response in sorted((cycle.responses or {}).items(), key=lambda item: _slot(item[0]) or 0):
        slot = _slot(tab)
        if slot is None:
            raise DceError(
                "invalid_input",
                f"{name}: cycle {cycle.cycle_id} has a response named {tab!r}, which is not a tab number",
            )
        text = response.content or ""
        if not text and response.status in (None, "", "pending", "complete"):
            continue  # an empty tab
        status = _STATUS.get(response.status or "complete", Status.COMPLETE)
        error = DceError("interrupted", f"the original tool kept this response as {response.status}").body()
        counted = response.response_tokens
        yield (
            slot,
            Response(
                generation=0,
                slot=slot,
                version=1,
                status=status,
                text=text,
                tokens=Tokens(
                    thinking=max(0, int(response.thinking_tokens or 0)),
                    answer=max(0, int(counted)) if counted else estimate(text),
                ),
                finish_reason="imported" if status is Status.COMPLETE else "",
                error=error if status in (Status.ERROR, Status.INTERRUPTED) else None,
                started_at=_epoch(response.start_time),
                thinking_ended_at=_epoch(response.thinking_end_time),
                ended_at=_epoch(response.end_time) or began,
            ),
        )


def _left_over(responses: Any) -> dict[str, Any]:
    """The fields of each tab that are neither in DCE's record nor derivable from its text."""
    kept = {}
    for tab, response in responses.items() if isinstance(responses, dict) else ():
        known = {field.encode_name for field in msgspec.structs.fields(_Response)}
        known |= {"parsedContent"} if response.get("content") else set()
        if rest := {key: value for key, value in response.items() if key not in known}:
            kept[tab] = rest
    return kept


def _slot(tab: str | int | None) -> int | None:
    text = str(tab)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= 10_000 else None


def _epoch(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _seconds(timestamp: str | float | None) -> float:
    """A cycle's timestamp (ISO text or milliseconds) in seconds since the epoch; 0 if missing or unreadable."""
    if isinstance(timestamp, int | float):
        return timestamp / 1000
    try:
        return datetime.fromisoformat(timestamp or "").timestamp()
    except ValueError:
        return 0
