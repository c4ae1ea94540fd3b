"""What a response waits for is told while it waits, and only then."""

import asyncio
from pathlib import Path

import msgspec

from dce.workspace.events import SlotProgress, Wait
from dce.workspace.generating.generation_run import SAVE_EVERY_S, TELL_EVERY_S
from dce.workspace.generating.provider import Delta, Ended, Waiting
from dce.workspace.record.responses import Status
from tests.fakes.provider import Gate, ScriptedProvider, Step, Ticks
from tests.workspace.loop import a_generation
from tests.workspace.test_generation import OPENED, Bench, _run


def test_what_waits_for_a_busy_server_says_so(tmp_path: Path) -> None:
    """A response whose server is busy is `waiting`, with the reason and the time; once it is asked again it is connecting; stored it
    never waits, and one that writes already does not either."""
    gates, ticks = [Gate(), Gate()], Ticks()
    wait = Waiting(index=0, why="the server is busy", retry_in_s=1.0)
    script: list[Step] = [
        OPENED,
        Delta(index=1, text="x"),
        msgspec.structs.replace(wait, index=1),
        wait,
        gates[0],
        msgspec.structs.replace(wait, retry_in_s=1000.0),
        gates[1],
        Delta(index=0, text="a"),
        *(Ended(index=index, finish_reason="stop") for index in range(2)),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script), ticks)

    def told(slot: int = 1) -> list[tuple[Status, Wait | None]]:
        progress = [event for event in bench.told if isinstance(event, SlotProgress) and event.slot == slot]
        return [(event.status, event.wait) for event in progress]

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        while (Status.CONNECTING, None) not in told():
            await ticks.pass_()
        gates[0].opened.set()
        while (Status.WAITING, Wait("the server is busy", 1000.0)) not in told():
            await ticks.pass_()
        await ticks.pass_(2 * round(SAVE_EVERY_S / TELL_EVERY_S))
        assert bench.statuses(generation)[0] is Status.CONNECTING
        gates[1].opened.set()
        await task
        assert told()[-1] == (Status.COMPLETE, None)
        assert Status.WAITING not in {status for status, _ in told(2)}

    _run(bench, work())
