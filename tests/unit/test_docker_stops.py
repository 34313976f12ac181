"""Stops give way to starts, and not for ever."""

import asyncio

import pytest

from hub_config.docker_stops import Stops

FOREVER_S = 3600
MANY, FEW = 3, 1


class Stopping:
    """Workspaces that are told to stop; each does when `end` is called for it."""

    def __init__(self, stops: Stops, count: int) -> None:
        self._stops = stops
        self._ends = [asyncio.Event() for _ in range(count)]
        self.under_way: list[int] = []
        self._tasks = [asyncio.create_task(self._stop(number)) for number in range(count)]

    async def _stop(self, number: int) -> None:
        async with self._stops.stopping():
            self.under_way.append(number)
            try:
                await self._ends[number].wait()
            finally:
                self.under_way.remove(number)

    async def end(self, number: int) -> None:
        self._ends[number].set()
        await self._tasks[number]

    async def end_all(self) -> None:
        for ended in self._ends:
            ended.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def fail(self, number: int) -> None:
        self._tasks[number].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._tasks[number]


async def settle() -> None:
    """Let everybody go on who can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_stop_at_once_while_nobody_starts() -> None:
    stopping = Stopping(Stops(MANY, FEW, FOREVER_S), 5)
    await settle()
    assert stopping.under_way == [0, 1, 2]
    await stopping.end_all()


async def test_few_stop_while_somebody_starts_and_many_again_afterwards() -> None:
    stops = Stops(MANY, FEW, FOREVER_S)
    async with stops.starting(), stops.starting():
        stopping = Stopping(stops, 6)
        await settle()
        assert stopping.under_way == [0]
        await stopping.end(0)
        await settle()
        assert stopping.under_way == [1]
    await settle()
    assert stopping.under_way == [1, 2, 3]
    await stopping.end_all()


async def test_a_start_stops_no_stop_that_is_under_way_and_lets_no_further_one_in() -> None:
    stops = Stops(MANY, FEW, FOREVER_S)
    stopping = Stopping(stops, 5)
    await settle()
    async with stops.starting():
        await stopping.end(0)
        await settle()
        assert stopping.under_way == [1, 2]
        await stopping.end_all()


async def test_who_has_waited_long_enough_stops_whoever_starts() -> None:
    stops = Stops(MANY, FEW, patience_s=0)
    async with stops.starting():
        stopping = Stopping(stops, 5)
        async with asyncio.timeout(10):
            while len(stopping.under_way) < MANY:
                await settle()
        assert len(stopping.under_way) == MANY
        await stopping.end_all()


async def test_a_start_or_a_stop_that_fails_holds_nobody_up() -> None:
    stops = Stops(MANY, FEW, FOREVER_S)
    with pytest.raises(OSError):
        async with stops.starting():
            raise OSError
    stopping = Stopping(stops, 4)
    await settle()
    await stopping.fail(0)
    await stopping.fail(3)
    await settle()
    assert stopping.under_way == [1, 2]
    await stopping.end_all()
