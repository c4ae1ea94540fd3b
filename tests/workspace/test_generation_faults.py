"""What goes wrong while one response is taken costs that response only."""

from pathlib import Path
from typing import Any

from dce.workspace.generating.provider_events import Delta, Ended
from dce.workspace.record.responses import Status
from tests.fakes.provider import ScriptedProvider, Step
from tests.workspace.loop import a_generation
from tests.workspace.test_generation import OPENED, Bench, _run


def test_an_exception_of_the_provider_is_an_error_of_the_open_slots(tmp_path: Path) -> None:
    """Whatever a provider raises, the run ends in order: what had ended stays as it was, and the rest says why."""
    script: list[Step] = [OPENED, Delta(index=0, text="a"), Ended(index=0, finish_reason="stop"), KeyError("a bug")]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        await bench.generator.run(generation, bench.hear)
        assert bench.statuses(generation) == [Status.COMPLETE, Status.ERROR]
        error = bench.store.responses.get(generation.id, 2).error
        assert error is not None
        assert (error.code, error.message) == ("internal", "DCE failed: KeyError")

    _run(bench, work())


def test_an_event_that_cannot_be_taken_ends_its_slot_only(tmp_path: Path) -> None:
    """A text that is none and a reason with half a character cost their own response; the others are whole."""
    odd: Any = 5
    script: list[Step] = [
        OPENED,
        Delta(index=0, text=odd),
        Delta(index=1, text="whole"),
        Delta(index=2, text="x"),
        Ended(index=2, finish_reason="\ud83d"),
        Ended(index=1, finish_reason="stop"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=3)
        await bench.generator.run(generation, bench.hear)
        assert bench.statuses(generation) == [Status.ERROR, Status.COMPLETE, Status.ERROR]

    _run(bench, work())
