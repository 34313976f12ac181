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

Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True)
class Entry:
    """Something in a tree. `path` is relative to the tree's root; `descriptor` is open for files only, and
    only until the next entry is asked for.
    """

    path: str
    kind: Kind
    mode: int
    modified_s: float
    size: int
    target: str = ""
    descriptor: int = -1


def walk_tree(root: Path, within: int | None = None) -> Iterator[Entry]:
    """Yield what lies below `root`, folders before what is in them. What vanishes meanwhile is left out.

    With `within`, an open folder, `root` is relative to it. A root that is not there is empty.
    """
    if within is None and not root.is_dir():
        return
    for folder, folders, files, descriptor in os.fwalk(root, follow_symlinks=False, dir_fd=within):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == "." else f"{inside}/"
        for name in sorted([*folders, *files]):
            yield from _describe(f"{prefix}{name}", name, descriptor)


def _describe(path: str, name: str, folder: int) -> Iterator[Entry]:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield from _open_file(path, name, folder)
        else:
            target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else ""
            yield _make_entry(path, status, target)
    except FileNotFoundError:
        return


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
    )


def _name_kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
