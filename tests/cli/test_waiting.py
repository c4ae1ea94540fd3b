"""The progress line that is shown during a long wait."""

import asyncio
import io

import pytest

from dce.cli.waiting import waited


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Ticks:
    """A sleep that the test controls; `asked` is set when something waits."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._passed = asyncio.Event()

    async def sleep(self, _: float) -> None:
        self._asked.set()
        await self._passed.wait()
        self._passed.clear()

    async def tick(self) -> None:
        """Lets one second pass; when this returns, the next wait has begun."""
        await self._asked.wait()
        self._asked.clear()
        self._passed.set()
        await self._asked.wait()


@pytest.mark.parametrize("error", [None, ValueError("it failed")], ids=["done", "failed"])
def test_seconds_are_told_until_the_end(error: Exception | None) -> None:
    """The line is redrawn every second and removed at the end; the result or the error is passed on."""
    terminal = _Terminal()

    async def run() -> None:
        ticks, end = _Ticks(), asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(waited(end, "counting", terminal, ticks.sleep))
        await ticks.tick()
        await ticks.tick()
        if error is None:
            end.set_result(7)
            assert await waiting == 7
        else:
            end.set_exception(error)
            with pytest.raises(ValueError, match="it failed"):
                await waiting

    asyncio.run(asyncio.wait_for(run(), 100))
    assert terminal.getvalue() == "\r\x1b[Kcounting … 1 s\r\x1b[Kcounting … 2 s\r\x1b[K"


def test_quick_work_says_nothing() -> None:
    """Work that ends within a second prints nothing, not even control characters."""
    terminal = _Terminal()

    async def run() -> int:
        return await waited(asyncio.sleep(0, 7), "counting", terminal, _Ticks().sleep)

    assert asyncio.run(run()) == 7
    assert terminal.getvalue() == ""


def test_only_a_terminal_is_told() -> None:
    """Nothing is written to a pipe or a log, and no seconds are counted."""
    pipe = io.StringIO()

    async def run() -> int:
        return await waited(asyncio.sleep(0, 7), "counting", pipe, _never)

    assert asyncio.run(run()) == 7
    assert pipe.getvalue() == ""


async def _never(_: float) -> None:
    raise AssertionError("nobody waits")
