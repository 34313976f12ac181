"""How full a home is, where the kernel does not count it: a walk through its folders, and through what its
programs hold that has no name any more.

Students change both meanwhile, and may want to hide something: no link is followed, no path is trusted, and
what cannot be measured is said to be there.
"""

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hub_config.hostile_folders import FOLDER_FLAGS, walk_folders

# More files without a name in the memory of one program than any honest one has.
MOST_MAPPED = 1000
# More than any quota allows: who has more below the depth of work keeps the walk from its end.
MOST_BELOW = 2_000_000


@dataclass(frozen=True)
class Usage:
    """What a home holds: bytes on the disk, and files and folders.

    `deep`: something lies deeper than anybody's work. `hidden`: there is more that could not be measured.
    """

    used_bytes: int
    files: int
    deep: bool = False
    hidden: bool = False


class Moved(Exception):
    """A tree was moved, or grew without end, while it was walked through."""


# ------------------------------------------------ what has a name
def measure_home(folder: Path) -> Usage:
    """Walk through a home, however deep it is."""
    count = _Count()
    deep = hidden = False
    for _, folders, below, names, handle in walk_folders(folder):
        for name in (*folders, *below, *names):
            count.add(name, handle)
        for name in below:
            deep = True
            try:
                count.add_below(name, handle)
            except Moved:
                hidden = True
    return Usage(count.used_bytes, count.files, deep, hidden)


class _Count:
    def __init__(self) -> None:
        self.used_bytes = self.files = 0
        self._linked: set[int] = set()

    def add(self, name: str, folder: int) -> None:
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            self.files += 1
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if found.st_ino in self._linked:
                    return
                self._linked.add(found.st_ino)
            self.used_bytes += found.st_blocks * 512

    def add_below(self, name: str, folder: int) -> None:
        """Add what lies in a folder and below it. Raises Moved."""
        most = self.files + MOST_BELOW
        for handle, names in walk_below(name, folder):
            for inner in names:
                self.add(inner, handle)
            if self.files > most:
                raise Moved


def walk_below(name: str, folder: int) -> Iterator[tuple[int, list[str]]]:
    """Yield an open descriptor of each folder in a tree, and the names in it; one descriptor at a time and no
    recursion, so that no depth is too much.

    The way back up is `..`, which leads elsewhere when a folder was moved meanwhile. Raises Moved then.
    """
    with contextlib.ExitStack() as last:
        here = _Place(name, folder, last)
        if not here.is_open:
            return
        inner, names = here.list_names()
        yield here.descriptor, names
        way = [(here.identity, inner)]
        while way:
            if way[-1][1]:
                if here.enter(way[-1][1].pop()):
                    inner, names = here.list_names()
                    yield here.descriptor, names
                    way.append((here.identity, inner))
            else:
                way.pop()
                if way and not (here.enter("..") and here.identity == way[-1][0]):
                    raise Moved


class _Place:
    """A folder that is open; `enter` leads to another and closes it."""

    def __init__(self, name: str, folder: int, closing: contextlib.ExitStack) -> None:
        self.descriptor = folder
        self.is_open = False
        self.is_open = self.enter(name)
        closing.callback(self._close)

    def enter(self, name: str) -> bool:
        """Tell whether the folder is there and could be opened."""
        try:
            there = os.open(name, FOLDER_FLAGS, dir_fd=self.descriptor)
        except OSError:
            return False  # it is gone, or no folder any more
        self._close()
        self.descriptor, self.is_open = there, True
        return True

    @property
    def identity(self) -> tuple[int, int]:
        found = os.fstat(self.descriptor)
        return found.st_dev, found.st_ino

    def list_names(self) -> tuple[list[str], list[str]]:
        """Return the names of folders, and of everything."""
        folders: list[str] = []
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.descriptor) as found:
            for entry in found:
                names.append(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
        return folders, names

    def _close(self) -> None:
        if self.is_open:
            os.close(self.descriptor)


# ------------------------------------------------ what has lost its name
def measure_unlinked(processes: Iterable[int], device: int) -> Usage:
    """Measure the files on a device that have no name any more: while a program has one open, or in its
    memory, it takes room on the disk and lies in no home.
    """
    unnamed = _Unnamed(device)
    for process in processes:
        unnamed.look_at(Path(f"/proc/{process}"))
    return Usage(sum(unnamed.found.values()), len(unnamed.found), hidden=unnamed.hidden)


class _Unnamed:
    def __init__(self, device: int) -> None:
        self._device = device
        self._known: set[bytes] = set()
        self.found: dict[int, int] = {}
        self.hidden = False

    def look_at(self, process: Path) -> None:
        with contextlib.suppress(OSError):
            for handle in (process / "fd").iterdir():
                self._add(handle)
            mapped = _find_mapped(process, self._known)
            self.hidden |= len(mapped) > MOST_MAPPED
            # A program that forks gives its memory on: each file is looked at once.
            self._known |= {file for file, handle in islice(mapped.items(), MOST_MAPPED) if self._add(handle)}

    def _add(self, handle: Path) -> bool:
        with contextlib.suppress(OSError):
            status = handle.stat()
            if status.st_nlink == 0 and status.st_dev == self._device and stat.S_ISREG(status.st_mode):
                self.found[status.st_ino] = status.st_blocks * 512
            return True
        return False


def _find_mapped(process: Path, known: Collection[bytes]) -> dict[bytes, Path]:
    """Return what leads to the files in a process' memory that have lost their names: the kernel's words for
    the file (device and inode) → one of its mappings. Files may be mapped many thousand times.
    """
    found = {}
    with (process / "maps").open("rb") as maps:
        for line in maps:
            if b" (deleted)" in line:
                addresses, _, _, device, inode = line.split(maxsplit=5)[:5]
                file = device + b" " + inode
                if file not in known and file not in found:
                    begin, _, end = addresses.partition(b"-")
                    found[file] = process / "map_files" / f"{int(begin, 16):x}-{int(end, 16):x}"
    return found
