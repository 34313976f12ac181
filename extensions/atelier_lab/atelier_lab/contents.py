"""Saving a file so that what was there before stays until the new one is whole.

Jupyter writes over the file and puts a copy back when that fails. In a full home that fails as well: the file
stays cut off, and the next save copies the cut-off one over the good copy. Its checkpoints are copied with
nothing put back at all. An upload in several pieces stays as Jupyter has it.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from traitlets import default

_IN_USE: set[Path] = set()


class HomeCheckpoints(AsyncFileCheckpoints):
    """Jupyter's checkpoints, made and put back as a whole or not at all."""

    async def _copy(self, src: str, dest: str) -> None:
        with self.perm_to_403(dest):
            await asyncio.to_thread(copy_beside, Path(src), Path(os.path.realpath(dest)))


class HomeContents(AsyncLargeFileManager):
    """Jupyter's files, with saves that leave nothing half done."""

    @default("checkpoints_class")
    def _checkpoints_class_default(self) -> type[HomeCheckpoints]:
        return HomeCheckpoints

    @contextmanager
    def atomic_writing(self, os_path: str, *args: Any, **options: Any) -> Iterator[IO[Any]]:
        """Open a file for writing; it takes its place when the block is left without an error."""
        place = Path(os.path.realpath(os_path))  # of a link, what it leads to
        if os.access(place.parent, os.W_OK) and (place.is_file() or not place.exists()):
            with self.perm_to_403(os_path), write_beside(place, *args, **options) as file:
                yield file
        else:  # only what is there can be written over
            with super().atomic_writing(os_path, *args, **options) as file:
                yield file


@contextmanager
def write_beside(
    place: Path, text: bool = True, encoding: str = "utf-8", newline: str = "\n"
) -> Iterator[IO[Any]]:
    """Open a new file beside `place`; it replaces that one when the block is left without an error.

    Raises PermissionError for a file that its owner has made read-only.
    """
    is_there = place.exists()
    if is_there and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", str(place))
    how = {"mode": "w", "encoding": encoding, "newline": newline} if text else {"mode": "wb"}
    with _reserve_beside(place) as new:
        try:
            with new.open(**how) as file:  # type: ignore[call-overload]
                yield file
                file.flush()
                os.fsync(file.fileno())
            if is_there:
                shutil.copymode(place, new)
            new.replace(place)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


@contextmanager
def _reserve_beside(place: Path) -> Iterator[Path]:
    """Yield a name that nobody writes to, the same for each save: what a killed server left goes with the
    next one.
    """
    new = place.with_name(f".~{zlib.crc32(os.fsencode(place.name)):08x}")
    while new in _IN_USE:  # two browsers save the same file
        new = new.with_name(f"{new.name}+")
    _IN_USE.add(new)
    try:
        yield new
    finally:
        _IN_USE.discard(new)


def copy_beside(source: Path, place: Path) -> None:
    """Copy a file and, where that is possible, its times; `place` changes only when all of it is there."""
    with source.open("rb") as old, write_beside(place, text=False) as new:
        shutil.copyfileobj(old, new)
    with contextlib.suppress(OSError):
        shutil.copystat(source, place)
