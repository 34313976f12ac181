"""Stops give way to starts: whoever has pressed start waits, whoever is stopped does not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Stops:
    """How many workspaces stop at the same time: `many`, and only `few` while some workspace starts.

    A stop that starts hold up for `patience_s` seconds is one of `many` from then on: rights that have ended
    must not wait for a morning's last start.
    """

    def __init__(self, many: int, few: int, patience_s: float) -> None:
        self._many, self._few = many, few
        self._patience_s = patience_s
        self._starting = self._stopping = 0
        self._changed = asyncio.Condition()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """A start, for as long as the block runs."""
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1  # the stops under way wake those who wait, or their patience does

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
            async with self._changed:
                self._stopping -= 1
                self._changed.notify_all()

    @property
    def _limit(self) -> int:
        return self._few if self._starting else self._many
