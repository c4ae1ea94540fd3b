"""The history: an overview without texts, and a word search."""

from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.record.history import _COUNTS, Hit, match_expression
from dce.workspace.record.responses import News, Status, Tokens
from dce.workspace.record.store import Store
from tests.workspace.loop import a_generation, a_store


def _end(store: Store, generation: int, slot: int, text: str, status: Status = Status.COMPLETE) -> None:
    response = store.responses.get(generation, slot)
    tokens = Tokens(answer=10, exact=True)
    store.progress.save_ends([msgspec.structs.replace(response, status=status, text=text, tokens=tokens)])


def _search(store: Store, query: str) -> list[tuple[str, int, int | None, int | None]]:
    return [_where(hit) for hit in store.history.search(match_expression(query), 20)]


def _where(hit: Hit) -> tuple[str, int, int | None, int | None]:
    return hit.kind, hit.cycle, hit.slot, hit.version


def test_history_counts_the_latest_versions(tmp_path: Path) -> None:
    """Each cycle is listed with its generations, the statuses of its slots' latest versions and their tokens, newest first."""
    with a_store(tmp_path) as store:
        cycle = store.cycles.create("Parser")
        generation = a_generation(store, n=3, cycle=cycle.id)
        for slot in (1, 2):
            _end(store, generation.id, slot, "x")
        _end(store, generation.id, 3, "y", Status.TRUNCATED)
        store.responses.insert_versions(generation.id, [3])
        _end(store, generation.id, 3, "y")
        store.cycles.choose(cycle.id, generation.id, 2, 6.0)
        first, zero = store.history.cycles()
        assert (first.id, first.title, first.generations, first.responses) == (cycle.id, "Parser", 1, 3)
        assert (first.statuses, first.tokens, first.chosen_slot) == ({Status.COMPLETE: 3}, 30, 2)
        assert (zero.id, zero.responses, zero.statuses) == (0, 0, {})


def test_history_reads_no_text(tmp_path: Path) -> None:
    """The counts of all responses come from an index without texts."""
    with a_store(tmp_path) as store:
        plan = [row[3] for row in store.database.rows(f"EXPLAIN QUERY PLAN {_COUNTS}")]
    of_responses = [step for step in plan if "responses" in step or "other" in step]
    assert of_responses
    assert all("COVERING INDEX" in step for step in of_responses)


def test_words_are_found_in_cycles_and_responses(tmp_path: Path) -> None:
    """A search finds the cycles and ended responses that contain all its words, by prefix and ignoring case."""
    with a_store(tmp_path) as store:
        cycle = store.cycles.create("Rate limits", "Count requests per key")
        generation = a_generation(store, n=2, cycle=cycle.id)
        _end(store, generation.id, 1, "def token_bucket(key): ...")
        _end(store, generation.id, 2, "A leaky bucket is simpler.")
        assert _search(store, "BUCKET") == [("response", 1, 2, 1), ("response", 1, 1, 1)]
        assert _search(store, "token_buck") == [("response", 1, 1, 1)]
        assert _search(store, "requests rate") == [("cycle", 1, None, None)]
        assert _search(store, "absent") == []


def test_the_index_follows_edits_versions_and_deletion(tmp_path: Path) -> None:
    """An edited cycle is found only by its new words, a regenerated response in each version, a deleted cycle not at all."""
    with a_store(tmp_path) as store:
        cycle = store.cycles.create("old")
        store.cycles.edit(cycle.id, title="fresh")
        generation = a_generation(store, n=1, cycle=cycle.id)
        _end(store, generation.id, 1, "alpha")
        store.responses.insert_versions(generation.id, [1])
        _end(store, generation.id, 1, "alpha beta")
        assert _search(store, "old") == []
        assert _search(store, "fresh") == [("cycle", 1, None, None)]
        assert _search(store, "alpha") == [("response", 1, 1, 2), ("response", 1, 1, 1)]
        store.cycles.delete(cycle.id)
        assert _search(store, "fresh") == _search(store, "alpha") == []


def test_an_interrupted_response_is_found_too(tmp_path: Path) -> None:
    """Text saved from a response before its process died can be searched after recovery."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=1)
        response = store.responses.get(generation.id, 1)
        store.progress.save([(response, News(thinking_offset=0, thinking="", text_offset=0, text="half a sent"))])
        assert _search(store, "sent") == []
        store.progress.interrupt_active(9.0)
        assert _search(store, "sent") == [("response", 0, 1, 1)]


@pytest.mark.parametrize(
    "query", ["a OR b", "NEAR(a b)", "title:x", "x*", "-y", "a\nb", "日本", 'say "hi"', "a AND", "^a"]
)
def test_signs_are_no_language(tmp_path: Path, query: str) -> None:
    """Any query is searched as words; nothing in it is an operator."""
    with a_store(tmp_path) as store:
        store.cycles.create(query)
        assert _search(store, query) == [("cycle", 1, None, None)]


@pytest.mark.parametrize("query", ["", '"', "( -", "a\0", "a" * 1001])
def test_a_search_without_a_word_is_refused(query: str) -> None:
    """A query of only punctuation, with a NUL or the size of a file is invalid_input rather than a database error."""
    with pytest.raises(DceError) as caught:
        match_expression(query)
    assert caught.value.code == "invalid_input"
