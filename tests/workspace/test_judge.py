"""The judge: which answers are compared, both orders, when it is unsure, and that its advice changes no rank."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.generating.provider import GenerationRequest, ProviderEvent
from dce.workspace.generating.provider_events import Delta, Ended, Opened
from dce.workspace.judge import Judge, Verdict
from dce.workspace.judging.board import board, candidates
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.pairwise import MAX_JUDGED, settled, top_class, verdict_in
from dce.workspace.judging.ranking import ranked
from dce.workspace.judging.report_keys import Current
from dce.workspace.project import Project
from dce.workspace.record.responses import Response, Status
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider
from tests.workspace.test_follow_up import answer, asked

Opinion = Callable[[str, str], str | DceError]
"""What a judge says of answers A and B."""


class JudgingProvider(ScriptedProvider):
    """Replies to a question by an opinion on its two answers."""

    def __init__(self, opinion: Opinion) -> None:
        super().__init__([])
        self._opinion = opinion

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One reply."""
        self.requests.append(request)
        first, second = (
            request.prompt.partition(f"<answer_{name}>")[2].partition(f"</answer_{name}>")[0] for name in "ab"
        )
        said = self._opinion(first, second)
        yield Opened(stream_id="j", model="judge-model")
        if isinstance(said, DceError):
            yield Ended(index=0, error=said.body())
            return
        yield Delta(index=0, text=said)
        yield Ended(index=0, finish_reason="stop")


def larger(first: str, second: str) -> str:
    """Prefers the larger value, whatever the order."""
    values = [int(text.rpartition("+VALUE = ")[2].split()[0]) for text in (first, second)]
    return f"Larger.\nVERDICT: {'A' if values[0] > values[1] else 'B'}"


def opened(root: Path, opinion: Opinion) -> tuple[Workspace, JudgingProvider]:
    """A workspace whose provider judges."""
    root.mkdir(exist_ok=True)
    (root / "a.py").write_text("VALUE = 2\n")
    provider = JudgingProvider(opinion)
    workspace = Workspace.open(Project.init(root), Settings(), Clock(), provider)
    workspace.selection.add(["a.py"])
    workspace.cycles.create("Larger", "Make VALUE as large as possible.")
    return workspace, provider


def verdict_of(workspace: Workspace, generation: int, card: str = "") -> Verdict:
    """The judge's verdict."""
    judge = Judge(workspace, generation, card)
    judge.check()
    return asyncio.run(judge.verdict())


def test_both_orders_agree(tmp_path: Path) -> None:
    """Each pair is asked in both orders with the task and both changes; the answer that beats all others is preferred and stored."""
    workspace, provider = opened(tmp_path, larger)
    with workspace:
        generation = asked(workspace, answer(3), answer(9), answer(5))
        before = [row.slot for row in board(workspace, generation)]
        found = verdict_of(workspace, generation)
        assert (found.preferred, found.slots, found.model) == (2, (1, 2, 3), "judge-model")
        assert len(provider.requests) == 6
        assert all("Make VALUE as large as possible." in request.prompt for request in provider.requests)
        assert all(request.n == 1 for request in provider.requests)
        rows = board(workspace, generation)
        assert [row.slot for row in rows] == before
        told = {row.slot: (row.judged.wins, row.judged.losses, row.judged.unsure) for row in rows if row.judged}
        assert told == {1: (0, 2, 0), 2: (2, 0, 0), 3: (1, 1, 0)}


def test_a_judge_that_goes_by_the_order_is_unsure(tmp_path: Path) -> None:
    """A preference for whichever answer comes first is no preference."""
    workspace, _ = opened(tmp_path, lambda _first, _second: "VERDICT: A")
    with workspace:
        generation = asked(workspace, answer(3), answer(9))
        found = verdict_of(workspace, generation)
        assert found.preferred is None
        assert [(each.winner, each.why) for each in found.comparisons] == [(0, "order")]


@pytest.mark.parametrize(
    ("said", "why"),
    [("VERDICT: UNSURE", "even"), ("Both are fine.", "unclear"), ("", "unclear")],
    ids=["unsure", "words", "nothing"],
)
def test_what_is_no_verdict(tmp_path: Path, said: str, why: str) -> None:
    """A judge that says it is unsure, or says nothing that can be read, decides nothing, and the reason is kept."""
    workspace, _ = opened(tmp_path, lambda _first, _second: said)
    with workspace:
        [comparison] = verdict_of(workspace, asked(workspace, answer(3), answer(9))).comparisons
        assert (comparison.winner, comparison.why, comparison.said) == (0, why, said)


