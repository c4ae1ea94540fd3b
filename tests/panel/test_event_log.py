"""The event log."""

import asyncio
from collections.abc import AsyncGenerator

from dce.panel.event_log import EventLog
from dce.wire import sse
from dce.workspace.events import WorkspaceChanged


def change(number: int) -> WorkspaceChanged:
    return WorkspaceChanged(what=f"thing {number}")


async def read(log: EventLog, cursor: str, count: int) -> list[sse.Event]:
    """The next `count` events of a reader at `cursor`."""
    decoder, events = sse.Decoder(), list[sse.Event]()
    follower = log.follow(cursor)
    async for frame in follower:
        events += decoder.feed(frame)
        if len(events) >= count:
            break
    assert isinstance(follower, AsyncGenerator)
    await follower.aclose()
    return events


def whats(events: list[sse.Event]) -> list[str]:
    return [event.data.rpartition(":")[2].strip('"}') for event in events]


def test_a_reader_gets_every_event_after_its_cursor_once_and_in_order() -> None:
    """What was published before the cursor is not repeated; what comes later arrives as it is published."""

    async def go() -> None:
        log = EventLog()
        log.append(change(0))
        cursor = log.cursor
        log.append(change(1))
        reading = asyncio.create_task(read(log, cursor, 3))
        await asyncio.sleep(0)
        log.append(change(2))
        await asyncio.sleep(0)
        log.append(change(3))
        events = await reading
        assert whats(events) == ["thing 1", "thing 2", "thing 3"]
        assert {event.event for event in events} == {"workspace_changed"}

    asyncio.run(go())


def test_each_id_is_a_cursor() -> None:
    """A reader that comes back with the last id it saw misses nothing."""

    async def go() -> None:
        log = EventLog()
        cursor = log.cursor
        for number in range(5):
            log.append(change(number))
        seen = await read(log, cursor, 5)
        assert whats(await read(log, seen[1].id, 3)) == ["thing 2", "thing 3", "thing 4"]

    asyncio.run(go())


def test_a_reader_that_missed_events_is_told_to_start_anew() -> None:
    """When the log no longer holds what a reader lacks, it gets one `reset` whose id goes on from now."""

    async def go() -> None:
        log = EventLog(max_events=3)
        cursor = log.cursor
        for number in range(10):
            log.append(change(number))
        (reset,) = await read(log, cursor, 1)
        assert (reset.event, reset.id) == ("reset", log.cursor)

    asyncio.run(go())


def test_a_cursor_of_another_run_is_told_to_start_anew() -> None:
    """A page that outlived the server, and any garbage, is no place in this log."""

    async def go() -> None:
        log = EventLog()
        log.append(change(0))
        run = log.cursor.partition(":")[0]
        for cursor in (EventLog().cursor, "", "x", f"{run}:", f"{run}:-1", f"{run}:99", f"{run}:²"):
            (reset,) = await read(log, cursor, 1)
            assert reset.event == "reset"

    asyncio.run(go())


def test_the_log_is_bounded_in_bytes_too() -> None:
    """A few huge events push out the older ones."""

    async def go() -> None:
        log = EventLog(max_bytes=1000)
        cursor = log.cursor
        log.append(WorkspaceChanged(what="x" * 900))
        log.append(WorkspaceChanged(what="y" * 900))
        (reset,) = await read(log, cursor, 1)
        assert reset.event == "reset"

    asyncio.run(go())


def test_silence_is_broken_by_comments() -> None:
    """A quiet stream still moves, so that a dead connection does not look alive."""

    async def go() -> None:
        log = EventLog()
        frames = log.follow(log.cursor, heartbeat_s=0.001)
        assert (await anext(frames)).startswith(b"retry:")
        assert (await anext(frames)).startswith(b":")

    asyncio.run(go())


def test_closing_ends_every_reader() -> None:
    """A server that stops leaves nobody waiting."""

    async def go() -> None:
        log = EventLog()

        async def to_end() -> int:
            return len([frame async for frame in log.follow(log.cursor)])

        readers = [asyncio.create_task(to_end()) for _ in range(3)]
        await asyncio.sleep(0)
        log.close()
        assert await asyncio.gather(*readers) == [1, 1, 1]

    asyncio.run(go())
