"""A response: only the table's transitions, counts marked exact or not, and text without replacement characters."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.generating.live_response import (
    TRANSITIONS,
    Cursor,
    IllegalTransition,
    LiveResponse,
    status_of_finish,
)
from dce.workspace.record.estimate import estimate
from dce.workspace.record.responses import ACTIVE, TERMINAL, Response, Status, Tokens


def _live(estimating: int = 7) -> LiveResponse:
    live = LiveResponse(Response(generation=1, slot=1, version=1), lambda _: estimating)
    live.start(10.0)
    return live


def test_the_table_covers_every_status() -> None:
    """Each status has a row; terminal ones lead nowhere; from each active one every failure can be reached."""
    assert set(TRANSITIONS) == set(Status)
    assert all(not TRANSITIONS[status] for status in TERMINAL)
    assert all({Status.STOPPED, Status.ERROR, Status.INTERRUPTED} <= TRANSITIONS[status] for status in ACTIVE)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, sorted(TERMINAL))))
def test_only_the_tables_transitions_are_possible(before: Status, after: Status) -> None:
    """An end that the table lacks raises and changes nothing; one that it has takes effect."""
    live = LiveResponse(Response(generation=1, slot=1, version=1, status=before), estimate)
    if after in TRANSITIONS[before]:
        live.end(after, 1.0)
        assert live.status is after
    else:
        with pytest.raises(IllegalTransition):
            live.end(after, 1.0)
        assert live.status is before


def test_a_queued_response_cannot_be_complete() -> None:
    """A response that never reached a model cannot be complete."""
    assert Status.COMPLETE not in TRANSITIONS[Status.QUEUED]


def test_a_wait_ends_with_the_first_token() -> None:
    """connecting → waiting → thinking or generating; a response that writes does not wait any more."""
    for text, thinking, status in (("a", "", Status.GENERATING), ("", "hm", Status.THINKING)):
        live = _live()
        live.connect()
        live.wait()
        assert live.status is Status.WAITING
        live.add(text, thinking, 11.0)
        live.wait()
        assert live.status is status


def test_thinking_ends_with_the_first_answer_text() -> None:
    """connecting → thinking → generating, with the times of the first token and of the end of thinking."""
    live = _live()
    live.connect()
    live.add("", "", 10.5)
    seen = [live.status]
    for text, thinking, now in (("", "hm", 11.0), ("a", "", 12.0), ("", "again", 12.5)):
        live.add(text, thinking, now)
        seen.append(live.status)
    assert seen == [Status.CONNECTING, Status.THINKING, Status.GENERATING, Status.GENERATING]
    live.end(Status.COMPLETE, 14.0, "stop")
    record = live.record()
    assert (record.thinking, record.text, record.finish_reason) == ("hmagain", "a", "stop")
    assert (record.ttft_s, record.elapsed_s, record.thinking_ended_at) == (1.0, 4.0, 12.0)


def test_thinking_that_never_ends_ends_with_the_response() -> None:
    """If a response is cut off while thinking, its thinking ends when it does."""
    live = _live()
    live.connect()
    live.add("", "hm", 11.0)
    live.end(Status.TRUNCATED, 13.0, "length")
    assert live.record().thinking_ended_at == 13.0


@pytest.mark.parametrize(
    ("finish_reason", "status"),
    [
        ("stop", Status.COMPLETE),
        ("end_turn", Status.COMPLETE),
        ("STOP", Status.COMPLETE),
        ("tool_calls", Status.ERROR),
        ("content_filter", Status.ERROR),
        ("MAX_TOKENS", Status.TRUNCATED),
        ("length", Status.TRUNCATED),
        ("stopped", Status.STOPPED),
        ("error", Status.ERROR),
        ("abort", Status.ERROR),
        ("", Status.ERROR),
    ],
)
def test_a_finish_reason_says_the_status(finish_reason: str, status: Status) -> None:
    """Only a reason that means the model's own end is complete; a length limit is truncated; any other reason, or none, is an error."""
    assert status_of_finish(finish_reason) is status


