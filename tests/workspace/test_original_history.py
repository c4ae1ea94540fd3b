"""The original tool's histories: every form is read, nothing is lost, other files are refused by name (faults D1, D9, D10)."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dce.wire.errors import DceError
from dce.workspace.record.archive import Checker, CycleRecord, Record, ResponseRecord
from dce.workspace.record.original_history import read_database, read_json
from dce.workspace.record.responses import Response, Status

FULL: dict[str, Any] = {
    "cycleId": 2,
    "timestamp": "2025-09-08T23:57:51.096Z",
    "title": "Second",
    "cycleContext": "what to do",
    "ephemeralContext": "a log",
    "responses": {
        "1": {
            "content": "<summary>One</summary>",
            "status": "complete",
            "startTime": 1000,
            "endTime": 3000.5,
            "responseTokens": 7,
            "parsedContent": {"summary": "One"},
        },
        "2": {"content": "half", "status": "generating"},
        "3": {"content": "cut", "status": "stopped"},
        "4": {"content": "", "status": "error"},
        "5": {"content": ""},
        "12": {"content": "late tab"},
    },
    "selectedResponseId": "1",
    "pathOverrides": {"a.ts": "src/a.ts"},
    "tabCount": 12,
}


def _read(value: Any) -> tuple[Record, ...]:
    records = read_json(json.dumps(value).encode(), "history.json")
    Checker().check_all(records)
    return records


def _cycles(records: tuple[Record, ...]) -> list[CycleRecord]:
    return [record for record in records if isinstance(record, CycleRecord)]


def _responses(records: tuple[Record, ...]) -> list[Response]:
    return [record.response for record in records if isinstance(record, ResponseRecord)]


def test_a_whole_history_is_read() -> None:
    """Texts, choice, times and statuses are imported; unknown fields are kept too; an empty tab is not a response."""
    records = _read({"version": 1, "projectScope": "the plan", "cycles": [FULL]})
    scope, cycle = _cycles(records)
    assert (scope.id, scope.context) == (0, "the plan")
    assert (cycle.id, cycle.title, cycle.context, cycle.ephemeral) == (2, "Second", "what to do", "a log")
    assert (cycle.chosen_slot, cycle.created_at) == (1, 1757375871.096)
    assert cycle.extra == {"pathOverrides": {"a.ts": "src/a.ts"}, "tabCount": 12, "selectedResponseId": "1"}
    found = {response.slot: response for response in _responses(records)}
    assert {slot: response.status for slot, response in found.items()} == {
        1: Status.COMPLETE,
        2: Status.INTERRUPTED,
        3: Status.STOPPED,
        4: Status.ERROR,
        12: Status.COMPLETE,
    }
    assert found[1].text == "<summary>One</summary>"
    assert (found[1].elapsed_s, found[1].tokens.answer, found[1].tokens.exact) == (2.0005, 7, False)


@pytest.mark.parametrize("value", [[{"cycleId": 1}], {"cycleId": 1}, {"cycles": [{"cycleId": 1}]}])
def test_every_field_may_be_missing(value: Any) -> None:
    """A list of cycles, one cycle and a history are all read; a cycle needs only its number."""
    (cycle,) = _cycles(_read(value))
    assert (cycle.id, cycle.title, cycle.chosen_slot, cycle.extra) == (1, "", None, {})


def test_null_is_missing() -> None:
    """Null fields count as missing."""
    nulls = dict.fromkeys(("timestamp", "title", "cycleContext", "responses", "selectedResponseId"))
    assert _cycles(_read({"cycles": [{"cycleId": 3, **nulls}]}))[0].id == 3
    assert _responses(_read({"cycles": [{"cycleId": 3, "responses": {"1": {"content": None}}}]})) == []


def test_cycle_zero_keeps_its_answers_and_the_scope() -> None:
    """Cycle 0 is an ordinary one: its responses are imported, and its scope is the project's (D6)."""
    records = _read({"projectScope": "plan", "cycles": [{"cycleId": 0, "responses": {"1": {"content": "hello"}}}]})
    assert [(cycle.id, cycle.context) for cycle in _cycles(records)] == [(0, "plan")]
    assert [response.text for response in _responses(records)] == ["hello"]


