"""Walking through people's files as root: names, links and depths were chosen by their owners, who may
change them meanwhile.

`os.fwalk` does not do: it opens a folder that has become a pipe, and waits there for ever, and it holds as
many descriptors and calls as the tree is deep.
"""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Nobody's work lies deeper, and a longer path can be opened by no program in one step (PATH_MAX is 4096).
DEEPEST, LONGEST_PATH = 100, 3000
# Gone, or something else than a moment before: a link, a pipe or a socket where a file was.
CHANGED = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EINVAL, errno.ENOTDIR)
# The machine's own want, and no property of what lies in a home: whoever met it stops.
OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def walk_folders(
    root: Path, within: int | None = None, note_unreadable: Callable[[str], None] | None = None
) -> Iterator[tuple[str, list[str], list[str], list[str], int]]:
    """Yield for each folder: its path (empty for the root), names of folders, of folders too deep to be
    walked through, of everything else, and an open descriptor, good until the next folder is asked for.

    Who takes a name out of the list of folders is not led into it. With `within`, an open folder, `root` is
    relative to it. No link is followed but the root itself. `note_unreadable` is given the paths of folders
    that could not be read, or not to their end.
    """
    walk = _Walk(note_unreadable)
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=within)
    except OSError as error:
        if note_unreadable is None:
            raise
        walk.judge(error, "")
        return
    try:
        yield from walk.go(descriptor, "", 0)
    finally:
        os.close(descriptor)


def is_too_deep(path: str, depth: int = 0) -> bool:
    """Tell whether a path inside a home is longer, or lies deeper, than anybody's work does."""
    return depth >= DEEPEST or len(os.fsencode(path)) > LONGEST_PATH


class _Walk:
    def __init__(self, note_unreadable: Callable[[str], None] | None) -> None:
        self._note = note_unreadable

    def go(
        self, descriptor: int, path: str, depth: int
    ) -> Iterator[tuple[str, list[str], list[str], list[str], int]]:
        folders, others = self._list_names(descriptor, path)
        prefix = f"{path}/" if path else ""
        deep = [name for name in folders if is_too_deep(prefix + name, depth)]
        folders = [name for name in folders if not is_too_deep(prefix + name, depth)]
        yield path, folders, deep, others, descriptor
        for name in folders:
            try:
                inner = os.open(name, FOLDER_FLAGS, dir_fd=descriptor)
            except OSError as error:
                self.judge(error, prefix + name)
                continue
            try:
                yield from self.go(inner, prefix + name, depth + 1)
            finally:
                os.close(inner)

    def _list_names(self, descriptor: int, path: str) -> tuple[list[str], list[str]]:
        # By name: what its owner renames away and back meanwhile comes twice.
        found: dict[str, bool] = {}
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    found[entry.name] = entry.is_dir(follow_symlinks=False)
        except OSError as error:
            self.judge(error, path)
        names = sorted(found)
        return [name for name in names if found[name]], [name for name in names if not found[name]]

    def judge(self, error: OSError, path: str) -> None:
        """Go on after what a home's owner, or a worn disk, can bring about; raise the rest."""
        if error.errno in OF_THE_MACHINE:
            raise error
        if self._note is not None and error.errno not in CHANGED:
            self._note(path)