def test_a_failed_request_leaves_its_pair_open(tmp_path: Path) -> None:
    """If one of two requests fails the pair is unsure; if all fail, the error is the result and nothing is stored."""
    failure = DceError("backend_error", "out of memory")
    workspace, _ = opened(tmp_path / "a", lambda first, _: failure if "= 9" in first else "VERDICT: A")
    with workspace:
        [comparison] = verdict_of(workspace, asked(workspace, answer(3), answer(9))).comparisons
        assert (comparison.why, comparison.said_swapped) == ("failed", "out of memory")
    workspace, _ = opened(tmp_path / "b", lambda _first, _second: failure)
    with workspace:
        generation = asked(workspace, answer(3), answer(9))
        with pytest.raises(DceError, match="out of memory"):
            verdict_of(workspace, generation)
        assert workspace.store.comparisons.latest(generation) == ()


def test_a_new_version_was_not_judged(tmp_path: Path) -> None:
    """Advice on a version that was replaced is no longer shown."""
    workspace, _ = opened(tmp_path, larger)
    with workspace:
        generation = asked(workspace, answer(3), answer(9))
        verdict_of(workspace, generation)
        workspace.store.responses.insert_ended(
            Response(generation=generation, slot=2, version=1, status=Status.COMPLETE, text=answer(1), ended_at=1.0)
        )
        assert [row.judged for row in board(workspace, generation)] == [None, None]


def _checked(workspace: Workspace, generation: int, slot: int, failed: int) -> None:
    run = CheckRun(name="t", ok=not failed, exit_code=failed, passed=1, failed=failed, duration_s=0, output="")
    report = CheckReport(passed=1, failed=failed, new_failures=failed, runs=(run,))
    key = Current(workspace.project).key(workspace.reading(generation, slot))
    workspace.store.check_reports.put(generation, slot, 1, report, key)


def test_only_what_is_alike_at_the_top_is_compared(tmp_path: Path) -> None:
    """Responses that fail more, have no files, or have files identical to another one are left out; so are those beyond the limit."""
    workspace, _ = opened(tmp_path, larger)
    with workspace:
        generation = asked(workspace, answer(3), answer(9), answer(3), answer(4), "No files.")
        for slot, failed in ((1, 0), (2, 1), (3, 0), (4, 0)):
            _checked(workspace, generation, slot, failed)
        assert top_class(ranked(candidates(workspace, generation))) == (1, 4)
        many = asked(workspace, *(answer(value) for value in range(10, 20)))
        assert len(top_class(ranked(candidates(workspace, many)))) == MAX_JUDGED
        assert top_class([]) == ()


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    """One response at the top, or none with files: an error with the next step, and no request."""
    workspace, provider = opened(tmp_path, larger)
    with workspace:
        for texts in ((answer(3),), ("No files.", "None here either."), (answer(3), answer(3))):
            generation = asked(workspace, *texts)
            with pytest.raises(DceError) as caught:
                Judge(workspace, generation, "")
            assert caught.value.code == "conflict"
        assert provider.requests == []


def test_the_host_of_the_judge_needs_consent(tmp_path: Path) -> None:
    """A judge on another host gets nothing before the user agrees to that host, and no secret."""
    workspace, provider = opened(tmp_path, larger)
    settings = Settings(url="https://judge.example", card="far")
    with workspace:
        generation = asked(workspace, answer(3), answer(9))
        far = Workspace(workspace._shared, settings, provider)
        workspace._shared.by_card["far"] = far
        workspace._shared.settings_of = lambda _: settings
        with pytest.raises(DceError) as caught:
            verdict_of(workspace, generation, "far")
        assert caught.value.code == "consent_needed"
        assert provider.requests == []
        far.sending.agree()
        assert verdict_of(workspace, generation, "far").card == "far"


@given(st.text(max_size=40), st.sampled_from(["A", "B", "UNSURE", "a", "Unsure"]))
def test_the_last_verdict_counts(before: str, said: str) -> None:
    """Whatever is written before it, the verdict is read from the last line, in any case and with marks around it."""
    assert verdict_in(f"VERDICT: B\n{before}\n**VERDICT: {said}**") == said.upper()


def test_swapping_decides() -> None:
    """A then B in the two orders is the first answer; the same letter twice is the order."""
    assert settled("A", "B") == ("first", "")
    assert settled("B", "A") == ("second", "")
    assert settled("B", "B") == ("", "order")
    assert settled("A", "UNSURE") == ("", "even")
    assert settled("", "B") == ("", "unclear")


def test_what_a_judge_said_is_kept(tmp_path: Path) -> None:
    """What a judge said is part of the record and of JSON."""
    workspace, _ = opened(tmp_path, larger)
    with workspace:
        found = verdict_of(workspace, asked(workspace, answer(3), answer(9)))
        assert msgspec.json.decode(msgspec.json.encode(found))["comparisons"][0]["said"].startswith("Larger.")
