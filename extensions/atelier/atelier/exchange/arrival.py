"""Receiving an archive: checked and hashed while it arrives, in a file that is not yet a blob.

Checking and disk work happen in a few threads of their own, so that neither pages nor the hub's questions
wait for thirty uploads at the bell. An upload holds `BATCH_BYTES` and the check's small state in memory.
"""

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request

from atelier.exchange.archive import ArchiveCheck, ArchiveFacts, ArchiveLimits, too_large
from atelier.exchange.errors import ExchangeError
from atelier.store import BlobStore
from atelier.texts import N_

BATCH_BYTES = 256 * 1024
IDLE_S = 60.0
UPLOAD_THREADS = 4
UPLOADS_PER_ACCOUNT = 3

_log = logging.getLogger("atelier.exchange")
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole, allowed archive. `keep` makes it a blob."""

    facts: ArchiveFacts
    path: Path
    file: BinaryIO
    blobs: BlobStore

    def keep(self) -> None:
        """Make the archive durable as a blob; afterwards a row may refer to it."""
        self.blobs.keep(self.path, self.file, self.facts.sha256)


class Arrivals:
    """The uploads that are under way in this process, and the threads that work on them."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._threads = anyio.CapacityLimiter(UPLOAD_THREADS)
        self._under_way: dict[str, int] = {}

    async def in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run blocking work in one of the upload threads."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._threads)

    @contextlib.asynccontextmanager
    async def receive(self, request: Request, account: str, limits: ArchiveLimits) -> AsyncIterator[Arrived]:
        """Receive the body of `request` as an archive; what is not kept inside the block is removed after it.

        Raises ExchangeError: what `ArchiveCheck` raises, `too_many_at_once`, `cut_off`, `no_space`.
        """
        with self._count_in(account):
            path, file = await self.in_thread(self._blobs.open_incoming)
            try:
                facts = await self._receive_into(file, request, limits)
                yield Arrived(facts, path, file, self._blobs)
            finally:
                # In this thread, at once: closing a file and unlinking a name must not be cancelled.
                file.close()
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _count_in(self, account: str) -> Iterator[None]:
        if self._under_way.get(account, 0) >= UPLOADS_PER_ACCOUNT:
            text = N_("Other files of yours are still on their way. Wait until they have arrived.")
            raise ExchangeError(429, "too_many_at_once", text, headers={"Retry-After": "10"})
        self._under_way[account] = self._under_way.get(account, 0) + 1
        try:
            yield
        finally:
            self._under_way[account] -= 1
            if not self._under_way[account]:
                del self._under_way[account]

    async def _receive_into(self, file: BinaryIO, request: Request, limits: ArchiveLimits) -> ArchiveFacts:
        async with contextlib.aclosing(_batches(request)) as batches:
            try:
                if _announced_size(request) > limits.packed_bytes:
                    raise too_large(limits)
                check = ArchiveCheck(limits)
                async for batch in batches:
                    await self.in_thread(_take, check, file, batch)
                return check.finish()
            except OSError as error:
                _check_space_left(error)
                raise


def _check_space_left(error: OSError) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.error("no-space: %s", error)
        text = N_("Atelier has no room left for files. Your work is still with you; tell your school.")
        raise ExchangeError(507, "no_space", text) from error


def _take(check: ArchiveCheck, file: BinaryIO, batch: bytes) -> None:
    check.feed(batch)
    rest = memoryview(batch)
    while rest:
        rest = rest[file.write(rest) :]


def _announced_size(request: Request) -> int:
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isascii() and announced.isdigit() else 0


async def _batches(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the body in pieces of `BATCH_BYTES`, the last one shorter. Raises `cut_off`."""
    pieces = request.stream()
    collected = bytearray()
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                piece = await anext(pieces, None)
        except (ClientDisconnect, TimeoutError) as error:
            text = N_("The connection was cut before everything had arrived. Send it again.")
            raise ExchangeError(408, "cut_off", text) from error
        collected += piece or b""
        if len(collected) >= BATCH_BYTES or (piece is None and collected):
            yield bytes(collected)
            collected.clear()
        if piece is None:
            return