def test_exact_counts_are_split_by_phase() -> None:
    """The backend's counts go to the phase in which they arrived, and are exact if nothing followed."""
    live = _live()
    live.connect()
    live.add("", "hm", 11.0)
    live.count(3)
    live.add("a", "", 12.0)
    live.count(4)
    assert live.record().tokens == Tokens(thinking=3, answer=1, exact=True)
    live.add("b", "", 13.0)
    assert live.record().tokens == Tokens(thinking=3, answer=2, exact=False)
    live.count(6)
    live.end(Status.COMPLETE, 14.0, "stop")
    assert live.record().tokens == Tokens(thinking=3, answer=3, exact=True)
    assert live.record().tokens_per_s == pytest.approx(2.0)


@pytest.mark.parametrize(("estimated", "answer"), [(7, 7), (1, 2)])
def test_without_the_backends_count_tokens_are_an_estimate(estimated: int, answer: int) -> None:
    """Chunks are counted while streaming and the text is estimated at the end, never below the chunks; neither counts as exact."""
    live = _live(estimating=estimated)
    live.connect()
    live.add("a", "", 11.0)
    live.add("b", "", 11.0)
    assert live.record().tokens == Tokens(answer=2, exact=False)
    live.end(Status.COMPLETE, 14.0, "stop")
    assert live.record().tokens == Tokens(thinking=estimated, answer=answer, exact=False)


def test_one_figure_for_several_chunks_is_shared_out() -> None:
    """A count that covers chunks of both phases is split in the chunks' proportion."""
    live = _live()
    live.connect()
    for _ in range(3):
        live.add("", "h", 11.0)
    live.add("a", "", 12.0)
    live.count(8)
    assert live.record().tokens == Tokens(thinking=6, answer=2, exact=True)


def test_a_count_that_shrinks_takes_nothing_back() -> None:
    """A backend that counts backwards cannot make tokens negative."""
    live = _live()
    live.connect()
    live.add("a", "", 11.0)
    live.count(5)
    live.add("b", "", 11.0)
    live.count(2)
    assert live.record().tokens == Tokens(answer=5, exact=True)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.booleans()), max_size=40))
def test_news_put_together_is_the_text(deltas: list[tuple[str, str, bool]]) -> None:
    """However often updates are taken, their pieces at their offsets form the whole text exactly once."""
    live = _live()
    live.connect()
    cursor, thinking, text = Cursor(), "", ""
    for more_text, more_thinking, is_read in deltas:
        live.add(more_text, more_thinking, 11.0)
        if is_read:
            news, cursor = live.news(cursor)
            assert (news.thinking_offset, news.text_offset) == (len(thinking), len(text))
            thinking, text = thinking + news.thinking, text + news.text
    live.end(Status.COMPLETE, 12.0, "stop")
    news, _ = live.news(cursor)
    assert (thinking + news.thinking, text + news.text) == (live.record().thinking, live.record().text)


def test_rates_of_a_running_response_need_the_time() -> None:
    """While it runs, elapsed time and speed are for a given moment; without tokens or time there is no speed."""
    running = Response(generation=1, slot=1, version=1, started_at=1.0, first_token_at=2.0, tokens=Tokens(answer=10))
    assert (running.elapsed_s, running.tokens_per_s) == (None, None)
    assert (running.elapsed_at(6.0), running.tokens_per_s_at(7.0)) == (5.0, 2.0)
    assert running.tokens_per_s_at(2.0) is None
    assert Response(generation=1, slot=1, version=1).elapsed_at(5.0) is None


@pytest.mark.parametrize(("ended_at", "rate"), [(2.0, None), (2.19, None), (2.5, 20.0)])
def test_what_came_at_once_has_no_speed(ended_at: float, rate: float | None) -> None:
    """Ten tokens in almost no time give no speed."""
    tokens = Tokens(answer=10)
    ended = Response(generation=1, slot=1, version=1, first_token_at=2.0, ended_at=ended_at, tokens=tokens)
    assert ended.tokens_per_s == rate
