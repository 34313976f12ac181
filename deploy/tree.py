"""Walking people's files as root: what lies in a home was chosen by its owner, names and links included.

Nothing is opened through a link: folders are held open while they are walked, so that a folder that is
swapped for a link meanwhile leads nowhere.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub_config.hostile_folders import CHANGED, OF_THE_MACHINE, is_too_deep, walk_folders

Kind = Literal["file", "folder", "link", "other", "too deep", "unreadable"]
NEVER_COPIED = ("too deep", "unreadable")
# Below this part of its size on the disk, a file is mostly holes; what a file system compresses is not.
HOLLOW_FROM = 32
# What the files of one home may add up to beyond the room they take on the disk (holes, and one file under
# many names): nobody's work comes near, and without a bound one home could fill the disk with its backup.
MOST_UNREAL_BYTES = 1 << 30


@dataclass(frozen=True)
class Entry:
    """Something in a tree. `path` is relative to the tree's root; `descriptor` is open for files only, and
    only until the next entry is asked for. `too deep`: what would not come back from a backup, since no
    program can open it by its path. `unreadable`: what root cannot open either (its owner holds a lease on
    it, the disk is worn), or a folder, named before, that could not be read to its end.
    """

    path: str
    kind: Kind
    mode: int
    modified_s: float
    size: int
    target: str = ""
    descriptor: int = -1
    inode: int = 0
    links: int = 1
    on_disk: int = 0

    @property
    def is_hollow(self) -> bool:
        """A file that takes next to nothing on the disk for its size: reading it gives zeros without end."""
        return self.kind == "file" and self.on_disk * HOLLOW_FROM < self.size


def walk_tree(root: Path, within: int | None = None) -> Iterator[Entry]:
    """Yield what lies below `root`, folders before what is in them. What vanishes meanwhile is left out.

    Only what was yielded as a folder is walked: its owner may have put a link in its place for a moment.
    With `within`, an open folder, `root` is relative to it. A root that is not there is empty.
    """
    if within is None and not root.is_dir():
        return
    unreadable: list[str] = []
    for inside, folders, deep, others, descriptor in walk_folders(root, within, unreadable.append):
        yield from _take_unreadable(unreadable)
        walked, too_deep = set(), set(deep)
        for name in sorted([*folders, *deep, *others]):
            path = f"{inside}/{name}" if inside else name
            for entry in _describe(path, name, descriptor, deep=name in too_deep):
                if entry.kind == "folder":
                    walked.add(name)
                yield entry
        folders[:] = [name for name in folders if name in walked]
    yield from _take_unreadable(unreadable)


def _take_unreadable(paths: list[str]) -> Iterator[Entry]:
    while paths:
        yield Entry(paths.pop(), "unreadable", 0, 0, 0)


def _describe(path: str, name: str, folder: int, *, deep: bool = False) -> Iterator[Entry]:
    if deep or is_too_deep(path):
        yield Entry(path, "too deep", 0, 0, 0)
        return
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield from _open_file(path, name, folder)
        else:
            target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else ""
            yield _make_entry(path, status, target)
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise
        if error.errno not in CHANGED:
            yield Entry(path, "unreadable", 0, 0, 0)


def _open_file(path: str, name: str, folder: int) -> Iterator[Entry]:
    # NONBLOCK: were it a pipe by now, opening would wait for its other end.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield _make_entry(path, os.fstat(descriptor), descriptor=descriptor)
    finally:
        os.close(descriptor)


def _make_entry(path: str, status: os.stat_result, target: str = "", descriptor: int = -1) -> Entry:
    return Entry(
        path=path,
        kind=_name_kind(status.st_mode),
        mode=stat.S_IMODE(status.st_mode),
        modified_s=status.st_mtime,
        size=status.st_size,
        target=target,
        descriptor=descriptor,
        inode=status.st_ino,
        links=status.st_nlink,
        on_disk=status.st_blocks * 512,
    )


def _name_kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


class Unreal:
    """Counts what a home's files hold beyond their room on the disk. One for each home."""

    def __init__(self) -> None:
        self._left = MOST_UNREAL_BYTES
        self._seen: set[int] = set()

    def is_too_much(self, entry: Entry) -> bool:
        """Tell whether a file is one too many of those without room of their own, or cannot be copied."""
        if entry.kind in NEVER_COPIED:
            return True
        again = entry.inode in self._seen
        if entry.kind != "file" or not (again or entry.is_hollow):
            self._seen |= {entry.inode} if entry.kind == "file" and entry.links > 1 else set()
            return False
        self._left -= entry.size
        self._seen |= {entry.inode} if entry.links > 1 else set()
        return self._left < 0
