"""A server that reads only a part of the prompt is found out by its own count, and never accused without need."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.generating.live_response import LiveResponse
from dce.workspace.judging.board import board, prompt_cut
from dce.workspace.judging.prompt_read import FLAG, PromptRead, prompt_read
from dce.workspace.record.estimate import ESTIMATOR
from dce.workspace.record.responses import Response, Status
from tests.fakes.chain import Chain
from tests.fakes.vllm import Behaviour, FakeVllm
from tests.workspace.judging import Bench
from tests.workspace.test_loop_on_gateway import Ear, _workspace

FILES = {"a.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("read", "sent", "is_exact", "is_cut"),
    [
        (10, 595, True, True),
        (10, 595, False, True),
        (297, 595, True, True),
        (298, 595, True, False),
        (600, 595, True, False),
        (2048, 4097, True, True),
        (2048, 4096, True, False),
        (2048, 4097, False, False),  # the estimate may be a quarter too high
        (2048, 5464, False, True),
        (2, 65, True, False),
        (2, 66, True, True),
        (0, 595, True, False),
        (None, 595, True, False),
        (10, 0, True, False),
    ],
)
def test_less_than_half_is_a_cut(read: int | None, sent: int, is_exact: bool, is_cut: bool) -> None:
    """Less than half of the prompt, and at least 64 tokens less, by an exact count or by the least that an estimate can mean."""
    found = prompt_read(read, sent, is_exact=is_exact)
    assert (found is not None) is is_cut
    if found is not None:
        assert (found.read, found.sent, found.is_exact) == (read, sent, is_exact)


@given(st.integers(1, 10**6), st.floats(0.8, 1.2), st.integers(0, 500))
def test_an_estimate_within_its_error_accuses_nobody(tokens: int, error: float, template: int) -> None:
    """A server that reads all of it, whose count differs from ours as tokenizers and templates do, is not flagged."""
    assert prompt_read(tokens + template, int(tokens * error), is_exact=False) is None
    assert prompt_read(tokens + template, tokens, is_exact=True) is None


def test_both_figures_are_told() -> None:
    """The sentence names what was read and what was sent, and marks an estimate."""
    cut = PromptRead(read=10, sent=1595, is_exact=True)
    assert cut.describe() == "the server read 10 of 1,595 tokens of the prompt"
    assert "≈1,595" in msgspec.structs.replace(cut, is_exact=False).describe()


def _sized(bench: Bench, generation: int, sent: int, read: int | None, *, is_exact: bool) -> None:
    """What the store holds of the prompt's size and of what was read of it by slot 1."""
    sha256 = bench.store.generations.get(generation).prompt_sha256
    bench.store.token_counts.put("model" if is_exact else ESTIMATOR, {sha256: sent})
    with bench.store.database.transaction() as db:
        db.execute("UPDATE generations SET prompt_tokens = ?", (sent,))
        db.execute("UPDATE responses SET prompt_tokens = ? WHERE slot = 1", (read,))


def test_the_board_flags_it_and_ranks_it_below(tmp_path: Path) -> None:
    """The row has the flag and both figures, and comes after a response to the whole prompt; one that was read whole has neither."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "x = 2\n"}, {"a.py": "x = 3\n"})
    _sized(bench, generation, 595, 10, is_exact=True)
    rows = {row.slot: row for row in board(bench, generation)}
    assert FLAG in rows[1].flags
    assert rows[1].prompt_read == PromptRead(read=10, sent=595, is_exact=True)
    assert (rows[2].flags, rows[2].prompt_read) == ((), None)
    assert (rows[1].rank, rows[2].rank) == (2, 1)
    response = bench.store.responses.get(generation, 1)
    assert prompt_cut(bench, response) == rows[1].prompt_read
    _sized(bench, generation, 595, 250, is_exact=False)
    assert FLAG not in board(bench, generation)[0].flags


def test_a_count_of_the_prompt_is_kept() -> None:
    """The last count that the server gave is the response's; a count without one leaves it as it is."""
    live = LiveResponse(Response(generation=1, slot=1, version=1), len)
    live.start(1.0)
    live.connect()
    assert live.record().prompt_tokens is None
    live.count(1, 10)
    live.count(2)
    live.end(Status.COMPLETE, 2.0, "stop")
    assert live.record().prompt_tokens == 10


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp", "somebody"])
def test_a_server_behind_the_gateway_is_found_out(tmp_path: Path, owned_by: str) -> None:
    """Whatever kind of server it is, and whenever it counts, each response has the count, and the board the flag."""
    with Chain(tmp_path, fake=FakeVllm(Behaviour(owned_by=owned_by))) as chain:
        chain.behave(reads=3)

        async def work() -> None:
            with _workspace(tmp_path, chain) as workspace:
                generation = await workspace.preparation.begin(0, 2)
                await workspace.generator.run(generation, Ear(2))
                assert [one.prompt_tokens for one in workspace.responses(generation.id)] == [3, 3]
                sent = workspace.store.generations.get(generation.id).prompt_tokens
                rows = board(workspace, generation.id)
                assert {row.prompt_read for row in rows} == {PromptRead(read=3, sent=sent, is_exact=True)}

        asyncio.run(work())
