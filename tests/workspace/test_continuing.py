"""Continuing a truncated answer: joined without loss or duplication, as a new version, by whatever method the server supports."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.context.served_model import Model
from dce.workspace.generating.continuing import Joiner, StartedOver
from dce.workspace.generating.generator import Generator
from dce.workspace.generating.provider import CountUpdate, Delta, Ended, GenerationRequest, Opened
from dce.workspace.generating.provider_events import conversation
from dce.workspace.record.responses import Response, Status, Tokens
from dce.workspace.record.store import Store
from tests.fakes.provider import Clock, ScriptedProvider, Step
from tests.workspace.loop import a_generation, a_prompt, a_store

BEFORE = "def area(width, height):\n    return width * height\n\n\ndef volume(width, hei"
REST = "ght, depth):\n    return width * height * depth\n"
CAN = [Model(id="m", can_continue=True)]
CANNOT = [Model(id="m")]


def _joined(before: str, pieces: list[str], *, is_asked_in_words: bool) -> str:
    joiner = Joiner(before, is_asked_in_words=is_asked_in_words)
    return before.rstrip() + "".join(joiner.feed(piece) for piece in pieces) + joiner.flush()


@given(st.text(min_size=1), st.text(), st.integers(1, 50))
def test_what_a_server_adds_is_added(before: str, rest: str, size: int) -> None:
    """With a server that continues by itself, its text follows the earlier one, however it is split into pieces."""
    pieces = [rest[at : at + size] for at in range(0, len(rest), size)]
    if rest.startswith(before.rstrip()[:12]):
        return
    assert _joined(before, pieces, is_asked_in_words=False) == before.rstrip() + rest


@given(st.integers(0, len(BEFORE) - 41), st.integers(1, 60))
def test_the_repeated_end_is_found(back: int, size: int) -> None:
    """A server asked in words repeats one or more lines: the texts are joined at the overlap, however the stream is split."""
    text = BEFORE[max(len(BEFORE) - 17 - back, 1) :] + REST
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert _joined(BEFORE, pieces, is_asked_in_words=True) == BEFORE + REST


@pytest.mark.parametrize("preamble", ["```python\n", "Sure, going on:\n\n", "\n", "    "])
def test_courtesy_before_the_repeated_line_is_dropped(preamble: str) -> None:
    """A fence, a polite phrase or indentation before the repeated line is not part of the answer."""
    assert _joined(BEFORE, [preamble, "def volume(width, hei", REST], is_asked_in_words=True) == BEFORE + REST


def test_without_a_repeated_line_nothing_is_dropped() -> None:
    """With a server that continues without repeating, all of its text is kept, after the existing white space."""
    assert _joined("first line\n", ["second line\n"], is_asked_in_words=True) == "first line\nsecond line\n"


@pytest.mark.parametrize("is_asked_in_words", [True, False])
def test_an_answer_given_from_its_beginning_is_not_doubled(is_asked_in_words: bool) -> None:
    """If a server repeats the beginning before the rest, it appears only once."""
    assert _joined(BEFORE, [BEFORE[:9], BEFORE[9:], REST], is_asked_in_words=is_asked_in_words) == BEFORE + REST


def test_an_answer_begun_anew_is_told() -> None:
    """A text that repeats the beginning and then differs is a different answer, not the rest of this one."""
    with pytest.raises(StartedOver):
        _joined(BEFORE, [BEFORE[:60], "something else"], is_asked_in_words=False)


def test_both_ways_of_asking() -> None:
    """The request has the beginning as an open assistant message, or asks in words and names the last line."""
    request = GenerationRequest(prompt="p", n=1, prefix="a\nb = ")
    open_end = conversation(request)
    assert [message["role"] for message in open_end["messages"]] == ["user", "assistant"]
    assert (open_end["continue_final_message"], open_end["add_generation_prompt"]) == (True, False)
    in_words = conversation(GenerationRequest(prompt="p", n=1, prefix="a\nb = ", is_asked_in_words=True))
    assert [message["role"] for message in in_words["messages"]] == ["user", "assistant", "user"]
    assert in_words["messages"][-1]["content"].endswith("\nb =")
    assert conversation(GenerationRequest(prompt="p", n=2)) == {"messages": [{"role": "user", "content": "p"}]}


def _cut(store: Store, **fields: object) -> tuple[Generator, ScriptedProvider]:
    """A generation whose second response was truncated in the middle of a line."""
    cut = {
        "status": Status.TRUNCATED,
        "text": BEFORE,
        "thinking": "hm",
        "tokens": Tokens(thinking=1, answer=20, exact=True),
    }
    generation = a_generation(store, n=2, grammar="root ::= x")
    store.progress.save_ends(
        [
            Response(generation=1, slot=1, version=1, status=Status.COMPLETE, text="whole"),
            Response(**{"generation": 1, "slot": 2, "version": 1, "finish_reason": "length", **cut, **fields}),  # type: ignore[arg-type]
        ]
    )
    assert generation.id == 1
    script: list[Step] = [
        Opened(stream_id="s"),
        Delta(index=0, text=REST),
        CountUpdate(index=0, completion_tokens=9),
        Ended(index=0, finish_reason="stop"),
    ]
    provider = ScriptedProvider(script, models=CAN)
    return Generator(store, provider, Clock()), provider


def test_the_joined_text_is_the_next_version(tmp_path: Path) -> None:
    """The new version is complete, with the thinking, both texts and the sum of the tokens; the earlier one is unchanged."""
    store = a_store(tmp_path)
    generator, provider = _cut(store)
    asyncio.run(generator.continue_response(store.generations.get(1), 2, lambda _: None))
    earlier, now = store.responses.versions(1, 2)
    assert (earlier.status, earlier.text) == (Status.TRUNCATED, BEFORE)
    assert (now.version, now.status, now.text, now.thinking) == (2, Status.COMPLETE, BEFORE + REST, "hm")
    assert now.tokens == Tokens(thinking=1, answer=29, exact=True)
    assert store.responses.get(1, 1).text == "whole"
    [request] = provider.requests
    assert (request.prompt, request.n, request.prefix, request.grammar) == (a_prompt().text, 1, BEFORE, None)
    store.close()


def test_a_server_that_cannot_is_asked_in_words(tmp_path: Path) -> None:
    """If the model's server does not accept the beginning of an answer, it is asked to repeat the last line."""
    store = a_store(tmp_path)
    generator, provider = _cut(store)
    provider.served = CANNOT
    provider.scripts = [[Delta(index=0, text="def volume(width, hei" + REST), Ended(index=0, finish_reason="length")]]
    asyncio.run(generator.continue_response(store.generations.get(1), 2, lambda _: None))
    assert provider.requests[0].is_asked_in_words
    now = store.responses.get(1, 2)
    assert (now.status, now.text) == (Status.TRUNCATED, BEFORE + REST)
    store.close()


