"""Stops give way to starts: somebody waits for a start, nobody for a stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Stops:
    """How many workspaces stop at the same time: `many`, and only `few` while some workspace starts.

    Both are at least 1. A stop that starts hold up for `patience_s` seconds is one of `many` from then on:
    only a stop cuts the open tab of somebody whose right has ended, and a morning's last start may be far.
    """

    def __init__(self, many: int, few: int, patience_s: float) -> None:
        self._many, self._few = many, few
        self._patience_s = patience_s
        self._starting = self._stopping = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """A start, for as long as the block runs. It waits for nobody."""
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1  # before anything that can be cancelled
            await self._wake()

    @asynccontextmanager
    async def stopping(self) -> AsyncIterator[None]:
        """A stop: the block begins when it may, and for as long as it runs it is counted."""
        async with self._changed:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._changed.wait_for(lambda: self._stopping < self._limit)
            except TimeoutError:
                await self._changed.wait_for(lambda: self._stopping < self._many)
            self._stopping += 1
        try:
            yield
        finally:
            self._stopping -= 1
            await self._wake()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @property
    def _limit(self) -> int:
        return self._few if self._starting else self._many
