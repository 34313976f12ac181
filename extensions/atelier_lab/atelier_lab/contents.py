"""Saving a file so that what was there before stays until the new one is whole.

Jupyter writes over the file and puts a copy back when that fails. In a full home that fails as well: the file
stays cut off, and the next save copies the cut-off one over the good copy.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class HomeContents(AsyncLargeFileManager):
    """Jupyter's files, with saves that leave nothing half done."""

    @contextmanager
    def atomic_writing(self, os_path: str, *args: Any, **options: Any) -> Iterator[IO[Any]]:
        """Open a file for writing; it takes its place when the block is left without an error."""
        place = Path(os.path.realpath(os_path))  # of a link, what it leads to
        if os.access(place.parent, os.W_OK):
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
    new = place.with_name(f".~{uuid.uuid4().hex[:8]}")
    how = {"mode": "w", "encoding": encoding, "newline": newline} if text else {"mode": "wb"}
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
