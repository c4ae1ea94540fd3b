"""The record of the work, to look through: every cycle at a glance, and full-text search over cycles and responses.

What must always hold: a list reads no text of a response, so that it is as quick with 500 cycles as with five; words that are
searched for are taken as words, whatever signs they hold.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.responses import Status

MAX_HITS = 100
"""Most places a search gives: more than anyone reads, few enough that each can show its surroundings."""

MAX_QUERY_CHARS = 1000
"""Longest search: a sentence, not a file."""


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle at a glance. `statuses` counts the latest versions of all its responses; `tokens` is what they took in all."""

    id: int
    title: str
    created_at: float
    updated_at: float
    generations: int
    responses: int
    statuses: Mapping[Status, int]
    tokens: int
    chosen_generation: int | None
    chosen_slot: int | None
    card: str


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a response without its text; `tokens` is what it took in all."""

    generation: int
    slot: int
    version: int
    status: Status
    tokens: int


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a search found all its words: a cycle's own text, or (with `generation`, `slot`, `version`) a response.

    `excerpt` is the text around the first of the words.
    """

    kind: Literal["cycle", "response"]
    cycle: int
    title: str
    generation: int | None = None
    slot: int | None = None
    version: int | None = None
    excerpt: str


def match_expression(query: str) -> str:
    """The search in FTS5's language: all words, each as a beginning of one. Raises DceError invalid_input."""
    words = [word for word in query.split() if any(char.isalnum() for char in word)]
    if not words or len(query) > MAX_QUERY_CHARS or "\x00" in query:
        raise DceError("invalid_input", f"a search needs a word, and at most {MAX_QUERY_CHARS:,} characters")
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)
