"""Running generations: every slot ends once, ends are durable before they are announced, no received text is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from dce.wire.errors import DceError, Hop
from dce.workspace.events import Event, GenerationEnded, GenerationStarted, SlotProgress, SlotText
from dce.workspace.generating.generation_run import SAVE_EVERY_S, TELL_EVERY_S
from dce.workspace.generating.generator import Generator
from dce.workspace.generating.provider import CountUpdate, Delta, Ended, Opened, Queued
from dce.workspace.record.generations import Generation
from dce.workspace.record.progress import Progress
from dce.workspace.record.responses import TERMINAL, Status, Tokens
from dce.workspace.record.store import Store
from tests.fakes.provider import Clock, Gate, ScriptedProvider, Step, Ticks
from tests.workspace.loop import a_generation, a_prompt, a_store

OPENED = Opened(stream_id="s1")


async def _never(_seconds: float) -> None:
    await asyncio.Event().wait()


class Bench:
    """A store, a scripted provider and a generator; records events, and whether each was true when sent."""

    def __init__(self, tmp_path: Path, provider: ScriptedProvider, sleep: Callable[[float], Awaitable[None]] = _never):
        self.store = a_store(tmp_path)
        self.provider = provider
        self.generator = Generator(self.store, provider, Clock(), sleep)
        self.told: list[Event] = []

    def hear(self, event: Event) -> None:
        """Records an event. An end must already be in the store."""
        if isinstance(event, SlotProgress) and event.status in TERMINAL:
            stored = self.store.responses.get(event.generation, event.slot, event.version)
            assert (stored.status, stored.error, stored.tokens) == (event.status, event.error, event.tokens)
        self.told.append(event)

    def text(self, slot: int, version: int = 1) -> str:
        """The slot's text, assembled from the events."""
        text = ""
        for event in self.told:
            if isinstance(event, SlotText) and (event.slot, event.version) == (slot, version):
                assert event.text_offset == len(text)
                text += event.text
        return text

    def ends(self) -> list[tuple[int, int]]:
        """Slot and version of each end event."""
        return [
            (event.slot, event.version)
            for event in self.told
            if isinstance(event, SlotProgress) and event.status in TERMINAL
        ]

    def statuses(self, generation: Generation) -> list[Status]:
        """As stored."""
        return [response.status for response in self.store.responses.latest(generation.id)]


