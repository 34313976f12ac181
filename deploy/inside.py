"""Reaching and writing what lies inside a home, step by step, so that no link on the way leads out of it.

A path is walked folder by folder, each opened within the one before and none through a link. What is written
is new: nothing is overwritten, nothing is written through a link.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from deploy.homes import Home
from deploy.problem import DeployProblem

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK_BYTES = 4096
_ZEROS = bytes(BLOCK_BYTES)


def split_path(path: str) -> tuple[str, ...]:
    """Return the parts of a path inside a home. Raises DeployProblem for one that leads elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise DeployProblem(f"{path!r} is no path inside a home", "write it as in Lab: geo-8a/hw1/hw1.ipynb")
    return parts


@contextmanager
def open_folder(root: Path, parts: tuple[str, ...], owner: Home | None = None) -> Iterator[int]:
    """A folder below `root`, opened step by step so that no link on the way leads out.

    With `owner`, folders that are missing are made and given to it. Raises OSError.
    """
    descriptor = os.open(root, FOLDER_FLAGS)
    try:
        for part in parts:
            is_missing = owner is not None and not exists(part, descriptor)
            if is_missing:
                os.mkdir(part, 0o700, dir_fd=descriptor)
            inner = os.open(part, FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            if is_missing and owner is not None and owner.owner is not None:
                os.fchown(descriptor, owner.owner, owner.owner)
        yield descriptor
    finally:
        os.close(descriptor)


def exists(name: str, folder: int) -> bool:
    """Tell whether something of this name is in an open folder, be it a link to nowhere."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def make_folder(home: Home, parts: tuple[str, ...]) -> None:
    """Make a folder, and those above it, unless it is there. Raises OSError where something else is."""
    with open_folder(home.folder, parts, home):
        return


def finish_folder(home: Home, parts: tuple[str, ...], mode: int, modified_s: int) -> None:
    """Give a folder its mode and time. Raises OSError."""
    with open_folder(home.folder, parts) as folder:
        os.fchmod(folder, mode & 0o777)
        os.utime(folder, (modified_s, modified_s))


def make_link(home: Home, parts: tuple[str, ...], target: str) -> None:
    """Make a link. Raises OSError, also where something of its name is."""
    with open_folder(home.folder, parts[:-1], home) as folder:
        os.symlink(target, parts[-1], dir_fd=folder)
        if home.owner is not None:
            os.chown(parts[-1], home.owner, home.owner, dir_fd=folder, follow_symlinks=False)


def make_file(
    home: Home, parts: tuple[str, ...], content: Iterable[bytes], mode: int, modified_s: int | None
) -> None:
    """Write a new file. Raises OSError, also where something of its name is."""
    with open_folder(home.folder, parts[:-1], home) as folder:
        descriptor = os.open(parts[-1], NEW_FILE_FLAGS, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            fill_file(file, content, mode, modified_s, home.owner)


def fill_file(
    file: IO[bytes], content: Iterable[bytes], mode: int, modified_s: int | None, owner: int | None = None
) -> None:
    """Fill a new file and give it owner, mode and time. Where zeros are it gets holes: what was mostly holes
    takes no more room than it did, and whoever kept within a quota does so again.
    """
    for piece in content:
        _write_sparsely(file, piece)
    file.truncate(file.tell())
    file.flush()
    if owner is not None:
        os.fchown(file.fileno(), owner, owner)
    os.fchmod(file.fileno(), mode & 0o777)
    if modified_s is not None:
        os.utime(file.fileno(), (modified_s, modified_s))


def _write_sparsely(file: IO[bytes], piece: bytes) -> None:
    if _ZEROS not in piece:
        file.write(piece)
        return
    for begin in range(0, len(piece), BLOCK_BYTES):
        block = piece[begin : begin + BLOCK_BYTES]
        if block == _ZEROS:
            file.seek(BLOCK_BYTES, os.SEEK_CUR)
        else:
            file.write(block)