def test_half_a_character_becomes_the_replacement_character() -> None:
    """JavaScript can write half a surrogate pair; the rest of the text is kept."""
    records = read_json(b'{"cycles": [{"cycleId": 1, "title": "a\\ud800b \\ud83d\\ude00"}]}', "h.json")
    assert _cycles(records)[0].title.startswith("a")
    assert _cycles(records)[0].title.endswith("b 😀")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"cycles": [{"title": "no number"}]}, "cycles[0]"),
        ({"cycles": [{"cycleId": "1"}]}, "cycleId"),
        ({"cycles": [{"cycleId": 1}, {"cycleId": 2, "responses": {"1": {"content": 5}}}]}, "cycles[1]"),
        ({"cycles": [{"cycleId": 1, "responses": {"x": {"content": "y"}}}]}, "'x'"),
        ({"cycles": "none"}, "list of cycles"),
        ({"other": 1}, "list of cycles"),
        (5, "list of cycles"),
        ({"cycles": [], "projectScope": 5}, "projectScope"),
    ],
)
def test_what_is_no_history_is_refused_by_name(value: Any, named: str) -> None:
    """A field of the wrong kind is an error that names it."""
    with pytest.raises(DceError) as caught:
        read_json(json.dumps(value).encode(), "h.json")
    assert caught.value.code == "invalid_input"
    assert named in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b'{"cycles": [{"cycleId": 1', b"\xff\xfe", b"[" * 100_000])
def test_a_broken_file_is_refused(content: bytes) -> None:
    """A truncated file, or one that is not JSON, is an error and not an empty history (D1)."""
    with pytest.raises(DceError):
        read_json(content, "h.json")


def test_twice_the_same_cycle_is_refused() -> None:
    """Two cycles with the same number are refused."""
    with pytest.raises(DceError):
        _read({"cycles": [{"cycleId": 1}, {"cycleId": 1}]})


def test_the_database_is_read_as_the_json_is(tmp_path: Path) -> None:
    """The same history in the original's SQLite form gives the same records."""
    path = tmp_path / "dce.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE key_value_store (key TEXT PRIMARY KEY, value TEXT);"
            "CREATE TABLE cycles (id INTEGER PRIMARY KEY, title TEXT, timestamp TEXT, cycle_context TEXT,"
            " ephemeral_context TEXT, tab_count INTEGER, selected_response_id TEXT, is_parsed_mode INTEGER,"
            " selected_files_for_replacement TEXT);"
            "CREATE TABLE responses (cycle_id INTEGER, tab_id TEXT, content TEXT, status TEXT, start_time INTEGER,"
            " end_time INTEGER, response_tokens INTEGER, parsed_content TEXT);"
            "INSERT INTO key_value_store VALUES ('project_scope', '\"the plan\"');"
            "INSERT INTO cycles VALUES (2, 'Second', '2025-09-08T23:57:51.096Z', 'what', 'log', 4, '1', 1, '[\"1:::a\"]');"
            "INSERT INTO responses VALUES (2, '1', 'one', 'complete', 1000, 3000, 7, '{\"summary\": \"One\"}');"
            "INSERT INTO responses VALUES (2, '3', 'three', NULL, NULL, NULL, NULL, NULL);"
        )
    records = read_database(path, "dce.db")
    Checker().check_all(records)
    same = _read(
        {
            "projectScope": "the plan",
            "cycles": [
                {
                    "cycleId": 2,
                    "title": "Second",
                    "timestamp": "2025-09-08T23:57:51.096Z",
                    "cycleContext": "what",
                    "ephemeralContext": "log",
                    "tabCount": 4,
                    "selectedResponseId": "1",
                    "isParsedMode": True,
                    "selectedFilesForReplacement": ["1:::a"],
                    "responses": {
                        "1": {
                            "content": "one",
                            "status": "complete",
                            "startTime": 1000,
                            "endTime": 3000,
                            "responseTokens": 7,
                        },
                        "3": {"content": "three"},
                    },
                }
            ],
        }
    )
    assert records == same


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A database without a table of cycles is an error."""
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (text)")
    with pytest.raises(DceError, match="no table of cycles"):
        read_database(path, "other.db")
