"""One run of a generation: provider events in, stored responses and UI events out.

What must always hold: every slot of the run ends exactly once, even if the request fails, the provider breaks its contract or the run is
cancelled; an end is durable before it is announced; stored text lags by at most `SAVE_EVERY_S`; events for an ended slot are ignored.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing

from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.halves import whole
from dce.workspace.events import Event, GenerationEnded, GenerationStarted, SlotProgress, SlotText, Wait
from dce.workspace.generating.live_response import Cursor, LiveResponse, status_of_finish
from dce.workspace.generating.provider import (
    CountUpdate,
    Delta,
    Ended,
    GenerationRequest,
    Opened,
    Provider,
    ProviderEvent,
    Waiting,
)
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import Store

TELL_EVERY_S = 0.1
"""Interval of a slot's UI events: ten per second is as fast as an eye follows and a browser can draw ten tabs."""

SAVE_EVERY_S = 1.0
"""How far stored text may lag: what a crash can lose, at the cost of one durable write per second."""

Tell = Callable[[Event], None]
Sleep = Callable[[float], Awaitable[None]]


class _Slot:
    """A response of the run, and how much of it was announced and saved."""

    def __init__(self, live: LiveResponse) -> None:
        self.live = live
        self.told = Cursor()
        self.saved = live.begun
        self.told_record: Response | None = None
        self.told_why: tuple[int | None, Wait | None] = (None, None)
        self.saved_record: Response | None = None
        self.is_end_told = False
        self.wait: Wait | None = None
        self.wait_until = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a server that is busy."""
        return self.live.status is Status.WAITING


class GenerationRun:
    """Runs one request: choice i of the stream is the i-th of `lives`."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        request: GenerationRequest,
        lives: Sequence[LiveResponse],
        tell: Tell,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._store = store
        self._provider = provider
        self._request = request
        self._slots = [_Slot(live) for live in lives]
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._saving = asyncio.Lock()
        self._stop_on_open: set[int] = set()
        self._stream_id = ""
        self._position: int | None = None
        self._consuming: asyncio.Task[None] | None = None
        self._ended_at: float | None = None

    @property
    def generation_id(self) -> int:
        """The generation this run belongs to."""
        return self._slots[0].live.record().generation

    def stop_on_open(self, slot: int) -> bool:
        """Stops a slot as soon as possible: once the gateway has named the stream, or while the request waits in its queue.
        Returns whether the slot belongs to this run."""
        is_ours = any(slot == ours.live.slot for ours in self._slots)
        if is_ours:
            self._stop_on_open.add(slot)
        return is_ours

    async def execute(self, started: GenerationStarted) -> None:
        """Runs until every slot has ended. A failed request, and whatever the provider raises, becomes the error of its slots; only
        cancellation, the store and the UI raise."""
        began = self._clock()
        for slot in self._slots:
            slot.live.start(began)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tell(started)
                ticker = tasks.create_task(self._tick())
                self._consuming = tasks.create_task(self._consume())
                await asyncio.wait({self._consuming})
                ticker.cancel()
            await self._settle([slot for slot in self._slots if not slot.is_end_told])
            now = self._clock()
            await asyncio.to_thread(self._store.generations.end, self.generation_id, now)
            self._ended_at = now
        except asyncio.CancelledError:
            self._finish_now(Status.STOPPED, None)
            raise
        except BaseExceptionGroup as group:
            error = group.exceptions[0]
            self._finish_now(Status.ERROR, _failed(error).body())
            raise error from None
        finally:
            self._end(began)

    async def _consume(self) -> None:
        error = DceError("stream_interrupted", "the stream ended before this response did").body()
        try:
            async with aclosing(self._provider.stream(self._request)) as events:
                while (event := await _next(events)) is not None:
                    await self._take(event)
        except DceError as failure:
            error = failure.body()
        await self._settle(self._end_open(Status.ERROR, error))

    async def _take(self, event: ProviderEvent) -> None:
        if isinstance(event, Opened):
            await self._open(event)
        elif isinstance(event, Delta | CountUpdate | Ended | Waiting):
            slot = self._slots[event.index] if 0 <= event.index < len(self._slots) else None
            if slot is not None and not slot.live.is_terminal:
                await self._advance(slot, event)
        else:
            self._position = event.position

    async def _advance(self, slot: _Slot, event: Delta | CountUpdate | Ended | Waiting) -> None:
        try:
            self._apply(slot, event)
        except Exception as failure:  # noqa: BLE001 - an event that cannot be taken ends its slot and no other
            if not slot.live.is_terminal:
                slot.live.end(Status.ERROR, self._clock(), "", _failed(failure).body())
        if slot.live.is_terminal:
            await self._settle([slot])

    def _apply(self, slot: _Slot, event: Delta | CountUpdate | Ended | Waiting) -> None:
        live = slot.live
        if isinstance(event, CountUpdate):
            live.count(event.completion_tokens, event.prompt_tokens)
            return
        if live.status is Status.QUEUED:  # a provider that sends no `Opened`
            live.connect()
        if isinstance(event, Waiting):
            live.wait()
            slot.wait, slot.wait_until = Wait(event.why, event.retry_in_s), self._clock() + event.retry_in_s
            return
        if isinstance(event, Delta):
            live.add(event.text, event.thinking, self._clock())
            return
        status = Status.ERROR if event.error else status_of_finish(event.finish_reason)
        error = event.error
        if status is Status.ERROR and error is None:
            reason = (
                f"the model ended with {event.finish_reason!r}" if event.finish_reason else "no finish_reason was sent"
            )
            error = DceError("stream_interrupted", f"the response is incomplete: {reason}").body()
        live.end(status, self._clock(), whole(event.finish_reason), error)

    async def _open(self, event: Opened) -> None:
        self._position = None
        self._stream_id = event.stream_id
        for slot in self._slots:
            if slot.live.status is Status.QUEUED:
                slot.live.connect()
        records = [slot.live.record() for slot in self._slots]
        await asyncio.to_thread(
            self._store.progress.open_stream, self.generation_id, event.stream_id, event.model, records
        )
        stopping, self._stop_on_open = self._stop_on_open, set()
        for index, slot in enumerate(self._slots):
            if slot.live.slot in stopping:
                await self._stop_now(slot, event.stream_id, index)

    async def _stop_now(self, slot: _Slot, stream_id: str, index: int) -> None:
        """Carries out a stop requested before the stream had an id. If the gateway cannot be reached, the slot still ends here."""
        try:
            await self._provider.stop(stream_id, index)
        except DceError:
            if not slot.live.is_terminal:
                slot.live.end(Status.STOPPED, self._clock(), "stopped")
                await self._settle([slot])

    async def _stop_queued(self) -> None:
        """Ends stopped slots of a request in the gateway's queue, which has no stream to stop yet. With the last slot the request is dropped."""
        slots = [slot for slot in self._slots if slot.live.slot in self._stop_on_open and not slot.live.is_terminal]
        if self._position is None or not slots:
            return
        for slot in slots:
            slot.live.end(Status.STOPPED, self._clock(), "stopped")
        await self._settle(slots)
        if self._consuming is not None and all(slot.live.is_terminal for slot in self._slots):
            self._consuming.cancel()

    async def _tick(self) -> None:
        until_save = SAVE_EVERY_S
        while True:
            await self._sleep(TELL_EVERY_S)
            await self._stop_queued()
            for slot in self._slots:
                if slot.is_waiting and self._clock() >= slot.wait_until:
                    slot.live.connect()  # it is being asked again
                if not slot.live.is_terminal:
                    self._tell_news(slot)
            until_save -= TELL_EVERY_S
            if until_save < TELL_EVERY_S / 2:
                until_save = SAVE_EVERY_S
                await self._save()
                await self._heed()

    async def _heed(self) -> None:
        """Stops what another process asked to stop: with some servers only the connected process can do that."""
        asked = await asyncio.to_thread(self._store.stop_requests.take, self._stream_id) if self._stream_id else []
        for index in asked:
            with contextlib.suppress(DceError):
                await self._provider.stop(self._stream_id, index)

    async def _save(self) -> None:
        """Saves the progress of running slots since the last save, in one transaction."""
        async with self._saving:
            progress, after = [], []
            for slot in self._slots:
                record = slot.live.record()
                if slot.live.is_terminal or record == slot.saved_record:
                    continue
                news, cursor = slot.live.news(slot.saved)
                progress.append((record, news))
                after.append((slot, record, cursor))
            if progress:
                await asyncio.to_thread(self._store.progress.save, progress)
            for slot, record, cursor in after:
                slot.saved_record, slot.saved = record, cursor

    async def _settle(self, slots: Sequence[_Slot]) -> None:
        """Stores ended slots, then announces their ends."""
        if not slots:
            return
        async with self._saving:
            await asyncio.to_thread(self._store.progress.save_ends, [slot.live.record() for slot in slots])
        self._tell_ends(slots)

    def _finish_now(self, status: Status, error: ErrorBody | None) -> None:
        """Like `_settle` for all remaining slots, without awaiting: a second Ctrl-C must not lose what has arrived."""
        self._end_open(status, error)
        untold = [slot for slot in self._slots if not slot.is_end_told]
        self._store.progress.save_ends(slot.live.record() for slot in untold)
        self._tell_ends(untold)

    def _end_open(self, status: Status, error: ErrorBody | None) -> list[_Slot]:
        open_slots = [slot for slot in self._slots if not slot.live.is_terminal]
        for slot in open_slots:
            slot.live.end(status, self._clock(), "", error)
        return open_slots

    def _tell_ends(self, slots: Iterable[_Slot]) -> None:
        for slot in slots:
            slot.is_end_told = True
            self._tell_news(slot)

    def _tell_news(self, slot: _Slot) -> None:
        record = slot.live.record()
        news, slot.told = slot.live.news(slot.told)
        if news:
            self._tell(SlotText.of(record, news))
        why = (self._position, slot.wait if slot.is_waiting else None)
        if record != slot.told_record or why != slot.told_why:
            slot.told_record, slot.told_why = record, why
            self._tell(SlotProgress.of(record, self._clock(), *why))

    def _end(self, began: float) -> None:
        """Announces the end. Stores it here only if the run was cut short, when nothing may be awaited any more."""
        now = self._ended_at
        if now is None:
            now = self._clock()
            self._store.generations.end(self.generation_id, now)
        statuses = Counter(slot.live.status for slot in self._slots)
        self._tell(
            GenerationEnded(
                generation=self.generation_id,
                slots=tuple(slot.live.slot for slot in self._slots),
                statuses=dict(statuses),
                elapsed_s=now - began,
            )
        )


async def _next(events: AsyncGenerator[ProviderEvent, None]) -> ProviderEvent | None:
    """The provider's next event, None at its end. Raises DceError for whatever it raises: one odd answer must not end the command."""
    try:
        return await anext(events, None)
    except DceError:
        raise
    except Exception as failure:
        raise _failed(failure) from failure


def _failed(failure: BaseException) -> DceError:
    """The error of a slot that an exception ended."""
    return (
        failure
        if isinstance(failure, DceError)
        else DceError("internal", f"DCE failed: {type(failure).__name__}", hop=Hop.CLIENT)
    )