def _run(bench: Bench, work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(100):
            await work

    try:
        asyncio.run(limited())
    finally:
        bench.store.close()


def test_each_slot_gets_its_choice(tmp_path: Path) -> None:
    """Choice i fills slot i+1: text, status by finish_reason, exact tokens, between start and end events."""
    script: list[Step] = [
        OPENED,
        Opened(stream_id="s1", model="named"),
        Delta(index=1, thinking="hm"),
        CountUpdate(index=1, completion_tokens=2),
        Delta(index=0, text="zero"),
        CountUpdate(index=0, completion_tokens=1),
        Delta(index=1, text="one"),
        CountUpdate(index=1, completion_tokens=5),
        Ended(index=0, finish_reason="stop"),
        Ended(index=2, finish_reason="stopped"),
        Ended(index=1, finish_reason="length"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=3, grammar="root ::= x", max_tokens=50, temperature=0.5)
        await bench.generator.run(generation, bench.hear)
        first, second, third = bench.store.responses.latest(generation.id)
        assert (first.status, first.text, first.tokens) == (Status.COMPLETE, "zero", Tokens(answer=1, exact=True))
        assert (second.status, second.thinking, second.text) == (Status.TRUNCATED, "hm", "one")
        assert second.tokens == Tokens(thinking=2, answer=3, exact=True)
        assert (third.status, third.finish_reason, third.text) == (Status.STOPPED, "stopped", "")
        assert bench.ends() == [(1, 1), (3, 1), (2, 1)]
        assert isinstance(bench.told[0], GenerationStarted)
        ended = bench.told[-1]
        assert isinstance(ended, GenerationEnded)
        assert ended.statuses == {Status.COMPLETE: 1, Status.TRUNCATED: 1, Status.STOPPED: 1}
        stored = bench.store.generations.get(generation.id)
        assert (stored.model, stored.stream_id) == ("named", "s1")
        assert stored.ended_at is not None
        (request,) = bench.provider.requests
        assert request.prompt == a_prompt().text
        assert (request.n, request.model, request.max_tokens, request.temperature) == (3, None, 50, 0.5)
        assert request.grammar == "root ::= x"

    _run(bench, work())


def test_a_request_that_fails_is_the_error_of_every_slot(tmp_path: Path) -> None:
    """Hop and hint of a refused request are stored with each response; `run` itself does not raise."""
    refusal = DceError("invalid_key", "the key was revoked", hint="ask anew", hop=Hop.GATEWAY)
    bench = Bench(tmp_path, ScriptedProvider([refusal]))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        await bench.generator.run(generation, bench.hear)
        for response in bench.store.responses.latest(generation.id):
            assert response.status is Status.ERROR
            assert response.error == refusal.body()
        assert sorted(bench.ends()) == [(1, 1), (2, 1)]

    _run(bench, work())


def test_a_stream_that_dies_keeps_what_had_arrived(tmp_path: Path) -> None:
    """An error in the middle ends the open slots with that error and their text; a slot that had ended stays complete."""
    script: list[Step] = [
        OPENED,
        Delta(index=0, text="done"),
        Ended(index=0, finish_reason="stop"),
        Delta(index=1, text="half"),
        DceError("gateway_timeout", "silence"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        await bench.generator.run(generation, bench.hear)
        first, second = bench.store.responses.latest(generation.id)
        assert (first.status, first.text) == (Status.COMPLETE, "done")
        assert (second.status, second.text) == (Status.ERROR, "half")
        assert second.error is not None
        assert second.error.code == "gateway_timeout"

    _run(bench, work())


def test_a_provider_that_breaks_its_promise_cannot_leave_a_slot_open(tmp_path: Path) -> None:
    """A stream that just ends, an end without a reason, an unrequested choice, text after the end: each slot ends once."""
    script: list[Step] = [
        Delta(index=0, text="a"),
        Ended(index=0, finish_reason=""),
        Delta(index=0, text="late"),
        CountUpdate(index=0, completion_tokens=99),
        Ended(index=0, finish_reason="stop"),
        Delta(index=7, text="nobody's"),
        Ended(index=-1, finish_reason="stop"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        await bench.generator.run(generation, bench.hear)
        first, second = bench.store.responses.latest(generation.id)
        assert (first.status, first.text, second.status) == (Status.ERROR, "a", Status.ERROR)
        assert first.error is not None
        assert second.error is not None
        assert {first.error.code, second.error.code} == {"stream_interrupted"}
        assert sorted(bench.ends()) == [(1, 1), (2, 1)]

    _run(bench, work())


def test_cancelling_stops_the_backend_and_keeps_the_text(tmp_path: Path) -> None:
    """Ctrl-C closes the stream, open slots become stopped with their text so far, and the cancellation propagates."""
    gate = Gate()
    script: list[Step] = [OPENED, Delta(index=0, text="half an ans"), Delta(index=1, thinking="hm"), gate]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        await gate.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.provider.open_streams == 0
        first, second = bench.store.responses.latest(generation.id)
        assert (first.status, first.text) == (Status.STOPPED, "half an ans")
        assert (second.status, second.thinking) == (Status.STOPPED, "hm")
        assert sorted(bench.ends()) == [(1, 1), (2, 1)]
        assert isinstance(bench.told[-1], GenerationEnded)

    _run(bench, work())


def test_cancelling_anywhere_ends_every_slot_once(tmp_path: Path) -> None:
    """Wherever a run is cancelled, each slot is terminal afterwards, announced once, and the stream is closed."""
    script: list[Step] = [
        OPENED,
        Delta(index=0, text="a"),
        Ended(index=0, finish_reason="stop"),
        Delta(index=1, text="b"),
        Ended(index=1, finish_reason="stop"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        for turns in range(60):
            bench.told.clear()
            generation = a_generation(bench.store, n=2)
            task = asyncio.create_task(bench.generator.run(generation, bench.hear))
            for _ in range(turns):
                await asyncio.sleep(0.0002 if turns % 2 else 0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bench.provider.open_streams == 0
            if not bench.told:  # cancelled before it began: nothing to check
                continue
            assert set(bench.statuses(generation)) <= {Status.COMPLETE, Status.STOPPED}
            assert sorted(bench.ends()) == [(1, 1), (2, 1)]

    _run(bench, work())


def test_running_text_is_stored_and_told_as_time_passes(tmp_path: Path) -> None:
    """A slot's progress is announced once per tick, however many chunks came, and stored once per save interval."""
    gate, ticks = Gate(), Ticks()
    script: list[Step] = [
        OPENED,
        *[Delta(index=0, text=f"{number},") for number in range(50)],
        gate,
        Ended(index=0, finish_reason="stop"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script), ticks)

    async def work() -> None:
        generation = a_generation(bench.store, n=1)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        whole = "".join(f"{number}," for number in range(50))
        while bench.text(1) != whole:
            await ticks.pass_()
        texts = [event for event in bench.told if isinstance(event, SlotText)]
        assert len(texts) <= 3
        told_before = len(bench.told)
        await ticks.pass_(round(SAVE_EVERY_S / TELL_EVERY_S))
        stored = bench.store.responses.get(generation.id, 1)
        assert (stored.status, stored.text) == (Status.GENERATING, whole)
        assert len(bench.told) == told_before  # no news, no event
        gate.opened.set()
        await task
        assert bench.text(1) == whole == bench.store.responses.get(generation.id, 1).text

    _run(bench, work())


def test_a_queued_request_tells_its_place(tmp_path: Path) -> None:
    """While the gateway makes the request wait, the slots are queued and show their position."""
    gate, ticks = Gate(), Ticks()
    bench = Bench(
        tmp_path, ScriptedProvider([Queued(position=4), gate, OPENED, Ended(index=0, finish_reason="stop")]), ticks
    )

    async def work() -> None:
        generation = a_generation(bench.store, n=1)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        while not any(isinstance(event, SlotProgress) for event in bench.told):
            await ticks.pass_()
        progress = [event for event in bench.told if isinstance(event, SlotProgress)]
        assert (progress[0].status, progress[0].position) == (Status.QUEUED, 4)
        gate.opened.set()
        await task
        assert bench.statuses(generation) == [Status.COMPLETE]

    _run(bench, work())


def test_a_place_that_changes_is_told(tmp_path: Path) -> None:
    """Each new position in the queue is announced; once the request starts there is none."""
    gates, ticks = [Gate(), Gate(), Gate()], Ticks()
    script: list[Step] = [Queued(position=2), gates[0], Queued(position=1), gates[1], OPENED, gates[2]]
    bench = Bench(tmp_path, ScriptedProvider([*script, Ended(index=0, finish_reason="stop")]), ticks)

    def places() -> list[tuple[Status, int | None]]:
        told = [event for event in bench.told if isinstance(event, SlotProgress)]
        return [(event.status, event.position) for event in told]

    async def work() -> None:
        generation = a_generation(bench.store, n=1)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        for place, gate in zip(((Status.QUEUED, 2), (Status.QUEUED, 1), (Status.CONNECTING, None)), gates, strict=True):
            while place not in places():
                await ticks.pass_()
            gate.opened.set()
        await task
        assert places() == [
            (Status.QUEUED, 2),
            (Status.QUEUED, 1),
            (Status.CONNECTING, None),
            (Status.COMPLETE, None),
        ]

    _run(bench, work())


def test_stopping_what_is_queued_gives_up_the_place(tmp_path: Path) -> None:
    """A slot stopped while it waits ends at once; with the last one, the request is abandoned."""
    ticks = Ticks()
    bench = Bench(tmp_path, ScriptedProvider([Queued(position=2), Gate()]), ticks)

    async def work() -> None:
        generation = a_generation(bench.store, n=3)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        while not any(isinstance(event, SlotProgress) for event in bench.told):
            await ticks.pass_()
        await bench.generator.stop(generation.id, 2)
        while bench.ends() != [(2, 1)]:
            await ticks.pass_()
        for slot in (1, 3):
            await bench.generator.stop(generation.id, slot)
        passing = asyncio.create_task(ticks.pass_())  # no further sleep follows it
        await task
        passing.cancel()
        assert bench.statuses(generation) == [Status.STOPPED] * 3
        assert bench.provider.open_streams == 0

    _run(bench, work())


def test_a_slot_stopped_while_queued_is_stopped_at_the_gateway_too(tmp_path: Path) -> None:
    """When the others start, the gateway is told to stop the response that is no longer wanted."""
    gate, ticks = Gate(), Ticks()
    script: list[Step] = [Queued(position=2), gate, OPENED, Ended(index=0, finish_reason="stop")]
    bench = Bench(tmp_path, ScriptedProvider(script), ticks)

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        while not any(isinstance(event, SlotProgress) for event in bench.told):
            await ticks.pass_()
        await bench.generator.stop(generation.id, 2)
        while bench.ends() != [(2, 1)]:
            await ticks.pass_()
        gate.opened.set()
        await task
        assert bench.provider.stops == [("s1", 1)]
        assert bench.statuses(generation) == [Status.COMPLETE, Status.STOPPED]

    _run(bench, work())


def test_regenerating_makes_new_versions_of_the_same_prompt(tmp_path: Path) -> None:
    """Slots 3 and 1 become choices 0 and 1 of a request with the stored prompt and grammar; the old versions are kept."""
    first: list[Step] = [OPENED, *[Ended(index=index, finish_reason="stop") for index in range(3)]]
    again: list[Step] = [
        Opened(stream_id="s2"),
        Delta(index=0, text="three"),
        Ended(index=0, finish_reason="stop"),
        Delta(index=1, text="one"),
        Ended(index=1, finish_reason="length"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(first, again))

    async def work() -> None:
        generation = a_generation(bench.store, n=3, grammar="root ::= x")
        await bench.generator.run(generation, bench.hear)
        await bench.generator.run(generation, bench.hear, slots=[3, 1])
        assert bench.provider.requests[1].n == 2
        assert bench.provider.requests[1].prompt == bench.provider.requests[0].prompt
        assert bench.provider.requests[1].grammar == "root ::= x"
        latest = bench.store.responses.latest(generation.id)
        assert [(response.version, response.text) for response in latest] == [(2, "one"), (1, ""), (2, "three")]
        assert bench.store.responses.get(generation.id, 1, version=1).status is Status.COMPLETE
        assert bench.text(3, version=2) == "three"

    _run(bench, work())


def test_several_regenerations_may_run_at_once(tmp_path: Path) -> None:
    """Two slots regenerate side by side; a slot that is being regenerated cannot be started again."""
    gates = [Gate(), Gate()]
    scripts: list[list[Step]] = [
        [OPENED, *[Ended(index=index, finish_reason="stop") for index in range(2)]],
        [Opened(stream_id="s2"), gates[0], Delta(index=0, text="first"), Ended(index=0, finish_reason="stop")],
        [Opened(stream_id="s3"), gates[1], Delta(index=0, text="second"), Ended(index=0, finish_reason="stop")],
    ]
    bench = Bench(tmp_path, ScriptedProvider(*scripts))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        await bench.generator.run(generation, bench.hear)
        tasks = []
        for gate, slot in zip(gates, (1, 2), strict=True):
            tasks.append(asyncio.create_task(bench.generator.run(generation, bench.hear, slots=[slot])))
            await gate.arrived.wait()
        with pytest.raises(DceError) as caught:
            await bench.generator.run(generation, bench.hear, slots=[2])
        assert caught.value.code == "conflict"
        for gate in reversed(gates):
            gate.opened.set()
        await asyncio.gather(*tasks)
        assert [response.text for response in bench.store.responses.latest(generation.id)] == ["first", "second"]

    _run(bench, work())


@pytest.mark.parametrize(
    ("slots", "code"), [([], "invalid_input"), ([1, 1], "invalid_input"), ([9], "not_found"), (None, "conflict")]
)
def test_a_run_that_makes_no_sense_is_refused_first(tmp_path: Path, slots: list[int] | None, code: str) -> None:
    """No slots, a repeated slot, an unknown one or a finished generation is refused; nothing is requested or changed."""
    bench = Bench(tmp_path, ScriptedProvider([OPENED, Ended(index=0, finish_reason="stop")]))

    async def work() -> None:
        generation = a_generation(bench.store, n=1)
        await bench.generator.run(generation, bench.hear)
        before = bench.store.responses.latest(generation.id)
        with pytest.raises(DceError) as caught:
            await bench.generator.run(generation, bench.hear, slots)
        assert caught.value.code == code
        assert len(bench.provider.requests) == 1
        assert bench.store.responses.latest(generation.id) == before

    _run(bench, work())


def test_a_stop_names_stream_and_choice(tmp_path: Path) -> None:
    """Stopping uses the stored stream id, so that another generator (another process) can do it."""
    gate = Gate()
    script: list[Step] = [OPENED, gate, Ended(index=0, finish_reason="stop"), Ended(index=1, finish_reason="stopped")]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        await gate.arrived.wait()
        other = Generator(bench.store, bench.provider, Clock())
        await other.stop(generation.id, 2)
        await other.stop(generation.id)
        assert bench.provider.stops == [("s1", 1), ("s1", None)]
        gate.opened.set()
        await task
        assert bench.statuses(generation) == [Status.COMPLETE, Status.STOPPED]
        for slot in (1, None):
            with pytest.raises(DceError, match="not running"):
                await other.stop(generation.id, slot)
        with pytest.raises(DceError, match="no response 5"):
            await other.stop(generation.id, 5)

    _run(bench, work())


def test_a_stop_of_a_stream_that_another_process_holds(tmp_path: Path) -> None:
    """If only the process that runs a stream can end it, a stop request left in the store is obeyed once, within a save interval."""

    class Elsewhere(ScriptedProvider):
        """Talks to its server from another process."""

        async def stop(self, stream_id: str, index: int | None) -> None:
            raise DceError("conflict", "not ours")

    gate = Gate()
    script: list[Step] = [OPENED, gate, Ended(index=0, finish_reason="stopped"), Ended(index=1, finish_reason="stop")]
    ticks = Ticks()
    bench = Bench(tmp_path, ScriptedProvider(script), ticks)
    other = Generator(bench.store, Elsewhere([]), Clock())

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        await gate.arrived.wait()
        await other.stop(generation.id, 1)
        await ticks.pass_(round(SAVE_EVERY_S / TELL_EVERY_S) * 2)
        assert bench.provider.stops == [("s1", 0)]
        gate.opened.set()
        await task
        assert bench.statuses(generation) == [Status.STOPPED, Status.COMPLETE]

    _run(bench, work())


def test_a_stop_before_the_stream_has_a_name_is_not_lost(tmp_path: Path) -> None:
    """A slot stopped before the gateway answers is stopped as soon as it does; other processes are told to wait."""
    gate = Gate()
    script: list[Step] = [gate, OPENED, Ended(index=1, finish_reason="stopped"), Ended(index=0, finish_reason="stop")]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        task = asyncio.create_task(bench.generator.run(generation, bench.hear))
        await gate.arrived.wait()
        with pytest.raises(DceError, match="not reached the gateway"):
            await Generator(bench.store, bench.provider, Clock()).stop(generation.id, 2)
        await bench.generator.stop(generation.id, 2)
        assert bench.provider.stops == []
        gate.opened.set()
        await task
        assert bench.provider.stops == [("s1", 1)]

    _run(bench, work())


def test_a_listener_that_fails_does_not_lose_the_answers(tmp_path: Path) -> None:
    """If the UI raises (a closed pipe), the run ends with that error, every slot terminal and its text stored."""
    script: list[Step] = [
        OPENED,
        Delta(index=0, text="a"),
        Ended(index=0, finish_reason="stop"),
        Delta(index=1, text="b"),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    def hear(event: Event) -> None:
        if isinstance(event, SlotText):
            raise BrokenPipeError

    async def work() -> None:
        generation = a_generation(bench.store, n=2)
        with pytest.raises(BrokenPipeError):
            await bench.generator.run(generation, hear)
        assert bench.provider.open_streams == 0
        assert all(status in TERMINAL for status in bench.statuses(generation))
        assert bench.store.responses.get(generation.id, 1).text == "a"

    _run(bench, work())


def test_a_store_that_fails_ends_the_run(tmp_path: Path) -> None:
    """If the store can no longer write, the run ends with the store's error."""
    gate, ticks = Gate(), Ticks()
    bench = Bench(tmp_path, ScriptedProvider([OPENED, Delta(index=0, text="a"), gate]), ticks)

    class Full(Progress):
        def save(self, progress: object) -> None:
            raise DceError("store_unreadable", "disk full")

    async def work() -> None:
        generation = a_generation(bench.store, n=1)
        with Store(bench.store.path) as full:
            full.progress = Full(full.database, full.responses)
            task = asyncio.create_task(Generator(full, bench.provider, Clock(), ticks).run(generation, bench.hear))
            for _ in range(round(SAVE_EVERY_S / TELL_EVERY_S) - 1):
                await ticks.pass_()
            ticks._go.put_nowait(None)
            with pytest.raises(DceError, match="disk full"):
                await task
        assert bench.provider.open_streams == 0
        assert bench.statuses(generation) == [Status.ERROR]

    _run(bench, work())


def test_half_a_character_ends_no_other_response(tmp_path: Path) -> None:
    """Text that cannot be stored unchanged costs its own response one character, and the others nothing."""
    script: list[Step] = [
        OPENED,
        Delta(index=0, text="a\ud83d"),
        Delta(index=1, text="whole"),
        *(Ended(index=index, finish_reason="stop") for index in range(3)),
    ]
    bench = Bench(tmp_path, ScriptedProvider(script))

    async def work() -> None:
        generation = a_generation(bench.store)
        await bench.generator.run(generation, bench.hear)
        assert bench.statuses(generation) == [Status.COMPLETE] * 3
        assert (bench.text(1), bench.text(2)) == ("a\ufffd", "whole")

    _run(bench, work())