def test_what_was_there_outlives_a_death_at_once(tmp_path: Path) -> None:
    """A new version has the earlier text from the start, so that a process that dies then leaves it interrupted but intact."""
    store = a_store(tmp_path)
    _cut(store)
    store.responses.insert_continued(store.responses.get(1, 2))
    store.progress.interrupt_active(9.0)
    now = store.responses.get(1, 2)
    assert (now.version, now.status, now.text, now.thinking) == (2, Status.INTERRUPTED, BEFORE, "hm")
    store.close()


def test_the_next_step_for_what_cannot_be_continued_has_a_larger_limit(tmp_path: Path) -> None:
    """Regenerating keeps the token limit, so if thinking reached it, the hint names the verb that sets another limit."""
    store = a_store(tmp_path)
    generator, _ = _cut(store, text="")
    with pytest.raises(DceError) as caught:
        asyncio.run(generator.continue_response(store.generations.get(1), 2, lambda _: None))
    assert "`dce generate --max-tokens T`" in caught.value.hint
    store.close()


def test_a_failed_request_keeps_what_was_there(tmp_path: Path) -> None:
    """A server that refuses leaves a version with the error and the earlier text; so does one that starts over."""
    store = a_store(tmp_path)
    generator, provider = _cut(store)
    provider.scripts = [[DceError("rate_limited", "too many")], [Delta(index=0, text=BEFORE[:50] + "else")]]
    for code in ("rate_limited", "backend_error"):
        asyncio.run(generator.continue_response(store.generations.get(1), 2, lambda _: None))
        now = store.responses.get(1, 2)
        assert now.error is not None
        assert (now.status, now.text, now.error.code) == (Status.ERROR, BEFORE, code)
    assert len(store.responses.versions(1, 2)) == 3
    store.close()


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"status": Status.COMPLETE}, "conflict"), ({"text": ""}, "invalid_input")],
)
def test_what_cannot_go_on_is_refused(tmp_path: Path, fields: dict[str, object], code: str) -> None:
    """A complete response and one without text are refused, and no version is made."""
    store = a_store(tmp_path)
    generator, provider = _cut(store, **fields)
    with pytest.raises(DceError) as caught:
        asyncio.run(generator.continue_response(store.generations.get(1), 2, lambda _: None))
    assert caught.value.code == code
    assert (len(store.responses.versions(1, 2)), provider.requests) == (1, [])
    store.close()
