"""Packs a folder into the archive that the exchange takes: tar and gzip, plain files only.

The same files give the same bytes, so that a repeated submission can be recognised. What cannot be sent is
refused here, with the file's name and the repair, before a byte goes over the wire.
"""

import fnmatch
import gzip
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
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
)
MB = 1_000_000


@dataclass(frozen=True)
class PackLimits:
    """The exchange's usual limits, checked early; the service has the last word."""

    total_mb: int = 200
    files: int = 2000
    notebook_mb: int = 20


class PackingRefusal(Exception):
    """A file that cannot be sent; the message names it and the repair."""


def pack(
    folder: Path, target: Path, ignore: Sequence[str] = (), limits: PackLimits | None = None
) -> list[str]:
    """Write the archive of `folder` to `target`; returns the packed paths. Constant memory.

    `ignore` holds glob patterns of names to leave out, at any depth. Raises PackingRefusal.
    """
    limits = limits or PackLimits()
    files = list(_list_files(folder, (*LEFT_OUT, *ignore)))
    _check_size(files, limits)
    # mtime and the name inside gzip's header would make each archive different.
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, file in files:
            _add(archive, name, file)
    return [name for name, _file in files]


def _list_files(folder: Path, ignore: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_ignored(name, ignore))
        for name in [*folders, *sorted(names)]:
            file = Path(place, name)
            if _is_ignored(name, ignore) or _is_plain_folder(file):
                continue
            shown = file.relative_to(folder).as_posix()
            _check_kind(file, shown)
            yield shown, file


def _is_ignored(name: str, ignore: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in ignore)


def _is_plain_folder(file: Path) -> bool:
    return stat.S_ISDIR(file.lstat().st_mode)


def _check_kind(file: Path, shown: str) -> None:
    mode = file.lstat().st_mode
    if stat.S_ISLNK(mode):
        text = _("“{name}” is a link. Put a copy of the file in its place.")
    elif not stat.S_ISREG(mode):
        text = _("“{name}” is not an ordinary file. Remove it from the folder.")
    else:
        return
    raise PackingRefusal(text.format(name=shown))


def _check_size(files: list[tuple[str, Path]], limits: PackLimits) -> None:
    if len(files) > limits.files:
        text = _(
            "The folder holds {count} files, at most {most} can be sent. Remove what is not part of the work."
        )
        raise PackingRefusal(text.format(count=len(files), most=limits.files))
    sizes = [(file.stat().st_size, name) for name, file in files]
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


def _add(archive: tarfile.TarFile, name: str, file: Path) -> None:
    # O_NOFOLLOW: the file may have become a link since it was looked at.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as source:
        entry = tarfile.TarInfo(name)
        entry.size = os.fstat(descriptor).st_size
        entry.mode = 0o644
        try:
            archive.addfile(entry, source)
        except OSError as error:
            text = _("“{name}” changed while it was being packed. Save it and try again.")
            raise PackingRefusal(text.format(name=name)) from error
