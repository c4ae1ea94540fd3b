"""as_completed.py: checks run while a generation does, share their work, and end it when enough responses pass."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.events import ChecksFinished, ChecksProgress, Event, SlotProgress
from dce.workspace.judging.as_completed import AsCompleted
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.record.responses import Status, Tokens
from tests.workspace.judging import Bench


def _bench(tmp_path: Path, command: str = "import sys; sys.exit(open('a').read() != 'good')") -> Bench:
    bench = Bench(tmp_path / "w", {"a": "good"})
    (bench.project.state_dir / "checks.toml").write_text(
        f'[[check]]\nname = "t"\ncommand = ["python", "-c", "{command}"]\n'
    )
    bench.agree_to_commands()
    return bench


def _ended(generation: int, slot: int, status: Status = Status.COMPLETE) -> SlotProgress:
    return SlotProgress(
        generation=generation,
        slot=slot,
        version=1,
        status=status,
        tokens=Tokens(),
        ttft_s=None,
        elapsed_s=None,
        tokens_per_s=None,
    )


def test_a_response_is_checked_while_others_are_still_written(tmp_path: Path) -> None:
    """The verdict on a complete response comes before the run has ended; a response without files counts as done."""
    bench = _bench(tmp_path)
    generation = bench.answer({"a": "bad"}, {"a": "good"}, {}, statuses={2: Status.GENERATING})

    async def scenario() -> tuple[list[Event], dict[int, CheckReport]]:
        checks, told = AsCompleted(bench, generation, 3), list[Event]()
        first = asyncio.Event()

        def tell(event: Event) -> None:
            told.append(event)
            if isinstance(event, ChecksFinished):
                first.set()

        running = asyncio.create_task(checks.run(tell))
        checks.on_event(_ended(generation, 2, Status.GENERATING))
        checks.on_event(_ended(generation, 1))
        await first.wait()
        assert not running.done()
        checks.on_event(_ended(generation, 3))
        checks.close()
        return told, await running

    told, reports = asyncio.run(scenario())
    assert {slot: report.is_passed for slot, report in reports.items()} == {1: False}
    progress = [event for event in told if isinstance(event, ChecksProgress)]
    assert progress[0].is_base
    assert (progress[-1].done, progress[-1].running) == (2, ())
    assert bench.store.check_reports.latest(generation, CheckReport) == reports


def test_answers_that_do_the_same_run_once(tmp_path: Path) -> None:
    """Answers that complete one by one and do the same share one run, also if the first is still being checked."""
    bench = _bench(tmp_path, "import uuid; print(uuid.uuid4())")
    generation = bench.answer(*[{"a": "same"}] * 3)

    async def scenario() -> dict[int, CheckReport]:
        checks = AsCompleted(bench, generation, 3)
        for slot in (1, 2, 3):
            checks.on_event(_ended(generation, slot))
        checks.close()
        return await checks.run(lambda _: None)

    reports = asyncio.run(scenario())
    assert sorted(reports) == [1, 2, 3]
    assert len({report.runs[0].output for report in reports.values()}) == 1


def _enough(bench: Bench, generation: int, enough: int, errors: Sequence[DceError] = ()) -> tuple[AsCompleted, int]:
    """The checks of slots 1 to 4, of which the fourth never ends by itself; and how often the rest was asked to stop."""
    stops = list(errors)
    asked = 0

    async def stop() -> None:
        nonlocal asked
        asked += 1
        if stops:
            raise stops.pop(0)

    async def scenario() -> AsCompleted:
        checks = AsCompleted(bench, generation, 4, enough=enough, stop=stop)
        for slot in (1, 2, 3):
            checks.on_event(_ended(generation, slot))
        await checks.run(lambda _: None)
        return checks

    return asyncio.run(scenario()), asked


def test_enough_stops_the_rest(tmp_path: Path) -> None:
    """As soon as enough responses pass, the rest of the generation is asked to stop, and no further check begins."""
    bench = _bench(tmp_path)
    generation = bench.answer({"a": "bad"}, {"a": "good"}, {"a": "good"}, {"a": "x"}, statuses={4: Status.GENERATING})
    checks, asked = _enough(bench, generation, 2)
    assert (checks.passed, checks.is_enough, asked) == ((2, 3), True, 1)


def test_a_rest_that_has_ended_or_just_begins_is_no_fault(tmp_path: Path) -> None:
    """What cannot be stopped yet is asked again; where nothing runs any more, all is well."""
    bench = _bench(tmp_path)
    generation = bench.answer({"a": "good"}, {"a": "good"}, {"a": "bad"})
    errors = [DceError("conflict", "not yet"), DceError("not_found", "nothing runs")]
    checks, asked = _enough(bench, generation, 1, errors)
    assert (checks.is_enough, asked) == (True, 2)


def test_without_consent_nothing_runs(tmp_path: Path) -> None:
    """The checks of a run need the same consent as those that the user asks for."""
    bench = _bench(tmp_path)
    (bench.project.state_dir / "checks.toml").write_text('[[check]]\nname = "t"\ncommand = ["other"]\n')
    generation = bench.answer({"a": "good"})
    with pytest.raises(DceError) as caught:
        asyncio.run(AsCompleted(bench, generation, 1).run(lambda _: None))
    assert caught.value.code == "consent_needed"


def test_a_stopped_response_is_not_checked(tmp_path: Path) -> None:
    """What the user stopped, or what was stopped because enough pass, is not worth a run; asked for by hand it is checked."""
    bench = _bench(tmp_path)
    generation = bench.answer({"a": "good"}, statuses={1: Status.STOPPED})

    async def scenario() -> dict[int, CheckReport]:
        checks = AsCompleted(bench, generation, 1)
        checks.on_event(_ended(generation, 1, Status.STOPPED))
        checks.close()
        return await checks.run(lambda _: None)

    assert asyncio.run(scenario()) == {}
