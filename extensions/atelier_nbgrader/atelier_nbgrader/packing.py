"""Packs a folder into the archive that the exchange takes: tar and gzip, plain files only.

The same files give the same bytes, so that a repeated submission can be recognised. What cannot be sent is
refused here, with the file's name and the repair, before a byte goes over the wire.

The archive is made in memory: whoever has a full home can write no larger file, in /tmp neither, and the work
must still be handed in. In a container that costs no more than a file: /tmp is the workspace's memory there.
"""

import fnmatch
import gzip
import io
import os
import stat
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from atelier_nbgrader.language import translate as _

# Ours and the editor's own; never part of anybody's work.
LEFT_OUT = (
    ".receipts",
    ".atelier",
    ".ipynb_checkpoints",
    "__pycache__",
    "submission-*",
    "*.pyc",
    ".DS_Store",
    ".~*",  # what Lab is saving; it is there for a moment
)
MB = 1_000_000
# Of a file that was removed, alone or with its folder, since it was listed.
GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class PackLimits:
    """The exchange's usual limits, checked early; the service has the last word."""

    total_mb: int = 200
    files: int = 2000
    notebook_mb: int = 20


class PackingRefusal(Exception):
    """A file that cannot be sent; the message names it and the repair."""


@dataclass(frozen=True)
class _Found:
    """A file to pack: its path in the archive, where it lies, its bytes when it was listed."""

    name: str
    file: Path
    size: int


def pack(
    folder: Path,
    target: io.BytesIO,
    ignore: Sequence[str] = (),
    limits: PackLimits | None = None,
    required: Collection[str] = (),
) -> list[str]:
    """Write the archive of `folder` to `target`; returns the packed paths. Takes no more memory than
    `limits.total_mb` and some.

    `ignore` holds glob patterns of names to leave out, at any depth. A file that goes meanwhile is left out,
    as if it had gone before; one of the paths in `required`, or one that comes back, is not. Raises
    PackingRefusal.
    """
    limits = limits or PackLimits()
    ignore = (*LEFT_OUT, *ignore)
    gone: set[str] = set()
    files = list(_list_files(folder, ignore, gone))
    _check_size(files, limits)
    room, packed = limits.total_mb * MB, []
    # mtime and the name inside gzip's header would make each archive different.
    with (
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=target, mtime=0) as plain,
        tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for found in files:
            try:
                room -= _add(archive, found, room)
            except GONE:
                gone.add(found.name)
            else:
                packed.append(found.name)
    wanted = {name for name in required if not _is_any_ignored(name, ignore)}
    _check_left_out(folder, gone, wanted - set(packed))
    return packed


def _list_files(folder: Path, ignore: Sequence[str], gone: set[str]) -> Iterator[_Found]:
    """List what is to be packed; what goes meanwhile is put into `gone`."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_ignored(name, ignore))
        for name in [*folders, *sorted(names)]:
            if _is_ignored(name, ignore):
                continue
            file = Path(place, name)
            shown = file.relative_to(folder).as_posix()
            try:
                facts = file.lstat()
            except GONE:
                gone.add(shown)
                continue
            if not stat.S_ISDIR(facts.st_mode):
                _check_kind(facts.st_mode, shown)
                yield _Found(shown, file, facts.st_size)


def _is_ignored(name: str, ignore: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in ignore)


def _is_any_ignored(name: str, ignore: Sequence[str]) -> bool:
    return any(_is_ignored(part, ignore) for part in name.split("/"))


def _check_left_out(folder: Path, gone: set[str], missing: set[str]) -> None:
    """Judge what could not be packed: it is gone, or was away for a moment, as when a file is written anew.

    Of the assignment's own ones none may be handed in as missing because of a moment; nor may any that is
    there again.
    """
    for name in sorted(gone | missing):
        if name in gone & missing or (folder / name).is_file():
            raise _refuse_changed(name)


def _refuse_changed(name: str) -> PackingRefusal:
    text = _("“{name}” changed while it was being packed. Save it and try again.")
    return PackingRefusal(text.format(name=name))


def _check_kind(mode: int, shown: str) -> None:
    if stat.S_ISLNK(mode):
        text = _("“{name}” is a link. Put a copy of the file in its place.")
    elif not stat.S_ISREG(mode):
        text = _("“{name}” is not an ordinary file. Remove it from the folder.")
    else:
        return
    raise PackingRefusal(text.format(name=shown))


def _check_size(files: list[_Found], limits: PackLimits) -> None:
    if len(files) > limits.files:
        text = _(
            "The folder holds {count} files, at most {most} can be sent. Remove what is not part of the work."
        )
        raise PackingRefusal(text.format(count=len(files), most=limits.files))
    sizes = [(found.size, found.name) for found in files]
    for size, name in sizes:
        if name.endswith(".ipynb") and size > limits.notebook_mb * MB:
            text = _(
                "“{name}” has {size} MB, a notebook may have {most} MB. Clear its outputs and try again."
            )
            raise PackingRefusal(text.format(name=name, size=size // MB, most=limits.notebook_mb))
    total = sum(size for size, _name in sizes)
    if total > limits.total_mb * MB:
        largest, name = max(sizes)
        text = _(
            "The folder holds {total} MB, at most {most} MB can be sent. The largest file is “{name}” "
            "({size} MB): "
            "make it smaller or remove it."
        )
        raise PackingRefusal(
            text.format(total=total // MB, most=limits.total_mb, name=name, size=round(largest / MB, 1))
        )


def _add(archive: tarfile.TarFile, found: _Found, room: int) -> int:
    """Add a file of at most `room` bytes; returns how many it has."""
    # O_NOFOLLOW: the file may have become a link since it was looked at.
    descriptor = os.open(found.file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as source:
        entry = tarfile.TarInfo(found.name)
        entry.size = os.fstat(descriptor).st_size
        entry.mode = 0o644
        if entry.size > room:
            raise _refuse_changed(found.name)
        try:
            archive.addfile(entry, source)
        except OSError as error:
            raise _refuse_changed(found.name) from error
    return entry.size
